"""The pages of qualifications: what a Worker has, asks for, and is tested on."""

from typing import Any
from urllib.parse import quote

import pytest

from crowdsight.workplace.answer_key import NAMESPACE as KEY_NAMESPACE
from crowdsight.workplace.qualifications import LOCALE, QualificationTest, QualificationType, TypeStatus
from tests.conftest import StoppedClock
from tests.unit.workplace.forms import form, question, selection
from tests.unit.workplace_site.browsing import Browser
from tests.unit.workplace_site.workplace_in_memory import REQUESTER, WorkplaceInMemory

TEST = form(question(selection("Cat", "Dog"), question_id="animal", required=True))
KEY = (
    f'<AnswerKey xmlns="{KEY_NAMESPACE}"><Question><QuestionIdentifier>animal</QuestionIdentifier><AnswerOption>'
    "<SelectionIdentifier>b</SelectionIdentifier><AnswerScore>7</AnswerScore></AnswerOption></Question></AnswerKey>"
)


def offer_type(workplace: WorkplaceInMemory, name: str = "Knows dogs", test: bool = False, **values: Any) -> str:
    """A type of a requester's that Workers can ask for; its id."""
    if test:
        values = {"test_duration_s": 300, "retry_delay_s": 60} | values
    kind = QualificationType("", REQUESTER, name, "Tells dogs from <b>cats</b>", "", TypeStatus.ACTIVE, 0, **values)
    offered = workplace.requesters.qualification_types.create(kind, QualificationTest(TEST, KEY) if test else None)
    return offered.kind.qualification_type_id


def test_nothing_is_there_at_first(ada: Browser) -> None:
    page = ada.get("/qualifications")
    assert "You have no qualification" in page.text
    assert "No requester offers a qualification now" in page.text


def test_a_strangers_way_is_to_sign_in(stranger: Browser) -> None:
    assert stranger.get("/qualifications").status == 403


def test_what_is_granted_by_itself_is_had_at_once(ada: Browser, workplace: WorkplaceInMemory) -> None:
    offer_type(workplace, auto_granted=True, auto_granted_value=3)
    page = ada.get("/qualifications")
    assert "Tells dogs from &lt;b&gt;cats&lt;/b&gt;" in page.html
    page = ada.follow(ada.press(page.form(f"/qualifications/{offer_id(page.html)}")))
    assert "The qualification is yours now" in page.text
    assert "Value 3" in page.text


def test_what_its_requester_grants_is_asked_for_once(ada: Browser, workplace: WorkplaceInMemory) -> None:
    type_id = offer_type(workplace)
    page = ada.follow(ada.press(ada.get("/qualifications").form(f"/qualifications/{type_id}")))
    assert "You have asked for it. Its requester decides" in page.text
    assert f"/qualifications/{type_id}" not in page.html


def test_a_test_is_taken_and_scored(ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock) -> None:
    type_id = offer_type(workplace, test=True)
    page = ada.follow(ada.press(ada.get("/qualifications").form(f"/qualifications/{type_id}")))
    assert "5 minutes left" in page.text
    again = ada.press(ada.get("/qualifications").form(f"/qualifications/{type_id}"))
    assert again.location == page.form("/tests/" + again.location.rpartition("/")[2]).action
    incomplete = ada.press(page.form("/tests/" + again.location.rpartition("/")[2]))
    assert incomplete.status == 422
    page = ada.follow(ada.press(incomplete.form(again.location).with_field("question-1", "b")))
    assert "The qualification is yours now" in page.text
    assert "Value 7" in page.text
    assert ada.get(again.location).status == 410


def test_a_test_whose_time_ran_out_is_over(ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock) -> None:
    type_id = offer_type(workplace, test=True)
    begun = ada.press(ada.get("/qualifications").form(f"/qualifications/{type_id}"))
    page = ada.follow(begun)
    clock.move(301)
    assert ada.press(page.form(begun.location).with_field("question-1", "b")).status == 410


def test_nobody_sees_or_takes_anothers_test(ada: Browser, grace: Browser, workplace: WorkplaceInMemory) -> None:
    type_id = offer_type(workplace, test=True)
    begun = ada.press(ada.get("/qualifications").form(f"/qualifications/{type_id}"))
    assert grace.get(begun.location).status == 404


def test_a_hit_says_what_one_lacks_and_leads_to_it(ada: Browser, workplace: WorkplaceInMemory) -> None:
    type_id = offer_type(workplace, auto_granted=True, auto_granted_value=3)
    offer_type(workplace, "Knows birds")
    hit_id = workplace.offer(
        requirements=[
            {"QualificationTypeId": type_id, "Comparator": "GreaterThan", "IntegerValues": [2]},
            {"QualificationTypeId": LOCALE, "Comparator": "EqualTo", "LocaleValues": [{"Country": "DE"}]},
        ]
    )
    for address in (workplace.group_address(hit_id), f"/hits/{hit_id}"):
        page = ada.get(address)
        assert "You cannot take it now" in page.text
        assert f"Qualification {type_id} is greater than 2" in page.text
        assert "Worker_Locale is DE" in page.text
        assert "/accept" not in page.html
        assert f'href="/qualifications?types={type_id}"' in page.html
    page = ada.get(f"/qualifications?types={type_id}")
    assert "What that HIT asks for" in page.text and "Knows dogs" in page.text and "Knows birds" not in page.text
    ada.press(page.form(f"/qualifications/{type_id}"))
    page = ada.get(f"/hits/{hit_id}")
    assert "Knows dogs" not in page.text and "Worker_Locale is DE" in page.text and "See what you can" not in page.text
    ada.press(ada.get("/qualifications").form("/qualifications").with_field("country", "de"))
    page = ada.get(f"/hits/{hit_id}")
    assert "You cannot take it" not in page.text
    assert page.form(f"/hits/{hit_id}/accept")


def test_a_worker_whom_the_requester_blocks_is_told_nothing_more(ada: Browser, workplace: WorkplaceInMemory) -> None:
    hit_id = workplace.offer()
    (worker,) = workplace.workers()
    workplace.requesters.blocks.block(REQUESTER, worker.worker_id, "secret reason")
    page = ada.get(workplace.group_address(hit_id))
    assert "/accept" not in page.html and "secret reason" not in page.html


@pytest.mark.parametrize("types", ["<script>", ",,", "x" * 9_000, "3NEVER"])
def test_ids_of_no_type_show_nothing(ada: Browser, workplace: WorkplaceInMemory, types: str) -> None:
    offer_type(workplace)
    page = ada.get(f"/qualifications?types={quote(types)}")
    assert page.status == 200
    assert types not in page.html


def test_where_one_is_can_be_said_once(ada: Browser) -> None:
    page = ada.get("/qualifications")
    form = page.form("/qualifications").with_field("country", "de").with_field("subdivision", "be")
    page = ada.follow(ada.press(form))
    assert "DE-BE. If that is wrong, ask who runs this site" in page.text
    assert ada.press(form.with_field("country", "FR")).status in (400, 409)


@pytest.mark.parametrize("country", ["Germany", "1!", ""])
def test_a_place_that_cannot_be_is_refused(ada: Browser, country: str) -> None:
    form = ada.get("/qualifications").form("/qualifications").with_field("country", country)
    assert ada.press(form).status in (400, 409)


def test_a_form_made_elsewhere_is_refused(ada: Browser, workplace: WorkplaceInMemory) -> None:
    type_id = offer_type(workplace)
    assert ada.post(f"/qualifications/{type_id}", [("csrf", "forged")]).status == 403


def offer_id(html: str) -> str:
    """The id of the one type on a page."""
    return html.split('action="/qualifications/')[1].split('"')[0]

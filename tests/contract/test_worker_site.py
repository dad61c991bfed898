"""The worker site through its Lambda handler, over the real workplace and moto's DynamoDB."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import boto3
import pytest
from moto import mock_aws

from crowdsight.wiring import Wiring
from tests.contract.conftest import REGION
from tests.contract.workplace_rig import HTML_QUESTION, Rig, load_handler
from tests.unit.workplace_site.browsing import Browser

QUESTION = HTML_QUESTION.replace(
    "<p>Which?</p>",
    '<form method="post" action="https://www.mturk.com/mturk/externalSubmit"><button name="answer">Yes</button></form>',
)


class OneCallAtATime:
    """A client whose calls from several threads go one after the other: moto's transactions copy whole tables, and fail
    when another thread writes meanwhile.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions" or not callable(found):
            return found

        def call(**request: Any) -> Any:
            with self._lock:
                return found(**request)

        return call


class Site:
    """A workplace with its site's handler, and browsers for its Workers."""

    def __init__(self, prefix: str = "") -> None:
        self.rig = Rig(fee_percent=20)
        self.prefix = prefix
        self.wiring = Wiring(self.rig.wiring.settings, self._make_client)
        self.wiring.clock = self.rig.clock
        handler = load_handler("worker_site")
        handler.__dict__["wiring"] = self.wiring
        self._handle = handler.handler

    def _make_client(self, service: str, **options: Any) -> Any:
        return OneCallAtATime(boto3.client(service, region_name=REGION, **options))

    def browser(self, name: str | None = None) -> Browser:
        """A Worker's browser, signed in if it has a name."""
        browser = Browser(lambda event: self._handle(event, None), self.prefix)
        if name:
            browser.sign_in(self.wiring.sessions.invite_worker(name))
        return browser

    def assert_adds_up(self) -> None:
        assert not self.rig.audit().discrepancies


@pytest.fixture
def site() -> Iterator[Site]:
    with mock_aws():
        yield Site()


def test_a_hit_goes_from_its_requester_to_a_worker_and_back(site: Site) -> None:
    hit = site.rig.create_hit(Question=QUESTION, MaxAssignments=2, Title="Is <b>this</b> a dog?")
    site.rig.notify(hit["HITTypeId"], "AssignmentSubmitted")
    ada = site.browser("Ada")

    listed = ada.get("/")
    assert "Is <b>this</b> a dog?" in listed.text
    assert "$0.05" in listed.text
    assert "<b>" not in listed.html
    assignment_id = ada.accept(hit["HITId"])
    page = ada.get(f"/assignments/{assignment_id}")
    question = ada.get(str(page.frame["src"]))
    assert f'action="/mturk/externalSubmit?assignmentId={assignment_id}"' in question.html
    assert ada.answer(assignment_id, answer="yes").status == 200

    (answer,) = site.rig.client.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]
    assert answer["AssignmentId"] == assignment_id
    assert "<QuestionIdentifier>answer</QuestionIdentifier><FreeText>yes</FreeText>" in answer["Answer"]
    assert site.rig.events() == ["AssignmentSubmitted"]
    assert "Waiting for approval $0.05" in ada.get("/earnings").text
    site.rig.client.approve_assignment(AssignmentId=assignment_id)
    assert "Approved $0.05" in ada.get("/earnings").text
    site.assert_adds_up()


def test_the_site_works_under_a_stages_prefix() -> None:
    with mock_aws():
        site = Site(prefix="/prod")
        hit_id = site.rig.create_hit(Question=QUESTION)["HITId"]
        ada = site.browser("Ada")
        assert f"/prod/hits/{hit_id}" in ada.get("/prod/").links
        assignment_id = ada.accept(hit_id)
        page = ada.get(f"/prod/assignments/{assignment_id}")
        assert 'action="/prod/mturk/externalSubmit?' in ada.get(str(page.frame["src"])).html
        assert ada.answer(assignment_id, answer="yes").status == 200
        site.assert_adds_up()


def test_an_answer_sent_many_times_at_once_is_one_answer(site: Site) -> None:
    hit_id = site.rig.create_hit(MaxAssignments=3)["HITId"]
    ada = site.browser("Ada")
    assignment_id = ada.accept(hit_id)
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda index: ada.answer(assignment_id, answer=str(index)), range(6)))
    assert {page.status for page in pages} == {200}
    assert sum("Already submitted" not in page.text for page in pages) == 1
    assert len(site.rig.client.list_assignments_for_hit(HITId=hit_id)["Assignments"]) == 1
    site.assert_adds_up()


def test_of_many_workers_at_once_as_many_get_a_hit_as_it_has_places(site: Site) -> None:
    hit_id = site.rig.create_hit(MaxAssignments=2)["HITId"]
    browsers = [site.browser(f"Worker {number}") for number in range(6)]
    forms = [browser.get(f"/hits/{hit_id}").form("/accept") for browser in browsers]
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda pair: pair[0].press(pair[1]), zip(browsers, forms, strict=True)))
    assert sorted(page.status for page in pages) == [303, 303, 410, 410, 410, 410]
    site.assert_adds_up()


def test_accepting_twice_leads_to_the_same_assignment(site: Site) -> None:
    site.rig.create_hit(MaxAssignments=2)
    ada = site.browser("Ada")
    form = ada.get("/").form("/accept")
    assert ada.press(form).location == ada.press(form).location


def test_a_returned_hit_is_there_for_others_and_takes_no_answer(site: Site) -> None:
    hit_id = site.rig.create_hit()["HITId"]
    ada, grace = site.browser("Ada"), site.browser("Grace")
    assignment_id = ada.accept(hit_id)
    assert f"/hits/{hit_id}" not in grace.get("/").links
    assert ada.press(ada.get(f"/assignments/{assignment_id}").form("/return")).status == 303
    assert ada.answer(assignment_id, answer="yes").status == 410
    assert f"/hits/{hit_id}" in grace.get("/").links
    site.assert_adds_up()


def test_a_late_answer_is_refused_and_the_hit_goes_to_others(site: Site) -> None:
    hit_id = site.rig.create_hit(AssignmentDurationInSeconds=60)["HITId"]
    ada, grace = site.browser("Ada"), site.browser("Grace")
    assignment_id = ada.accept(hit_id)
    assert "In progress" in ada.get("/earnings").text
    site.rig.clock.move(60)
    assert ada.answer(assignment_id, answer="yes").status == 410
    assert ada.get(f"/assignments/{assignment_id}").status == 410
    assert "In progress" not in ada.get("/earnings").text
    assert grace.accept(hit_id)
    site.assert_adds_up()


def test_anothers_assignment_can_be_neither_seen_nor_returned(site: Site) -> None:
    hit_id = site.rig.create_hit(MaxAssignments=2)["HITId"]
    ada, grace = site.browser("Ada"), site.browser("Grace")
    theirs = grace.accept(hit_id)
    own_form = ada.get(f"/assignments/{ada.accept(hit_id)}").form("/return")
    assert ada.get(f"/assignments/{theirs}").status == 403
    assert ada.post(f"/assignments/{theirs}/return", own_form.fields).status == 403
    assert grace.get(f"/assignments/{theirs}").status == 200


def test_an_expired_hit_is_gone(site: Site) -> None:
    hit_id = site.rig.create_hit(LifetimeInSeconds=60)["HITId"]
    ada = site.browser("Ada")
    form = ada.get("/").form("/accept")
    site.rig.clock.move(60)
    assert "Nothing to do" in ada.get("/").text
    assert ada.get(f"/hits/{hit_id}").status == 410
    assert ada.press(form).status == 410


def test_pages_go_on_where_the_last_one_ended(site: Site) -> None:
    hit_ids = [site.rig.create_hit()["HITId"] for _ in range(23)]
    ada = site.browser("Ada")
    first = ada.get("/")
    second = ada.get(first.links[-1])
    shown = [link.removeprefix("/hits/") for page in (first, second) for link in page.links if "/hits/" in link]
    assert sorted(shown) == sorted(hit_ids)
    assert len(shown) == 23


@pytest.mark.parametrize(
    "query", ["after=x", "after=%00", "after=" + "9" * 5_000, "after=%F0%9F%99%82", "submitted=%00"]
)
def test_a_query_that_the_site_did_not_make_does_no_harm(site: Site, query: str) -> None:
    site.rig.create_hit()
    ada = site.browser("Ada")
    assert ada.get(f"/?{query}").status == 200
    assert ada.get(f"/earnings?{query}").status == 200


@pytest.mark.parametrize("assignment_id", ["x", "3" * 30, "A" * 60_000, "\x00", "🙂", "#", "assignment#1"])
def test_an_answer_to_no_assignment_is_refused(site: Site, assignment_id: str) -> None:
    assert site.browser().answer(assignment_id, answer="yes").status == 404


@pytest.mark.parametrize(
    "answer", ["\x00", "\x1f]]>", "<![CDATA[", "\ufffe", "<script>", "x" * 60_000, "&" * 20_000, ""]
)
def test_awkward_answers_are_taken_or_refused_clearly(site: Site, answer: str) -> None:
    hit_id = site.rig.create_hit()["HITId"]
    ada = site.browser("Ada")
    page = ada.answer(ada.accept(hit_id), answer=answer)
    submitted = site.rig.client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    assert (page.status, len(submitted)) in [(200, 1), (400, 0), (413, 0)]
    site.assert_adds_up()


def test_a_hit_of_an_unknown_id_is_not_found(site: Site) -> None:
    ada = site.browser("Ada")
    for address in ("/hits/" + "3" * 30, "/frames/" + "3" * 30, "/assignments/" + "3" * 30, "/hits/" + "3" * 3_000):
        assert ada.get(address).status == 404

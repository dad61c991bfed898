"""The worker site's handler, with a requester's client on the other side. Each page is in `unit.workplace_site`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto import mock_aws

from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION, Rig, load_handler
from tests.unit.workplace_site.browsing import Browser

QUESTION = HTML_QUESTION.replace(
    "<p>Which?</p>",
    '<form method="post" action="https://www.mturk.com/mturk/externalSubmit"><button name="answer">Yes</button></form>',
)


class Site:
    """A workplace with its site's handler, and browsers for its Workers."""

    def __init__(self, prefix: str = "", dynamodb: Any = None) -> None:
        self.rig = Rig(fee_percent=20, dynamodb=dynamodb)
        self.prefix = prefix
        self._handle = load_handler("worker_site", self.rig.wiring).handler

    def browser(self, name: str) -> Browser:
        """A Worker's browser, signed in."""
        browser = Browser(lambda event: self._handle(event, None), self.prefix)
        browser.sign_in(self.rig.wiring.sessions.invite_worker(name))
        return browser

    def assert_adds_up(self) -> None:
        assert not self.rig.audit().discrepancies


@pytest.fixture
def site() -> Iterator[Site]:
    with mock_aws():
        yield Site(dynamodb=MemoryDynamoDB())


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

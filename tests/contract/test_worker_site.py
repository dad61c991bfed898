"""The worker site's handler, with a requester's client on the other side. Each page is in `unit.workplace_site`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto import mock_aws

from crowdsight.workplace.hits import HitStatus
from tests.contract.counting_dynamodb import CountingDynamoDB
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION, OFFER, REQUESTER, Rig, load_handler
from tests.unit.workplace_site.browsing import Browser, Form

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

    def staff(self, requester_id: str = REQUESTER) -> Browser:
        """A browser of one of a requester's staff, signed in."""
        browser = Browser(lambda event: self._handle(event, None), self.prefix)
        browser.sign_in(self.rig.wiring.sessions.invite_staff("Rita", requester_id))
        return browser

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
        assert f"/prod/groups/{site.rig.hit(hit_id)['HITGroupId']}" in ada.get("/prod/").links
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


def test_a_page_asks_the_table_twice_at_most() -> None:
    """The pay page's third call reads Workers' names."""
    dynamodb = CountingDynamoDB()
    with mock_aws():
        site = Site(dynamodb=dynamodb)
        hit_ids = [site.rig.create_hit(Question=QUESTION, MaxAssignments=3)["HITId"] for _ in range(3)]
        group = f"/groups/{site.rig.hit(hit_ids[0])['HITGroupId']}"
        ada, rita = site.browser("Ada"), site.staff()
        done, held = ada.accept(hit_ids[0]), ada.accept(hit_ids[1])
        ada.answer(done, answer="yes")
        submitted = ada.get(f"/assignments/{done}").location
        worker_id = site.rig.workplace.get_assignment(done).worker_id
        site.rig.workplace.messages.send_to_worker(worker_id, REQUESTER, "Hello", "you", None)
        site.rig.client.approve_assignment(AssignmentId=done)
        assert ada.get("/messages").status == 200  # the first look notes that they are read
        frame = f"/frames/{hit_ids[1]}?assignmentId={held}"
        pages = ["/", "/?q=look&sort=reward", group, f"/hits/{hit_ids[2]}", f"/frames/{hit_ids[2]}", frame, "/queue"]
        pages += [
            f"/assignments/{held}",
            submitted,
            "/earnings",
            "/messages",
            "/qualifications",
            f"/contact/{hit_ids[2]}",
        ]
        for browser, addresses in (
            (ada, pages),
            (rita, ["/requester", "/requester?status=Open", "/requester?status=Reviewable"]),
            (rita, [f"/requester/hits/{hit_ids[0]}"]),
            (rita, ["/requester/messages", "/requester/pay"]),
        ):
            for address in addresses:
                dynamodb.calls.clear()
                assert browser.get(address).status == 200, address
                assert len(dynamodb.calls) <= (3 if address == "/requester/pay" else 2), (address, dynamodb.calls)


def test_staff_see_hits_by_status(site: Site) -> None:
    hits = {title: site.rig.create_hit(Question=QUESTION, Title=title)["HITId"] for title in ("Free", "Taken", "Done")}
    site.rig.client.delete_hit(HITId=expired(site, "Deleted"))
    ada, rita = site.browser("Ada"), site.staff()
    ada.accept(hits["Taken"])
    ada.answer(ada.accept(hits["Done"]), answer="yes")
    site.rig.client.update_hit_review_status(HITId=expired(site, "Looked at"))

    def titles(query: str = "") -> list[str]:
        links = [text for text in rita.get(f"/requester{query}").text.split() if text]
        return [title for title in ("Free", "Taken", "Done", "Deleted", "Looked") if title in links]

    assert titles() == ["Free", "Taken", "Done", "Looked"]
    assert titles("?status=Open") == ["Free", "Taken"]
    assert titles("?status=Reviewable") == ["Done"]
    assert titles("?status=Reviewing") == ["Looked"]
    assert titles("?status=Disposed") == titles("?status=nonsense") == titles()


def test_open_hits_are_found_among_many_that_are_not(site: Site) -> None:
    requesters = site.rig.workplace.requesters
    open_ones = []
    for number in range(120):
        hit_id = site.rig.create_hit(Question=QUESTION)["HITId"]
        site.rig.clock.move(1)
        if number % 40:
            site.rig.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=0)
        else:
            open_ones.append(hit_id)
    statuses = (HitStatus.ASSIGNABLE, HitStatus.UNASSIGNABLE)
    seen: list[str] = []
    start, pages = None, 0
    while pages == 0 or start:
        hits, start = requesters.look_through(REQUESTER, statuses, 2, start)
        seen += [hit.hit_id for hit in hits]
        pages += 1
        assert len(hits) <= 2 and pages < 5
    assert seen == open_ones[::-1]


def expired(site: Site, title: str) -> str:
    """A HIT that nobody took in time; its id."""
    hit_id = str(site.rig.create_hit(Question=QUESTION, Title=title)["HITId"])
    site.rig.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=0)
    return hit_id


def test_staff_judge_what_workers_hand_in_and_see_nothing_of_another_requester(site: Site) -> None:
    hit_id = site.rig.create_hit(Question=QUESTION, MaxAssignments=3)["HITId"]
    other = site.rig.requester("A1OTHER")
    theirs = other.create_hit(**OFFER)["HIT"]["HITId"]
    ada, bo, rita = site.browser("=Ada"), site.browser("Bo"), site.staff()
    for browser in (ada, bo):
        assert browser.answer(browser.accept(hit_id), answer="<i>yes</i>").status == 200
    foreign = ada.accept(theirs)
    ada.answer(foreign, answer="secret")
    page = rita.get(f"/requester/hits/{hit_id}")
    assert "&lt;i&gt;yes&lt;/i&gt;" in page.html and "<i>" not in page.html
    assert "Agree answer <i>yes</i> 2 100 %" in page.text
    approve = [form for form in page.forms if form.action.endswith("/approve")]
    assert rita.press(approve[0]).status == 303
    assert rita.press(approve[0]).status == 409
    reject = Form(approve[1].action.replace("/approve", "/reject"), "POST", approve[1].fields)
    assert rita.press(reject).status == 400
    assert rita.press(reject.with_field("feedback", "Look again")).status == 303
    assert "Look again" in rita.get(f"/requester/hits/{hit_id}").text
    assert rita.get(f"/requester/hits/{theirs}").status == 404
    assert "secret" not in rita.get("/requester").html
    stolen = Form(f"/requester/assignments/{foreign}/approve", "POST", approve[0].fields)
    assert rita.press(stolen).status == 409
    csv = rita.get("/requester/pay.csv")
    assert csv.headers["Content-Disposition"].startswith("attachment")
    lines = csv.html.splitlines()
    assert len(lines) == 2 and (",'=Ada," in lines[1] or ",Bo," in lines[1]) and lines[1].endswith(",1,0.05,0.01")
    for query in ("from=x", "from=2026-02-30&to=2026-03-01", "from=2026-03-02&to=2026-03-01", "from=2020-01-01"):
        assert rita.get(f"/requester/pay?{query}").status == 400
    for address in ("/requester", f"/requester/hits/{hit_id}", "/requester/pay.csv", "/requester/messages"):
        assert ada.get(address).status == 403
    site.assert_adds_up()


def test_messages_go_both_ways_and_new_ones_are_marked_once(site: Site) -> None:
    hit_id = site.rig.create_hit(Question=QUESTION)["HITId"]
    ada, rita = site.browser("Ada"), site.staff()
    contact = ada.get(f"/contact/{hit_id}").form(f"/contact/{hit_id}")
    assert ada.press(contact).status == 400
    sent = contact.with_field("subject", "<b>Dark</b>").with_field("text", "Is that meant so?")
    assert "Your message is sent" in ada.follow(ada.press(sent)).text
    inbox = rita.get("/requester/messages")
    assert "<b>Dark</b>" in inbox.text and "<b>" not in inbox.html
    reply = inbox.form("/requester/messages").with_field("text", "Yes")
    assert "Your answer is sent" in rita.follow(rita.press(reply)).text
    for message in ("", "ANOBODY", f"{site.rig.clock():015d}#3NOTHERE"):
        assert rita.press(reply.with_field("message", message)).status == 400
    sam = site.staff("A1OTHER")
    stolen = Form(reply.action, "POST", sam.get("/requester").form("/sign-out").fields + reply.fields[1:])
    assert "no such message" in sam.press(stolen).text
    assert "Messages 1 unread" in ada.get("/").text
    assert "Re: <b>Dark</b> New" in ada.get("/messages").text
    assert "New" not in ada.get("/messages").text
    assert "unread" not in ada.get("/").text

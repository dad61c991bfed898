import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from crowdsight.dynamodb import Table
from crowdsight.workplace import faults
from crowdsight.workplace.assignments import AssignmentStatus
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.listing import GROUPS_SHOWN
from crowdsight.workplace.questions import QuestionKind
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.site import WorkerSite
from crowdsight.workplace.site_errors import STATUSES_AND_HEADINGS, SiteError
from crowdsight.workplace.site_pages import FRAME_FREEDOMS
from crowdsight.workplace.workplace import Workplace
from tests.conftest import StoppedClock
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.senders import UNHEARD
from tests.proxy_event import REQUEST_ID
from tests.unit.workplace_site.browsing import FORM_TYPE, Browser, Form, Page
from tests.unit.workplace_site.workplace_in_memory import REQUESTER, WorkplaceInMemory, site_of

HOSTILE = """<script>alert(1)</script>'"&{{ 7 * 7 }}{% raw %}"""


def assert_hostile_text_is_shown_as_text(page: Page) -> None:
    assert "<script>alert" not in page.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#39;&#34;&amp;{{ 7 * 7 }}{% raw %}" in page.html


class TestSigningIn:
    def test_without_a_session_the_first_page_tells_how_to_sign_in_and_shows_no_hit(
        self, stranger: Browser, workplace: WorkplaceInMemory
    ) -> None:
        workplace.offer(title="A secret HIT")
        page = stranger.get("/")
        assert page.status == 200
        assert "invitation link" in page.text
        assert "A secret HIT" not in page.text

    def test_an_invitation_signs_its_worker_in_and_registers_them(
        self, stranger: Browser, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        token = sessions.invite_worker("Ada")
        assert "Sign in as Ada" in stranger.get(f"/join/{token}").text
        assert not workplace.workers()
        page = stranger.follow(stranger.sign_in(token))
        assert "Signed in as Ada" in page.text
        assert [worker.name for worker in workplace.workers()] == ["Ada"]

    def test_signing_in_twice_registers_once(
        self, ada: Browser, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        (worker,) = workplace.workers()
        ada.sign_in(sessions.invite_worker("Ada", worker.worker_id))
        assert workplace.workers() == [worker]

    @pytest.mark.parametrize(
        ("prefix", "scheme", "flags"),
        [
            ("", "https", "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"),
            ("/prod", "https", "Path=/prod; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"),
            ("", "http", "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        ],
    )
    def test_the_session_cookie_is_fenced_in(
        self, site: WorkerSite, sessions: Sessions, prefix: str, scheme: str, flags: str
    ) -> None:
        page = Browser(site.respond, prefix, scheme).sign_in(sessions.invite_worker("Ada"))
        assert page.cookies[0].partition("; ")[2] == flags

    def test_signing_out_forgets_the_session(self, ada: Browser) -> None:
        page = ada.press(ada.get("/").form("/sign-out"))
        assert page.status == 303
        assert ada.cookies == {}
        assert "Signed in" not in ada.get("/").text

    def test_a_signed_in_worker_can_sign_out_or_change_on_an_invitations_page(
        self, ada: Browser, sessions: Sessions
    ) -> None:
        token = sessions.invite_worker("Grace")
        page = ada.get(f"/join/{token}")
        assert "You are signed in as Ada now" in page.text
        assert "Signed in as Grace" in ada.follow(ada.press(page.form(token))).text
        assert ada.press(ada.get(f"/join/{token}").form("/sign-out")).status == 303

    def test_signing_out_without_a_session_is_no_error(self, stranger: Browser) -> None:
        assert stranger.post("/sign-out", []).status == 303

    def test_a_forged_invitation_is_refused(self, stranger: Browser, sessions: Sessions) -> None:
        token = sessions.invite_worker("Ada")
        for forged in (token[:-2], "x", "a.b.c", token.swapcase()):
            assert stranger.get(f"/join/{forged}").status == 403
        assert stranger.get("/join/%00").status == 404

    def test_an_invitation_ends_after_thirty_days(
        self, stranger: Browser, sessions: Sessions, clock: StoppedClock
    ) -> None:
        token = sessions.invite_worker("Ada")
        form = stranger.get(f"/join/{token}").form(token)
        clock.move(30 * 86_400)
        assert stranger.get(f"/join/{token}").status == 410
        assert stranger.press(form).status == 410
        assert not stranger.cookies

    def test_a_session_ends_after_thirty_days(self, ada: Browser, clock: StoppedClock) -> None:
        clock.move(30 * 86_400)
        assert ada.get("/earnings").status == 403

    @pytest.mark.parametrize("cookie", ["", "x", "W10.x", '"', "\x00", "é", "A" * 9_000])
    def test_a_forged_session_is_none(self, stranger: Browser, cookie: str) -> None:
        stranger.cookies["crowdsight_session"] = cookie
        assert "Signed in" not in stranger.get("/").text
        assert stranger.get("/earnings").status == 403

    def test_pages_for_workers_need_a_session(
        self, stranger: Browser, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        assignment_id = ada.accept(hit_id)
        for address in (f"/hits/{hit_id}", f"/assignments/{assignment_id}", f"/frames/{hit_id}", "/earnings"):
            assert stranger.get(address).status == 403
        for address in (f"/hits/{hit_id}/accept", f"/assignments/{assignment_id}/return"):
            assert stranger.post(address, []).status == 403

    def test_a_worker_that_the_workplace_does_not_know_is_told_to_sign_in(
        self, ada: Browser, sessions: Sessions, clock: StoppedClock
    ) -> None:
        elsewhere = WorkplaceInMemory(clock)
        hit_id = elsewhere.offer()
        browser = Browser(site_of(elsewhere, elsewhere.table, sessions, clock).respond)
        browser.cookies = ada.cookies
        assert "Signed in" not in browser.get("/").text
        assert browser.post(f"/hits/{hit_id}/accept", []).status == 403
        assert browser.get("/earnings").status == 403

    def test_a_requesters_staff_sign_in_and_are_no_workers(
        self, stranger: Browser, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        assert stranger.sign_in(sessions.invite_staff("Rita", REQUESTER)).status == 303
        assert not workplace.workers()
        assert stranger.get("/").location == "/requester"
        for address in (f"/hits/{hit_id}", "/queue", "/earnings", "/messages"):
            page = stranger.get(address)
            assert page.status == 403
            assert "Signed in as Rita" in page.text
        assert stranger.post(f"/hits/{hit_id}/accept", []).status == 403
        assert stranger.press(page.form("/sign-out")).status == 303
        assert not stranger.cookies


class TestForms:
    def test_every_form_of_ours_carries_the_sessions_token(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer()
        pages = [ada.get(address) for address in ("/", f"/hits/{hit_id}", "/earnings", workplace.group_address(hit_id))]
        pages.append(ada.get(f"/assignments/{ada.accept(hit_id)}"))
        pages.append(ada.get("/queue"))
        for page in pages:
            forms = [form for form in page.forms if form.method == "POST"]
            assert forms
            assert all([name for name, _ in form.fields].count("csrf") == 1 for form in forms)

    def test_a_form_without_the_right_token_changes_nothing(
        self, ada: Browser, grace: Browser, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        other = grace.get("/").form("/accept")
        assert ada.press(other).status == 403
        for token in ("", "x", "é", "\x00", "A" * 10_000):
            assert ada.press(other.with_field("csrf", token)).status == 403
        assert ada.post(f"/hits/{hit_id}/accept", []).status == 403
        own = ada.get("/").form("/accept")
        assert ada.post(own.action, own.fields * 2).status == 403
        assert not workplace.assignments(hit_id)
        token = sessions.invite_worker("Eve")
        assert ada.post(f"/join/{token}", own.fields).status == 403
        assert "Eve" not in [worker.name for worker in workplace.workers()]

    def test_a_form_that_another_site_sends_is_refused(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        workplace.offer()
        form = ada.get("/").form("/accept")
        for source in ("cross-site", "same-site"):
            assert ada.post(form.action, form.fields, headers={"Sec-Fetch-Site": source}).status == 403
        assert ada.post(form.action, form.fields, headers={"Sec-Fetch-Site": "same-origin"}).status == 303


def ada_holds(workplace: WorkplaceInMemory, hit_ids: Sequence[str]) -> list[str]:
    """The assignments of HITs that one Worker alone has taken."""
    return [assignment.assignment_id for hit_id in hit_ids for assignment in workplace.assignments(hit_id)]


class TestFindingHits:
    def test_a_hit_is_listed_with_what_a_worker_decides_by(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        workplace.offer(
            title="Is there a cat?", description="Look.", reward_cents=1205, max_assignments=7,
            assignment_duration_s=5400, lifetime_s=2 * 86_400,
        )  # fmt: skip
        text = ada.get("/").text
        for expected in (
            "Is there a cat?",
            "Look.",
            "$12.05",
            "1 hour 30 minutes",
            "HITs 1",
            "ends in 2 days",
            REQUESTER,
        ):
            assert expected in text

    def test_how_many_more_may_take_a_hit_and_what_its_requester_noted_is_not_told(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        """By either, known-answer questions could be told from others."""
        few, many = (
            workplace.offer(max_assignments=2),
            workplace.offer(max_assignments=11, annotation="the secret note"),
        )
        pages = [ada.get(f"/hits/{hit_id}").html.replace(hit_id, "") for hit_id in (few, many)]
        assert pages[0] == pages[1]
        accepted = ada.get(f"/assignments/{ada.accept(many)}").html
        assert "secret" not in accepted + ada.get("/").html

    def test_what_requesters_write_is_shown_as_text(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer(title=HOSTILE, description=HOSTILE)
        assert_hostile_text_is_shown_as_text(ada.get("/"))
        assert_hostile_text_is_shown_as_text(ada.get(workplace.group_address(hit_id)))
        assert_hostile_text_is_shown_as_text(ada.get(f"/hits/{hit_id}"))
        assignment_id = ada.accept(hit_id)
        assert_hostile_text_is_shown_as_text(ada.get(f"/assignments/{assignment_id}"))
        assert_hostile_text_is_shown_as_text(ada.get("/"))
        ada.answer(assignment_id)
        workplace.requesters.reject(REQUESTER, assignment_id, HOSTILE)
        page = ada.get("/earnings")
        assert_hostile_text_is_shown_as_text(page)
        assert page.html.count("&lt;script&gt;") == 2

    def test_what_workers_are_called_is_shown_as_text(self, site: WorkerSite, sessions: Sessions) -> None:
        browser = Browser(site.respond)
        token = sessions.invite_worker(HOSTILE)
        assert_hostile_text_is_shown_as_text(browser.get(f"/join/{token}"))
        assert_hostile_text_is_shown_as_text(browser.follow(browser.sign_in(token)))

    def test_a_group_of_which_the_worker_has_or_did_all_is_not_listed(
        self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        address = workplace.group_address(hit_id)
        assignment_id = ada.accept(hit_id)
        assert address not in ada.get("/").links
        assert f"/assignments/{assignment_id}" in ada.get("/").links
        ada.answer(assignment_id)
        assert address not in ada.get("/").links
        assert "You have done this HIT" in ada.get(f"/hits/{hit_id}").text
        assert "Nothing is left for you here" in ada.get(address).text
        assert address in grace.get("/").links
        workplace.offer()
        assert address in ada.get("/").links

    def test_more_groups_are_one_link_away(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_ids = [workplace.offer(title=f"Kind {number}") for number in range(GROUPS_SHOWN + 2)]
        first = ada.get("/")
        second = ada.get(first.links[-1])
        shown = [link for page in (first, second) for link in page.links if "/groups/" in link]
        assert sorted(shown) == sorted(map(workplace.group_address, hit_ids))
        assert "More HITs" not in second.text

    def test_hits_of_a_kind_are_one_row_with_a_bounded_count(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        for _ in range(101):
            address = workplace.group_address(workplace.offer())
        page = ada.get("/")
        assert [link for link in page.links if "/groups/" in link] == [address]
        assert "HITs 100+" in page.text

    def test_groups_are_searched_by_words_and_reward(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        workplace.offer(title="Count cats", description="In a garden", reward_cents=5)
        workplace.offer(title="Count dogs", description="In a house", reward_cents=10)
        for query, found in (
            ("q=count&sort=reward", ["Count dogs", "Count cats"]),
            ("q=GARDEN+count", ["Count cats"]),
            ("q=garden+house", []),
            (f"q={REQUESTER}&sort=reward", ["Count dogs", "Count cats"]),
            ("min=0.10", ["Count dogs"]),
            ("min=$.05&q=&sort=reward", ["Count dogs", "Count cats"]),
            ("min=nonsense&sort=reward", ["Count dogs", "Count cats"]),
            ("min=11", []),
        ):
            text = ada.get(f"/?{query}").text
            assert re.findall("Count (?:cats|dogs)(?= In)", text) == found, query
        assert "Nothing is like that right now" in ada.get("/?q=nothing").text
        assert 'value="&lt;b&gt;"' in ada.get("/?q=%3Cb%3E").html

    def test_groups_are_sorted(self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock) -> None:
        for title, cents, count, duration_s in (("A.", 5, 2, 60), ("B.", 9, 1, 300), ("C.", 2, 3, 30)):
            for _ in range(count):
                workplace.offer(title=title, reward_cents=cents, assignment_duration_s=duration_s)
            clock.move(1)
        for order, expected in (("", "CBA"), ("newest", "CBA"), ("reward", "BAC"), ("hits", "CAB"), ("time", "CAB")):
            text = ada.get(f"/?sort={order}").text
            assert "".join(re.findall(r"\b([ABC])\. Look", text)) == expected, order

    def test_a_hit_of_a_group_is_accepted_from_the_list_and_previewed(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        group = ada.get(workplace.group_address(hit_id))
        assert ada.follow(ada.get(group.links[-1])).frame["title"] == "The question: Is there a dog?"
        page = ada.follow(ada.press(ada.get("/").form("/accept")))
        assert f"hitId={hit_id}" in str(page.frame["src"])
        again = ada.follow(ada.press(group.form("/accept")))
        assert again.frame["src"] == page.frame["src"], "pressed twice, the one in hand is what there is"
        ada.answer(str(page.form("/return").action.split("/")[2]))
        page = ada.follow(ada.press(group.form("/accept")))
        assert "Nothing is left for you here" in page.text

    def test_workers_with_all_of_a_group_before_them_begin_with_different_hits(
        self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_ids = {workplace.offer(max_assignments=9) for _ in range(24)}
        address = workplace.group_address(hit_ids.copy().pop())

        def done_by(browser: Browser) -> list[str]:
            found = []
            for _ in range(24):
                page = browser.follow(browser.press(browser.get(address).form("/accept")))
                found += re.findall(r"hitId=(\w+)", str(page.frame["src"]))
                browser.answer(page.form("/return").action.split("/")[2], answer="yes")
            return found

        by_ada, by_grace = done_by(ada), done_by(grace)
        assert set(by_ada) == set(by_grace) == hit_ids
        assert sum(one == other for one, other in zip(by_ada, by_grace, strict=True)) < 8
        assert "Nothing is left for you here" in ada.get(address).text

    def test_a_preview_shows_the_question_without_an_assignment(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer(frame_height_px=450)
        page = ada.get(f"/hits/{hit_id}")
        assert page.frame["sandbox"] == FRAME_FREEDOMS
        assert page.frame["height"] == "450"
        source = urlsplit(str(page.frame["src"]))
        assert source.path == f"/frames/{hit_id}"
        assert parse_qs(source.query) == {"assignmentId": ["ASSIGNMENT_ID_NOT_AVAILABLE"], "hitId": [hit_id]}

    def test_a_hit_that_is_over_or_taken_is_gone(
        self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        taken, over = workplace.offer(max_assignments=1), workplace.offer(lifetime_s=60)
        accept_taken, accept_over = (ada.get(f"/hits/{hit_id}").form("/accept") for hit_id in (taken, over))
        grace.accept(taken)
        clock.move(60)
        assert (ada.get(f"/hits/{taken}").status, ada.get(f"/hits/{over}").status) == (410, 410)
        assert (ada.press(accept_taken).status, ada.press(accept_over).status) == (410, 410)


class TestDoingOne:
    def test_accepting_leads_to_the_assignment_with_its_question(
        self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        hit_id = workplace.offer(assignment_duration_s=600, reward_cents=7)
        assignment_id = ada.accept(hit_id)
        clock.move(30)
        page = ada.get(f"/assignments/{assignment_id}")
        assert page.status == 200
        assert "$0.07" in page.text
        assert "9 minutes 30 seconds left" in page.text
        assert 'data-left-s="570"' in page.html
        (worker,) = workplace.workers()
        assert parse_qs(urlsplit(str(page.frame["src"])).query) == {
            "assignmentId": [assignment_id],
            "hitId": [hit_id],
            "workerId": [worker.worker_id],
            "turkSubmitTo": ["https://workplace.example"],
        }

    def test_accepting_twice_leads_to_the_same_assignment(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer()
        form = ada.get(f"/hits/{hit_id}").form("/accept")
        assert ada.press(form).location == ada.press(form).location
        assert len(workplace.assignments(hit_id)) == 1

    def test_accepting_what_is_done_is_refused(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer()
        form = ada.get(f"/hits/{hit_id}").form("/accept")
        ada.answer(ada.accept(hit_id))
        assert ada.press(form).status == 409

    def test_the_question_is_served_as_it_is_with_an_origin_of_its_own(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        content = "<!doctype html><p>ü {{ 1 }}</p><script>go()</script>"
        page = ada.get(f"/frames/{workplace.offer(content, frame_height_px=300)}")
        assert page.html == content
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"] == f"sandbox {FRAME_FREEDOMS}; frame-ancestors 'self'"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"

    def test_a_question_of_height_zero_tells_its_height(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer("<p>?</p>", frame_height_px=0)
        html = ada.get(f"/frames/{hit_id}").html
        script = re.fullmatch(r'<p>\?</p>\n<script src="(/static/frame\.[0-9a-f]{12}\.js)"></script>\n', html)
        assert script
        assert ada.get(script[1]).status == 200
        assert "height" not in ada.get(f"/hits/{hit_id}").frame

    @pytest.mark.parametrize("prefix", ["", "/prod"])
    @pytest.mark.parametrize(
        "address",
        [
            "https://www.mturk.com/mturk/externalSubmit",
            "https://workersandbox.mturk.com/mturk/externalSubmit",
            "http://www.mturk.com/mturk/externalSubmit",
            "//www.mturk.com/mturk/externalSubmit",
        ],
    )
    def test_a_form_that_goes_to_mturk_comes_to_us(
        self, site: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, prefix: str, address: str
    ) -> None:
        browser = Browser(site.respond, prefix)
        browser.sign_in(sessions.invite_worker("Ada"))
        hit_id = workplace.offer(f'<form method="post" action="{address}"></form> https://www.mturk.com/worker/help')
        html = browser.get(f"{prefix}/frames/{hit_id}").html
        assert f'action="{prefix}/mturk/externalSubmit"' in html
        assert "https://www.mturk.com/worker/help" in html

    def test_a_form_whose_assignment_no_script_filled_in_is_taken_for_the_one_it_was_shown_for(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer(
            '<form method="post" action="https://www.mturk.com/mturk/externalSubmit">'
            '<input type="hidden" name="assignmentId" value=""><input type="hidden" name="answer" value="yes"></form>'
        )
        assignment_id = ada.accept(hit_id)
        page = ada.get(str(ada.get(f"/assignments/{assignment_id}").frame["src"]))
        (form,) = page.forms
        assert ada.post(form.action, form.fields, is_from_frame=True).status == 200
        assert workplace.get_assignment(assignment_id).status is AssignmentStatus.SUBMITTED
        preview = ada.get(f"/frames/{workplace.offer('//www.mturk.com/mturk/externalSubmit')}")
        assert "assignmentId" not in preview.html

    def test_an_external_question_is_framed_with_mturks_parameters(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer("https://other.example/q?a=1&b=2#top", kind=QuestionKind.EXTERNAL)
        page = ada.get(f"/assignments/{ada.accept(hit_id)}")
        source = urlsplit(str(page.frame["src"]))
        assert (source.netloc, source.path, source.fragment) == ("other.example", "/q", "top")
        assert {"a", "b", "assignmentId", "hitId", "workerId", "turkSubmitTo"} == set(parse_qs(source.query))
        assert "frame-src 'self' https:;" in page.headers["Content-Security-Policy"]
        assert ada.get(f"/frames/{hit_id}").status == 404

    def test_returning_gives_the_hit_back(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer(max_assignments=1)
        assignment_id = ada.accept(hit_id)
        form = ada.get(f"/assignments/{assignment_id}").form("/return")
        page = ada.follow(ada.press(form))
        assert workplace.group_address(hit_id) in page.links
        assert ada.press(form).status == 410
        assert ada.get(f"/assignments/{assignment_id}").status == 410

    def test_anothers_assignment_can_be_neither_seen_nor_returned(
        self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer()
        theirs = grace.accept(hit_id)
        mine = ada.get(f"/assignments/{ada.accept(hit_id)}").form("/return")
        assert ada.get(f"/assignments/{theirs}").status == 403
        assert ada.press(Form(f"/assignments/{theirs}/return", "POST", mine.fields)).status == 403
        assert ada.get(f"/frames/{hit_id}?assignmentId={theirs}").status == 403
        workplace.submit(theirs, [("answer", "yes")])
        assert ada.get(workplace.done_address(theirs)).status == 404
        assert ada.get(f"/assignments/{theirs}").status == 403
        assert workplace.get_assignment(theirs).status is AssignmentStatus.SUBMITTED

    def test_a_frame_of_one_hit_does_not_take_anothers_assignment(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        first, second = workplace.offer(), workplace.offer()
        assert ada.get(f"/frames/{second}?assignmentId={ada.accept(first)}").status == 404

    def test_an_accepted_hit_stays_doable_after_the_hit_expired(
        self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        assignment_id = ada.accept(workplace.offer(lifetime_s=60))
        clock.move(90)
        assert ada.get(f"/assignments/{assignment_id}").status == 200
        assert ada.answer(assignment_id, answer="yes").status == 200


class TestSubmitting:
    def test_an_answer_is_taken_without_a_session(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        assignment_id = ada.accept(workplace.offer(reward_cents=2))
        page = ada.answer(assignment_id, answer="yes", note="ü <b>")
        assert page.status == 200
        assert "Submitted You earn $0.02 when it is approved." in page.text
        assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")
        assert "data-submitted" in page.html
        answer_xml = str(workplace.get_assignment(assignment_id).answer_xml)
        assert "<QuestionIdentifier>answer</QuestionIdentifier><FreeText>yes</FreeText>" in answer_xml
        assert "<FreeText>ü &lt;b&gt;</FreeText>" in answer_xml
        assert "assignmentId" not in answer_xml

    def test_a_multipart_answer_is_taken(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        assignment_id = ada.accept(workplace.offer())
        parts = "".join(
            f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("assignmentId", assignment_id), ("answer", "no"))
        )
        page = ada.send(
            "POST", "/mturk/externalSubmit", body=f"{parts}--edge--", content_type="multipart/form-data; boundary=edge"
        )
        assert page.status == 200
        assert "<FreeText>no</FreeText>" in str(workplace.get_assignment(assignment_id).answer_xml)

    def test_afterwards_it_is_confirmed_and_the_next_one_is_offered(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        assignment_id = ada.accept(workplace.offer(reward_cents=2))
        assert ada.get(workplace.done_address(assignment_id)).location == f"/assignments/{assignment_id}"
        other = workplace.offer(reward_cents=2)
        address = re.search('data-after-submission="([^"]*)"', ada.get(f"/assignments/{assignment_id}").html)
        assert address
        ada.answer(assignment_id)
        assert ada.get(f"/assignments/{assignment_id}").location == address[1]
        page = ada.get(address[1])
        assert "Submitted “Is there a dog?”. You earn $0.02 when it is approved, by" in page.text
        assert f"hitId={other}" in str(ada.follow(ada.press(page.form("/accept"))).frame["src"])

    def test_who_asks_for_it_goes_on_to_the_next_hit_of_the_group_until_there_is_none(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        hit_ids = [workplace.offer() for _ in range(3)]
        page = ada.get(f"/assignments/{ada.accept(hit_ids[0])}")
        assert "checked" not in page.html
        for _ in range(2):
            page = ada.follow(ada.press(page.form("/accept").with_field("auto", "1")))
            assert "checked" in page.html
        assert len(workplace.listing.desk(workplace.workers()[0].worker_id).in_hand) == 3
        for assignment in ada_holds(workplace, hit_ids):
            ada.answer(assignment)
        page = ada.follow(ada.press(page.form("/accept")))
        assert "Nothing is left for you here" in page.text

    def test_an_answer_sent_again_is_told_so_and_changes_nothing(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        assignment_id = ada.accept(workplace.offer())
        ada.answer(assignment_id, answer="yes")
        before = workplace.get_assignment(assignment_id)
        page = ada.answer(assignment_id, answer="no")
        assert page.status == 200
        assert "Already submitted" in page.text
        assert workplace.get_assignment(assignment_id) == before

    def test_a_late_answer_is_refused(self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock) -> None:
        assignment_id = ada.accept(workplace.offer(assignment_duration_s=60))
        clock.move(60)
        page = ada.answer(assignment_id, answer="yes")
        assert page.status == 410
        assert "data-submitted" not in page.html
        assert workplace.get_assignment(assignment_id).answer_xml is None

    def test_an_answer_to_a_returned_assignment_is_refused(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        assignment_id = ada.accept(workplace.offer())
        ada.press(ada.get(f"/assignments/{assignment_id}").form("/return"))
        assert ada.answer(assignment_id, answer="yes").status == 410

    def test_an_answer_from_a_preview_is_refused(self, stranger: Browser) -> None:
        assert stranger.answer("ASSIGNMENT_ID_NOT_AVAILABLE", answer="yes").status == 409

    @pytest.mark.parametrize(
        "assignment_id", ["x", "3" * 30, "é", "\x00", "'", "🙂", "#", "assignment#1", "A" * 60_000]
    )
    def test_an_answer_to_no_assignment_is_refused(self, stranger: Browser, assignment_id: str) -> None:
        assert stranger.answer(assignment_id, answer="yes").status == 404

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            ("answer=yes", FORM_TYPE, 400),
            ("assignmentId=1&assignmentId=2", FORM_TYPE, 400),
            ("assignmentId=", FORM_TYPE, 400),
            ("", FORM_TYPE, 400),
            ("", None, 400),
            ('{"assignmentId": "1"}', "application/json", 400),
            ("a=%ff", FORM_TYPE, 400),
            ("\ud800", FORM_TYPE, 400),
            ("a=1&" * 501, FORM_TYPE, 413),
            ("a=" + "x" * 262_144, FORM_TYPE, 413),
            ("x" * 9_000_000, FORM_TYPE, 413),
        ],
    )
    def test_what_is_no_answer_is_refused(
        self, stranger: Browser, body: str, content_type: str | None, status: int
    ) -> None:
        page = stranger.send("POST", "/mturk/externalSubmit", body=body, content_type=content_type)
        assert page.status == status
        assert page.headers["Content-Type"].startswith("text/html")

    def test_answers_are_posted(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        assignment_id = ada.accept(workplace.offer())
        page = ada.get(f"/mturk/externalSubmit?assignmentId={assignment_id}&answer=yes")
        assert (page.status, page.headers["Allow"]) == (405, "POST")
        assert workplace.get_assignment(assignment_id).status is AssignmentStatus.ACCEPTED


class TestEarnings:
    def test_each_answer_is_listed_newest_first_with_totals(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        titles = ["one", "two", "three"]
        one, two, three = [ada.accept(workplace.offer(title=title, reward_cents=5)) for title in titles]
        for assignment_id in (one, two, three):
            ada.answer(assignment_id)
        workplace.requesters.approve(REQUESTER, one)
        workplace.requesters.reject(REQUESTER, two, "Not a dog")
        text = ada.get("/earnings").text
        assert "Approved $0.05 Waiting for approval $0.05 HITs submitted 3" in text
        waiting = r"three .* Waiting approved by itself in 30 days \$0.05"
        assert re.search(rf"{waiting} two “Not a dog” .* Rejected \$0.05 one .* Approved \$0.05", text)

    def test_accepted_hits_are_linked_until_their_time_is_over(
        self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        assignment_id = ada.accept(workplace.offer(title="Half done", assignment_duration_s=600))
        for address in ("/", "/queue"):
            page = ada.get(address)
            assert "Half done" in page.text
            assert "10 minutes left" in page.text
            assert f"/assignments/{assignment_id}" in page.links
        assert "/queue" in ada.get("/earnings").links
        clock.move(600)
        assert "Half done" not in ada.get("/queue").text
        assert f"/assignments/{assignment_id}" not in ada.get("/").links

    def test_the_queue_shows_what_is_over_soonest_first_and_gives_back(
        self, ada: Browser, workplace: WorkplaceInMemory
    ) -> None:
        later = ada.accept(workplace.offer(title="Later", assignment_duration_s=900))
        sooner = ada.accept(workplace.offer(title="Sooner", assignment_duration_s=600))
        page = ada.get("/queue")
        assert re.findall(r"/assignments/(\w+)$", " ".join(page.links[-1:])) == [later]
        assert [form.action for form in page.forms[-2:]] == [f"/assignments/{one}/return" for one in (sooner, later)]
        page = ada.follow(ada.press(page.forms[-1]))
        assert "Sooner" in page.text
        assert "Later" not in page.text

    def test_what_was_earned_is_shown_by_day(
        self, ada: Browser, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        for days, cents in ((0, 7), (1, 5), (0, 6)):
            clock.move(days * 86_400)
            assignment_id = ada.accept(workplace.offer(reward_cents=cents))
            ada.answer(assignment_id)
            workplace.requesters.approve(REQUESTER, assignment_id)
        text = ada.get("/earnings").text
        assert re.search(r"Earned \w{3} \d+ \w{3} 2 \$0.11 \w{3} \d+ \w{3} 1 \$0.07 \w{3} \d+ \w{3} 0 \$0.00", text)
        clock.move(14 * 86_400)
        assert "Earned" in ada.get("/earnings").text
        assert not re.search(r"\w{3} 2 \$0.11", ada.get("/earnings").text)

    def test_a_worker_sees_nothing_of_another(self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory) -> None:
        grace.answer(grace.accept(workplace.offer(title="Hers", reward_cents=99)))
        text = ada.get("/earnings").text
        assert "Hers" not in text
        assert "Waiting for approval $0.00" in text

    def test_earlier_answers_are_one_link_away(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        for index in range(52):
            ada.answer(ada.accept(workplace.offer(title=f"HIT {index}.")))
        first = ada.get("/earnings")
        second = ada.get(first.links[-1])
        assert "HIT 51." in first.text
        assert "HIT 1." not in first.text
        assert "HIT 1." in second.text


class TestAddresses:
    @pytest.mark.parametrize("prefix", ["", "/prod"])
    def test_every_link_form_and_asset_keeps_the_prefix(
        self, site: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, prefix: str
    ) -> None:
        browser = Browser(site.respond, prefix)
        hit_id = workplace.offer()
        token = sessions.invite_worker("Ada")
        pages = [browser.get(f"{prefix}/"), browser.get(f"{prefix}/join/{token}")]
        pages.append(browser.follow(browser.sign_in(token)))
        pages.append(browser.get(f"{prefix}/hits/{hit_id}"))
        pages.append(browser.get(prefix + workplace.group_address(hit_id)))
        assignment_id = browser.accept(hit_id)
        pages.append(browser.get(f"{prefix}/assignments/{assignment_id}"))
        pages.append(browser.get(f"{prefix}/queue"))
        pages.append(browser.get(f"{prefix}/earnings"))
        browser.answer(assignment_id)
        pages.append(browser.get(prefix + workplace.done_address(assignment_id)))
        pages.append(browser.get(f"{prefix}/none"))
        for page in pages:
            addresses = re.findall(r'(?:href|src|action|data-after-submission)="([^"]*)"', page.html)
            assert addresses
            for address in addresses:
                assert address == "#main" or re.match(f"{prefix}/(?!prod)", unescape(address))
                if "/static/" in address:
                    assert browser.get(address).status == 200

    @pytest.mark.parametrize(
        "address",
        [
            "/nothing",
            "/hits",
            "/hits/",
            "/hits/none",
            "/hits/%00",
            "/hits/..%2f",
            "/hits/é",
            "/assignments/none",
            "/groups/none",
            "/groups/3A",
            "/groups/3A/preview",
            "/done/3A",
            f"/done/{'0' * 15}-3A",
            "/queue/",
            "/frames/none",
            "/static/none",
            "/static/..",
            "/static/site.css",
            "/static/../site.py",
            "/hits//3A",
            f"/hits/{'A' * 3_000}",
            "/%2e%2e/",
            "/join/",
            "/earnings/",
        ],
    )
    def test_an_unknown_address_is_a_page_that_says_so(self, ada: Browser, address: str) -> None:
        page = ada.get(address)
        assert page.status == 404
        assert "No such" in page.text

    @pytest.mark.parametrize(
        ("method", "address", "allowed"),
        [("POST", "/", "GET"), ("DELETE", "/earnings", "GET"), ("GET", "/sign-out", "POST"),
         ("PUT", "/join/abc", "GET, POST"), ("GET", "/hits/3A/accept", "POST")],
    )  # fmt: skip
    def test_another_verb_is_refused(self, ada: Browser, method: str, address: str, allowed: str) -> None:
        page = ada.send(method, address)
        assert (page.status, page.headers["Allow"]) == (405, allowed)

    @pytest.mark.parametrize(
        "query",
        [
            "after=x",
            "after=%00",
            "after=" + "9" * 5_000,
            "after=%F0%9F%99%82",
            "q=%00&after=",
            "x=1",
            "page=-1",
            "page=9999",
            "page=999",
            "sort=none&min=-1&qualified=%00",
            "min=" + "9" * 500,
            "q=" + "x" * 5_000,
        ],
    )
    def test_a_query_that_we_did_not_make_does_no_harm(self, ada: Browser, query: str) -> None:
        assert ada.get(f"/?{query}").status == 200
        assert ada.get(f"/earnings?{query}").status == 200

    def test_head_is_answered_as_get(self, stranger: Browser) -> None:
        assert stranger.send("HEAD", "/").status == 200


class TestPages:
    def test_every_page_is_fenced_in(self, ada: Browser, workplace: WorkplaceInMemory) -> None:
        hit_id = workplace.offer()
        assignment = f"/assignments/{ada.accept(hit_id)}"
        for address in (
            "/",
            f"/hits/{hit_id}",
            workplace.group_address(hit_id),
            assignment,
            "/queue",
            "/earnings",
            "/x",
        ):
            page = ada.get(address)
            policy = page.headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} < set(
                policy
            )
            assert "unsafe" not in page.headers["Content-Security-Policy"]
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert page.headers["Cache-Control"] == "no-store"
            assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page.html)

    def test_assets_are_named_by_their_content_and_kept_for_ever(self, stranger: Browser) -> None:
        page = stranger.get("/")
        (style,) = set(re.findall(r'href="([^"]*\.css)"', page.html))
        asset = stranger.get(style)
        assert asset.headers["Content-Type"] == "text/css; charset=utf-8"
        assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert asset.headers["X-Content-Type-Options"] == "nosniff"

    def test_what_nobody_foresaw_is_a_page_and_a_line_in_the_log(
        self, ada: Browser, sessions: Sessions, clock: StoppedClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        missing = Table(MemoryDynamoDB(), "a missing table")
        nowhere = Workplace(missing, clock, new_id, 0, UNHEARD)
        browser = Browser(site_of(nowhere, missing, sessions, clock).respond)
        browser.cookies = ada.cookies
        page = browser.get("/earnings")
        assert page.status == 500
        assert REQUEST_ID in page.text
        assert "a missing table" not in page.html
        assert f"request {REQUEST_ID} failed: GET /earnings" in caplog.text
        assert "a missing table" in caplog.text
        answered = browser.answer("3ASSIGNMENT", answer="yes")
        assert (answered.status, "framed" in answered.html) == (500, True)
        assert "frame-ancestors 'self'" in answered.headers["Content-Security-Policy"]

    def test_every_error_has_a_status_and_a_heading(self) -> None:
        waiting: list[type[SiteError | faults.WorkplaceError]] = [SiteError, faults.WorkerError]
        codes = {faults.ServiceFault.code, faults.RequestError.code}
        while waiting:
            kinds = waiting.pop().__subclasses__()
            codes |= {kind.code for kind in kinds}
            waiting += kinds
        assert codes == set(STATUSES_AND_HEADINGS)

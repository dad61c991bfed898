"""Who comes to the site and how, how often they may do things, and what they were paid."""

import json
import re
from dataclasses import dataclass, field

import pytest

from crowdsight.workplace.limits import MAX_LINKS, MAX_LINKS_OF_ALL, Limits, Rates
from crowdsight.workplace.people import EmailTaken, People, checked_email
from crowdsight.workplace.sessions import Link, Sessions, rotated, session_keys
from crowdsight.workplace.site import WorkerSite
from tests.conftest import StoppedClock
from tests.unit.workplace_site.browsing import Browser, Page
from tests.unit.workplace_site.workplace_in_memory import REQUESTER, WorkplaceInMemory, site_of

EMAIL = "ada@example.org"


@dataclass
class Mailbox:
    """Where links go instead of into a queue."""

    links: list[Link] = field(default_factory=list)

    def send(self, link: Link) -> None:
        self.links.append(link)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail_site(workplace: WorkplaceInMemory, people: People, clock: StoppedClock, mailbox: Mailbox) -> WorkerSite:
    """A site that sends links, of which ten may be asked for from a network address."""
    limits = Limits(workplace.table, clock, Rates(sign_in=10))
    return WorkerSite(workplace, people, limits, clock, mailbox)  # type: ignore[arg-type]


def invite(people: People, name: str = "Ada", email: str = EMAIL) -> str:
    """The id of somebody who was invited by e-mail."""
    invitation = people.sessions.read_invitation(people.sessions.invite_worker(name))
    people.invite_by_email(email, invitation)
    return invitation.worker_id


def ask(browser: Browser, email: str = EMAIL) -> Page:
    form = browser.get("/sign-in").form("/sign-in")
    return browser.press(form.with_field("email", email))


class TestSessions:
    def test_signing_out_everywhere_ends_the_sessions_of_all_browsers(
        self, ada: Browser, site: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, grace: Browser
    ) -> None:
        worker = next(worker for worker in workplace.workers() if worker.name == "Ada")
        other = Browser(site.respond)
        other.sign_in(sessions.invite_worker("Ada", worker.worker_id))
        kept = dict(other.cookies)
        assert ada.press(ada.get("/account").form("/sign-out-everywhere")).status == 303
        other.cookies = kept
        assert other.get("/earnings").status == 403
        assert grace.get("/earnings").status == 200
        other.sign_in(sessions.invite_worker("Ada", worker.worker_id))
        assert other.get("/earnings").status == 200

    def test_signing_out_everywhere_needs_the_sessions_own_form(self, ada: Browser, grace: Browser) -> None:
        foreign = grace.get("/account").form("/sign-out-everywhere")
        assert ada.press(foreign).status == 403
        assert ada.get("/earnings").status == 200

    def test_one_who_is_suspended_can_do_nothing_until_resumed(
        self, ada: Browser, people: People, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        (worker,) = workplace.workers()
        hit_id, other = workplace.offer(), workplace.offer()
        assignment_id = ada.accept(hit_id)
        people.suspend(worker.worker_id)
        assert ada.get("/earnings").status == 403
        assert ada.post(f"/hits/{other}/accept", []).status == 403
        assert ada.answer(assignment_id, answer="yes").status == 403
        page = ada.sign_in(sessions.invite_worker("Ada", worker.worker_id))
        assert (page.status, "suspended" in page.text) == (403, True)
        assert [one.status.value for one in workplace.assignments(hit_id)] == ["Accepted"]
        people.resume(worker.worker_id)
        ada.sign_in(sessions.invite_worker("Ada", worker.worker_id))
        assert ada.answer(assignment_id, answer="yes").status == 200

    def test_a_rotated_key_leaves_sessions_and_forms_and_the_second_rotation_ends_them(
        self, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        secret = {"session_key": "the first"}
        sessions = Sessions(lambda: session_keys(secret), clock)
        browser = Browser(site_of(workplace, workplace.table, sessions, clock).respond)
        browser.sign_in(sessions.invite_worker("Ada"))
        form = browser.get("/account").form("/sign-out")
        secret |= json.loads(rotated(secret))
        assert secret["previous_session_key"] == "the first"
        assert browser.get("/earnings").status == 200
        new = Browser(site_of(workplace, workplace.table, sessions, clock).respond)
        new.sign_in(sessions.invite_worker("Grace"))
        secret |= json.loads(rotated(secret))
        assert browser.get("/earnings").status == 403
        assert new.get("/earnings").status == 200
        assert browser.press(form).status == 303


class TestSignInByMail:
    def test_a_link_signs_in_once(self, mail_site: WorkerSite, people: People, mailbox: Mailbox) -> None:
        worker_id = invite(people)
        browser = Browser(mail_site.respond)
        assert ask(browser, " ADA@example.ORG ").status == 200
        (link,) = mailbox.links
        page = browser.get(f"/sign-in/link/{link.token}")
        assert "Sign in as Ada" in page.text
        assert browser.press(page.form(link.token)).status == 303
        account = browser.get("/account")
        assert worker_id in account.text and EMAIL in account.text
        browser.cookies.pop("crowdsight_session")
        assert browser.press(page.form(link.token)).status == 410
        assert browser.get("/earnings").status == 403

    def test_looking_at_a_link_does_not_use_it_up(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox
    ) -> None:
        invite(people)
        browser = Browser(mail_site.respond)
        ask(browser)
        (link,) = mailbox.links
        for _ in range(3):
            assert browser.get(f"/sign-in/link/{link.token}").status == 200

    def test_a_link_works_in_the_browser_that_asked_for_it_only(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox
    ) -> None:
        invite(people)
        ada, eve, nobody = (Browser(mail_site.respond) for _ in range(3))
        ask(ada)
        eve.get("/sign-in")
        address = f"/sign-in/link/{mailbox.links[0].token}"
        form = ada.get(address).form(address)
        for other in (eve, nobody):
            assert other.get(address).status == 403
            assert other.press(form).status == 403
            assert "crowdsight_session" not in other.cookies
        assert ada.press(form).status == 303

    def test_a_link_is_over_after_fifteen_minutes(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox, clock: StoppedClock
    ) -> None:
        invite(people)
        browser = Browser(mail_site.respond)
        ask(browser)
        address = f"/sign-in/link/{mailbox.links[0].token}"
        form = browser.get(address).form(address)
        clock.move(15 * 60)
        assert browser.get(address).status == 410
        assert browser.press(form).status == 410

    def test_the_answer_is_the_same_for_an_address_that_nobody_has(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox
    ) -> None:
        invite(people, email="known@example.org")
        pages = [ask(Browser(mail_site.respond), name) for name in ("known@example.org", "other@example.org")]
        (known, other) = [page.html.replace("known@", "other@") for page in pages]
        assert known == other
        assert len(mailbox.links) == 2  # who sends looks for who is known: see the mailer's tests

    @pytest.mark.parametrize("forged", ["x", "a.b.c", "W10.x"])
    def test_a_forged_link_is_refused(self, mail_site: WorkerSite, forged: str) -> None:
        browser = Browser(mail_site.respond)
        browser.get("/sign-in")
        assert browser.get(f"/sign-in/link/{forged}").status == 403

    def test_forms_of_other_browsers_and_other_sites_are_refused(self, mail_site: WorkerSite, mailbox: Mailbox) -> None:
        ada, eve = Browser(mail_site.respond), Browser(mail_site.respond)
        form = ada.get("/sign-in").form("/sign-in").with_field("email", EMAIL)
        assert eve.press(form).status == 403
        eve.get("/sign-in")
        assert eve.press(form).status == 403
        assert ada.post(form.action, form.fields, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert not mailbox.links

    def test_what_is_no_address_is_said_so(self, mail_site: WorkerSite, mailbox: Mailbox) -> None:
        for email in ("", "ada", "ada@", "a b@example.org", "ada@example.org\nBcc: eve@example.org"):
            assert ask(Browser(mail_site.respond), email).status == 400
        assert not mailbox.links

    def test_there_are_five_links_for_an_address_and_ten_for_a_network_in_a_quarter_of_an_hour(
        self, mail_site: WorkerSite, mailbox: Mailbox, clock: StoppedClock
    ) -> None:
        clock.now_ms -= clock.now_ms % 900_000
        statuses = [ask(Browser(mail_site.respond)).status for _ in range(MAX_LINKS + 1)]
        assert statuses == [200] * MAX_LINKS + [429]
        others = [ask(Browser(mail_site.respond), f"a{n}@example.org") for n in range(6)]
        assert [page.status for page in others] == [200] * 4 + [429] * 2
        assert others[-1].headers["Retry-After"] == "900"
        assert len(mailbox.links) == 9
        clock.move(900)
        assert ask(Browser(mail_site.respond)).status == 200

    def test_who_asks_for_anothers_links_does_not_keep_them_from_signing_in(
        self, mail_site: WorkerSite, mailbox: Mailbox, clock: StoppedClock
    ) -> None:
        clock.now_ms -= clock.now_ms % 900_000
        for _ in range(MAX_LINKS + 1):
            ask(Browser(mail_site.respond, source_ip="198.51.100.7"))
        assert ask(Browser(mail_site.respond, source_ip="203.0.113.9")).status == 200

    def test_there_are_25_links_for_an_address_also_without_rates(
        self, workplace: WorkplaceInMemory, people: People, clock: StoppedClock, mailbox: Mailbox
    ) -> None:
        clock.now_ms -= clock.now_ms % 900_000
        limits = Limits(workplace.table, clock, Rates())
        site = WorkerSite(workplace, people, limits, clock, mailbox)  # type: ignore[arg-type]
        for number in range(MAX_LINKS_OF_ALL + 1):
            ask(Browser(site.respond, source_ip=f"198.51.100.{number // MAX_LINKS}"))
        assert len(mailbox.links) == MAX_LINKS_OF_ALL

    def test_a_worker_makes_an_address_their_own_by_a_link_to_it(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox, sessions: Sessions
    ) -> None:
        browser, eve = Browser(mail_site.respond), Browser(mail_site.respond)
        browser.sign_in(sessions.invite_worker("Ada"))
        eve.sign_in(sessions.invite_worker("Eve"))
        for email in ("first@example.org", "second@example.org"):
            page = browser.press(browser.get("/account").form("/account/email").with_field("email", email))
            assert page.status == 200
            address = f"/account/email/{mailbox.links[-1].token}"
            assert people.find_by_email(email) is None
            assert eve.get(address).status == 403
            assert browser.get(address.replace("/account/email", "/sign-in/link")).status == 403
            form = browser.get(address).form(address)
            assert browser.press(form).status == 303
            assert browser.press(form).status == 410
            assert email in browser.get("/account").text
        assert people.find_by_email("first@example.org") is None
        person = people.find_by_email("second@example.org")
        assert person is not None and person.name == "Ada"

    def test_an_address_belongs_to_one_person(self, people: People, mail_site: WorkerSite) -> None:
        invite(people)
        with pytest.raises(EmailTaken):
            invite(people, "Eve")
        person = people.find_by_email(EMAIL)
        assert person is not None and person.name == "Ada"

    def test_a_requesters_staff_sign_in_by_mail_too(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox, sessions: Sessions
    ) -> None:
        people.invite_by_email(EMAIL, sessions.read_invitation(sessions.invite_staff("Rita", REQUESTER)))
        browser = Browser(mail_site.respond)
        ask(browser)
        address = f"/sign-in/link/{mailbox.links[0].token}"
        browser.press(browser.get(address).form(address))
        assert REQUESTER in browser.get("/account").text
        assert browser.get("/earnings").status == 403

    def test_one_who_is_suspended_cannot_come_by_a_link(
        self, mail_site: WorkerSite, people: People, mailbox: Mailbox
    ) -> None:
        people.suspend(invite(people))
        browser = Browser(mail_site.respond)
        ask(browser)
        address = f"/sign-in/link/{mailbox.links[0].token}"
        assert browser.press(browser.get(address).form(address)).status == 403
        assert "crowdsight_session" not in browser.cookies

    def test_without_mail_and_provider_there_are_no_such_pages(self, stranger: Browser, ada: Browser) -> None:
        page = stranger.get("/sign-in")
        assert [form.action for form in page.forms] == []
        assert stranger.post("/sign-in", []).status == 404
        assert stranger.get("/sign-in/provider").status == 404
        assert stranger.get("/sign-in/callback?code=x&state=y").status == 404
        assert "E-mail address" not in ada.get("/account").text


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@", "a@b", "a@b.", "a@.b", ".a@b.org", "a.@b.org", "a..b@c.org", "a@b_c.org", "é@b.org"),
        *("a@b.org\n", "a@b.org,c@d.org", "<a@b.org>", f"{'a' * 65}@b.org", f"a@{'b' * 250}.org", "a@127.0.0.1"),
    ],
)
def test_mail_cannot_reach_what_is_no_address(text: str) -> None:
    if text.strip() != text and text.strip() == "a@b.org":
        assert checked_email(text) == "a@b.org"
        return
    with pytest.raises(ValueError, match="address"):
        checked_email(text)


class TestRates:
    @pytest.fixture
    def slow(self, workplace: WorkplaceInMemory, sessions: Sessions, clock: StoppedClock) -> WorkerSite:
        clock.now_ms -= clock.now_ms % 60_000
        return site_of(workplace, workplace.table, sessions, clock, Rates(worker=2, network=3))

    def test_a_worker_accepts_so_many_in_a_minute(
        self, slow: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        hit_ids = [workplace.offer() for _ in range(4)]
        ada = Browser(slow.respond)
        ada.sign_in(sessions.invite_worker("Ada"))
        forms = [ada.get(f"/hits/{hit_id}").form("/accept") for hit_id in hit_ids]
        clock.move(20)
        pages = [ada.press(form) for form in forms[:3]]
        assert [page.status for page in pages] == [303, 303, 429]
        assert pages[2].headers["Retry-After"] == "40"
        assert "40 seconds" in pages[2].text
        clock.move(40)
        assert ada.press(forms[2]).status == 303

    def test_a_worker_returns_so_many_in_a_minute(
        self, slow: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        ada = Browser(slow.respond)
        ada.sign_in(sessions.invite_worker("Ada"))
        pages = []
        for _ in range(3):
            pages.append(ada.get(f"/assignments/{ada.accept(workplace.offer())}"))
            clock.move(60)
        assert [ada.press(page.form("/return")).status for page in pages] == [303, 303, 429]

    def test_all_workers_of_a_network_accept_so_many_in_a_minute(
        self, slow: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory
    ) -> None:
        hit_id = workplace.offer(max_assignments=9)
        statuses = []
        for number in range(4):
            browser = Browser(slow.respond)
            browser.sign_in(sessions.invite_worker(f"Worker {number}"))
            statuses.append(browser.press(browser.get(f"/hits/{hit_id}").form("/accept")).status)
        assert statuses == [303, 303, 303, 429]

    def test_answers_are_counted_by_their_worker_and_nothing_is_lost(
        self, slow: WorkerSite, sessions: Sessions, workplace: WorkplaceInMemory, clock: StoppedClock
    ) -> None:
        ada = Browser(slow.respond)
        ada.sign_in(sessions.invite_worker("Ada"))
        ids = []
        for _ in range(3):
            ids.append(ada.accept(workplace.offer()))
            clock.move(60)
        pages = [ada.answer(assignment_id, answer="yes") for assignment_id in ids]
        assert [page.status for page in pages] == [200, 200, 429]
        assert pages[2].headers["Retry-After"] == "60"
        clock.move(60)
        assert ada.answer(ids[2], answer="yes").status == 200


class TestStatement:
    def test_a_worker_sees_and_downloads_their_own_and_nobody_elses(
        self, ada: Browser, grace: Browser, workplace: WorkplaceInMemory, stranger: Browser, clock: StoppedClock
    ) -> None:
        hit_id = workplace.offer(title="=Is <b>there</b> a cat?", reward_cents=105)
        assignment_id = ada.accept(hit_id)
        ada.answer(assignment_id, answer="yes")
        workplace.requesters.approve(REQUESTER, assignment_id)
        worker = next(worker for worker in workplace.workers() if worker.name == "Ada")
        workplace.statements.adjust(worker.worker_id, -30, "ticket 7", "Paid by hand")

        page = ada.get("/statement")
        assert "All together $0.75" in page.text
        assert "Rewards $1.05" in page.text
        assert "Adjustments −$0.30" in page.text
        assert "Paid by hand" in page.text
        assert "<b>there" not in page.html
        (link,) = [link for link in page.links if ".csv" in link]
        file = ada.get(link)
        assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert re.fullmatch(
            r'attachment; filename="crowdsight-statement-\d{4}-\d\d\.csv"', file.headers["Content-Disposition"]
        )
        assert [line.split(",")[1:3] for line in file.html.splitlines()[1:]] == [
            ["adjustment", "-0.30"],
            ["pay", "1.05"],
        ]
        assert "'=Is <b>there</b> a cat?" in file.html

        assert "Nothing was paid" in grace.get("/statement").text
        assert len(grace.get(link).html.splitlines()) == 1
        assert stranger.get("/statement").status == stranger.get(link).status == 403
        assert ada.get("/statement?month=2026-13").status == 404
        assert "Adjustments −$0.30" in ada.get("/earnings").text

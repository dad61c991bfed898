"""Each way to sign in, in a real browser: by invitation, by a link in a mail, by the organisation's provider."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from client.stack import Stack
from local.running import RunningStack
from tests.browser.conftest import PATIENCE_MS


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose template has a user pool, which the local provider stands in for."""
    settings = ("--setting", "sign_in_provider=cognito", "--setting", "sign_in_domains=welcome.example")
    options = ("--workers", "none", "--schedule-speed", "0.01", *settings)
    with RunningStack(tmp_path_factory.mktemp("sign-in"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def own_stack(running: RunningStack) -> Stack:
    return running.stack


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[list[BrowserContext]]:
    opened = [chromium.new_context() for _ in range(2)]
    for context in opened:
        context.set_default_timeout(PATIENCE_MS)
    yield opened
    for context in opened:
        context.close()


def link_in_mail(running: RunningStack, email: str) -> str:
    """The link in the newest mail to an address, once it has come."""
    mailbox = Path(running["mailbox"])
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        for mail in sorted(mailbox.glob("*.txt"), reverse=True):
            text = mail.read_text(encoding="utf-8")
            if f"To: {email}\n" in text:
                found = re.search(r"http://\S+", text)
                assert found
                return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no mail to {email}")


def ask_for_link(page: Page, site: str, email: str) -> None:
    page.goto(site)
    page.get_by_role("link", name="in another way").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")


def test_by_a_link_in_a_mail_in_the_browser_that_asked_for_it(
    running: RunningStack, own_stack: Stack, contexts: list[BrowserContext]
) -> None:
    site, email = own_stack.workplace().url, f"{uuid4().hex}@example.org"
    own_stack.operator().invite_worker("Ada", email)
    ada, eve = (context.new_page() for context in contexts)
    ask_for_link(ada, site, email)
    link = link_in_mail(running, email)
    assert link.startswith(f"{site}/sign-in/link/")
    eve.goto(link)
    expect(eve.get_by_role("heading", level=1)).to_have_text("Begin again here")
    ada.goto(link)
    ada.get_by_role("button", name="Sign in as Ada").click()
    expect(ada.get_by_text("Signed in as")).to_be_visible()
    ada.goto(link)
    ada.get_by_role("button", name="Sign in as Ada").click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("This link is over")
    (cookie,) = [each for each in contexts[0].cookies() if each["name"] == "crowdsight_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert ada.evaluate("document.cookie") == ""

    ada.goto(f"{site}/account")
    ada.get_by_role("button", name="Sign out everywhere").click()
    expect(ada.get_by_text("You are not signed in")).to_be_visible()


def test_a_worker_who_joined_by_invitation_adds_an_address(
    running: RunningStack, own_stack: Stack, contexts: list[BrowserContext]
) -> None:
    site, email = own_stack.workplace().url, f"{uuid4().hex}@example.org"
    page, other = contexts[0].new_page(), contexts[1].new_page()
    page.goto(own_stack.workplace().invitation_url(own_stack.operator().invite_worker("Grace")))
    page.get_by_role("button", name="Sign in as Grace").click()
    page.get_by_role("link", name="Grace").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the link").click()
    page.goto(link_in_mail(running, email))
    page.get_by_role("button", name=f"Let me sign in by {email}").click()
    expect(page.get_by_text(email)).to_be_visible()
    for mail in Path(running["mailbox"]).glob("*.txt"):
        mail.unlink()
    ask_for_link(other, site, email)
    other.goto(link_in_mail(running, email))
    other.get_by_role("button", name="Sign in as Grace").click()
    expect(other.get_by_text("Signed in as")).to_be_visible()


def test_by_the_organisations_provider(own_stack: Stack, contexts: list[BrowserContext]) -> None:
    site, email = own_stack.workplace().url, f"{uuid4().hex}@example.org"

    def go(page: Page, address: str, name: str) -> None:
        page.goto(f"{site}/sign-in")
        page.get_by_role("link", name="Sign in with your organisation").click()
        page.get_by_label("E-mail address").fill(address)
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Sign in", exact=True).click()

    stranger = contexts[0].new_page()
    go(stranger, email, "Ada")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("You are not invited")
    own_stack.operator().invite_worker("Ada", email)
    go(stranger, email, "Ada")
    expect(stranger.get_by_role("link", name="Ada")).to_be_visible()
    welcome = contexts[1].new_page()
    go(welcome, f"{uuid4().hex}@welcome.example", "Bob <b>")
    expect(welcome.get_by_role("link", name="Bob <b>")).to_be_visible()
    welcome.get_by_role("button", name="Sign out").click()
    welcome.goto(f"{site}/sign-in")
    welcome.get_by_role("link", name="Sign in with your organisation").click()
    welcome.get_by_role("button", name="Refuse").click()
    expect(welcome.get_by_role("heading", level=1)).to_have_text("You are not signed in")

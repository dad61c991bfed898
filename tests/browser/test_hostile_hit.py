"""A requester's page that wants more than it is given, in a real browser: it gets nothing."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from playwright.sync_api import BrowserContext, Frame, Page

from client.stack import Stack
from crowdsight.workplace.questions import HTML_NAMESPACE
from tests.browser.conftest import SignIn
from tests.browser.doing_hits import question_frame

ATTEMPTS: dict[str, str] = {
    "cookies": "document.cookie",
    "local storage": "localStorage.getItem('x')",
    "session storage": "sessionStorage.getItem('x')",
    "databases": "indexedDB.open('x')",
    "the site's page": "parent.document.body.innerHTML",
    "the top's location": "top.location.href",
    "leading the top away": "top.location.href = 'about:blank'",
    "leading the top away, again": "top.location.replace('about:blank')",
}
"""What must throw when a question's page does it."""

POSTS = ("/sign-out", "/account/sign-out-everywhere", "/account/email", "/sign-in", "/hits/{hit_id}/accept")


@pytest.fixture
def offer(stack: Stack) -> Callable[[str], str]:
    """Offers a HIT with this page; its id."""

    def offer(html: str, assignments: int = 2) -> str:
        question = (
            f'<HTMLQuestion xmlns="{HTML_NAMESPACE}"><HTMLContent>{escape(html)}</HTMLContent>'
            "<FrameHeight>400</FrameHeight></HTMLQuestion>"
        )
        hit = stack.workplace().mturk().create_hit(
            Title="A hostile HIT", Description="-", Reward="0.01", AssignmentDurationInSeconds=600,
            LifetimeInSeconds=3600, MaxAssignments=assignments, Question=question,
        )  # fmt: skip
        return str(hit["HIT"]["HITId"])

    return offer


def accept(page: Page, site: str, hit_id: str) -> tuple[str, Frame]:
    """Accept the HIT; the assignment's id and the question's frame."""
    page.goto(f"{site}/hits/{hit_id}")
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("**/assignments/*")
    page.frame_locator("iframe").locator("body").wait_for()
    return page.url.rpartition("/")[2], question_frame(page)


def refused(frame: Frame | Page, script: str) -> Any:
    return frame.evaluate(f"(() => {{ try {{ {script}; return 'read' }} catch (error) {{ return error.name }} }})()")


def test_it_reads_nothing_and_leads_nobody_away(stack: Stack, sign_in: SignIn, offer: Callable[[str], str]) -> None:
    page, site = sign_in("Ada"), stack.workplace().url
    page.evaluate("localStorage.setItem('x', 'of the site')")
    assignment_id, frame = accept(page, site, offer("<p>Hello</p>"))
    for what, script in ATTEMPTS.items():
        assert refused(frame, script) == "SecurityError", what
    with page.context.expect_page() as opened:  # links to surveys open pages of their own, which give nothing away
        frame.evaluate(f"window.opened = window.open('{site}/earnings')")
    opened.value.wait_for_load_state()
    assert refused(frame, "window.opened.document.cookie") == "SecurityError"
    opened.value.close()
    assert frame.evaluate("self.origin") == "null"
    for address in ("/earnings", "/account", f"/assignments/{assignment_id}"):
        script = f"fetch('{site}{address}', {{credentials: 'include'}}).then(() => 'read', () => 'refused')"
        assert frame.evaluate(script) == "refused", address
    assert page.url.endswith(assignment_id)
    assert len(page.context.pages) == 1


def test_opened_by_itself_it_is_as_alone(stack: Stack, sign_in: SignIn, offer: Callable[[str], str]) -> None:
    page, site = sign_in("Ada"), stack.workplace().url
    page.evaluate("localStorage.setItem('x', 'of the site')")
    response = page.goto(f"{site}/frames/{offer('<p>Hello</p>')}")
    assert response is not None and response.status == 200
    headers = response.all_headers()
    policy = headers["content-security-policy"]
    assert policy.startswith("sandbox ") and policy.endswith("; frame-ancestors 'self'")
    assert "allow-same-origin" not in policy and "allow-top-navigation" not in policy
    assert "camera=()" in headers["permissions-policy"]
    assert "set-cookie" not in headers
    for what in ("cookies", "local storage", "session storage", "databases"):
        assert refused(page, ATTEMPTS[what]) == "SecurityError", what
    assert page.evaluate("self.origin") == "null"
    assert page.evaluate(f"fetch('{site}/earnings', {{credentials: 'include'}}).then(() => 1, () => 0)") == 0


@pytest.mark.parametrize("place", ["frame", "page"])
def test_its_forms_do_nothing_at_the_sites_own_addresses(
    stack: Stack, sign_in: SignIn, offer: Callable[[str], str], place: str
) -> None:
    page, site = sign_in("Ada"), stack.workplace().url
    hit_id, other = offer("<p>Hello</p>"), offer("<p>Other</p>")
    for target in POSTS:
        if place == "frame":
            page.goto(f"{site}/hits/{hit_id}")
            page.frame_locator("iframe").locator("body").wait_for()
            frame: Frame = question_frame(page)
        else:
            page.goto(f"{site}/frames/{hit_id}")
            frame = page.main_frame
        with page.expect_response(lambda response: response.request.method == "POST") as posted:
            frame.evaluate(
                "address => { const form = document.createElement('form'); form.method = 'post';"
                " form.action = address; document.body.append(form); form.submit() }",
                site + target.format(hit_id=other),
            )
        assert posted.value.status >= 400 or posted.value.header_value("set-cookie") is None, target
        assert posted.value.request.header_value("cookie") is None, target
        if place == "page":
            page.wait_for_url(lambda url: "/frames/" not in url)
    page.goto(f"{site}/account")
    assert "none" in page.locator("main").inner_text()
    page.goto(f"{site}/earnings")
    assert page.locator(".going").count() == 0
    assert cookie_of(page.context)


def test_it_cannot_answer_for_another_worker(stack: Stack, sign_in: SignIn, offer: Callable[[str], str]) -> None:
    """It knows its own assignment's id and no other; a made-up one is nobody's, and ids of others cannot be guessed."""
    site, hit_id = stack.workplace().url, offer("<p>Hello</p>")
    grace = sign_in("Grace")
    theirs, _ = accept(grace, site, hit_id)
    ada = sign_in("Ada")
    own, frame = accept(ada, site, hit_id)
    assert theirs not in frame.content() and theirs not in frame.url
    made_up = theirs[:-1] + ("A" if theirs[-1] != "A" else "B")
    with ada.expect_response(lambda response: response.request.method == "POST") as posted:
        frame.evaluate(
            "([address, id]) => { const form = document.createElement('form'); form.method = 'post';"
            " form.action = address; form.innerHTML = `<input name=assignmentId value=${id}>`;"
            " document.body.append(form); form.submit() }",
            [f"{site}/mturk/externalSubmit", made_up],
        )
    assert posted.value.status == 404
    assert stack.workplace().mturk().list_assignments_for_hit(HITId=hit_id)["Assignments"] == []
    ada.goto(f"{site}/assignments/{theirs}")
    assert "somebody else" in ada.get_by_role("heading", level=1).inner_text()
    assert own != theirs


def cookie_of(context: BrowserContext) -> bool:
    return any(cookie["name"] == "crowdsight_session" for cookie in context.cookies())

"""One local stack and one headless Chromium for all browser tests; each test is a Worker of its own."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from client.stack import Stack
from client.tasks import TaskClient
from local.running import RunningStack
from local.synthesis import ROOT
from tests.browser.doing_hits import Doing, accept
from tests.browser.small_site import SmallSite, serve_site

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The last argument of this name replaces Playwright's own. While Chromium holds back the first paint, clicks and
    # keys are lost.
    "--disable-features=LocalNetworkAccessChecks,PaintHolding",
]
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
PATIENCE_MS = 60_000
"""A cold Lambda on a busy machine takes its time."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Its schedules as good as never fire, so that nothing but a notification can end a task in time."""
    with RunningStack(tmp_path_factory.mktemp("stack"), "--workers", "none", "--schedule-speed", "0.01") as running:
        yield running.stack


@pytest.fixture(scope="session")
def tasks(stack: Stack) -> Iterator[TaskClient]:
    api = stack.local_api()
    with TaskClient(api.url, api.key) as client:
        yield client


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    """The demo's photographs over HTTP; yields the URL that their names follow."""
    serve = functools.partial(QuietFiles, directory=str(ROOT / "local" / "photographs"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.fail("the browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The tests say what matters."""


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(stack: Stack, chromium: Browser) -> Iterator[SignIn]:
    """Opens a browser of its own for a newly invited Worker and signs in through the invitation link."""
    contexts: list[BrowserContext] = []

    def sign_in(name: str, viewport: ViewportSize = DESKTOP, **options: Any) -> Page:
        context = chromium.new_context(viewport=viewport, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.goto(stack.workplace().invitation_url(stack.operator().invite_worker(name)))
        page.get_by_role("button", name=f"Sign in as {name}").click()
        page.get_by_role("heading", level=1).wait_for()
        return page

    yield sign_in
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def small_site() -> Iterator[SmallSite]:
    with serve_site() as site:
        yield site


@pytest.fixture
def start_hit(small_site: SmallSite, chromium: Browser) -> Iterator[Callable[..., Doing]]:
    """A new Worker in a browser of their own, with a new HIT in hand: `start_hit(content, kind, height_px)`."""
    contexts: list[BrowserContext] = []

    def start_hit(content: str, *arguments: Any, viewport: ViewportSize = DESKTOP, **options: Any) -> Doing:
        context = chromium.new_context(viewport=viewport, **options)
        contexts.append(context)
        return accept(small_site, context, content, *arguments)

    yield start_hit
    for context in contexts:
        context.close()

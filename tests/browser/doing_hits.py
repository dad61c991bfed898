"""Workers who do one HIT each on a small site, what they leave for its requester, and what it looked like."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Frame, FrameLocator, Locator, Page, Route, expect

from crowdsight.workplace.answers import Answer, read_answers
from crowdsight.workplace.questions import QuestionKind
from local.synthesis import ROOT
from tests.browser.small_site import SmallSite

SCREENSHOTS = ROOT / "build" / "screenshots"
PICTURES = "https://pictures.example/"
INPUT_PATIENCE_S = 60
INSET_PX = 20
"""So far inside the question the mouse is pointed to see whether it gets there."""

BORDER_PX = 3
"""What the question's frame has around it is less: so exactly must the mouse be seen."""

_PHOTOGRAPHS = ROOT / "local" / "photographs"


@dataclass
class Doing:
    """One Worker with one HIT in hand."""

    site: SmallSite
    page: Page
    hit_id: str

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe#question")

    @property
    def inner(self) -> Frame:
        """The frame's document, to run scripts in."""
        return question_frame(self.page)

    def photograph(self, name: str) -> None:
        """Keep what the page looks like now, from top to bottom."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        assert size is not None
        height = self.page.evaluate("document.documentElement.scrollHeight")
        # A frame is painted only where it is in view.
        self.page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size(size)
        wait_for_mouse(self.page)

    def expect_accessible(self) -> None:
        """axe finds nothing serious in the frame."""
        self.inner.evaluate(AXE_SCRIPT)
        found = self.inner.evaluate("axe.run()")
        serious = [
            (violation["id"], [node["html"][:200] for node in violation["nodes"]])
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == [], serious

    def submit(self) -> list[Answer]:
        """Press Submit; the answers that the requester gets."""
        self.press(self.frame.get_by_role("button", name="Submit"))
        return self.submitted()

    def press(self, button: Locator) -> None:
        """Click it once the mouse reaches it: a question that has grown or was scrolled is painted later."""
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        reach(self.page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        button.click()

    def submitted(self) -> list[Answer]:
        expect(self.page.get_by_role("status").filter(has_text="Submitted")).to_be_visible()
        return read_answers(self.site.answer(self.hit_id))


def crowd_answers(answers: list[Answer]) -> Any:
    """What Crowd HTML Elements answered."""
    (answer,) = answers
    assert answer.question_id == "taskAnswers"
    (content,) = json.loads(answer.free_text or "")
    return content


def accept(
    site: SmallSite,
    context: BrowserContext,
    content: str,
    kind: QuestionKind = QuestionKind.HTML,
    height_px: int = 0,
    other_sites: Mapping[str, str] = MappingProxyType({}),
) -> Doing:
    """A new Worker signs in and accepts a new HIT with this question. `other_sites`: pages by how their URLs begin."""
    context.route(f"{PICTURES}**", _send_picture)
    for start, body in other_sites.items():
        context.route(f"{start}**", partial(_send_page, body))
    hit_id = site.workplace.offer(content, kind=kind, frame_height_px=height_px, title="What do you see?")
    page = context.new_page()
    page.goto(f"{site.url}/join/{site.sessions.invite_worker(f'Ada {uuid4().hex[:4]}')}")
    page.get_by_role("button", name="Sign in as Ada").click()
    page.get_by_role("heading", level=1).wait_for()
    page.goto(f"{site.url}/hits/{hit_id}")
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("**/assignments/*")
    wait_for_input(page)
    return Doing(site, page, hit_id)


def question_frame(page: Page) -> Frame:
    return next(frame for frame in page.frames if frame.parent_frame is not None)


def wait_for_input(page: Page) -> None:
    """Until the mouse and the keys reach the question."""
    wait_for_mouse(page)
    deadline = time.monotonic() + INPUT_PATIENCE_S
    while not page.evaluate("document.activeElement === document.getElementById('question')"):
        assert time.monotonic() < deadline, f"the question had no keys in {INPUT_PATIENCE_S} s"


def wait_for_mouse(page: Page) -> None:
    """Until the question has loaded and the mouse reaches it where it is pointed.

    Its frame has a process of its own. Chromium tells that of what it has painted, and where, later than the page.
    """
    frame = page.locator("iframe#question")
    frame.content_frame.locator("body").wait_for()
    inner = question_frame(page)
    inner.wait_for_load_state("load")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    reach(page, box["x"] + INSET_PX, max(0, box["y"]) + INSET_PX)


def reach(page: Page, x: float, y: float) -> None:
    """Point the mouse at a place of the page until the question sees it there."""
    inner = question_frame(page)
    inner.evaluate("() => { onmousemove = (event) => { window.mouseAt = [event.clientX, event.clientY]; }; }")
    deadline = time.monotonic() + INPUT_PATIENCE_S
    while True:
        box = page.locator("iframe#question").bounding_box()
        assert box is not None
        inner.evaluate("window.mouseAt = null")
        for step in (1, 0):
            page.mouse.move(x + step, y)
        at = inner.evaluate("window.mouseAt")
        if at is not None and abs(at[0] - x + box["x"]) <= BORDER_PX and abs(at[1] - y + box["y"]) <= BORDER_PX:
            return
        assert time.monotonic() < deadline, f"the mouse at {(x, y)} of the page was seen at {at} of the question"


def _send_page(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


def _send_picture(route: Route) -> None:
    path = _PHOTOGRAPHS / route.request.url.rpartition("/")[2]
    if path.is_file():
        route.fulfill(path=path, content_type="image/jpeg")
    else:
        route.fulfill(status=404)

"""Every page of the worker site in Chromium: what axe finds of barriers, that nothing scrolls sideways, a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from crowdsight.workplace.qualifications import QualificationTest, QualificationType, TypeStatus
from local.synthesis import ROOT
from tests.browser.conftest import DESKTOP
from tests.browser.doing_hits import wait_for_input
from tests.browser.small_site import SmallSite, serve_site
from tests.unit.workplace.forms import form, question, selection
from tests.unit.workplace_site.workplace_in_memory import REQUESTER

PHONE: ViewportSize = {"width": 390, "height": 844}
PICTURES = ROOT / "build" / "screenshots"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
FORM = (
    '<form method="post" action="https://www.mturk.com/mturk/externalSubmit"><input type="hidden" name="assignmentId">'
    "<p>Is there a dog?</p><button name='answer' value='yes'>Yes</button> <button name='answer' value='no'>No</button>"
    "</form>"
)
TEST = form(question(selection("A cat", "A dog"), question_id="animal", required=True))
TITLES = ("Is there a dog in the picture?", "How alike do two pictures look?", "Type what the sign says")


@dataclass
class Scene:
    """A site where something has happened: who is signed in with `worker` and `staff`, and addresses by name."""

    site: SmallSite
    addresses: dict[str, str]
    worker: str
    staff: str


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with serve_site() as site:
        workplace, sessions = site.workplace, site.sessions
        worker, other = "A0000000000ADA", "A00000000GRACE"
        tokens = {name: sessions.invite_worker(name, id) for name, id in (("Ada", worker), ("Grace", other))}
        for name, id in (("Ada", worker), ("Grace", other)):
            workplace.register_worker(id, name)
        hit_ids = [
            workplace.offer(FORM, title=title, reward_cents=3 + 4 * number, assignment_duration_s=300 * (number + 1))
            for number, title in enumerate(TITLES)
            for _ in range(3)
        ]
        done = []
        for hit_id in (hit_ids[0], hit_ids[1], hit_ids[3]):
            for id, answer in ((worker, "yes"), (other, "no" if hit_id == hit_ids[1] else "yes")):
                assignment = workplace.accept(hit_id, id)
                workplace.submit(assignment.assignment_id, [("answer", answer), ("why", "It has four legs.")])
                done.append(assignment.assignment_id)
        workplace.requesters.approve(REQUESTER, done[0], "Thank you")
        workplace.requesters.reject(REQUESTER, done[2], "There is none")
        held = workplace.accept(hit_ids[2], worker).assignment_id
        workplace.accept(hit_ids[6], worker)
        text = "The next pictures come tomorrow.\nThey are of signs."
        workplace.messages.send_to_worker(worker, REQUESTER, "More to do tomorrow", text, None)
        workplace.messages.send_to_requester(REQUESTER, worker, hit_ids[0], "A picture is dark", "Is that meant so?")
        group = workplace.group_address(hit_ids[4])
        types = workplace.requesters.qualification_types
        for name, test in (("Reads street signs", None), ("Knows dogs", QualificationTest(TEST, None))):
            about = "For the HITs with pictures of it."
            kind = QualificationType("", REQUESTER, name, about, "", TypeStatus.ACTIVE, 0, test_duration_s=1_800)
            tested = types.create(kind, test).kind.qualification_type_id
        asked = workplace.qualifications.request(worker, tested)
        addresses = {
            "groups": "/",
            "groups-none": "/?q=nothing+like+this",
            "group": group,
            "hit": f"/hits/{hit_ids[4]}",
            "assignment": f"/assignments/{held}",
            "done": workplace.done_address(done[0]),
            "queue": "/queue",
            "earnings": "/earnings",
            "messages": "/messages",
            "contact": f"/contact/{hit_ids[4]}",
            "qualifications": "/qualifications",
            "qualification-test": f"/tests/{asked.request_id}",
            "error": "/nothing-here",
            "requester-hits": "/requester",
            "requester-hit": f"/requester/hits/{hit_ids[1]}",
            "requester-messages": "/requester/messages",
            "requester-pay": "/requester/pay",
        }
        yield Scene(site, addresses, tokens["Ada"], sessions.invite_staff("Rita", REQUESTER))


PAGES = [
    "groups",
    "groups-none",
    "group",
    "hit",
    "assignment",
    "done",
    "queue",
    "earnings",
    "messages",
    "contact",
    "qualifications",
    "qualification-test",
    "error",
    "requester-hits",
    "requester-hit",
    "requester-messages",
    "requester-pay",
]


@pytest.fixture(scope="module")
def open_page(scene: Scene, chromium: Browser) -> Iterator[dict[str, Page]]:
    """A page for a Worker and one for staff, each signed in."""
    contexts, pages = [], {}
    for who, token in (("worker", scene.worker), ("staff", scene.staff)):
        context = chromium.new_context(viewport=DESKTOP)
        contexts.append(context)
        pages[who] = page = context.new_page()
        page.goto(f"{scene.site.url}/join/{token}")
        page.get_by_role("button", name="Sign in as").click()
        page.get_by_role("button", name="Sign out").wait_for()
    yield pages
    for context in contexts:
        context.close()


def page_of(open_page: dict[str, Page], name: str) -> Page:
    return open_page["staff" if name.startswith("requester") else "worker"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_barriers_and_fits_its_screen(scene: Scene, open_page: dict[str, Page], name: str) -> None:
    page = page_of(open_page, name)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for size, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(viewport)
        page.goto(scene.site.url + scene.addresses[name])
        page.screenshot(path=PICTURES / f"{name}-{size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {iframes: false}).then(result => result.violations)")
        serious = [
            (one["id"], [node["html"] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_the_first_thing_a_keyboard_reaches_leads_to_the_content(scene: Scene, open_page: dict[str, Page]) -> None:
    page = open_page["worker"]
    page.goto(scene.site.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_worker_searches_and_goes_on_from_hit_to_hit_by_keyboard(scene: Scene, open_page: dict[str, Page]) -> None:
    page = open_page["worker"]
    page.set_viewport_size(DESKTOP)
    page.goto(scene.site.url)
    page.get_by_label("Search").fill("alike")
    page.get_by_label("Search").press("Enter")
    expect(page.locator("li.hit")).to_have_count(1)
    page.get_by_role("button", name="Accept").press("Enter")
    page.wait_for_url("**/assignments/*")
    wait_for_input(page)
    onwards = page.get_by_label("After submitting, accept the next")
    onwards.focus()
    expect(onwards).to_be_focused()
    onwards.press("Space")
    expect(onwards).to_be_checked()
    first = page.url
    page.frame_locator("iframe").get_by_role("button", name="Yes").press("Enter")
    page.wait_for_url(lambda url: "/assignments/" in url and url != first)
    expect(onwards).to_be_checked()
    wait_for_input(page)
    page.frame_locator("iframe").get_by_role("button", name="No").press("Enter")
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()


def test_a_worker_takes_a_test_by_keyboard(scene: Scene, open_page: dict[str, Page]) -> None:
    page = open_page["worker"]
    page.set_viewport_size(DESKTOP)
    page.goto(f"{scene.site.url}/qualifications")
    page.get_by_role("button", name="Go on with the test").press("Enter")
    page.get_by_label("A dog").press("Space")
    page.get_by_role("button", name="Hand in").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Its requester decides")


def test_a_worker_gives_back_what_is_in_the_queue_and_writes_to_the_requester(
    scene: Scene, open_page: dict[str, Page]
) -> None:
    page = open_page["worker"]
    page.goto(f"{scene.site.url}/queue")
    held = page.locator("li.hit").count()
    page.get_by_role("button", name="Return").last.click()
    expect(page.locator("li.hit")).to_have_count(held - 1)
    page.goto(scene.site.url + scene.addresses["contact"])
    page.get_by_label("Subject").fill("A question")
    page.get_by_label("Message", exact=True).fill("<b>May I?</b>")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_contain_text("sent")


def test_staff_judge_an_answer_reply_and_see_the_pay(scene: Scene, open_page: dict[str, Page]) -> None:
    page = open_page["staff"]
    page.set_viewport_size(DESKTOP)
    page.goto(scene.site.url + scene.addresses["requester-hit"])
    expect(page.get_by_role("region", name="agreement")).to_contain_text("50 %")
    page.get_by_role("button", name="Reject").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("could not be read")
    page.go_back()
    page.get_by_role("button", name="Approve the answer").first.click()
    expect(page.get_by_role("status")).to_contain_text("approved and paid")
    page.goto(f"{scene.site.url}/requester/messages")
    page.get_by_text("Reply").first.click()
    page.get_by_label("Message", exact=True).first.fill("It is meant so.")
    page.get_by_role("button", name="Send").first.click()
    expect(page.get_by_role("status")).to_contain_text("sent")
    page.goto(f"{scene.site.url}/requester/pay")
    expect(page.locator("tfoot")).to_contain_text("$0.06")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith("worker_id,name,from,to,payments,paid_usd,fees_usd")
    assert ",Ada," in text

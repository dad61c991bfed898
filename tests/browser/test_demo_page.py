"""The demonstration's page of queries and results, as a browser shows the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, expect

from local.demo.exhibits import Exhibition
from local.demo.image_search import Label
from local.demo.page import render_page
from local.demo.queries import DemoQuery, Kind
from local.demo.search import Search
from tests.browser.conftest import DESKTOP
from tests.unit.demo.memory_image_search import HOST, MemoryImageSearch

NARROW: ViewportSize = {"width": 390, "height": 844}
HOSTILE = """<script>document.title="x"</script>"'><img src=x onerror='document.title="x"'>""" + "long" * 30
STORED = ["cat.jpg", "dogs.jpg", "peaks.jpg", "astronaut.jpg"]
QUERIES = (
    DemoQuery(Kind.FIND, "a mirrored photograph", ("peaks.jpg",), "peaks-mirrored.jpg"),
    DemoQuery(Kind.PICTURE, "bytes, with labels", ("cat.jpg",), "cat-small.jpg", with_labels=True),
    DemoQuery(Kind.WORDS, HOSTILE, ("dogs.jpg",), words=HOSTILE, with_labels=True),
)
FINDS = {
    "peaks-mirrored.jpg": ["peaks.jpg", "dogs.jpg", "astronaut.jpg", "cat.jpg"],
    "bytes": ["cat.jpg"],
    HOSTILE: ["dogs.jpg", "peaks.jpg"],
}
LABELS = (Label("cat", 0.53, (3, 1, 400, 297), 15), Label(HOSTILE, 0.43, (340, 100, 372, 200), 16))


@pytest.fixture(scope="module")
def exhibition() -> Exhibition:
    search = Search(MemoryImageSearch(FINDS, LABELS).client(), HOST, STORED, QUERIES)
    for _ in search.steps():
        pass
    return search.exhibition


class Opened:
    """The page in a browser of its own. `requests`: the URLs that it asked for."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._note)
        page.on("console", lambda message: self.errors.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture(params=[DESKTOP, NARROW], ids=["desktop", "narrow"])
def opened(
    request: pytest.FixtureRequest, exhibition: Exhibition, chromium: Browser, tmp_path: Path
) -> Iterator[Opened]:
    path = tmp_path / "search.html"
    path.write_text(render_page(exhibition), encoding="utf-8")
    context = chromium.new_context(viewport=request.param)
    yield Opened(context.new_page(), path)
    context.close()


def test_every_query_and_result_is_shown_with_its_picture(opened: Opened, exhibition: Exhibition) -> None:
    page = opened.page
    queries = page.locator("section.query")
    expect(queries).to_have_count(len(exhibition.answers))
    for section, answer in zip(queries.all(), exhibition.answers, strict=True):
        expect(section.get_by_role("heading", level=2)).to_be_visible()
        expect(section.get_by_text(answer.query.kind.value, exact=True)).to_be_visible()
        expect(section.get_by_text(answer.query.name, exact=True)).to_be_visible()
        results = section.locator("figure.result")
        expect(results).to_have_count(len(answer.results))
        for shown, result in zip(results.all(), answer.results, strict=True):
            expect(shown.get_by_role("img", name=result.name)).to_be_visible()
            expect(shown.get_by_text(f"{result.match.similarity:.3f}", exact=True)).to_be_visible()
    expect(page.locator("ul.stored img")).to_have_count(len(exhibition.stored))
    loaded = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert loaded and all(width > 0 for width in loaded)


def test_boxes_lie_on_their_pictures(opened: Opened, exhibition: Exhibition) -> None:
    cat = exhibition.answers[1].results[0]
    shown = opened.page.locator("section.query").nth(1).locator("figure.result").first
    picture, box = shown.get_by_role("img").bounding_box(), shown.locator(".box").first.bounding_box()
    assert picture and box
    scale = picture["width"] / cat.size[0]
    assert abs(picture["height"] / cat.size[1] - scale) < 0.01, "the picture keeps its proportions"
    assert abs(box["x"] - picture["x"] - 3 * scale) < 1 and abs(box["y"] - picture["y"] - 1 * scale) < 1
    assert abs(box["width"] - 397 * scale) < 1 and abs(box["height"] - 296 * scale) < 1


def test_nothing_scrolls_sideways(opened: Opened) -> None:
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_no_request_leaves_the_file_and_no_text_becomes_markup(opened: Opened) -> None:
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1
    assert opened.page.title() == "What image search found · crowdsight"
    assert opened.errors == []


def test_the_page_is_as_light_or_dark_as_the_reader_likes(opened: Opened) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    opened.page.emulate_media(color_scheme="light")
    assert min(opened.page.evaluate(ground)) > 200
    opened.page.emulate_media(color_scheme="dark")
    assert max(opened.page.evaluate(ground)) < 60

"""The demonstration's search, and what it is shown by, against image search in memory."""

import io
import threading
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageColor
from rich.console import Console

from client.tasks import ApiError, ApiUnreachable
from local.demo.contact_sheet import draw_contact_sheet
from local.demo.display import progress_table, show_search
from local.demo.exhibits import Exhibition
from local.demo.image_search import ImageSearchClient, Label
from local.demo.labels import COLOURS, PlacedLabel, place
from local.demo.page import render_page
from local.demo.queries import QUERIES, VARIANTS, DemoQuery, Kind
from local.demo.search import Search, SearchThread
from local.demo.show import Shown
from local.workers.truth import PHOTOGRAPHS
from tests.unit.demo.memory_image_search import HOST, LABELS, URL, MemoryImageSearch

STORED = ["cat.jpg", "dogs.jpg", "peaks.jpg"]
HOSTILE = """<script>alert(1)</script>"'&amp;<img src=http://example.com/x.png>"""
FINDS = {
    "peaks-mirrored.jpg": ["peaks.jpg", "cat.jpg"],
    "bytes": ["cat.jpg", "dogs.jpg"],
    "a dog": ["dogs.jpg", "cat.jpg", "peaks.jpg"],
    HOSTILE: ["dogs.jpg"],
}
ASKED = (
    DemoQuery(Kind.FIND, "a mirrored one", ("peaks.jpg",), "peaks-mirrored.jpg"),
    DemoQuery(Kind.URL, "its own address", ("cat.jpg",), "cat.jpg", by_own_address=True),
    DemoQuery(Kind.PICTURE, "bytes", ("cat.jpg",), "cat-small.jpg", with_labels=True),
    DemoQuery(Kind.WORDS, "words", ("dogs.jpg",), words="a dog", with_labels=True),
    DemoQuery(Kind.WORDS, HOSTILE, ("dogs.jpg",), words=HOSTILE),
)


@pytest.fixture
def images() -> MemoryImageSearch:
    return MemoryImageSearch(FINDS)


def search(images: MemoryImageSearch, queries: Sequence[DemoQuery] = ASKED) -> Search:
    return Search(images.client(), HOST, STORED, queries)


def searched(images: MemoryImageSearch, queries: Sequence[DemoQuery] = ASKED) -> Exhibition:
    found = search(images, queries)
    for _ in found.steps():
        pass
    return found.exhibition


# What is asked


def test_every_kind_of_query_is_asked_with_labels_too_about_photographs_that_are_there() -> None:
    assert {query.kind for query in QUERIES} == set(Kind)
    assert any(query.with_labels for query in QUERIES)
    there = {path.name for path in PHOTOGRAPHS.glob("*.jpg")}
    assert {*VARIANTS, *(query.photograph for query in QUERIES if query.photograph)} <= there
    for query in QUERIES:
        assert set(query.first) <= there - set(VARIANTS), "only what is saved can be found"
        assert bool(query.photograph) != bool(query.words)
        assert query.by_own_address == (bool(query.photograph) and query.photograph not in VARIANTS)
        assert not (query.kind is Kind.FIND and query.with_labels), "a find has no labels"


# The HTTP


def test_a_find_is_saved_and_saving_it_again_tells_where_it_is(images: MemoryImageSearch) -> None:
    client = images.client()
    found = client.find(f"{HOST}/peaks-mirrored.jpg", 1)
    assert [(match.url, match.similarity) for match in found.matches] == [(f"{URL}/image/saved-peaks.jpg", 1.0)]
    address = client.save(found.request_id)
    assert client.save(found.request_id) == address
    assert client.picture(address).size == (560, 420)


def test_labels_are_read_only_where_they_were_asked_for(images: MemoryImageSearch) -> None:
    [without] = images.client().similar(1, url=f"{HOST}/cat.jpg")
    [with_them] = images.client().similar(1, url=f"{HOST}/cat.jpg", with_labels=True)
    assert (without.labels, without.width) == (None, 0)
    assert (with_them.labels, with_them.width, with_them.height) == (LABELS, 451, 300)
    assert images.asked[0] == {"url": f"{HOST}/cat.jpg", "num_similar": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_is_sent_again_after_a_passing_trouble(images: MemoryImageSearch, status: int) -> None:
    images.fails = [status] * 2
    assert images.client().find(f"{HOST}/cat.jpg", 1).request_id == "cat.jpg"


def test_trouble_that_stays_and_refusals_are_api_errors_in_either_form(images: MemoryImageSearch) -> None:
    images.fails = [503] * 99
    with pytest.raises(ApiError, match="503"):
        images.client().find(f"{HOST}/cat.jpg", 1)
    images.fails = [500]
    with pytest.raises(ApiError, match="InternalError.*500.*no"):
        images.client().save("cat.jpg")
    with pytest.raises(ApiError, match="text is blank.*400"):
        images.client().similar(1, text=" ")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"body": "{}"}', b'{"body": 1}'])
def test_an_answer_of_another_kind_is_an_api_error(body: bytes) -> None:
    client = ImageSearchClient(URL, "key", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    for ask in (lambda: client.find("a", 1), lambda: client.save("a"), lambda: client.similar(1, text="a")):
        with pytest.raises(ApiError, match="UnknownAnswer"):
            ask()


def test_a_service_that_is_not_there_is_unreachable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ApiUnreachable):
        ImageSearchClient(URL, "key", transport=httpx.MockTransport(refuse)).picture(f"{URL}/image/a.jpg")


# The search


def test_photographs_are_saved_and_then_searched_in_every_way(images: MemoryImageSearch) -> None:
    events = [event.what for event in search(images).steps() if event]
    assert images.saved == STORED
    assert events[:2] == ["3 photographs are saved", "3 of 3 find themselves first"]
    assert events[2] == "GET /image/find peaks-mirrored: peaks 1.00, cat 0.90"
    assert events[5] == "POST / text “a dog”: dogs 1.00, cat 0.90, peaks 0.80 (in the first: cat 0.53, dog 0.43)"
    assert [sorted(body) for body in images.asked[3:]] == [
        ["num_similar", "url"],
        ["get_labels", "image", "num_similar"],
        ["get_labels", "num_similar", "text"],
        ["num_similar", "text"],
    ]
    assert images.asked[3]["url"] == f"{URL}/image/saved-cat.jpg"


def test_what_is_shown_is_what_was_answered(images: MemoryImageSearch) -> None:
    exhibition = searched(images)
    assert exhibition.failures == []
    assert [stored.name for stored in exhibition.stored] == ["cat", "dogs", "peaks"]
    words = exhibition.answers[3]
    assert words.picture is None
    assert [(one.name, one.match.similarity) for one in words.results] == [("dogs", 1.0), ("cat", 0.9), ("peaks", 0.8)]
    assert words.results[0].size == (373, 560)
    mirrored = exhibition.answers[0].picture
    assert mirrored and mirrored.data == (PHOTOGRAPHS / "peaks-mirrored.jpg").read_bytes()


def test_what_does_not_come_first_is_told() -> None:
    images = MemoryImageSearch(FINDS | {"dogs.jpg": ["cat.jpg", "dogs.jpg"], "a dog": ["cat.jpg"], "cat.jpg": []})
    assert searched(images, ASKED[:4]).failures == [
        "cat does not find itself first",
        "dogs does not find itself first",
        "POST / url cat does not find cat first",
        "POST / text “a dog” does not find dogs first",
    ]


def test_a_thread_searches_and_shows_it_once(images: MemoryImageSearch) -> None:
    shown: list[Exhibition] = []
    thread = SearchThread(search(images), shown.append, threading.Event())
    assert not thread.is_over
    thread.start()
    thread.start()
    thread.join(20)
    assert thread.is_over and shown == [thread.exhibition]
    assert [event.task for event in thread.events()] == ["image search"] * 7
    assert list(thread.events()) == []
    assert thread.progress == "3 photographs are saved, 5 of 5 queries answered"


def test_a_search_that_is_stopped_ends_soon_and_shows_nothing(images: MemoryImageSearch) -> None:
    stopped = threading.Event()
    stopped.set()
    thread = SearchThread(search(images), lambda exhibition: pytest.fail("shown"), stopped)
    thread.join(1)
    thread.start()
    thread.join(20)
    assert not thread.is_over
    assert images.saved == STORED[:1]


def test_what_ends_a_search_early_is_raised_where_its_outcome_is_asked_for(images: MemoryImageSearch) -> None:
    images.fails = [403]
    thread = SearchThread(search(images), lambda exhibition: pytest.fail("shown"), threading.Event())
    thread.start()
    thread.join(20)
    assert thread.is_over
    with pytest.raises(ApiError, match="403"):
        _ = thread.exhibition


# The names of boxes


def in_corner(box: tuple[float, float, float, float], size: tuple[int, int] = (400, 300)) -> PlacedLabel:
    [placed] = place([Label("cat", 0.5, box, 15)], size)
    return placed


def test_a_name_is_above_its_box_where_there_is_room_and_in_it_otherwise() -> None:
    above = in_corner((100, 100, 200, 200))
    assert (above.is_above, above.is_right, above.is_low) == (True, False, False)
    assert (above.left, above.top, above.right, above.bottom) == (0.25, 1 / 3, 0.5, 2 / 3)
    inside = in_corner((0, 2, 400, 300))
    assert (inside.is_above, inside.is_right, inside.is_low) == (False, False, False)


def test_a_name_at_the_right_edge_grows_to_the_left() -> None:
    assert in_corner((390, 100, 400, 200)).is_right


def test_names_of_boxes_that_are_nearly_the_same_are_apart() -> None:
    placed = place([Label(name, 0.5, (1 + number, 2, 398, 299), 0) for number, name in enumerate("abcd")], (400, 300))
    assert len({(one.is_above, one.is_right, one.is_low) for one in placed}) == 4


def test_boxes_that_leave_the_image_end_at_its_edge() -> None:
    outside = in_corner((-20, -5, 500, 400))
    assert (outside.left, outside.top, outside.right, outside.bottom) == (0, 0, 1, 1)


# The page


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_query_and_result_with_scores_and_boxes(images: MemoryImageSearch) -> None:
    exhibition = searched(images)
    page = Tags(render_page(exhibition))
    pictures = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    results = [result.name for answer in exhibition.answers for result in answer.results]
    asked = [answer for answer in exhibition.answers if answer.picture]
    assert len(pictures) == len(results) + len(asked) + len(exhibition.stored)
    assert len([1 for tag, attributes in page.tags if attributes.get("class") == "box"]) == 2 * 5
    for text in ("“a dog”", "0.900", "cat 0.53, dog 0.43", "A mirrored one"):
        assert text in page.text
    assert "not what should come first" not in page.text


def test_the_page_needs_nothing_else_and_takes_no_text_for_markup(images: MemoryImageSearch) -> None:
    page = Tags(render_page(searched(images)))
    assert HOSTILE in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert addresses and all(address and address.startswith("data:image/") for address in addresses)


def test_a_query_that_finds_the_wrong_or_nothing_is_marked_on_page_sheet_and_terminal() -> None:
    images = MemoryImageSearch(FINDS | {"a dog": [], "dogs.jpg": []})
    exhibition = searched(images)
    assert Tags(render_page(exhibition)).text.count("not what should come first") == 1
    assert "finds another" in Tags(render_page(exhibition)).text
    assert draw_contact_sheet(exhibition) != draw_contact_sheet(searched(MemoryImageSearch(FINDS)))
    console = Console(file=io.StringIO(), width=80)
    console.begin_capture()
    show_search(console, exhibition)
    assert "nothing" in console.end_capture()


# The contact sheet


def test_the_contact_sheet_has_a_row_for_each_query_and_draws_boxes(images: MemoryImageSearch) -> None:
    def drawn(queries: Sequence[DemoQuery], labels: Sequence[Label]) -> Image.Image:
        exhibition = searched(MemoryImageSearch(FINDS, labels), queries)
        return Image.open(io.BytesIO(draw_contact_sheet(exhibition))).convert("RGB")

    one, three = drawn(ASKED[:1], LABELS), drawn(ASKED[:3], LABELS)
    assert one.width == three.width
    assert 200 < (three.height - one.height) / 2 < 400
    colour = ImageColor.getrgb(COLOURS[15 % len(COLOURS)])

    def count(sheet: Image.Image) -> int:
        return sum(pixel == colour for pixel in sheet.get_flattened_data())

    assert count(drawn(ASKED[2:3], ())) == 0
    assert count(drawn(ASKED[2:3], LABELS)) > 500


# The terminal, and the files


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_of_queries_fits(images: MemoryImageSearch, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.begin_capture()
    show_search(console, searched(images, ASKED[:4]))
    lines = console.end_capture().splitlines()
    assert all(len(line) <= width for line in lines)
    if width == 200:
        assert "“a dog” text dogs 1.00, cat 0.90 cat 0.53, dog 0.43" in [" ".join(line.split()) for line in lines]


def test_how_far_the_search_is_stands_under_the_table_of_tasks() -> None:
    assert "image search: 2 of 3 photographs are saved" in str(
        progress_table([], 1, "2 of 3 photographs are saved").caption
    )
    assert "image search" not in str(progress_table([], 1).caption)


@pytest.fixture
def shown(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: sorted(path.name for path in (tmp_path / "demo").iterdir())


def test_both_files_are_written_over_and_cleared(
    images: MemoryImageSearch, tmp_path: Path, shown: Callable[[], list[str]]
) -> None:
    files = Shown(tmp_path / "demo")
    files.clear()
    files.write(Exhibition())
    files.write(searched(images))
    assert shown() == ["search.html", "search.png"]
    assert "A mirrored one" in files.page_path.read_text(encoding="utf-8")
    files.clear()
    assert shown() == []

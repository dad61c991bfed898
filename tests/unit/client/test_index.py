import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from client.index import FOLD_EVERY, THREADS_PER_CORE, Adding, Room, Tally, pixels_in
from client.sources import Picture, UnreadablePicture
from crowdsight.dynamodb import Unprocessed
from crowdsight.errors import AlreadyStored, UndecodableImage, UnfetchableImage
from crowdsight.images.decoding import MAX_PIXELS
from crowdsight.search.library import SaveAbandoned


class Shelf:
    """Where pictures are saved, each once. What a picture's bytes say happens to it."""

    def __init__(self) -> None:
        self.saved: list[str] = []
        self.folds_at: list[int] = []
        self._lock = threading.Lock()

    def save(self, data: bytes, source: str) -> None:
        if data == b"broken":
            raise UndecodableImage("the image is broken")
        if data == b"slow":
            raise SaveAbandoned("a key")
        if data == b"busy":
            raise Unprocessed("25 items could not be written")
        if data == b"denied":
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutItem")
        with self._lock:
            if source in self.saved:
                raise AlreadyStored("stored already", "a url")
            self.saved.append(source)

    def fold(self) -> None:
        self.folds_at.append(len(self.saved))


def picture(source: str, content: bytes = b"fine") -> Picture:
    return Picture(source, lambda: content)


def unreadable(source: str, error: Exception) -> Picture:
    def read() -> bytes:
        raise error

    return Picture(source, read)


def tally() -> Tally:
    return Tally(io.StringIO())


def add(shelf: Shelf, pictures: Iterator[Picture] | list[Picture], told: Tally | None = None) -> Tally:
    told = told or tally()
    Adding(shelf.save, shelf.fold, told, cores=1)(pictures)
    return told


def no_thread_is_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("save")]


def test_all_pictures_are_saved_and_a_second_time_all_are_skipped() -> None:
    shelf = Shelf()
    pictures = [picture(f"{number}.jpg") for number in range(30)]
    assert add(shelf, pictures).summary().items() >= {"saved": 30, "skipped": 0, "failed": 0}.items()
    assert add(shelf, pictures).summary().items() >= {"saved": 0, "skipped": 30, "failed": 0}.items()
    assert sorted(shelf.saved) == sorted(each.source for each in pictures)


def test_bad_pictures_are_told_with_their_reasons_and_keep_no_other_from_being_saved() -> None:
    shelf = Shelf()
    told = add(
        shelf,
        [
            picture("a.jpg", b"broken"),
            picture("b.jpg"),
            unreadable("c.jpg", UnreadablePicture("Permission denied")),
            unreadable("http://x.org/d", UnfetchableImage("the host\nbroke off")),
            picture("e.jpg", b"slow"),
            picture("f.jpg"),
            picture("g.jpg", b"busy"),
        ],
    )
    assert sorted(shelf.saved) == ["b.jpg", "f.jpg"]
    assert told.counts.failed == 5
    assert sorted(told.failures()) == [
        "a.jpg: the image is broken\n",
        "c.jpg: Permission denied\n",
        "e.jpg: saving it took too long; it can be added again\n",
        "g.jpg: 25 items could not be written; it can be added again\n",
        "http://x.org/d: the host broke off\n",
    ]


def test_the_index_is_folded_after_so_many_saved_pictures_and_at_the_end() -> None:
    shelf = Shelf()
    add(shelf, [picture(str(number)) for number in range(2 * FOLD_EVERY + 100)])
    *regular, last = shelf.folds_at
    assert last == 2 * FOLD_EVERY + 100
    assert len(regular) == 2
    under_way = 2 * THREADS_PER_CORE
    assert FOLD_EVERY <= regular[0] <= FOLD_EVERY + under_way
    assert regular[0] + FOLD_EVERY <= regular[1] <= regular[0] + FOLD_EVERY + under_way


def test_an_index_that_nothing_was_put_into_is_not_folded() -> None:
    shelf = Shelf()
    add(shelf, [picture("a", b"broken")])
    assert shelf.folds_at == []


def test_sources_are_read_no_faster_than_pictures_are_saved() -> None:
    shelf = Shelf()
    ahead: list[int] = []

    def pictures() -> Iterator[Picture]:
        for number in range(200):
            ahead.append(number - len(shelf.saved))
            yield picture(str(number))

    add(shelf, pictures())
    assert max(ahead) <= 2 * THREADS_PER_CORE


def test_what_keeps_all_from_being_saved_ends_it_with_no_thread_left() -> None:
    shelf = Shelf()
    read: list[int] = []

    def pictures() -> Iterator[Picture]:
        for number in range(1000):
            read.append(number)
            yield picture(str(number), b"denied" if number == 10 else b"fine")

    with pytest.raises(ClientError, match="AccessDenied"):
        add(shelf, pictures())
    assert len(read) <= 10 + 2 * 2 * THREADS_PER_CORE
    assert no_thread_is_left()


def test_ctrl_c_ends_it_after_the_saves_under_way_and_it_can_be_gone_on_with() -> None:
    shelf = Shelf()
    shown: list[int] = []
    told = tally()

    def until(stop: int) -> Iterator[Picture]:
        for number in range(40):
            if number == stop:
                raise KeyboardInterrupt
            yield picture(str(number))

    with pytest.raises(KeyboardInterrupt):
        Adding(shelf.save, shelf.fold, told, 1, lambda: shown.append(told.counts.done))(until(20))
    assert no_thread_is_left()
    assert told.counts.saved == len(shelf.saved) == shown[-1]
    again = add(shelf, until(-1))
    assert again.counts.skipped == told.counts.saved
    assert len(shelf.saved) == 40


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_threads_that_share_a_room_never_take_more_than_there_is() -> None:
    room = Room(10)
    lock = threading.Lock()
    taken_px = 0
    most_px = 0

    def work() -> None:
        nonlocal taken_px, most_px
        for _ in range(200):
            with room.take(4):
                with lock:
                    taken_px += 4
                    most_px = max(most_px, taken_px)
                with lock:
                    taken_px -= 4

    in_threads(6, work)
    assert most_px <= 8


def test_who_wants_more_room_than_there_is_goes_alone() -> None:
    room = Room(10)
    entered = threading.Event()

    def small() -> None:
        with room.take(1):
            entered.set()

    with room.take(1000):
        thread = threading.Thread(target=small)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(timeout=30)
    assert entered.is_set()


def test_a_picture_takes_as_much_room_as_its_head_says_and_the_most_if_it_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (70, 30)).save(path)
    assert pixels_in(path.read_bytes()) == 2100
    assert pixels_in(path.read_bytes()[:100]) == 2100
    assert pixels_in(b"") == pixels_in(b"no picture") == MAX_PIXELS


def test_a_summary_tells_how_fast_it_was() -> None:
    now_s = 100.0
    told = Tally(io.StringIO(), lambda: now_s)
    for _ in range(30):
        told.add_saved()
    told.add_skipped()
    told.add_failed("a.jpg", "why")
    now_s = 108.0
    assert told.summary() == {"saved": 30, "skipped": 1, "failed": 1, "seconds": 8.0, "pictures_per_second": 4.0}

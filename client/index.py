"""Adding many pictures to the index of images, so that it can be stopped at any time and gone on with.

A picture is one thread's from its bytes to its last write. Decoding, models, and waiting for AWS all let other threads
go on, so that this keeps the cores busy. A model that embeds four pictures in one run is hardly faster: it saves half a
millisecond of the 130 that a photograph takes.
What is stored already is recognized by its pixels, before it is embedded.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from threading import Condition, Lock
from typing import Any, TextIO

from PIL import Image

from client.sources import Picture, UnreadablePicture
from crowdsight.dynamodb import Unprocessed
from crowdsight.errors import AlreadyStored, CrowdsightError
from crowdsight.images.decoding import FORMATS, MAX_PIXELS
from crowdsight.search.library import SaveAbandoned

FOLD_EVERY = 500
"""After so many saved pictures the index's log is folded: every search reads all of it."""

THREADS_PER_CORE = 4
"""While one computes, others wait for AWS or for a web server."""

ROOM_PX = MAX_PIXELS
"""Pixels of all the pictures that are being saved at one time; each takes about 10 bytes, in several copies."""

MAX_HEAD_BYTES = 262_144

SHOW_EVERY_S = 0.5

Save = Callable[[bytes, str], object]
"""Stores a picture, from its bytes and where they come from. Raises AlreadyStored, UndecodableImage, SaveAbandoned."""


@dataclass(frozen=True)
class Counts:
    """How many pictures were saved, were stored already, or are bad."""

    saved: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.saved + self.skipped + self.failed

    def __str__(self) -> str:
        """Such as `12 saved, 3 skipped, 1 failed`."""
        return f"{self.saved} saved, {self.skipped} skipped, {self.failed} failed"


class Tally:
    """What has become of the pictures so far; many threads tell it. `failures`: a file for lines about bad ones."""

    def __init__(self, failures: TextIO, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._clock_s = clock_s
        self._started_s = clock_s()
        self._lock = Lock()
        self._counts = {"saved": 0, "skipped": 0, "failed": 0}

    def add_saved(self) -> None:
        with self._lock:
            self._counts["saved"] += 1

    def add_skipped(self) -> None:
        with self._lock:
            self._counts["skipped"] += 1

    def add_failed(self, source: str, reason: str) -> None:
        with self._lock:
            self._counts["failed"] += 1
            self._failures.write(f"{source}: {' '.join(reason.split())}\n")

    @property
    def counts(self) -> Counts:
        with self._lock:
            return Counts(**self._counts)

    @property
    def elapsed_s(self) -> float:
        return self._clock_s() - self._started_s

    def failures(self) -> Iterator[str]:
        """A line for each bad picture; to be read once all is done."""
        self._failures.seek(0)
        yield from self._failures

    def summary(self) -> dict[str, Any]:
        """The counts, how long it took, and how many pictures a second that is, saved or not."""
        counts, seconds = self.counts, self.elapsed_s
        rate = counts.done / seconds if seconds > 0 else 0.0
        return asdict(counts) | {"seconds": round(seconds, 1), "pictures_per_second": round(rate, 1)}


class Room:
    """So many pixels that threads share; who wants more than there are waits, and then gets all there are."""

    def __init__(self, size_px: int) -> None:
        self._size_px = self._free_px = size_px
        self._changed = Condition()

    @contextmanager
    def take(self, wanted_px: int) -> Iterator[None]:
        taken_px = min(wanted_px, self._size_px)
        with self._changed:
            self._changed.wait_for(lambda: self._free_px >= taken_px)
            self._free_px -= taken_px
        try:
            yield
        finally:
            with self._changed:
                self._free_px += taken_px
                self._changed.notify_all()


class Adding:
    """Saves pictures, several at a time.

    `fold` tidies the index. `cores`: how many to keep busy. `show` is called every now and then, and at the end.
    """

    def __init__(
        self,
        save: Save,
        fold: Callable[[], object],
        tally: Tally,
        cores: int,
        show: Callable[[], None] = lambda: None,
    ) -> None:
        self._save = save
        self._fold = fold
        self._tally = tally
        self._threads = cores * THREADS_PER_CORE
        self._show = show
        self._room = Room(ROOM_PX)

    def __call__(self, pictures: Iterable[Picture]) -> None:
        """Save them all; a bad one is told to the tally. Raises what keeps all from being saved, such as ClientError.

        However it ends, no thread is left, and each picture is stored whole or not at all.
        """
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="save")
        try:
            self._run(pool, pictures)
        finally:
            pool.shutdown(cancel_futures=True)
            self._show()

    def _run(self, pool: ThreadPoolExecutor, pictures: Iterable[Picture]) -> None:
        running: set[Future[None]] = set()
        folded = 0
        for picture in pictures:
            running.add(pool.submit(self._add, picture))
            while len(running) >= 2 * self._threads:
                running = self._wait(running)
            saved = self._tally.counts.saved
            if saved - folded >= FOLD_EVERY:
                folded = saved
                self._fold()
        while running:
            running = self._wait(running)
        if self._tally.counts.saved > folded:
            self._fold()

    def _wait(self, running: set[Future[None]]) -> set[Future[None]]:
        """Until one has ended, or it is time to show something; those that have not ended."""
        ended, running = wait(running, SHOW_EVERY_S, FIRST_COMPLETED)
        for future in ended:
            future.result()
        self._show()
        return running

    def _add(self, picture: Picture) -> None:
        try:
            data = picture.read()
            with self._room.take(pixels_in(data)):
                self._save(data, picture.source)
        except AlreadyStored:
            self._tally.add_skipped()
        except CrowdsightError as error:
            self._tally.add_failed(picture.source, error.message)
        except UnreadablePicture as error:
            self._tally.add_failed(picture.source, str(error))
        except SaveAbandoned:
            self._tally.add_failed(picture.source, "saving it took too long; it can be added again")
        except Unprocessed as error:
            self._tally.add_failed(picture.source, f"{error}; it can be added again")
        else:
            self._tally.add_saved()


def pixels_in(data: bytes) -> int:
    """The pixels of a picture, as the start of its file says; if that says nothing, as many as one may have."""
    try:
        with Image.open(BytesIO(data[:MAX_HEAD_BYTES]), formats=FORMATS) as image:
            return image.width * image.height
    except Exception:
        # As in `decode`: no list of what Pillow raises for hostile bytes would be complete.
        return MAX_PIXELS

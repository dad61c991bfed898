"""Processes that decode hostile files, one file at a time, watched from outside: a crash or a hang ends the process."""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Lock
from typing import cast

from PIL import Image

from benchmarks.hostile_images.mutations import hostile_file
from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import decode
from crowdsight.images.encoding import MAX_STORED_BYTES, THUMBNAIL_SIDE_PX, StoredImage, store_form, thumbnail

TIME_LIMIT_S = 10.0
"""For one file, by the clock; the machine should have nothing else to do."""
START_LIMIT_S = 60.0
SHRUNK_TO_PX = 16
DECODED_AGAIN_PX = 1024 * 1024
DECODED, REFUSED, WRONG = "decoded", "refused", "wrong"
CRASHED, HUNG = "crashed", "hung"

Outcome = tuple[str, str, float, int]
"""What became of a file, what there is to say, the seconds it took, the process's greatest size in KiB."""


@dataclass
class FilesReport:
    """How many files came to what. `failures`: what must not have happened, with the file's number."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_rss_mb: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, number: int, outcome: Outcome) -> None:
        what, said, seconds, peak_kib = outcome
        self.outcomes[what] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        self.peak_rss_mb = max(self.peak_rss_mb, peak_kib / 1024)
        if what not in (DECODED, REFUSED):
            self.failures.append(f"file {number} {what}: {said}")


def decode_all(seed: int, count: int, processes: int, advance: Callable[[], None]) -> FilesReport:
    """Decode the files of a seed, each process taking the next one that is left."""
    report = FilesReport()
    numbers = iter(range(count))
    lock = Lock()

    def next_number() -> int | None:
        with lock:
            return next(numbers, None)

    def watch() -> None:
        worker = _Worker(seed)
        while (number := next_number()) is not None:
            outcome = worker.process(number)
            with lock:
                report.add(number, outcome)
            advance()
        worker.stop()

    with ThreadPoolExecutor(processes) as watchers:
        for watcher in [watchers.submit(watch) for _ in range(processes)]:
            watcher.result()
    return report


class _Worker:
    """A process that is started again when it has been lost."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def process(self, number: int) -> Outcome:
        process, connection = self._running()
        connection.send(number)
        if not connection.poll(TIME_LIMIT_S):
            self.stop()
            return HUNG, f"not done after {TIME_LIMIT_S:g} s", TIME_LIMIT_S, 0
        try:
            return cast(Outcome, connection.recv())
        except EOFError:
            process.join()
            exit_code = process.exitcode
            self.stop()
        return CRASHED, f"the process ended with {exit_code}", 0.0, 0

    def stop(self) -> None:
        if self._process and self._connection:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def _running(self) -> tuple[SpawnProcess, Connection]:
        if self._process and self._connection:
            return self._process, self._connection
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._seed), daemon=True)
        process.start()
        theirs.close()
        if not wait([ours], START_LIMIT_S) or ours.recv() is not None:
            raise RuntimeError("a process did not start")
        self._process, self._connection = process, ours
        return process, self._connection


def _serve(connection: Connection, seed: int) -> None:
    """Decode the files whose numbers come, until no more do. What C libraries print is thrown away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    hostile_file(seed, 0)
    connection.send(None)
    while True:
        try:
            number = connection.recv()
        except EOFError:
            return
        data = hostile_file(seed, number)
        began_s = time.monotonic()
        what, said = _judge(data)
        seconds = time.monotonic() - began_s
        connection.send((what, said, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def _judge(data: bytes) -> tuple[str, str]:
    """Decode it, store it, shrink it: all of it must go well, or be refused with a reason."""
    try:
        image = decode(data)
        stored = store_form(image)
        shown = thumbnail(image)
        wrong = list(_shortcomings(data, image, stored, shown))
    except UndecodableImage as error:
        return (REFUSED, error.message) if error.message else (WRONG, "refused without a reason")
    except BaseException as error:  # whatever it is, it must not come out, and the benchmark says so
        return WRONG, f"{type(error).__name__}: {error}"
    return (WRONG, ", ".join(wrong)) if wrong else (DECODED, "")


def _shortcomings(data: bytes, image: Image.Image, stored: StoredImage, shown: bytes) -> Iterator[str]:
    """What is promised of a decoded image and does not hold; what takes another decoding, only of small ones."""
    if image.mode not in ("RGB", "RGBA"):
        yield f"mode {image.mode}"
    if len(stored.data) > MAX_STORED_BYTES:
        yield "stored too large"
    if image.width * image.height > DECODED_AGAIN_PX:
        return
    if decode(stored.data).size != (stored.width, stored.height):
        yield "stored in another size than it says"
    if max(decode(shown).size) > THUMBNAIL_SIDE_PX:
        yield "shown too large"
    small = decode(data, at_least_px=SHRUNK_TO_PX)
    if max(small.size) < min(SHRUNK_TO_PX, max(image.size)):
        yield f"{max(small.size)} of {max(image.size)} pixels are too few"

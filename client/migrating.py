"""Copying the vectors of stored images from one engine to the other, so that it can be stopped and gone on with.

What the target has is not copied again, so that a second run only makes up for what has changed since the first. Either
engine may be the one in use meanwhile. Images that are saved or removed while it runs may need one more run.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.entries import image_entry
from crowdsight.search.index import VectorIndex
from crowdsight.search.library import ImageRecord, Library

T = TypeVar("T")

BATCH_IMAGES = 500
THREADS = 4
"""Batches that are written at one time: most of it is waiting."""

FOLD_EVERY = 10_000
"""After so many copied images the target is refreshed: segments are made of its log."""

SHOW_EVERY_S = 0.5


@dataclass(frozen=True)
class Copied:
    """What has become of the images. `skipped`: the target has them, or they are of other models than the deployment's.

    `missing`: their vectors are in neither engine. `removed`: vectors of no image, dropped from the target. `failed`:
    accounts whose target could not be refreshed at the end.
    """

    copied: int = 0
    skipped: int = 0
    missing: int = 0
    removed: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.copied + self.skipped + self.missing

    def __str__(self) -> str:
        """Such as `500 copied, 20 skipped, 0 missing`."""
        return f"{self.copied} copied, {self.skipped} skipped, {self.missing} missing"


class MigrationTally:
    """How far it is; many threads tell it. `total`: images in all."""

    def __init__(self, total: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.total: int | None = total
        self._clock_s = clock_s
        self._started_s = clock_s()
        self._lock = Lock()
        self._counts = dict.fromkeys(asdict(Copied()), 0)

    def add(self, **counts: int) -> None:
        """More `copied`, `skipped`, `missing`, `removed` or `failed`."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count

    @property
    def counts(self) -> Copied:
        with self._lock:
            return Copied(**self._counts)

    @property
    def elapsed_s(self) -> float:
        return self._clock_s() - self._started_s

    def summary(self) -> dict[str, Any]:
        return {**asdict(self.counts), "seconds": round(self.elapsed_s, 1)}


class Migration:
    """Makes the target have the vectors that the source has of stored images, and no others.

    `bundle`: the name of the models whose vectors both are for. `show` is called every now and then, and at the end.
    """

    def __init__(
        self,
        library: Library,
        source: VectorIndex,
        target: VectorIndex,
        bundle: str,
        tally: MigrationTally,
        show: Callable[[], None] = lambda: None,
        batch_images: int = BATCH_IMAGES,
    ) -> None:
        self._library = library
        self._source = source
        self._target = target
        self._bundle = bundle
        self._tally = tally
        self._show = show
        self._batch_images = batch_images

    def __call__(self, accounts: Iterable[str]) -> None:
        """Account after account. Raises what keeps all from being copied, such as ClientError; then run it again."""
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="migrate")
        try:
            for account in accounts:
                self._copy(pool, account)
                self._clear(account)
            self._tally.add(failed=self._target.refresh().failed)
        finally:
            pool.shutdown(cancel_futures=True)
            self._show()

    def _copy(self, pool: ThreadPoolExecutor, account: str) -> None:
        """In the order in which the source's vectors lie; then the images whose vectors did not come so."""
        there = set(self._target.keys(account))
        copied: set[str] = set()
        self._run(pool, self._copies_of_vectors(account, there, copied))
        self._run(pool, self._copies_of_images(account, there, copied))

    def _copies_of_vectors(self, account: str, there: set[str], copied: set[str]) -> Iterator[Callable[[], None]]:
        for vectors in self._source.all_vectors(account, self._batch_images):
            new = {key: vectors[key] for key in vectors.keys() - there}
            yield partial(self._copy_vectors, account, new, copied)

    def _copies_of_images(self, account: str, there: set[str], copied: set[str]) -> Iterator[Callable[[], None]]:
        for batch in _batches(self._library.all_images(account), self._batch_images):
            rest = [image for image in batch if image.key not in copied]
            new = [image for image in rest if image.bundle == self._bundle and image.key not in there]
            self._tally.add(skipped=len(rest) - len(new))
            if new:
                yield partial(self._copy_batch, account, new)

    def _run(self, pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], None]]) -> None:
        running: set[Future[None]] = set()
        folded = self._tally.counts.copied
        for job in jobs:
            running.add(pool.submit(job))
            while len(running) >= 2 * THREADS:
                running = self._wait(running)
            if self._tally.counts.copied - folded >= FOLD_EVERY:
                folded = self._tally.counts.copied
                self._target.refresh()
        while running:
            running = self._wait(running)

    def _copy_vectors(
        self, account: str, vectors: Mapping[str, Mapping[str, NDArray[np.float32]]], copied: set[str]
    ) -> None:
        images = self._library.images(account, [key.partition(".")[0] for key in vectors]).values()
        wanted = [image for image in images if image.key in vectors and image.bundle == self._bundle]
        self._target.put(account, [image_entry(image, vectors[image.key]) for image in wanted])
        copied.update(image.key for image in wanted)
        self._tally.add(copied=len(wanted))

    def _copy_batch(self, account: str, images: Sequence[ImageRecord]) -> None:
        vectors = self._source.vectors(account, [image.key for image in images])
        self._target.put(account, [image_entry(image, vectors[image.key]) for image in images if image.key in vectors])
        missing = {image.key for image in images} - vectors.keys()
        # One may have been saved into the target since it was listed, or removed.
        lost = missing - self._target.vectors(account, sorted(missing)).keys() - self._not_stored(account, missing)
        self._tally.add(copied=len(vectors), skipped=len(missing) - len(lost), missing=len(lost))

    def _clear(self, account: str) -> None:
        """Drop what is of no stored image from the target, but for what is just being saved."""
        for keys in _batches(self._target.keys(account), self._batch_images):
            settled = [key for key in self._not_stored(account, keys) if not self._library.is_unfinished(key)]
            # Now that no save of theirs is under way, those that are stored can be seen to be.
            gone = sorted(self._not_stored(account, settled))
            if gone:
                self._target.remove(account, gone)
                self._tally.add(removed=len(gone))

    def _not_stored(self, account: str, keys: Collection[str]) -> set[str]:
        """Those of the keys that are of no image, in this very generation."""
        images = self._library.images(account, [key.partition(".")[0] for key in keys])
        return set(keys) - {image.key for image in images.values()}

    def _wait(self, running: set[Future[None]]) -> set[Future[None]]:
        """Until one has ended, or it is time to show something; those that have not ended."""
        ended, running = wait(running, SHOW_EVERY_S, FIRST_COMPLETED)
        for future in ended:
            future.result()
        self._show()
        return running


def _batches(members: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(members)
    while batch := list(islice(rest, size)):
        yield batch

"""A vector index in S3 and DynamoDB: segments under a manifest, and a log of what is newer.

A search reads the log, and with it which manifest it must know; then that manifest, unless it has it already. What a
refresh has dropped from the log is thus always in the manifest that the search reads. What the log says was put or
removed does not count in the segments.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table
from crowdsight.search.attributes import Attributes
from crowdsight.search.folding import FULL_ROWS, MOST_BYTES, Folding
from crowdsight.search.index import (
    EVERYTHING,
    Entry,
    Filter,
    IndexStats,
    Match,
    Refreshed,
    check_account,
    check_entries,
    check_keys,
    check_vectors,
)
from crowdsight.search.manifest import Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.rows import Rows, hash_order
from crowdsight.search.segment_format import Damaged
from crowdsight.search.segments import CACHE_BYTES, Segments
from crowdsight.search.snapshot import Snapshot
from crowdsight.search.vector_log import VectorLog, as_keys, half_matrices

BUNDLE_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
READ_ATTEMPTS = 3
RECALL = 0.99

SEARCHERS = 4
"""How many segments are searched or read at once that are not in memory, or not whole: they wait for S3."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Outrun(Exception):
    """Segments were replaced and deleted, time after time, before they were read."""


class S3VectorIndex:
    """The `VectorIndex` of one model bundle.

    `spaces`: the bundle's, with their dimensions. `new_id` gives names that were never used before. `recall`: which
    share of the nearest a search is to find in long segments, above 0, see `scanning`; with 1 it compares all vectors.
    `cache_bytes`: how much of segments is kept in memory; `most_bytes`: how large they may become, see `folding`.
    """

    def __init__(
        self,
        table: Table,
        objects: Objects,
        bundle_name: str,
        spaces: Mapping[str, int],
        clock: Clock,
        new_id: Callable[[], str],
        recall: float = RECALL,
        cache_bytes: int = CACHE_BYTES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        if not BUNDLE_NAME.fullmatch(bundle_name):
            raise ValueError(f"not a bundle's name: {bundle_name!r}")
        self._bundle_name = bundle_name
        self._spaces = spaces
        self._recall = recall
        self._log = VectorLog(table, bundle_name, spaces, clock, new_id)
        self._manifests = Manifests(objects)
        self._searchers = ThreadPoolExecutor(SEARCHERS, "searchers")
        self._segments = Segments(objects, spaces, cache_bytes)
        self._folding = Folding(
            self._log, self._manifests, self._segments, spaces, self._prefix, clock, new_id, most_bytes
        )

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """See `VectorIndex.put`. Many entries at once become a segment without passing through the log, unless some
        segment is so damaged that it does not tell whether it has them."""
        check_account(account)
        check_entries(entries)
        if len(entries) >= FULL_ROWS:
            try:
                self._folding.add(account, self._rows(entries))
                return
            except Damaged as error:
                logger.error("entries of account %s go through the log: %s", account, error)
        self._log.put(account, entries)

    def remove(self, account: str, keys: Sequence[str]) -> None:
        """See `VectorIndex.remove`."""
        check_account(account)
        check_keys(keys)
        self._log.remove(account, keys)

    def search(
        self, account: str, space: str, queries: NDArray[np.float32], limit: int, where: Filter = EVERYTHING
    ) -> list[list[Match]]:
        """See `VectorIndex.search`. A segment that is missing or damaged is left out, with a line in the log.

        Raises Outrun, as all that reads does.
        """
        return self._read(account, lambda snapshot: snapshot.search(space, queries, limit, where))

    def vectors(self, account: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
        """See `VectorIndex.vectors`."""
        check_keys(keys)
        return self._read(account, lambda snapshot: snapshot.vectors(keys))

    def all_vectors(self, account: str, size: int) -> Iterator[Mapping[str, Mapping[str, NDArray[np.float32]]]]:
        """See `VectorIndex.all_vectors`."""
        return self.snapshot(account).all_vectors(size)

    def keys(self, account: str) -> Iterator[str]:
        """See `VectorIndex.keys`."""
        return iter(self._read(account, lambda snapshot: snapshot.keys()))

    def snapshot(self, account: str, recall: float | None = None) -> Snapshot:
        """What an account has now, for several searches of one state; it is good for the minute in which segments that
        are replaced meanwhile are still there. `recall`: the index's own if None."""
        check_account(account)
        return self._snapshot(account, is_fresh=False, recall=recall)

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        """See `VectorIndex.refresh`; what a killed one has left is cleared away 20 minutes later."""
        return self._folding.refresh(is_over)

    def stats(self, account: str) -> IndexStats:
        """See `VectorIndex.stats`."""
        return self._read(account, lambda snapshot: snapshot.stats())

    def _read(self, account: str, read: Callable[[Snapshot], T]) -> T:
        check_account(account)
        for attempt in range(READ_ATTEMPTS):
            snapshot = self._snapshot(account, is_fresh=attempt > 0)
            result = read(snapshot)
            if not snapshot.damaged:
                return result
            in_force = self._manifests.read(self._prefix(account)).manifest.segments
            if all(segment in in_force for segment in snapshot.damaged):
                return result  # nothing else has what is in them
            # The search was so slow that segments of its manifest are deleted: the present one has others.
        raise Outrun(account)

    def _snapshot(self, account: str, is_fresh: bool, recall: float | None = None) -> Snapshot:
        prefix = self._prefix(account)
        log = self._log.read(account)
        current = self._manifests.read(prefix, log.manifest_version, is_fresh)
        return Snapshot(self._segments, prefix, self._spaces, recall or self._recall, log, current, self._searchers)

    def _rows(self, entries: Sequence[Entry]) -> Rows:
        """As `gather` gives them, without a copy of all vectors."""
        keys = as_keys([entry.key for entry in entries])
        order = hash_order(keys)
        if len(order) < len(keys):
            for at in np.setdiff1d(np.arange(len(keys)), order).tolist():
                check_vectors(entries[at], self._spaces)
            return self._rows([entries[at] for at in np.sort(order).tolist()])
        attributes = Attributes.of([entry.time_ms for entry in entries], [entry.labels for entry in entries])
        return Rows(keys[order], half_matrices(entries, self._spaces, order), attributes.take(order))

    def _prefix(self, account: str) -> str:
        return f"vectors/{self._bundle_name}/{account}"

"""A vector index in S3 and DynamoDB: segments under a manifest, and a log of what is newer; the search is exact.

A search reads the log first and the manifest after: what a refresh has dropped from the log is then always in the
manifest that the search reads. The keys it finds in both count once, and what the log says was removed is left out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table
from crowdsight.search.folding import Folding
from crowdsight.search.index import Entry, IndexStats, Match, Refreshed, check_account, check_keys
from crowdsight.search.manifest import Manifest, Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.segments import CACHE_BYTES, Matrix, Segments, unit_query
from crowdsight.search.vector_log import Log, VectorLog, checked_vector

BUNDLE_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
READ_ATTEMPTS = 3


@dataclass(frozen=True)
class _Scored:
    """Keys [n] with their cosines [n]; -inf for those that do not count."""

    keys: NDArray[np.bytes_]
    cosines: NDArray[np.float32]


class S3VectorIndex:
    """The `VectorIndex` of one model bundle.

    `spaces`: the bundle's, with their dimensions. `new_id` gives names that were never used before.
    """

    def __init__(
        self,
        table: Table,
        objects: Objects,
        bundle_name: str,
        spaces: Mapping[str, int],
        clock: Clock,
        new_id: Callable[[], str],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if not BUNDLE_NAME.fullmatch(bundle_name):
            raise ValueError(f"not a bundle's name: {bundle_name!r}")
        self._bundle_name = bundle_name
        self._spaces = spaces
        self._log = VectorLog(table, bundle_name, spaces, clock, new_id)
        self._manifests = Manifests(objects)
        self._segments = Segments(objects, spaces, cache_bytes)
        self._folding = Folding(self._log, self._manifests, self._segments, spaces, self._prefix, clock, new_id)

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """See `VectorIndex.put`; raises ValueError for vectors that do not fit the spaces as well."""
        check_account(account)
        check_keys([entry.key for entry in entries])
        self._log.put(account, entries)

    def remove(self, account: str, keys: Sequence[str]) -> None:
        """See `VectorIndex.remove`."""
        check_account(account)
        check_keys(keys)
        self._log.remove(account, keys)

    def search(self, account: str, space: str, query: NDArray[np.float32], limit: int) -> list[Match]:
        """See `VectorIndex.search`. A segment that is missing or damaged is left out, with a line in the log."""
        check_account(account)
        unit = unit_query(checked_vector(query, self._spaces[space]))
        prefix = self._prefix(account)
        for _ in range(READ_ATTEMPTS):
            log = self._log.read(account)
            current = self._manifests.read(prefix)
            scored, is_complete = self._score(prefix, current.manifest, log, space, unit)
            if is_complete or self._manifests.read(prefix).etag == current.etag:
                break
            # The search was so slow that segments of its manifest are deleted: the present one has others.
        return _best([_score_log(log, space, unit), *scored], limit)

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        """See `VectorIndex.refresh`; what a killed one has left is cleared away 20 minutes later."""
        return self._folding.refresh(is_over)

    def stats(self, account: str) -> IndexStats:
        """See `VectorIndex.stats`."""
        check_account(account)
        prefix = self._prefix(account)
        log = self._log.read(account)
        manifest = self._manifests.read(prefix).manifest
        vectors = len(log.rows.keys)
        for segment in manifest.segments:
            keys = self._segments.keys(prefix, segment)
            if keys is not None:
                vectors += int((~np.isin(keys, log.removed) & ~np.isin(keys, log.rows.keys)).sum())
        return IndexStats(vectors, len(manifest.segments), len(log))

    def _score(
        self, prefix: str, manifest: Manifest, log: Log, space: str, unit: NDArray[np.float32]
    ) -> tuple[list[_Scored], bool]:
        """The manifest's segments, scored; and whether all of them could be read."""
        scored = []
        for segment in manifest.segments:
            keys = self._segments.keys(prefix, segment)
            matrix = self._segments.matrix(prefix, segment, space)
            if keys is None or matrix is None:
                continue
            cosines = matrix.cosines(unit)
            for outdated in (log.removed, log.rows.keys):
                if len(outdated):
                    cosines[np.isin(keys, outdated)] = -np.inf
            scored.append(_Scored(keys, cosines))
        return scored, len(scored) == len(manifest.segments)

    def _prefix(self, account: str) -> str:
        return f"vectors/{self._bundle_name}/{account}"


def _score_log(log: Log, space: str, unit: NDArray[np.float32]) -> _Scored:
    return _Scored(log.rows.keys, Matrix(log.rows.matrices[space]).cosines(unit))


def _best(scored: Sequence[_Scored], limit: int) -> list[Match]:
    """The `limit` highest, each key once; of equal ones the smallest keys come first."""
    cosines = np.concatenate([some.cosines for some in scored])
    ends = np.cumsum([len(some.cosines) for some in scored])
    counting = int((cosines > -np.inf).sum())
    wanted = min(max(limit, 0), counting)
    best: dict[str, float] = {}
    while wanted:
        top = np.argpartition(-cosines, wanted - 1)[:wanted]
        pairs = [(-float(cosines[at]), _key_at(scored, ends, int(at))) for at in top]
        best = {key: -negative for negative, key in sorted(pairs)}
        if len(best) >= limit or wanted == counting:
            break
        wanted = min(2 * wanted, counting)  # a key was in two segments
    return [Match(key, score) for key, score in list(best.items())[:limit]]


def _key_at(scored: Sequence[_Scored], ends: NDArray[np.int64], at: int) -> str:
    source = int(np.searchsorted(ends, at, side="right"))
    start = int(ends[source]) - len(scored[source].keys)
    return scored[source].keys[at - start].decode()

"""What an account has at one moment: the log, and the segments of one manifest."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.codes import QueryPlanes
from crowdsight.search.index import EVERYTHING, Filter, IndexStats, Match, checked_vector
from crowdsight.search.manifest import Current
from crowdsight.search.nearest import Nearest
from crowdsight.search.rows import Rows
from crowdsight.search.scanning import Query, Scan, Scanner
from crowdsight.search.segment_format import Damaged, Segment
from crowdsight.search.segments import Segments
from crowdsight.search.vector_log import Log, as_keys
from crowdsight.search.vectors import cosines, single, unit_query

logger = logging.getLogger(__name__)


class Snapshot:
    """Answers as `VectorIndex` does, from `log` and `current`.

    `searchers`: threads that wait for S3, see `Scanner`. `damaged`: the segments that could not be read;
    they are left out, with a line in the log.
    """

    def __init__(
        self,
        segments: Segments,
        prefix: str,
        spaces: Mapping[str, int],
        recall: float,
        log: Log,
        current: Current,
        searchers: ThreadPoolExecutor,
    ) -> None:
        self.log = log
        self.current = current
        self.damaged: list[Segment] = []
        self._segments = segments
        self._prefix = prefix
        self._spaces = spaces
        self._recall = recall
        self._searchers = searchers
        self._scanner = Scanner(segments, prefix, searchers)

    def search(
        self, space: str, queries: NDArray[np.float32], limit: int, where: Filter = EVERYTHING
    ) -> list[list[Match]]:
        """See `VectorIndex.search`."""
        units = [unit_query(checked_vector(query, self._spaces[space])) for query in queries]
        asked = [Query(unit, QueryPlanes.of(self._segments.rotated(space, unit)), Nearest(limit)) for unit in units]
        if asked:
            self._search_log(space, asked, where)
            self._search_segments(Scan(space, asked, self.log.outdated, self._recall), where)
        return [query.found.matches() for query in asked]

    def vectors(self, keys: Sequence[str]) -> dict[str, dict[str, NDArray[np.float32]]]:
        """See `VectorIndex.vectors`."""
        wanted = np.unique(as_keys(keys))
        logged = self.log.rows.take(np.isin(self.log.rows.keys, wanted))
        found = _by_key(logged.keys, logged.matrices)
        others = wanted[~np.isin(wanted, self.log.outdated)]

        def read(segment: Segment) -> None:
            rows = self._segments.find(self._prefix, segment, others)
            there = (rows >= 0) & ~np.isin(rows, self._segments.deleted(self._prefix, segment))
            matrices = {
                space: self._segments.vectors_of(self._prefix, segment, rows[there], space) for space in self._spaces
            }
            found.update(_by_key(others[there], matrices))

        self._each_segment(read)
        return found

    def all_vectors(self, size: int) -> Iterator[dict[str, dict[str, NDArray[np.float32]]]]:
        """See `VectorIndex.all_vectors`: segment by segment, each read once and whole."""
        yield from _in_parts(self.log.rows, size)
        for segment in self.current.manifest.segments:
            try:
                living = self._segments.living(self._prefix, segment)
            except Damaged as error:
                self._tell(segment, error)
                continue
            yield from _in_parts(living.without(self.log.outdated), size)

    def keys(self) -> list[str]:
        """See `VectorIndex.keys`."""
        found = [self.log.rows.keys]

        def read(segment: Segment) -> None:
            deleted = self._segments.deleted(self._prefix, segment)
            keys = np.delete(self._segments.keys(self._prefix, segment), deleted)
            found.append(keys[~np.isin(keys, self.log.outdated)])

        self._each_segment(read)
        return [key.decode() for keys in found for key in keys]

    def stats(self) -> IndexStats:
        """See `VectorIndex.stats`."""
        counts = [len(self.log.rows)]

        def count(segment: Segment) -> None:
            rows = self._segments.find(self._prefix, segment, self.log.outdated)
            lost = np.union1d(self._segments.deleted(self._prefix, segment), rows[rows >= 0])
            counts.append(segment.rows - len(lost))

        self._each_segment(count)
        return IndexStats(sum(counts), len(self.current.manifest.segments), len(self.log))

    def _search_log(self, space: str, queries: Sequence[Query], where: Filter) -> None:
        rows = self.log.rows
        if not len(rows):
            return
        if where != EVERYTHING:
            allowed = rows.attributes.allowed(where)
            if where.keys is not None:
                allowed &= np.isin(rows.keys, as_keys(list(where.keys)))
            rows = rows.take(allowed)
        for query in queries:
            query.found.offer(cosines(rows.matrices[space], query.unit, most=query.found.limit), rows.keys)

    def _search_segments(self, scan: Scan, where: Filter) -> None:
        """Those in memory first, as one. Then the others, the largest first: two, four and so on at once, since they
        wait for S3; what is found spares those that come later. Each is searched as if alone, so that what is found
        does not depend on which is done sooner. It may depend on what was in memory, as far as anything may be missed.
        """
        at_hand: list[Segment] = []
        waiting: list[Segment] = []
        for segment in sorted(self.current.manifest.segments, key=lambda segment: -segment.rows):
            is_at_hand = self._segments.has_cells(self._prefix, segment, scan.space)
            (at_hand if is_at_hand else waiting).append(segment)
        if at_hand and not self._search_as_one(at_hand, scan, where):
            for segment in at_hand:
                self._take_in([self._scanned(segment, scan, where)], scan)
        at_once = 1
        while waiting:
            some, waiting = waiting[:at_once], waiting[at_once:]
            # One alone is searched in this thread.
            each = map if len(some) == 1 else self._searchers.map
            self._take_in(list(each(lambda one: self._scanned(one, scan, where), some)), scan)
            at_once *= 2

    def _search_as_one(self, segments: Sequence[Segment], scan: Scan, where: Filter) -> bool:
        """False, and nothing found, if any is damaged."""
        beside = scan.beside()
        try:
            self._scanner.scan(segments, beside, [self._allowed(segment, where) for segment in segments])
        except Damaged:
            return False
        scan.take_in(beside)
        return True

    def _scanned(self, segment: Segment, scan: Scan, where: Filter) -> Scan | None:
        """What is found in one segment, None if it is damaged."""
        beside = scan.beside()
        try:
            self._scanner.scan([segment], beside, [self._allowed(segment, where)])
        except Damaged as error:
            self._tell(segment, error)
            return None
        return beside

    def _take_in(self, found: Iterable[Scan | None], scan: Scan) -> None:
        for each in found:
            if each is not None:
                scan.take_in(each)

    def _each_segment(self, do: Callable[[Segment], None]) -> None:
        for segment in self.current.manifest.segments:
            self._try(segment, do)

    def _try(self, segment: Segment, do: Callable[[Segment], None]) -> None:
        try:
            do(segment)
        except Damaged as error:
            self._tell(segment, error)

    def _tell(self, segment: Segment, error: Damaged) -> None:
        logger.error("segment %s under %s is damaged: %s", segment.name, self._prefix, error)
        self.damaged.append(segment)

    def _allowed(self, segment: Segment, where: Filter) -> NDArray[np.bool_] | None:
        """Which rows of a segment count, None if all do."""
        if where == EVERYTHING and segment.deletions is None:
            return None
        if where == EVERYTHING:
            allowed = np.ones(segment.rows, np.bool_)
        else:
            allowed = self._segments.attributes(self._prefix, segment).allowed(where)
        allowed[self._segments.deleted(self._prefix, segment)] = False
        if where.keys is not None:
            rows = self._segments.find(self._prefix, segment, as_keys(sorted(set(where.keys))))
            among = np.zeros(segment.rows, np.bool_)
            among[rows[rows >= 0]] = True
            allowed &= among
        return allowed


def _by_key(
    keys: NDArray[np.bytes_], matrices: Mapping[str, NDArray[np.float16]]
) -> dict[str, dict[str, NDArray[np.float32]]]:
    return {
        key.decode(): {space: single(matrix[at]) for space, matrix in matrices.items()} for at, key in enumerate(keys)
    }


def _in_parts(rows: Rows, size: int) -> Iterator[dict[str, dict[str, NDArray[np.float32]]]]:
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield _by_key(rows.keys[part], {space: matrix[part] for space, matrix in rows.matrices.items()})

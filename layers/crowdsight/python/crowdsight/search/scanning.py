"""Searching one segment: all of it, or the cells that can matter.

A query is compared with the middles of all cells, and with the codes of the nearest ones. What the codes say is
uncertain by a known amount, so that the vectors that may be among the nearest are compared in half precision. Then come
the cells whose middles score so much that their vectors may still be among the nearest: as far as, when the segment was
written, vectors had neighbours that strayed from the middles of their cells; and, after many cells, not much farther
than anything that this very query has met, so that one unlike all vectors does not read them all.

Where those are many cells, as where vectors are in more clusters than there are cells, a word of all codes is compared
with the query instead, which streams, then two more words of what the first leaves, and what these leave as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import LEAST_RADIUS
from crowdsight.search.codes import WORD_BITS, QueryPlanes, most_unlike
from crowdsight.search.nearest import Nearest
from crowdsight.search.segment_format import Cells, Coded, Segment, VectorCell
from crowdsight.search.segments import Segments
from crowdsight.search.vectors import cosines

FIRST_CELLS, MORE_CELLS = 6, 24
"""How many cells are looked at first, and at a time after that, before it is asked again which others can matter."""

MANY_CELLS = 128
"""After so many cells only those are looked at that can matter by what this query has met."""

BEYOND = 1.25
"""How much farther vectors may stray that were not met than those that were."""

LEAST_ROWS, MORE_ROWS = 64, 512
"""How many vectors are compared first, to tell which others can matter, and how many at a time after that."""

MANY_ROWS, MANY_MISSES = 150, 5
"""A query for which so many of a segment were compared for each that is wanted (for 10, if fewer are) is hardly nearer
to any vector than to thousands: of its nearest, this many times as many may be missed, half at most."""

MANY, MANY_IN_MEMORY = 1 / 4, 1 / 16
"""If the cells that can matter have more than this share of a segment's vectors, all its codes are swept; the latter if
they are in memory."""

SWEPT_WORDS = 3
"""So many words of codes tell near vectors from others: the first leaves a twentieth or so, two leave a thousandth."""

FEW_SWEPT = 1 / 8
"""If one word leaves more than this share of a segment, what is nearest by it is looked at first."""

FIRST_SWEPT = 1024
"""About how many vectors of all that are swept are looked at first."""

NEVER = 255
"""More signs than are ever unlike in so few words."""

SAMPLED = 65_536

ALL_CELLS = 64
"""How many cells are read at a time where all are compared."""


@dataclass(frozen=True)
class Query:
    """`unit`: a unit query [dimensions]; `found`: the nearest met so far."""

    unit: NDArray[np.float32]
    found: Nearest


@dataclass(frozen=True)
class Scan:
    """What a search wants of segments.

    `outdated`: keys that do not count. `recall`: which share of the nearest is to be found, up to 1, of most queries
    (MANY_ROWS says of which not); with 1 all vectors are compared. `is_begun`: other segments were searched before, so
    that the floor is about right.
    """

    space: str
    queries: Sequence[Query]
    outdated: NDArray[np.bytes_]
    recall: float
    is_begun: bool = False

    def beside(self, is_begun: bool) -> "Scan":
        """The same of other segments; what is found there may be taken in."""
        queries = [Query(query.unit, query.found.beside()) for query in self.queries]
        return replace(self, queries=queries, is_begun=is_begun)

    def take_in(self, other: "Scan") -> None:
        for query, beside in zip(self.queries, other.queries, strict=True):
            query.found.take_in(beside.found)


class Scanner:
    """Searches the segments of one account, under a prefix of the bucket."""

    def __init__(self, segments: Segments, prefix: str) -> None:
        self._segments = segments
        self._prefix = prefix

    def scan(self, segment: Segment, scan: Scan, allowed: NDArray[np.bool_] | None) -> None:
        """Offer the nearest of a segment's entries. `allowed`: which rows [rows] count; None for all.

        Raises Damaged.
        """
        cells = self._segments.cells(self._prefix, segment, scan.space)
        if allowed is not None:
            allowed = allowed[self._segments.order(self._prefix, segment, scan.space)]
            counts = np.add.reduceat(allowed, cells.starts[:-1], dtype=np.int64)
        else:
            counts = np.diff(cells.starts)
        if not counts.any():
            return
        if scan.recall >= 1 or not self._segments.is_coded(segment, scan.space):
            self._compare_all(segment, scan, cells, counts, allowed)
            return
        products = cells.products(np.stack([query.unit for query in scan.queries]))
        for query, near in zip(scan.queries, products, strict=True):
            _Search(self, segment, scan, cells, allowed, query, near).run(counts)

    def _compare_all(
        self, segment: Segment, scan: Scan, cells: Cells, counts: NDArray[np.int64], allowed: NDArray[np.bool_] | None
    ) -> None:
        wanted = np.flatnonzero(counts)
        for first in range(0, len(wanted), ALL_CELLS):
            some = wanted[first : first + ALL_CELLS].tolist()
            for cell, block in zip(some, self.vectors(segment, scan, some), strict=True):
                counting = ~np.isin(block.keys, scan.outdated)
                if allowed is not None:
                    counting &= allowed[cells.starts[cell] : cells.starts[cell + 1]]
                vectors, keys = block.vectors, block.keys
                if not counting.all():
                    vectors, keys = vectors[counting], keys[counting]
                for query in scan.queries:
                    query.found.offer(cosines(vectors, query.unit), keys)

    def rotated(self, scan: Scan, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._segments.rotated(scan.space, unit)

    def has_all_coded(self, segment: Segment, scan: Scan) -> bool:
        return self._segments.has_all_coded(self._prefix, segment, scan.space)

    def all_coded(self, segment: Segment, scan: Scan) -> Coded:
        return self._segments.all_coded(self._prefix, segment, scan.space)

    def coded(self, segment: Segment, scan: Scan, wanted: Sequence[int]) -> list[Coded]:
        return self._segments.coded(self._prefix, segment, scan.space, wanted)

    def vectors(self, segment: Segment, scan: Scan, wanted: Sequence[int]) -> list[VectorCell]:
        return self._segments.vectors(self._prefix, segment, scan.space, wanted)


class _Search:
    """One query in one segment. `near`: its inner products [cells] with the middles."""

    def __init__(
        self,
        scanner: Scanner,
        segment: Segment,
        scan: Scan,
        cells: Cells,
        allowed: NDArray[np.bool_] | None,
        query: Query,
        near: NDArray[np.float32],
    ) -> None:
        self._scanner = scanner
        self._segment = segment
        self._scan = scan
        self._cells = cells
        self._allowed = allowed
        self._query = query
        self._near = near
        self._planes = QueryPlanes.of(scanner.rotated(scan, query.unit))
        # Codes miss less than this: most of the nearest are above the floor, and not just at it.
        self._deviations = _deviations(1 - scan.recall)
        self._compared = 0
        self._met = 0.0  # how far any vector met so far strays, in radii of its cell
        self._farthest = cells.farthest_stray((2 + scan.recall) / 3)

    def run(self, counts: NDArray[np.int64]) -> None:
        """`counts`: how many vectors [cells] count."""
        left = counts > 0
        highest = self._near + np.float32(self._farthest) * self._cells.radii
        looked_at = 0
        while True:
            floor = self._query.found.floor
            others = np.flatnonzero(left & (highest >= floor))
            if looked_at >= MANY_CELLS:
                # A query unlike the vectors: what none met so far does, few others do.
                reach = np.float32(BEYOND * self._met) * self._cells.radii[others]
                others = others[self._near[others] + reach >= floor]
            if not len(others):
                return
            # What the log gave alone may be a floor far too low.
            if floor > -np.inf and (looked_at or self._scan.is_begun) and self._are_many(others):
                self._sweep(others)
                return
            if looked_at:
                wanted = others[_smallest(-highest[others], min(MORE_CELLS, len(others)))]
            else:
                distances = self._cells.half_squares[others] - self._near[others]
                wanted = others[_smallest(distances, min(FIRST_CELLS, len(others)))]
            left[wanted] = False
            self._look(np.sort(wanted))
            looked_at += len(wanted)

    def _are_many(self, cells: NDArray[np.int64]) -> bool:
        """Whether to look into so many cells takes longer than to sweep the segment."""
        starts = self._cells.starts
        share = float((starts[cells + 1] - starts[cells]).sum()) / self._segment.rows
        return share > (MANY_IN_MEMORY if self._scanner.has_all_coded(self._segment, self._scan) else MANY)

    def _look(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, ascending."""
        starts = self._cells.starts
        coded = self._scanner.coded(self._segment, self._scan, wanted.tolist())
        sizes = starts[wanted + 1] - starts[wanted]
        positions = np.arange(sizes.sum()) + np.repeat(starts[wanted + 1] - np.cumsum(sizes), sizes)
        strays = self._offer(
            positions,
            np.repeat(wanted, sizes),
            np.concatenate([cell.codes for cell in coded], axis=1),
            np.concatenate([cell.scale_bytes for cell in coded]),
        )
        self._met = max(self._met, float((strays / np.repeat(self._cells.radii[wanted], sizes)).max()))

    def _sweep(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, told from the rest by a few words of all codes."""
        coded = self._scanner.all_coded(self._segment, self._scan)
        sizes = np.diff(self._cells.starts)
        unlike = self._planes.unlike(coded.codes[0], 0)
        positions = np.flatnonzero(unlike < np.repeat(self._limits(1, wanted), sizes))
        if len(positions) > self._segment.rows * FEW_SWEPT:
            # The floor is low yet; what has the fewest signs unlike raises it, and so spares most others.
            fewest = unlike[positions]
            first = positions[fewest <= _least(fewest, FIRST_SWEPT)]
            self._offer_swept(coded, first)
            unlike[first] = NEVER
            positions = np.flatnonzero(unlike < np.repeat(self._limits(1, wanted), sizes))
        unlike = unlike[positions]
        for word in range(1, min(SWEPT_WORDS, len(coded.codes))):
            unlike += self._planes.unlike(np.take(coded.codes[word], positions), word)
            left = np.diff(np.searchsorted(positions, self._cells.starts))
            near = unlike < np.repeat(self._limits(word + 1, wanted), left)
            positions, unlike = positions[near], unlike[near]
        self._offer_swept(coded, positions)

    def _limits(self, words: int, wanted: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Fewer signs than these [cells] may be unlike in the first words of codes: 0 in cells that are not wanted."""
        signs = min(words * WORD_BITS, self._planes.dimensions)
        longest = self._cells.longest()
        lengths: NDArray[np.float32] = np.maximum(longest, LEAST_RADIUS, dtype=np.float32)  # 0 where all are alike
        cosines_wanted = (self._query.found.floor - self._near) / lengths
        limits = np.zeros(len(self._cells), np.uint8)
        limits[wanted] = most_unlike(cosines_wanted[wanted], signs, _deviations(1 - self._scan.recall)) + 1
        return limits

    def _offer_swept(self, coded: Coded, positions: NDArray[np.int64]) -> None:
        if len(positions):
            cell_of = np.searchsorted(self._cells.starts, positions, side="right") - 1
            codes = np.take(coded.codes, positions, axis=1, mode="clip")
            self._offer(positions, cell_of, codes, coded.scale_bytes[positions])

    def _offer(
        self,
        positions: NDArray[np.int64],
        cell_of: NDArray[np.int64],
        codes: NDArray[np.uint64],
        scale_bytes: NDArray[np.uint8],
    ) -> NDArray[np.float32]:
        """Offer what is near among some positions [some], ascending; how far the codes say that they stray [some]."""
        cells, found = self._cells, self._query.found
        scales = scale_bytes * cells.scale_steps[cell_of] + cells.lowest_scales[cell_of]
        strays = self._planes.products(codes) * scales
        estimates = self._near[cell_of] + strays
        waiting = np.ones(len(positions), np.bool_) if self._allowed is None else self._allowed[positions]
        wanted_rows = max(LEAST_ROWS, 4 * found.room)
        while True:
            # The most promising first: what they score spares others.
            highest = estimates + np.float32(self._deviations * self._planes.error) * scales
            promising = np.flatnonzero(waiting & (highest >= found.floor))
            chosen = np.sort(promising[_smallest(-estimates[promising], min(wanted_rows, len(promising)))])
            self._compare(positions[chosen], cell_of[chosen])
            self._compared += len(chosen)
            if len(chosen) == len(promising):
                return strays
            waiting[chosen] = False
            wanted_rows = max(MORE_ROWS, wanted_rows)
            if self._compared >= MANY_ROWS * max(10, found.limit):
                self._deviations = _deviations(MANY_MISSES * (1 - self._scan.recall))

    def _compare(self, positions: NDArray[np.int64], cell_of: NDArray[np.int64]) -> None:
        """Compare the query with the vectors at some positions, ascending."""
        if not len(positions):
            return
        filled, firsts = np.unique(cell_of, return_index=True)
        bounds = [*firsts.tolist(), len(positions)]
        blocks = self._scanner.vectors(self._segment, self._scan, filled.tolist())
        places = positions - self._cells.starts[cell_of]
        vectors = np.empty((len(positions), len(self._query.unit)), np.float16)
        for at, block in enumerate(blocks):
            some = slice(bounds[at], bounds[at + 1])
            # All places are within the block; "clip" lets numpy write where it is told.
            np.take(block.vectors, places[some], axis=0, out=vectors[some], mode="clip")
        found = self._query.found
        scores = cosines(vectors, self._query.unit, found.floor)
        good = np.flatnonzero(scores >= found.floor)
        owners = np.searchsorted(firsts, good, side="right") - 1
        pairs = zip(owners.tolist(), places[good].tolist(), strict=True)
        keys = np.array([blocks[at].keys[place] for at, place in pairs], np.bytes_)
        counting = ~np.isin(keys, self._scan.outdated) if len(self._scan.outdated) else slice(None)
        found.offer(scores[good][counting], keys[counting])


def _deviations(misses: float) -> float:
    """What is above the mean by more standard deviations than these is a share `misses`, as far as half at most."""
    return NormalDist().inv_cdf(max(0.5, 1 - misses))


def _smallest(numbers: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The places of the `count` smallest, in no order."""
    return np.argpartition(numbers, count - 1)[:count] if 0 < count < len(numbers) else np.arange(len(numbers))[:count]


def _least(numbers: NDArray[np.uint8], count: int) -> int:
    """What about so many of the numbers are at most, and one at least."""
    sample = numbers[:: max(1, len(numbers) // SAMPLED)]
    at_most = np.cumsum(np.bincount(sample, minlength=NEVER + 1)) * (len(numbers) / len(sample))
    return max(int(numbers.min()), int(np.searchsorted(at_most, count, side="right")) - 1)

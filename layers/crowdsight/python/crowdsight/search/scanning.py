"""Searching segments, several as if they were one: all of them, or the cells that can matter.

A query is compared with the middles of all cells. The likely cells are those whose middles are at such a cosine to it
as, when a segment was written, those of nearly all neighbours' cells were to vectors. The codes of the nearest of them,
or of all if they are few, tell about what their vectors score, by a known uncertainty; those that may be among the
nearest are compared in half precision. The other likely cells are swept: one word of their codes is compared with the
query, then two more of what the first leaves, and what these leave as before.

If the last of the nearest then scores less than it did for nearly all vectors, the query is unlike them. It comes to
all cells whose middles score so much that their vectors may be among the nearest: as far as vectors had neighbours that
strayed from the middles of their cells; and, after many cells, not much farther than anything that this very query has
met, so that one unlike all vectors does not read them all. Where those are many cells, they are swept. So it is where
many are wanted, or not nearly all vectors count.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import LEAST_RADIUS
from crowdsight.search.coded_rows import CodedRows
from crowdsight.search.codes import WORD_BITS, QueryPlanes, most_unlike
from crowdsight.search.joined_cells import JoinedCells
from crowdsight.search.nearest import Nearest
from crowdsight.search.neighbour_sample import NEIGHBOURS
from crowdsight.search.segment_format import CODES, VECTORS, Coded, Segment, VectorCell
from crowdsight.search.segments import Segments
from crowdsight.search.vectors import cosines, nth_highest

AT_ONCE_ROWS, FIRST_ROWS = 16_384, 2048
"""If the likely cells have no more vectors than the first, they are looked at together; else the nearest that have
about the second, to tell which of the others can matter."""

MORE_CELLS = 24
"""How many cells are looked at, at a time, before it is asked again which others can matter."""

MANY_CELLS = 128
"""After so many cells only those are looked at that can matter by what this query has met."""

BEYOND = 1.25
"""How much farther vectors may stray that were not met than those that were."""

MORE_ROWS = 2048
"""How many vectors are compared at a time, at most: the most promising first, since what they score spares others."""

OVERRATED = 1.5
"""By about so many standard deviations the highest of many estimates are too high, or by less."""

MANY_ROWS, MANY_MISSES = 100, 10
"""A query for which so many of each segment were compared for each that is wanted (for 10, if fewer are), and more are
left, is hardly nearer to any vector than to thousands: of those left, this many times as many may be missed, half at
most."""

FEW_WANTED = 16
"""From NEIGHBOURS up to so many, nearest are much where those are that were looked at when a segment was written, and
the last of them scores much the same; fewer score more, and more are elsewhere too."""

NEARLY_ALL = 0.9
"""If fewer of a segment's vectors count, its nearest are others than those that were looked at when it was written."""

MANY = 1 / 16
"""If the cells that can matter to a query unlike the vectors have more than this share of them, they are swept."""

MOST = 1 / 3
"""If they have more than this share, the codes of all cells are: they stream."""

SWEPT_WORDS = 3
"""So many words of codes tell near vectors from others: the first leaves a twentieth or so, two leave a thousandth."""

MANY_SWEPT = 16_384
"""If one word leaves more than so many, what is nearest by it is looked at first."""

FIRST_SWEPT = 1024
"""About how many vectors of all that are swept are looked at first."""

NEVER = 255
"""More signs than are ever unlike in so few words."""

SAMPLED = 65_536
"""So many numbers tell well enough what about a number of all are at most."""

ALL_CELLS = 64
"""How many cells are read at a time where all are compared."""

T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """`unit`: a unit query [dimensions]; `planes`: what codes are compared with; `found`: the nearest met so far."""

    unit: NDArray[np.float32]
    planes: QueryPlanes
    found: Nearest


@dataclass(frozen=True)
class Scan:
    """What a search wants of segments.

    `outdated`: keys that do not count. `recall`: which share of the nearest is to be found, up to 1, of most queries
    (MANY_ROWS says of which not); with 1 all vectors are compared.
    """

    space: str
    queries: Sequence[Query]
    outdated: NDArray[np.bytes_]
    recall: float

    def beside(self) -> "Scan":
        """The same of some segments, whose finds may be taken in later."""
        return replace(self, queries=[replace(query, found=query.found.beside()) for query in self.queries])

    def take_in(self, other: "Scan") -> None:
        for query, beside in zip(self.queries, other.queries, strict=True):
            query.found.take_in(beside.found)


class Scanner:
    """Searches the segments of one account, under a prefix of the bucket.

    `searchers`: threads that wait for S3, of several segments that are searched as one. One of them may itself search
    a segment, but not several: it would wait for the others.
    """

    def __init__(self, segments: Segments, prefix: str, searchers: ThreadPoolExecutor) -> None:
        self._segments = segments
        self._prefix = prefix
        self._searchers = searchers

    def scan(self, segments: Sequence[Segment], scan: Scan, allowed: Sequence[NDArray[np.bool_] | None]) -> None:
        """Offer the nearest of some segments' entries. `allowed`: which rows [rows] of each count; None for all.

        Raises Damaged.
        """
        coded, allowed_of_coded = [], []
        for segment, rows in zip(segments, allowed, strict=True):
            positions = None if rows is None else rows[self._segments.order(self._prefix, segment, scan.space)]
            if scan.recall < 1 and self._segments.is_coded(segment, scan.space):
                coded.append(segment)
                allowed_of_coded.append(positions)
            else:
                self._compare_all(segment, scan, positions)
        if coded:
            self._scan_coded(coded, scan, _all_allowed(coded, allowed_of_coded))

    def _scan_coded(self, segments: Sequence[Segment], scan: Scan, allowed: NDArray[np.bool_] | None) -> None:
        """`allowed`: which positions [rows] of the segments, one after another, count."""
        cells = self._segments.joined_cells(self._prefix, segments, scan.space, scan.recall)
        counts = cells.sizes if allowed is None else np.add.reduceat(allowed, cells.starts, dtype=np.int64)
        if not counts.any():
            return
        products = cells.products(np.stack([query.unit for query in scan.queries]))
        for query, near in zip(scan.queries, products, strict=True):
            _Search(self, segments, scan, cells, allowed, query, near).run(counts)

    def _compare_all(self, segment: Segment, scan: Scan, allowed: NDArray[np.bool_] | None) -> None:
        """`allowed`: which positions [rows] count."""
        cells = self._segments.cells(self._prefix, segment, scan.space)
        counts = cells.sizes if allowed is None else np.add.reduceat(allowed, cells.starts[:-1], dtype=np.int64)
        wanted = np.flatnonzero(counts)
        for first in range(0, len(wanted), ALL_CELLS):
            some = wanted[first : first + ALL_CELLS].tolist()
            blocks = self._segments.vectors(self._prefix, segment, scan.space, some)
            for cell, block in zip(some, blocks, strict=True):
                counting = ~np.isin(block.keys, scan.outdated)
                if allowed is not None:
                    counting &= allowed[cells.starts[cell] : cells.starts[cell + 1]]
                vectors, keys = block.vectors, block.keys
                if not counting.all():
                    vectors, keys = vectors[counting], keys[counting]
                for query in scan.queries:
                    query.found.offer(cosines(vectors, query.unit, query.found.floor, query.found.limit), keys)

    def rows_of(
        self, segments: Sequence[Segment], scan: Scan, cells: JoinedCells, wanted: NDArray[np.int64]
    ) -> CodedRows:
        """The rows of some cells, with the codes of all of a segment's cells if they are in memory."""
        coded: dict[int, Coded] = {}
        others = []
        for at, some in cells.by_segment(wanted):
            whole = self._segments.all_coded_if_at_hand(self._prefix, segments[at], scan.space)
            if whole is not None:
                coded[at] = whole
            else:
                others.append((at, some.tolist()))
        coded.update(self._read(segments, scan, CODES, others, self._segments.coded))
        return CodedRows(cells, wanted, [coded[at] for at in sorted(coded)])

    def all_rows(self, segments: Sequence[Segment], scan: Scan, cells: JoinedCells) -> CodedRows:
        """The rows of all cells."""
        coded = [self._segments.all_coded(self._prefix, segment, scan.space) for segment in segments]
        return CodedRows(cells, np.arange(len(cells)), coded)

    def vectors(
        self, segments: Sequence[Segment], scan: Scan, cells: JoinedCells, wanted: NDArray[np.int64]
    ) -> list[VectorCell]:
        """The vectors and keys of some cells, ascending."""
        parts = [(at, some.tolist()) for at, some in cells.by_segment(wanted)]
        read = self._read(segments, scan, VECTORS, parts, self._segments.vectors)
        return [block for at, _ in parts for block in read[at]]

    def _read(
        self,
        segments: Sequence[Segment],
        scan: Scan,
        part: str,
        wanted: Sequence[tuple[int, Sequence[int]]],
        read: Callable[[str, Segment, str, Sequence[int]], T],
    ) -> dict[int, T]:
        """What some segments have of some of their cells; beside each other if they wait for S3."""

        def is_waiting(at: int, some: Sequence[int]) -> bool:
            return not self._segments.has_cells_of(self._prefix, segments[at], scan.space, part, some)

        def of(at: int, some: Sequence[int]) -> T:
            return read(self._prefix, segments[at], scan.space, some)

        beside = len(wanted) > 1 and sum(is_waiting(at, some) for at, some in wanted) > 1
        each = (self._searchers.map if beside else map)(of, *zip(*wanted, strict=True)) if wanted else ()
        return dict(zip((at for at, _ in wanted), each, strict=True))


def _all_allowed(segments: Sequence[Segment], allowed: Sequence[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    """Which positions of segments, one after another, count; None for all."""
    if all(each is None for each in allowed):
        return None
    pairs = zip(segments, allowed, strict=True)
    return np.concatenate([np.ones(segment.rows, np.bool_) if each is None else each for segment, each in pairs])


class _Search:
    """One query in some segments. `near`: its inner products [cells] with the middles."""

    def __init__(
        self,
        scanner: Scanner,
        segments: Sequence[Segment],
        scan: Scan,
        cells: JoinedCells,
        allowed: NDArray[np.bool_] | None,
        query: Query,
        near: NDArray[np.float32],
    ) -> None:
        self._scanner = scanner
        self._segments = segments
        self._scan = scan
        self._cells = cells
        self._allowed = allowed
        self._query = query
        self._near = near
        self._planes = query.planes
        self._compared = 0
        self._met = 0.0  # how far any vector met so far strays, in radii of its cell
        self._highest = near + cells.reaches
        # Codes miss half of what may be missed, or less: most of the nearest are above the floor, and not just at it.
        self._deviations = np.full(len(cells), _deviations((1 - scan.recall) / 2), np.float32)

    def run(self, counts: NDArray[np.int64]) -> None:
        """`counts`: how many vectors [cells] count."""
        left = counts > 0
        # What is known of the nearest of all says little of more, or of those that a filter leaves.
        counting = counts.sum() - len(self._scan.outdated)
        is_usual = NEIGHBOURS <= self._query.found.limit <= FEW_WANTED and counting >= NEARLY_ALL * self._cells.rows
        if self._query.found.floor < self._cells.usual_floor:  # else it is about right: others were searched
            first = self._first(left, is_usual)
            left[first] = False
            self._look(first)
        if is_usual and self._query.found.floor >= self._cells.usual_floor:
            self._miss_more(self._near < self._cells.least_near, self._cells.far_misses)
        likely = np.flatnonzero(left & (self._near >= self._cells.least_likely))
        if len(likely):
            left[likely] = False
            self._sweep(likely)
        if not is_usual or self._query.found.floor < self._cells.usual_floor:
            self._look_farther(left)

    def _first(self, left: NDArray[np.bool_], is_usual: bool) -> NDArray[np.int64]:
        """The cells, ascending, to look at before the floor is known. `left`: those [cells] that count."""
        likely = np.flatnonzero(left & (self._near >= self._cells.least_likely)) if is_usual else np.empty(0, np.int64)
        able = likely if len(likely) else np.flatnonzero(left)
        if len(able) == 1 or len(likely) and self._cells.sizes[likely].sum() <= AT_ONCE_ROWS:
            return able
        distances = self._cells.half_squares[able] - self._near[able]
        nearest = able[np.argsort(distances)]
        return np.sort(nearest[: 1 + np.searchsorted(np.cumsum(self._cells.sizes[nearest]), FIRST_ROWS)])

    def _look_farther(self, left: NDArray[np.bool_]) -> None:
        """Offer what is near in all cells that can matter, as many as these are. `left`: those [cells] not searched."""
        looked_at = 0
        while True:
            floor = self._query.found.floor
            others = np.flatnonzero(left & (self._highest >= floor))
            if looked_at >= MANY_CELLS:
                # A query unlike the vectors: what none met so far does, few others do.
                reach = np.float32(BEYOND * self._met) * self._cells.radii[others]
                others = others[self._near[others] + reach >= floor]
            if not len(others):
                return
            if floor > -np.inf and self._share(others) > MANY:
                self._sweep(others)
                return
            wanted = others[_smallest(-self._highest[others], min(MORE_CELLS, len(others)))]
            left[wanted] = False
            self._look(np.sort(wanted))
            looked_at += len(wanted)

    def _share(self, wanted: NDArray[np.int64]) -> float:
        """Which share of all vectors is in some cells."""
        return float(self._cells.sizes[wanted].sum()) / self._cells.rows

    def _look(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, ascending."""
        rows = self._scanner.rows_of(self._segments, self._scan, self._cells, wanted)
        cell_of, positions = rows.located()
        strays = self._offer(cell_of, positions, rows.coded())
        self._met = max(self._met, float((strays / self._cells.radii[cell_of]).max()))

    def _sweep(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, ascending, told from the rest by a few words of all their codes."""
        if self._share(wanted) > MOST:
            swept = self._scanner.all_rows(self._segments, self._scan, self._cells)
        else:
            swept = self._scanner.rows_of(self._segments, self._scan, self._cells, wanted)
        unlike = self._planes.unlike(swept.first_words(), 0)
        for floor in (self._cells.usual_floor, -np.inf):
            self._offer_above(swept, wanted, unlike, floor)
            if self._query.found.floor >= floor:
                return

    def _offer_above(
        self, swept: CodedRows, wanted: NDArray[np.int64], unlike: NDArray[np.uint8], floor: float
    ) -> None:
        """Offer what is near in some cells and may score as much as `floor`. `unlike`: how many signs [rows] of the
        first words are; NEVER for what was offered."""
        few, more = self._limits(wanted, floor)
        near = np.flatnonzero(unlike < swept.each(few))
        if len(near) > MANY_SWEPT:
            # The floor is low yet; what has the fewest signs unlike raises it, and so spares most others.
            fewest = unlike[near]
            first = near[fewest <= _least(fewest, FIRST_SWEPT)]
            cell_of, positions = swept.located(first)
            self._offer(cell_of, positions, swept.coded_at(first, positions))
            unlike[first] = NEVER
            few, more = self._limits(wanted, floor)
            near = np.flatnonzero(unlike < swept.each(few))
        if not len(near):
            return
        cell_of, positions = swept.located(near)
        more_unlike = unlike[near]
        for word, words in enumerate(swept.next_words(SWEPT_WORDS, near, positions), 1):
            more_unlike += self._planes.unlike(words, word)
        left = np.flatnonzero(more_unlike < more[cell_of])
        if len(left):
            near, cell_of, positions = near[left], cell_of[left], positions[left]
            self._offer(cell_of, positions, swept.coded_at(near, positions))
            unlike[near] = NEVER

    def _limits(self, wanted: NDArray[np.int64], floor: float) -> NDArray[np.uint8]:
        """Fewer signs than these [2, cells] may be unlike in the first word, and in SWEPT_WORDS words, of codes of what
        scores as much as the floor, and as the one found: 0 in cells that are not wanted."""
        signs = np.minimum([[WORD_BITS], [SWEPT_WORDS * WORD_BITS]], self._planes.dimensions)
        longest = self._cells.longest[wanted]
        lengths: NDArray[np.float32] = np.maximum(longest, LEAST_RADIUS, dtype=np.float32)  # 0 where all are alike
        cosines_wanted = (np.float32(max(floor, self._query.found.floor)) - self._near[wanted]) / lengths
        limits = np.zeros((2, len(self._cells)), np.uint8)
        limits[:, wanted] = most_unlike(cosines_wanted, signs, self._deviations[wanted]) + 1
        return limits

    def _offer(self, cell_of: NDArray[np.int64], positions: NDArray[np.int64], coded: Coded) -> NDArray[np.float32]:
        """Offer what is near among some positions [some], ascending; how far the codes say that they stray [some]."""
        cells, found = self._cells, self._query.found
        scales = coded.scale_bytes * cells.scale_steps[cell_of] + cells.lowest_scales[cell_of]
        strays = self._planes.products(coded.codes) * scales
        estimates = self._near[cell_of] + strays
        errors = np.float32(self._planes.error) * scales
        waiting = np.ones(len(positions), np.bool_) if self._allowed is None else self._allowed[positions]
        floor = found.floor
        if found.room:
            # About what the last will score: if it is more, what is between follows.
            floor = max(floor, nth_highest((estimates - np.float32(OVERRATED) * errors)[waiting], found.room))
        while True:
            promising = np.flatnonzero(waiting & (estimates + self._deviations[cell_of] * errors >= floor))
            if len(promising) and floor <= found.floor and self._is_of_many():
                self._miss_more(np.array(True), MANY_MISSES * (1 - self._scan.recall))
                promising = np.flatnonzero(waiting & (estimates + self._deviations[cell_of] * errors >= floor))
            chosen = promising
            if len(promising) > MORE_ROWS:
                chosen = np.sort(promising[_smallest(-estimates[promising], MORE_ROWS)])
            self._compare(cell_of[chosen], positions[chosen])
            self._compared += len(chosen)
            if len(chosen) == len(promising) and floor <= found.floor:
                return strays
            floor = found.floor
            waiting[chosen] = False

    def _is_of_many(self) -> bool:
        """Whether so many were compared that the query is hardly nearer to any than to thousands."""
        return self._compared >= MANY_ROWS * max(10, self._query.found.limit) * len(self._segments)

    def _miss_more(self, where: NDArray[np.bool_], misses: float) -> None:
        """Let codes miss this share of what scores as much as the floor, in some cells [cells] or in all."""
        fewer = np.minimum(self._deviations, np.float32(_deviations(misses)))
        self._deviations = np.where(where, fewer, self._deviations)

    def _compare(self, cell_of: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Compare the query with the vectors at some positions, ascending."""
        if not len(positions):
            return
        bounds = [0, *(np.flatnonzero(cell_of[1:] != cell_of[:-1]) + 1).tolist(), len(positions)]
        blocks = self._scanner.vectors(self._segments, self._scan, self._cells, cell_of[bounds[:-1]])
        places = positions - self._cells.starts[cell_of]
        vectors = np.empty((len(positions), len(self._query.unit)), np.float16)
        for block, (start, end) in zip(blocks, pairwise(bounds), strict=True):
            # All places are within the block; "clip" lets numpy write where it is told.
            np.take(block.vectors, places[start:end], axis=0, out=vectors[start:end], mode="clip")
        found, outdated = self._query.found, self._scan.outdated
        most = found.limit + len(outdated)
        scores = cosines(vectors, self._query.unit, found.floor, most)
        good = np.flatnonzero(scores >= max(found.floor, nth_highest(scores, most)))
        owners = np.searchsorted(bounds, good, side="right") - 1
        pairs = zip(owners.tolist(), places[good].tolist(), strict=True)
        keys = np.array([blocks[at].keys[place] for at, place in pairs], np.bytes_)
        counting = ~np.isin(keys, outdated) if len(outdated) else slice(None)
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

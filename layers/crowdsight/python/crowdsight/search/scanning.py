"""Searching one segment: all of it, or the cells that can matter.

A query is compared with the middles of all cells, and with the codes of the nearest ones. What the codes say is
uncertain by a known amount, so that the vectors that may be among the nearest are compared in half precision. Then come
the likely cells, whose middles are at such a cosine to the query as, when the segment was written, those of nearly all
neighbours' cells were to vectors. They are swept: one word of their codes is compared with the query, then two more of
what the first leaves, and what these leave as before.

If the last of the nearest then scores less than it did for nearly all vectors, the query is unlike them. It comes to
all cells whose middles score so much that their vectors may be among the nearest: as far as vectors had neighbours that
strayed from the middles of their cells; and, after many cells, not much farther than anything that this very query has
met, so that one unlike all vectors does not read them all. Where those are many cells, they are swept. So it is where
many are wanted, or not nearly all vectors count.
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

FIRST_CELLS, MORE_CELLS = 8, 24
"""How many cells are looked at first, and at a time after that, before it is asked again which others can matter."""

MANY_CELLS = 128
"""After so many cells only those are looked at that can matter by what this query has met."""

BEYOND = 1.25
"""How much farther vectors may stray that were not met than those that were."""

LEAST_ROWS, MORE_ROWS = 64, 1024
"""How many vectors are compared first, to tell which others can matter, and how many at a time after that."""

MANY_ROWS, MANY_MISSES = 100, 5
"""A query for which so many of a segment were compared for each that is wanted (for 10, if fewer are) is hardly nearer
to any vector than to thousands: of its nearest, this many times as many may be missed, half at most."""

FEW_WANTED = 16
"""So many nearest are much where the few are that were looked at when a segment was written; more are not."""

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
            counts = cells.sizes
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

    def all_coded(self, segment: Segment, scan: Scan) -> Coded:
        return self._segments.all_coded(self._prefix, segment, scan.space)

    def coded(self, segment: Segment, scan: Scan, wanted: NDArray[np.int64]) -> Coded:
        """The codes of all cells if they are in memory, else of some."""
        whole = self._segments.all_coded_if_at_hand(self._prefix, segment, scan.space)
        if whole is not None:
            return whole
        return Coded.joined(self._segments.coded(self._prefix, segment, scan.space, wanted.tolist()))

    def vectors(self, segment: Segment, scan: Scan, wanted: Sequence[int]) -> list[VectorCell]:
        return self._segments.vectors(self._prefix, segment, scan.space, wanted)


class _Swept:
    """The rows of some cells, ascending, one cell after another, and their codes: `coded` has those of all cells of
    the segment, or only these, in this order."""

    def __init__(self, coded: Coded, cells: Cells, wanted: NDArray[np.int64]) -> None:
        self._coded = coded
        self._wanted = wanted
        self._firsts = cells.starts[wanted]
        self._bounds = np.concatenate([[0], np.cumsum(cells.sizes[wanted])])
        self._is_of_all = len(coded.scale_bytes) > len(self)

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def first_words(self) -> NDArray[np.uint64]:
        """The first word of the codes of all rows."""
        words = self._coded.codes[0]
        if not self._is_of_all:
            return words
        ends = self._firsts + np.diff(self._bounds)
        return np.concatenate([words[a:b] for a, b in zip(self._firsts.tolist(), ends.tolist(), strict=True)])

    @property
    def words(self) -> int:
        """Of a code."""
        return len(self._coded.codes)

    def word(self, word: int, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """One word of the codes of some rows."""
        return np.take(self._coded.codes[word], self._places(rows), mode="clip")

    def codes(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """[words, rows]."""
        return np.take(self._coded.codes, self._places(rows), axis=1, mode="clip")

    def scale_bytes(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._coded.scale_bytes[self._places(rows)]

    def each(self, of_cells: NDArray[np.uint8], rows: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """What is known of all cells of the segment, for each row, or each of some, ascending."""
        bounds = self._bounds if rows is None else np.searchsorted(rows, self._bounds)
        return np.repeat(of_cells[self._wanted], np.diff(bounds))

    def cells_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cell [rows] of each of some rows, ascending."""
        return np.repeat(self._wanted, np.diff(np.searchsorted(rows, self._bounds)))

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in the segment some rows, ascending, are."""
        shifts = self._firsts - self._bounds[:-1]
        return rows + np.repeat(shifts, np.diff(np.searchsorted(rows, self._bounds)))

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.positions(rows) if self._is_of_all else rows


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
        # Codes miss half of what may be missed, or less: most of the nearest are above the floor, and not just at it.
        self._deviations = _deviations((1 - scan.recall) / 2)
        self._compared = 0
        self._met = 0.0  # how far any vector met so far strays, in radii of its cell
        wanted = recall_of_cells(scan.recall)
        self._highest = near + np.float32(cells.farthest_stray(wanted)) * cells.radii
        self._likely = near >= np.float32(cells.least_cosine(wanted)) * cells.lengths
        self._usual_floor = cells.usual_floor(wanted)

    def run(self, counts: NDArray[np.int64]) -> None:
        """`counts`: how many vectors [cells] count."""
        left = counts > 0
        # What the log gave alone may be a floor far too low.
        if not self._scan.is_begun or self._query.found.floor == -np.inf:
            able = np.flatnonzero(left)
            distances = self._cells.half_squares[able] - self._near[able]
            nearest = able[_smallest(distances, min(FIRST_CELLS, len(able)))]
            left[nearest] = False
            self._look(np.sort(nearest))
        likely = np.flatnonzero(left & self._likely & (self._highest >= self._query.found.floor))
        if len(likely):
            left[likely] = False
            self._sweep(likely)
        # What is known of the nearest of all says little of more, or of those that a filter leaves.
        is_usual = self._query.found.limit <= FEW_WANTED and counts.sum() >= NEARLY_ALL * self._segment.rows
        if not is_usual or self._query.found.floor < self._usual_floor:
            self._look_farther(left)

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
        """Which share of the segment's vectors is in some cells."""
        return float(self._cells.sizes[wanted].sum()) / self._segment.rows

    def _look(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, ascending."""
        swept = _Swept(self._scanner.coded(self._segment, self._scan, wanted), self._cells, wanted)
        strays = self._offer_swept(swept, np.arange(len(swept)))
        radii = np.repeat(self._cells.radii[wanted], self._cells.sizes[wanted])
        self._met = max(self._met, float((strays / radii).max()))

    def _sweep(self, wanted: NDArray[np.int64]) -> None:
        """Offer what is near in some cells, ascending, told from the rest by a few words of all their codes."""
        if self._share(wanted) > MOST:
            coded, cells = self._scanner.all_coded(self._segment, self._scan), np.arange(len(self._cells))
        else:
            coded, cells = self._scanner.coded(self._segment, self._scan, wanted), wanted
        swept = _Swept(coded, self._cells, cells)
        unlike = self._planes.unlike(swept.first_words(), 0)
        for floor in (self._usual_floor, -np.inf):
            self._offer_above(swept, wanted, unlike, floor)
            if self._query.found.floor >= floor:
                return

    def _offer_above(self, swept: _Swept, wanted: NDArray[np.int64], unlike: NDArray[np.uint8], floor: float) -> None:
        """Offer what is near in some cells and may score as much as `floor`. `unlike`: how many signs [rows] of the
        first words are; NEVER for what was offered."""
        near = np.flatnonzero(unlike < swept.each(self._limits(1, wanted, floor)))
        if len(near) > MANY_SWEPT:
            # The floor is low yet; what has the fewest signs unlike raises it, and so spares most others.
            fewest = unlike[near]
            first = near[fewest <= _least(fewest, FIRST_SWEPT)]
            self._offer_swept(swept, first)
            unlike[first] = NEVER
            near = np.flatnonzero(unlike < swept.each(self._limits(1, wanted, floor)))
        more_unlike = unlike[near]
        for word in range(1, min(SWEPT_WORDS, swept.words)):
            more_unlike += self._planes.unlike(swept.word(word, near), word)
            left = more_unlike < swept.each(self._limits(word + 1, wanted, floor), near)
            near, more_unlike = near[left], more_unlike[left]
        if len(near):
            self._offer_swept(swept, near)
            unlike[near] = NEVER

    def _limits(self, words: int, wanted: NDArray[np.int64], floor: float) -> NDArray[np.uint8]:
        """Fewer signs than these [cells] may be unlike in the first words of codes of what scores as much as the floor,
        and as the one found: 0 in cells that are not wanted."""
        signs = min(words * WORD_BITS, self._planes.dimensions)
        longest = self._cells.longest[wanted]
        lengths: NDArray[np.float32] = np.maximum(longest, LEAST_RADIUS, dtype=np.float32)  # 0 where all are alike
        cosines_wanted = (np.float32(max(floor, self._query.found.floor)) - self._near[wanted]) / lengths
        limits = np.zeros(len(self._cells), np.uint8)
        limits[wanted] = most_unlike(cosines_wanted, signs, self._deviations) + 1
        return limits

    def _offer_swept(self, swept: _Swept, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        cells = swept.cells_of(rows)
        return self._offer(swept.positions(rows), cells, swept.codes(rows), swept.scale_bytes(rows))

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


def recall_of_cells(recall: float) -> float:
    """Which share of the nearest is to be in the cells that are searched, for what is found of them to be `recall`:
    codes may miss half of what may be missed, the cosines and the scores of middles a quarter each."""
    return (3 + recall) / 4


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

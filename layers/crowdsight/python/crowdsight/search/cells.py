"""Cells: a segment's vectors in groups of near ones, each with its middle.

k-means (Lloyd, "Least squares quantization in PCM", 1982); what is still too large for a cell is divided again (Nistér
& Stewénius, "Scalable Recognition with a Vocabulary Tree", CVPR 2006), so that no cell is large. What this scatters
over many cells, `regrouping` gathers.
"""

import math

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import BLOCK_ROWS, single

BRANCHES = 2048
"""The most groups of one division. Where vectors are in more clusters than there are groups, many clusters are
scattered over all of them; so few, wide divisions are better than many narrow ones."""

ROUNDS = 5
SAMPLES_PER_GROUP = 24
CANDIDATES = 32
"""How many groups each vector is compared with where a merge knows what it was near before."""

SEED = 1982

LEAST_RADIUS = np.float32(1e-6)
"""Of a cell whose vectors are all alike; smaller differences are rounding."""


def rows_of_a_cell(rows: int) -> int:
    """How many vectors a cell should have, of so many: a query looks at all middles, and into some cells."""
    return max(1, round(math.sqrt(rows)))


def divide(
    rows: NDArray[np.float16],
    cell_rows: int,
    former: NDArray[np.int32] | None = None,
    left_out: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """The cell [rows], from 0, of each of some vectors [rows, dimensions]; about `cell_rows` to a cell, at most twice
    as many. `left_out`: rows that get none, NO_CELL.

    `former`: in which cells [rows] they were before, NO_CELL for none. Each is then compared only with what is near its
    former cell's middle, so that the time grows with the number of rows; else, until there are BRANCHES cells, with its
    power of 1.5.
    """
    members = np.arange(len(rows))
    return _divide(rows, [members if left_out is None else np.delete(members, left_out)], cell_rows, former)


def divide_large(rows: NDArray[np.float16], cell_of: NDArray[np.int32], cell_rows: int) -> NDArray[np.int32]:
    """The cells [rows] that there are, but for those of more than twice `cell_rows`, which are divided."""
    return _divide(rows, members_of(cell_of), cell_rows, None)


def _divide(
    rows: NDArray[np.float16], waiting: list[NDArray[np.int64]], cell_rows: int, former: NDArray[np.int32] | None
) -> NDArray[np.int32]:
    random = np.random.default_rng(SEED)
    cell_of = np.full(len(rows), NO_CELL, np.int32)
    cells = 0
    while waiting:
        members = waiting.pop()
        if len(members) <= 2 * cell_rows:
            cell_of[members] = cells
            cells += 1
            continue
        count = min(BRANCHES, math.ceil(len(members) / cell_rows))
        groups = parts(members, _k_means(rows, members, count, random, former))
        if len(groups) == 1:  # nothing tells them apart
            groups = np.array_split(members, count)
        waiting.extend(groups)
    return cell_of


def members_of(cell_of: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """The rows of each cell, none of which is empty."""
    rows = np.flatnonzero(cell_of != NO_CELL)
    return parts(rows, cell_of[rows])


def parts(members: NDArray[np.int64], part_of: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """The members [members] of each part that has any, in the order of the parts' numbers."""
    sizes = np.bincount(part_of)
    return np.split(members[np.argsort(part_of, kind="stable")], np.cumsum(sizes[sizes > 0])[:-1])


def _k_means(
    rows: NDArray[np.float16],
    members: NDArray[np.int64],
    count: int,
    random: np.random.Generator,
    former: NDArray[np.int32] | None,
) -> NDArray[np.int32]:
    """Which of `count` groups each of the members [members] is in."""
    chosen = random.choice(members, min(len(members), count * SAMPLES_PER_GROUP), replace=False)
    sample = single(rows[np.sort(chosen)])
    middles = sample[random.choice(len(sample), min(count, len(sample)), replace=False)]
    for _ in range(ROUNDS):
        nearest = nearest_of(sample, middles)
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=len(middles))
        filled = np.flatnonzero(sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[filled])[:-1]])
        middles[filled] = np.add.reduceat(sample[order], starts, axis=0) / sizes[filled, np.newaxis]
        empty = np.flatnonzero(sizes == 0)
        middles[empty] = sample[random.choice(len(sample), len(empty))]
    if former is None or len(middles) <= 2 * CANDIDATES:
        return _nearest_of_all(rows, members, middles)
    return _nearest_of_some(rows, members, middles, former[members])


def _nearest_of_all(
    rows: NDArray[np.float16], members: NDArray[np.int64], middles: NDArray[np.float32]
) -> NDArray[np.int32]:
    found = np.empty(len(members), np.int32)
    for start in range(0, len(members), BLOCK_ROWS):
        found[start : start + BLOCK_ROWS] = nearest_of(single(rows[members[start : start + BLOCK_ROWS]]), middles)
    return found


def _nearest_of_some(
    rows: NDArray[np.float16], members: NDArray[np.int64], middles: NDArray[np.float32], former: NDArray[np.int32]
) -> NDArray[np.int32]:
    """For each member the nearest of those middles that are nearest to its former cell's. `former`: [members]."""
    found = np.empty(len(members), np.int32)
    halves = half_squares(middles)
    order = np.argsort(former, kind="stable")
    starts = np.flatnonzero(np.diff(former[order], prepend=former[order[0]] - 1))
    for some in np.split(order, starts[1:]):
        if former[some[0]] == NO_CELL:
            found[some] = _nearest_of_all(rows, members[some], middles)
            continue
        vectors = single(rows[members[some]])
        nearness = middles @ vectors.mean(axis=0) - halves
        near = np.argpartition(-nearness, CANDIDATES)[:CANDIDATES]
        found[some] = near[nearest_of(vectors, middles[near])]
    return found


def nearest_of(vectors: NDArray[np.float32], middles: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest middle [vectors], by Euclidean distance."""
    nearness = vectors @ middles.T
    nearness -= half_squares(middles)
    return nearness.argmax(axis=1)


def half_squares(middles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half the squared length of each middle: `<v, m> - half_squares(m)` is greatest for the middle nearest to v."""
    return np.einsum("ij,ij->i", middles, middles) / 2


def sums_of(vectors: NDArray[np.float32], part_of: NDArray[np.integer]) -> NDArray[np.float32]:
    """The sum [parts, dimensions] of the vectors [vectors, dimensions] of each part; none is empty."""
    order = np.argsort(part_of, kind="stable")
    starts = np.flatnonzero(np.diff(part_of[order], prepend=-1))
    return np.add.reduceat(vectors[order], starts, axis=0)

"""Cells: a segment's vectors in groups of near ones, each with its middle.

k-means (Lloyd, "Least squares quantization in PCM", 1982); what is still too large for a cell is divided again (Nistér
& Stewénius, "Scalable Recognition with a Vocabulary Tree", CVPR 2006), so that no cell is large.
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
SAMPLE_QUERIES = 128
SAMPLE_NEIGHBOURS = 10

LEAST_RADIUS = np.float32(1e-6)
"""Of a cell whose vectors are all alike; smaller differences are rounding."""


def rows_of_a_cell(rows: int) -> int:
    """How many vectors a cell should have, of so many: a query looks at all middles, and into some cells."""
    return max(1, round(math.sqrt(rows)))


def divide(rows: NDArray[np.float16], cell_rows: int, former: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """The cell [rows], from 0, of each of some vectors [rows, dimensions]; about `cell_rows` to a cell, at most twice
    as many.

    `former`: in which cells [rows] they were before, NO_CELL for none. Each is then compared only with what is near its
    former cell's middle, so that the time grows with the number of rows; else, until there are BRANCHES cells, with its
    power of 1.5.
    """
    random = np.random.default_rng(SEED)
    cell_of = np.empty(len(rows), np.int32)
    waiting = [np.arange(len(rows))]
    cells = 0
    while waiting:
        members = waiting.pop()
        if len(members) <= 2 * cell_rows:
            cell_of[members] = cells
            cells += 1
            continue
        count = min(BRANCHES, math.ceil(len(members) / cell_rows))
        group_of = _k_means(rows, members, count, random, former)
        ends = np.cumsum(np.bincount(group_of, minlength=count))
        groups = np.split(members[np.argsort(group_of, kind="stable")], ends[:-1])
        if max(map(len, groups)) == len(members):  # nothing tells them apart
            groups = np.array_split(members, count)
        waiting.extend(group for group in groups if len(group))
    return cell_of


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
        nearest = _nearest(sample, middles)
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
        found[start : start + BLOCK_ROWS] = _nearest(single(rows[members[start : start + BLOCK_ROWS]]), middles)
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
        found[some] = near[_nearest(vectors, middles[near])]
    return found


def _nearest(vectors: NDArray[np.float32], middles: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest middle [vectors], by Euclidean distance."""
    nearness = vectors @ middles.T
    nearness -= half_squares(middles)
    return nearness.argmax(axis=1)


def half_squares(middles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half the squared length of each middle: `<v, m> - half_squares(m)` is greatest for the middle nearest to v."""
    return np.einsum("ij,ij->i", middles, middles) / 2


def strays_of_neighbours(
    rows: NDArray[np.float16], cell_of: NDArray[np.int32], middles: NDArray[np.float32], radii: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far neighbours stray from their cells: for some of the vectors [rows, dimensions] and the 10 nearest others
    to each, the neighbour's score minus that of its cell's middle, in radii of the cell. Ascending.

    If a share p of them is s or less, a share p of a query's neighbours is in cells whose middle scores at most s radii
    less than the neighbour; as far as queries are like the vectors.
    """
    random = np.random.default_rng(SEED)
    chosen = random.choice(len(rows), min(SAMPLE_QUERIES, len(rows)), replace=False)
    queries = single(rows[chosen])
    count = min(SAMPLE_NEIGHBOURS, len(rows) - 1)
    best = np.full((len(chosen), count), -np.inf, np.float32)
    cells = np.zeros((len(chosen), count), np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        scores = queries @ single(rows[start : start + BLOCK_ROWS]).T
        here = (chosen >= start) & (chosen < start + BLOCK_ROWS)
        scores[here, chosen[here] - start] = -np.inf
        better = np.flatnonzero((scores > best.min(axis=1, keepdims=True)).any(axis=0))
        owners = np.broadcast_to(cell_of[start + better].astype(np.int64), (len(chosen), len(better)))
        scores = np.concatenate([best, scores[:, better]], axis=1)
        owners = np.concatenate([cells, owners], axis=1)
        kept = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        best, cells = np.take_along_axis(scores, kept, axis=1), np.take_along_axis(owners, kept, axis=1)
    near = np.take_along_axis(queries @ middles.T, cells, axis=1)
    return np.sort(((best - near) / np.maximum(radii[cells], LEAST_RADIUS)).astype(np.float32), axis=None)

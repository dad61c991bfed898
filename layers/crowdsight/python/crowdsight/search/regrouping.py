"""Gathering clusters that a division into cells has scattered.

Where a cell has to hold many clusters, its middle is hardly nearer to their vectors than others are: k-means then
leaves every cluster in many cells, and a query's neighbours are wherever one looks. Small groups of near vectors tell
their cluster plainly instead. So each cell is divided into small groups, groups that point the same way are brought
into one cell, and vectors that fit their group badly go to the best of the groups in the cells nearest to them: k-means
for very many groups, found through few cells (Philbin et al., "Object Retrieval with Large Vocabularies and Fast
Spatial Matching", CVPR 2007), by angles (Dhillon & Modha, "Concept Decompositions for Large Sparse Text Data Using
Clustering", Machine Learning 42, 2001).
"""

import math

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import parts, sums_of
from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import BLOCK_ROWS, inverse_lengths, single

FEW_GROUPS = 256
"""Up to so many the sums of groups are a product of matrices."""

FILLED = 3 / 4
"""How full of what it may have a cell is on average at first: some get much more, and are divided again."""

ROUNDS = 3
NEAR_CELLS = 16
"""In so many cells a better group is looked for."""

BADLY = 0.9
"""Vectors fit badly whose cosine to the others of their group is less than this share of the median."""

ALIKE = 0.9
"""Cells whose middles are at this cosine or more point the same way."""

LEAST_LENGTH = np.float32(1e-6)
SEED = 2001


def regrouped(
    rows: NDArray[np.float16], cell_of: NDArray[np.int32], cell_rows: int, group_rows: int
) -> NDArray[np.int32]:
    """The new cells [rows], from 0, none empty, of vectors [rows, dimensions] that are in some cells [rows]; NO_CELL
    for those that are in none.

    About `cell_rows` to a cell; more than twice as many only where so many came to it, or are all alike. `group_rows`:
    about how many vectors to a group, no more than a cluster has.
    """
    random = np.random.default_rng(SEED)
    members = np.flatnonzero(cell_of != NO_CELL)
    group_of, sums, fits = _groups(rows, members, cell_of[members], group_rows, random)
    cell_of_group = _cells(sums, np.bincount(group_of), cell_rows, random)
    badly = np.flatnonzero(fits < BADLY * np.median(fits))
    group_of[badly] = _best_groups(rows, members[badly], group_of[badly], fits[badly], sums, cell_of_group)
    new_cell_of = np.full(len(rows), NO_CELL, np.int32)
    new_cell_of[members] = np.unique(cell_of_group[group_of], return_inverse=True)[1]
    return new_cell_of


def merged(
    cell_of: NDArray[np.int32], middles: NDArray[np.float32], cell_rows: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The cells [rows] and middles [cells, dimensions] that there are, but those that point the same way are one, up to
    twice `cell_rows`: else what was left of large clusters is in many small cells, each of which costs a search as much
    as a large one."""
    has_cell = cell_of != NO_CELL
    sizes = np.bincount(cell_of[has_cell])
    sums = middles * sizes[:, np.newaxis].astype(np.float32)
    directions = _directions(sums)
    new_of = np.arange(len(sizes))
    for cell in np.argsort(sizes, kind="stable").tolist():
        cosines = directions @ directions[cell]
        cosines[(new_of != np.arange(len(sizes))) | (sizes > 2 * cell_rows - sizes[cell])] = -1.0
        cosines[cell] = -1.0
        best = int(cosines.argmax())
        if cosines[best] >= ALIKE:
            new_of[cell] = best
            sizes[best] += sizes[cell]
            sums[best] += sums[cell]
            directions[best] = _directions(sums[best : best + 1])[0]
    while (new_of != new_of[new_of]).any():
        new_of = new_of[new_of]
    left, new_of = np.unique(new_of, return_inverse=True)
    new_cell_of = np.full(len(cell_of), NO_CELL, np.int32)
    new_cell_of[has_cell] = new_of[cell_of[has_cell]]
    counts: NDArray[np.float32] = sizes[left, np.newaxis].astype(np.float32)
    new_middles: NDArray[np.float32] = sums[left] / counts
    return new_cell_of, new_middles


def _groups(
    rows: NDArray[np.float16],
    members: NDArray[np.int64],
    cell_of: NDArray[np.int32],
    group_rows: int,
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """The members of each cell in small groups: the group [members], the sum of each group's vectors [groups,
    dimensions], and how well each vector fits [members]: its cosine to the sum of the others of its group, -1 where
    there are none. `cell_of`: [members]."""
    group_of = np.empty(len(members), np.int64)
    fits = np.empty(len(members), np.float32)
    sums: list[NDArray[np.float32]] = []
    groups = 0
    for some in parts(np.arange(len(members)), cell_of):
        vectors = single(rows[members[some]])
        nearest, here = _spherical_k_means(vectors, math.ceil(len(vectors) / group_rows), random)
        others = here[nearest] - vectors
        cosines = np.vecdot(vectors, others) * inverse_lengths(others)
        fits[some] = np.where(np.bincount(nearest)[nearest] > 1, cosines, -1.0)
        group_of[some] = groups + nearest
        groups += len(here)
        sums.append(here)
    return group_of, np.concatenate(sums), fits


def _cells(
    sums: NDArray[np.float32], sizes: NDArray[np.int64], cell_rows: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """A cell [groups] for each group, so that those of a cell point the same way."""
    cell_of = np.empty(len(sums), np.int64)
    waiting = [np.arange(len(sums))]
    filled = FILLED * cell_rows
    cells = 0
    while waiting:
        members = waiting.pop()
        rows = int(sizes[members].sum())
        if rows <= 2 * cell_rows or len(members) == 1:
            cell_of[members] = cells
            cells += 1
            continue
        count = min(len(members), math.ceil(rows / filled))
        filled = cell_rows
        several = parts(members, _spherical_k_means(sums[members], count, random)[0])
        waiting.extend(several if len(several) > 1 else np.array_split(members, count))
    return cell_of


def _best_groups(
    rows: NDArray[np.float16],
    chosen: NDArray[np.int64],
    group_of: NDArray[np.int64],
    fits: NDArray[np.float32],
    sums: NDArray[np.float32],
    cell_of_group: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For some vectors the group that they fit best, of those in the cells nearest to them and the one that they are
    in. `group_of`, `fits`: [chosen]."""
    best, best_fits = group_of.copy(), fits.copy()
    middles = _directions(sums_of(sums, cell_of_group))
    near = np.empty((len(chosen), min(NEAR_CELLS, len(middles))), np.int32)
    for start in range(0, len(chosen), BLOCK_ROWS):
        products = single(rows[chosen[start : start + BLOCK_ROWS]]) @ middles.T
        near[start : start + BLOCK_ROWS] = np.argpartition(-products, near.shape[1] - 1, axis=1)[:, : near.shape[1]]
    directions = _directions(sums)
    by_cell = np.argsort(near, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(near.ravel(), minlength=len(middles)))
    for groups, pairs in zip(parts(np.arange(len(sums)), cell_of_group), np.split(by_cell, ends[:-1]), strict=True):
        if not len(pairs):
            continue
        places = pairs // near.shape[1]
        products = single(rows[chosen[places]]) @ directions[groups].T
        own = np.searchsorted(groups, group_of[places])
        is_here = groups[np.minimum(own, len(groups) - 1)] == group_of[places]
        products[is_here, own[is_here]] = -1.0  # with itself in it; `fits` says how well it fits the others
        nearest = products.argmax(axis=1)
        fitting = products[np.arange(len(places)), nearest]
        better = fitting > best_fits[places]
        best[places[better]], best_fits[places[better]] = groups[nearest[better]], fitting[better]
    return best


def _spherical_k_means(
    vectors: NDArray[np.float32], count: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which of `count` groups at most each of the vectors [vectors, dimensions] is in, by angle, and the sums [groups,
    dimensions] of the groups' vectors; none is empty."""
    lengths = np.maximum(np.sqrt(np.vecdot(vectors, vectors)), LEAST_LENGTH)
    starts = random.choice(len(vectors), count, replace=False, p=lengths / lengths.sum(dtype=float))
    sums = vectors[starts]
    for _ in range(ROUNDS):
        middles = _directions(sums)
        nearest = np.empty(len(vectors), np.int64)
        for start in range(0, len(vectors), BLOCK_ROWS):
            nearest[start : start + BLOCK_ROWS] = (vectors[start : start + BLOCK_ROWS] @ middles.T).argmax(axis=1)
        nearest = np.unique(nearest, return_inverse=True)[1]
        sums = _sums(vectors, nearest)
    return nearest, sums


def _sums(vectors: NDArray[np.float32], group_of: NDArray[np.int64]) -> NDArray[np.float32]:
    """As `sums_of`; where groups are few a product with a matrix of ones and zeros is quicker."""
    groups = int(group_of.max()) + 1
    if groups > FEW_GROUPS:
        return sums_of(vectors, group_of)
    return (group_of == np.arange(groups)[:, np.newaxis]).astype(np.float32) @ vectors


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors * inverse_lengths(vectors)[:, np.newaxis]

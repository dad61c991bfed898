"""Some of a segment's vectors and the nearest others to each: so lie the neighbours of queries that are like them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import LEAST_RADIUS
from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import BLOCK_ROWS, MOST_SHORTENED, inverse_lengths, single

QUERIES = 256
NEIGHBOURS = 10
SEED = 1982


@dataclass(frozen=True)
class NeighbourSample:
    """`rows` [queries]: which vectors these are; `queries` [queries, dimensions]; `neighbours`, `scores` [queries,
    neighbours]: the rows of the nearest to each that are no queries, in no order, and their inner products with it.

    What is told here of cells holds for other queries if the vectors of these were left out when the cells were made.
    """

    rows: NDArray[np.int64]
    queries: NDArray[np.float32]
    neighbours: NDArray[np.int64]
    scores: NDArray[np.float32]

    @staticmethod
    def of(rows: NDArray[np.float16]) -> "NeighbourSample":
        """Of at least two vectors [rows, dimensions]; half of them are queries at most."""
        random = np.random.default_rng(SEED)
        chosen = np.sort(random.choice(len(rows), min(QUERIES, len(rows) // 2), replace=False))
        queries = single(rows[chosen])
        count = min(NEIGHBOURS, len(rows) - len(chosen))
        best = np.full((len(chosen), count), -np.inf, np.float32)
        found = np.zeros((len(chosen), count), np.int64)
        for start in range(0, len(rows), BLOCK_ROWS):
            scores = queries @ single(rows[start : start + BLOCK_ROWS]).T
            scores[:, chosen[(chosen >= start) & (chosen < start + BLOCK_ROWS)] - start] = -np.inf
            better = np.flatnonzero((scores > best.min(axis=1, keepdims=True)).any(axis=0))
            places = np.broadcast_to(start + better, (len(chosen), len(better)))
            scores = np.concatenate([best, scores[:, better]], axis=1)
            places = np.concatenate([found, places], axis=1)
            kept = np.argpartition(-scores, count - 1, axis=1)[:, :count]
            best, found = np.take_along_axis(scores, kept, axis=1), np.take_along_axis(places, kept, axis=1)
        return NeighbourSample(chosen, queries, found, best)

    def floors(self) -> NDArray[np.float32]:
        """What the last of each query's neighbours scores, ascending [queries], or a little less: vectors are not
        exactly of length 1."""
        return np.sort(self.scores.min(axis=1)) - MOST_SHORTENED

    def strays(
        self, cell_of: NDArray[np.int32], middles: NDArray[np.float32], radii: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """How far neighbours stray from their cells: a neighbour's score minus that of its cell's middle, in radii of
        the cell; ascending [queries * neighbours].

        If a share p of them is s or less, a share p of a query's neighbours is in cells whose middle scores at most s
        radii less than the neighbour.
        """
        cells = cell_of[self.neighbours]
        near = np.take_along_axis(self.queries @ middles.T, cells, axis=1)
        return np.sort(((self.scores - near) / np.maximum(radii[cells], LEAST_RADIUS)).astype(np.float32), axis=None)

    def cosines(self, cell_of: NDArray[np.int32], middles: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of each query to the middle of each of its neighbours' cells; ascending [queries * neighbours].

        If a share p of them is c or more, a share p of a query's neighbours is in cells whose middle is at a cosine of
        c or more to it.
        """
        return np.sort(np.take_along_axis(self._cosines(middles), cell_of[self.neighbours], axis=1), axis=None)

    def share_to_search(self, cell_of: NDArray[np.int32], middles: NDArray[np.float32], recall: float) -> float:
        """Which share of all vectors is in cells that a query must look into, to meet a share `recall` of its
        neighbours by the cosines to the middles; the mean over the queries."""
        cosines = self._cosines(middles)
        least = np.quantile(np.take_along_axis(cosines, cell_of[self.neighbours], axis=1), 1 - recall)
        sizes = np.bincount(cell_of[cell_of != NO_CELL], minlength=len(middles))
        return float(((cosines >= least) @ sizes).mean() / sizes.sum())

    def _cosines(self, middles: NDArray[np.float32]) -> NDArray[np.float32]:
        """[queries, cells]."""
        return (self.queries @ middles.T) * inverse_lengths(middles)

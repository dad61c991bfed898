"""The cells of some segments, one segment's after another's: they are searched as if they were one segment's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.segment_format import Cells

LEAST_REACH = 3.5
"""In standard deviations of what random vectors score, 1 / sqrt(dimensions): vectors of other clusters than those that
a query is like stray so far from the middles of their cells, though no neighbours did."""

FAR_MISSES = 0.3
"""This share of what may be missed may be missed by codes in far cells besides: these have a share f of neighbours of
which a share f may be missed, so that the square of f is this share. There are many such cells, and little in them."""


@dataclass(frozen=True)
class JoinedCells:
    """What a search that is to find a share `recall` of the nearest asks of cells.

    `each`: the segments' own. All arrays are [cells], float32 if not said otherwise: `half_squares`, `radii`,
    `longest`, `lowest_scales`, `scale_steps`: see `Cells`. `reaches`: how far above its middle a cell's vectors score,
    at most. `least_likely`, `least_near`: what the middles of likely cells, and of those not far, score at least.
    `starts`, int64: where each cell begins, of the rows of all segments one after another. `sizes`, int64: how many
    vectors it has. `usual_floor`: what the last of the nearest scores at least, of nearly all queries that are like the
    vectors. `far_misses`: which share of a query's neighbours in far cells may be missed there.
    """

    each: Sequence[Cells]
    half_squares: NDArray[np.float32]
    radii: NDArray[np.float32]
    longest: NDArray[np.float32]
    lowest_scales: NDArray[np.float32]
    scale_steps: NDArray[np.float32]
    reaches: NDArray[np.float32]
    least_likely: NDArray[np.float32]
    least_near: NDArray[np.float32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    usual_floor: float
    far_misses: float

    @staticmethod
    def of(each: Sequence[Cells], recall: float) -> "JoinedCells":
        """Of cells as `Segments.cells` gives them."""
        wanted, far = recall_of_cells(recall), math.sqrt(FAR_MISSES * (1 - recall))
        usual = (1 + wanted) / 2  # so many queries are like the vectors; of others, so many neighbours are in reach
        least_reach = LEAST_REACH / math.sqrt(each[0].middles.shape[1])
        sizes = _joined([cells.sizes for cells in each])
        return JoinedCells(
            each,
            _joined([cells.half_squares for cells in each]),
            _joined([cells.radii for cells in each]),
            _joined([cells.longest for cells in each]),
            _joined([cells.lowest_scales for cells in each]),
            _joined([cells.scale_steps for cells in each]),
            _joined([np.float32(max(cells.farthest_stray(usual), least_reach)) * cells.radii for cells in each]),
            _joined([np.float32(cells.least_cosine(wanted)) * cells.lengths for cells in each]),
            _joined([np.float32(cells.least_cosine(1 - far)) * cells.lengths for cells in each]),
            np.cumsum(sizes) - sizes,
            sizes,
            max(cells.usual_floor(usual) for cells in each),
            far,
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def nbytes(self) -> int:
        """What it takes besides the segments' own."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))

    @cached_property
    def first_cells(self) -> NDArray[np.int64]:
        """The first cell [segments + 1] of each segment, and how many there are."""
        return np.cumsum([0, *(len(cells) for cells in self.each)])

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """The first row [segments + 1] of each segment, and how many there are."""
        return np.cumsum([0, *(int(cells.starts[-1]) for cells in self.each)])

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.first_rows[-1])

    def products(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Cells.products`."""
        return _joined([cells.products(queries) for cells in self.each])

    def by_segment(self, wanted: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
        """The segments that have any of some cells, ascending, each with its own of them by its own numbers."""
        if len(self.each) == 1:
            return [(0, wanted)]
        cuts = np.searchsorted(wanted, self.first_cells).tolist()
        return [
            (at, wanted[start:end] - self.first_cells[at])
            for at, (start, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True))
            if start < end
        ]


def recall_of_cells(recall: float) -> float:
    """Which share of the nearest is to be in likely cells, for what is found of them to be `recall`: they may miss a
    third of what may be missed, and codes half."""
    return (2 + recall) / 3


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Along their last axis."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)

"""The rows of some cells, and their codes, wherever they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.joined_cells import JoinedCells
from crowdsight.search.segment_format import Coded


class CodedRows:
    """The rows of some cells, ascending, one cell after another, with their codes.

    `coded`: for each segment that has any of them, ascending, the codes of all its cells, or only of these, in this
    order.
    """

    def __init__(self, cells: JoinedCells, wanted: NDArray[np.int64], coded: Sequence[Coded]) -> None:
        self._wanted = wanted
        self._coded = coded
        self._firsts = cells.starts[wanted]
        self._bounds = np.concatenate([[0], np.cumsum(cells.sizes[wanted])])
        cuts = np.searchsorted(wanted, cells.first_cells)
        filled = np.flatnonzero(np.diff(cuts))
        self._first_cells = [*cuts[filled].tolist(), len(wanted)]
        self._first_rows = self._bounds[self._first_cells]
        self._first_positions = cells.first_rows[filled].tolist()

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def first_words(self) -> NDArray[np.uint64]:
        """The first word of the codes of all rows."""
        return self._all(lambda coded: coded.codes[0])

    def next_words(self, end: int, rows: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The second word, up to another, of the codes [words, rows] of some rows, ascending, at these positions."""
        return self._some(lambda coded: coded.codes[1:end], rows, positions)

    def coded(self) -> Coded:
        """The codes of all rows."""
        return Coded(self._all(lambda coded: coded.codes), self._all(lambda coded: coded.scale_bytes))

    def coded_at(self, rows: NDArray[np.int64], positions: NDArray[np.int64]) -> Coded:
        """The codes of some rows, ascending, at these positions."""
        codes = self._some(lambda coded: coded.codes, rows, positions)
        return Coded(codes, self._some(lambda coded: coded.scale_bytes, rows, positions))

    def located(self, rows: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The cell [rows] of each of some rows, ascending, or of all, and its position [rows] among all rows of all
        segments."""
        counts = np.diff(self._bounds if rows is None else np.searchsorted(rows, self._bounds))
        shifts = np.repeat(self._firsts - self._bounds[:-1], counts)
        return np.repeat(self._wanted, counts), (np.arange(len(self)) if rows is None else rows) + shifts

    def each(self, of_cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What is known of all cells, for each row."""
        return np.repeat(of_cells[self._wanted], np.diff(self._bounds))

    def _all(self, of: Callable[[Coded], NDArray[Any]]) -> NDArray[Any]:
        """What codes have of all rows, along the last axis."""
        pieces: list[NDArray[Any]] = []
        for at, (coded, is_whole) in enumerate(self._each_segment()):
            array = of(coded)
            if not is_whole:
                pieces.append(array)
                continue
            cells = slice(*self._first_cells[at : at + 2])
            starts = self._firsts[cells] - self._first_positions[at]
            ends = starts + np.diff(self._bounds)[cells]
            pieces += [array[..., start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)

    def _some(
        self, of: Callable[[Coded], NDArray[Any]], rows: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[Any]:
        """What codes have of some rows, along the last axis."""
        cuts = np.searchsorted(rows, self._first_rows).tolist()
        pieces = []
        for at, (coded, is_whole) in enumerate(self._each_segment()):
            some = slice(cuts[at], cuts[at + 1])
            places = positions[some] - self._first_positions[at] if is_whole else rows[some] - self._first_rows[at]
            # All places are there; "clip" spares a check of each.
            pieces.append(np.take(of(coded), places, axis=-1, mode="clip"))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)

    def _each_segment(self) -> Iterator[tuple[Coded, bool]]:
        """The codes, and whether they are of more cells than these."""
        for coded, start, end in zip(self._coded, self._first_rows[:-1], self._first_rows[1:], strict=True):
            yield coded, len(coded.scale_bytes) > end - start

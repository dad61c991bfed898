"""Some entries, side by side: keys, vectors and attributes, in the order of the keys' hashes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.attributes import NO_ATTRIBUTES, Attributes

NO_CELL = -1


@dataclass(frozen=True)
class Rows:
    """Some entries: `keys` [rows], bytes, for each space a float16 matrix [rows, dimensions], and attributes.

    `cells`: for each space numbers [rows] that only those share which were in one cell of a segment, NO_CELL for those
    that were in none. It may be empty.
    """

    keys: NDArray[np.bytes_]
    matrices: Mapping[str, NDArray[np.float16]]
    attributes: Attributes
    cells: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """The rows that an index array, each row at most once, or a mask chooses."""
        matrices = {space: matrix[chosen] for space, matrix in self.matrices.items()}
        cells = {space: cell_of[chosen] for space, cell_of in self.cells.items()}
        return Rows(self.keys[chosen], matrices, self.attributes.take(chosen), cells)

    def without(self, keys: NDArray[np.bytes_]) -> "Rows":
        """The rows that have none of these keys."""
        found = np.isin(self.keys, keys)
        return self.take(~found) if found.any() else self


def gather(rows: Sequence[Rows], dimensions: Mapping[str, int]) -> Rows:
    """Rows of several sources in the order of their keys' hashes, each key once."""
    rows = [some for some in rows if len(some)]
    if not rows:
        nothing = {space: np.empty((0, size), np.float16) for space, size in dimensions.items()}
        return Rows(np.empty(0, "S1"), nothing, NO_ATTRIBUTES)
    keys = np.concatenate([some.keys for some in rows])
    matrices = {space: _joined([some.matrices[space] for some in rows]) for space in dimensions}
    order = hash_order(keys)
    cells = _cells_of_all(rows, dimensions) if any(some.cells for some in rows) else {}
    return Rows(keys, matrices, Attributes.joined([some.attributes for some in rows]), cells).take(order)


def hash_order(keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Where each of the keys [keys] is first, in the order of their hashes."""
    _, first = np.unique(keys, return_index=True)
    return np.asarray(first[np.argsort(hashes_of(keys[first]), kind="stable")], np.int64)


def _joined(matrices: Sequence[NDArray[np.float16]]) -> NDArray[np.float16]:
    """One below the other; a single one as it is, without a copy of what may be a gigabyte."""
    return matrices[0] if len(matrices) == 1 else np.concatenate(matrices)


def _cells_of_all(rows: Sequence[Rows], spaces: Iterable[str]) -> dict[str, NDArray[np.int32]]:
    """The cells of rows of several sources, each source's numbers after those of the one before."""
    joined: dict[str, NDArray[np.int32]] = {}
    for space in spaces:
        parts: list[NDArray[np.int32]] = []
        first = 0
        for some in rows:
            cell_of = some.cells.get(space)
            if cell_of is None:
                cell_of = np.full(len(some), NO_CELL, np.int32)
            parts.append(np.where(cell_of == NO_CELL, NO_CELL, cell_of + first).astype(np.int32))
            first = max(first, int(parts[-1].max()) + 1)
        joined[space] = np.concatenate(parts)
    return joined


def hashes_of(keys: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    """A 64-bit number [keys] for each key; zero bytes at its end do not change it."""
    width = -(-max(keys.dtype.itemsize, 1) // 8) * 8
    words = np.ascontiguousarray(keys.astype(f"S{width}")).view("<u8").reshape(len(keys), width // 8)
    random = np.random.default_rng(64)
    hashes = np.zeros(len(keys), np.uint64)
    for word in words.T:
        factor = random.integers(0, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        hashes += _mixed(word * factor)
    return _mixed(hashes)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))

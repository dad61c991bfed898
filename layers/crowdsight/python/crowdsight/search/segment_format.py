"""Segments: immutable sets of entries in S3, made to be searched by reading little of them.

A segment's entries have row numbers, in the order of their keys' hashes. For every space its vectors lie cell by cell
(see `cells`), in an order of that space's own. The objects of a segment:

| part           | what                                                                                              |
|----------------|---------------------------------------------------------------------------------------------------|
| `hashes`       | the hashes of the keys, ascending: where a key is, without reading all keys                         |
| `keys`         | the keys, in the order of the rows, each filled up with zero bytes to the same length               |
| `attributes`   | labels and times, for filters                                                                     |
| `SPACE.cells`  | for each cell: its middle, radius, first position, checksums; what a search reads first             |
| `SPACE.order`  | the row at each position                                                                          |
| `SPACE.codes`  | cell after cell: codes by columns (see `codes`), then one byte a row for its scale                  |
| `SPACE.vectors`| cell after cell: vectors in half precision, then the keys of their rows                            |

`codes` is left out where there is but one cell. The manifest has the size and the SHA-256 of each object; cells that
are read by themselves have a CRC-32. What is missing, cut or changed is never taken for the real thing: it raises
Damaged.
"""

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.codes import lengths_of, words_of

HASHES, KEYS, ATTRIBUTES, DELETED = "hashes", "keys", "attributes", "deleted"
CELLS, ORDER, CODES, VECTORS = "cells", "order", "codes", "vectors"

BLOCK_CELLS = 256
"""How many middles are turned into single precision at a time: the block stays near the processor."""


class Damaged(Exception):
    """An object of a segment is missing, or not what the manifest says."""


@dataclass(frozen=True)
class Part:
    """What the manifest says of one object."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Deletions:
    """The rows of a segment that are not there any more: an object by itself, under a `name` of its own.

    `since_ms`: when the first of them went.
    """

    name: str
    rows: int
    since_ms: int
    part: Part


@dataclass(frozen=True)
class Segment:
    """What the manifest says of one segment."""

    name: str
    rows: int
    parts: Mapping[str, Part]
    deletions: Deletions | None = None

    @property
    def living_rows(self) -> int:
        """Those that are still there."""
        return self.rows - (self.deletions.rows if self.deletions else 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Its own, and its deletions'."""
        return (self.name, self.deletions.name) if self.deletions else (self.name,)


@dataclass(frozen=True)
class Cells:
    """The cells of a segment in one space.

    `middles`: int8 [cells, dimensions], in `steps` [cells]; `half_squares`, `radii`: [cells], float32, half the squared
    length of each middle, and the root mean square of the distances from it; `starts`: [cells + 1], first positions;
    `lowest_scales`, `scale_steps`: [cells], what a row's scale byte means; `code_sums`, `vector_sums`: [cells], CRC-32;
    `strays`, `cosines`, `floors`: see `NeighbourSample`, whose methods these are.
    """

    middles: NDArray[np.int8]
    steps: NDArray[np.float32]
    half_squares: NDArray[np.float32]
    radii: NDArray[np.float32]
    starts: NDArray[np.int64]
    lowest_scales: NDArray[np.float32]
    scale_steps: NDArray[np.float32]
    code_sums: NDArray[np.uint32]
    vector_sums: NDArray[np.uint32]
    strays: NDArray[np.float32]
    cosines: NDArray[np.float32]
    floors: NDArray[np.float32]
    key_bytes: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many vectors [cells] each has."""
        return np.diff(self.starts)

    @cached_property
    def lengths(self) -> NDArray[np.float32]:
        """Of the middles [cells]."""
        return np.sqrt(2 * self.half_squares)

    def farthest_stray(self, recall: float) -> float:
        """How far the vectors of cells must be reckoned to stray, in radii, to find this share of neighbours."""
        last = len(self.strays) - 1
        return float(self.strays[math.ceil(recall * last)]) if last >= 0 else math.inf

    def least_cosine(self, recall: float) -> float:
        """At which cosine to a query the middles of cells must be to meet this share of its neighbours in them."""
        last = len(self.cosines) - 1
        return float(self.cosines[math.floor((1 - recall) * last)]) if last >= 0 else -1.0

    def usual_floor(self, recall: float) -> float:
        """What the last of the neighbours scores, at least, of this share of vectors."""
        last = len(self.floors) - 1
        return float(self.floors[math.floor((1 - recall) * last)]) if last >= 0 else math.inf

    @cached_property
    def longest(self) -> NDArray[np.float32]:
        """About how far the farthest vector of each cell [cells] may be from its middle."""
        return lengths_of(self.lowest_scales + 255 * self.scale_steps, self.middles.shape[1])

    def products(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inner products [queries, cells] of queries [queries, dimensions] with the middles."""
        found = np.empty((len(queries), len(self)), np.float32)
        for start in range(0, len(self), BLOCK_CELLS):
            block = self.middles[start : start + BLOCK_CELLS].astype(np.float32)
            np.vecdot(queries[:, np.newaxis], block, out=found[:, start : start + BLOCK_CELLS])
        return found * self.steps


@dataclass(frozen=True)
class Coded:
    """One cell, or all cells of a segment one after another: `codes` [words, rows] and `scale_bytes` [rows], uint8."""

    codes: NDArray[np.uint64]
    scale_bytes: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scale_bytes.nbytes

    @staticmethod
    def joined(cells: Sequence["Coded"]) -> "Coded":
        """Cells one after another."""
        if len(cells) == 1:
            return cells[0]
        codes = np.concatenate([cell.codes for cell in cells], axis=1)
        return Coded(codes, np.concatenate([cell.scale_bytes for cell in cells]))


@dataclass(frozen=True)
class VectorCell:
    """One cell: `vectors` [rows, dimensions] and `keys` [rows]."""

    vectors: NDArray[np.float16]
    keys: NDArray[np.bytes_]

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes + self.keys.nbytes


def code_bytes(dimensions: int) -> int:
    """Of one row: its code, and a byte for its scale."""
    return words_of(dimensions) * 8 + 1


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays in numpy's own format."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise Damaged(str(error)) from error

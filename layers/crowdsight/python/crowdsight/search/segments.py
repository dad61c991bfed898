"""Segments: immutable files of vectors in S3, and a cache of what was read of them.

A segment has several parts, each an object in numpy's own format (`.npy`, without pickle): `keys`, fixed-width bytes in
ascending order, and for every space a float16 matrix [rows, dimensions] in the same order. The manifest holds the
size and the SHA-256 of each part, so that a part that was cut or changed is never taken for the real one.
"""

import hashlib
import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.objects import Objects

KEYS = "keys"
CACHE_BYTES = 512 * 1024 * 1024
BLOCK_ROWS = 4096
"""How many rows are turned into float32 at a time: the block stays near the processor, and memory stays small."""

SEGMENT_MEDIA_TYPE = "application/octet-stream"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """What the manifest says of one object."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Segment:
    """What the manifest says of one segment. `parts`: `keys` and the spaces."""

    name: str
    rows: int
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Rows:
    """Some vectors: `keys` [rows], bytes, and for each space a float16 matrix [rows, dimensions]."""

    keys: NDArray[np.bytes_]
    matrices: Mapping[str, NDArray[np.float16]]

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """The rows that an index array or a mask chooses."""
        return Rows(self.keys[chosen], {space: matrix[chosen] for space, matrix in self.matrices.items()})


class Matrix:
    """The half-precision vectors of a segment in one space, ready to be compared: [rows, dimensions]."""

    def __init__(self, rows: NDArray[np.float16]) -> None:
        self.rows = rows
        # Half precision moves a vector's length by some 1e-4: dividing by it makes a cosine with itself exactly 1.
        self._inverse_lengths = np.concatenate([_inverse_lengths(block) for block in _blocks(rows)] or [_NOTHING])

    @property
    def size_bytes(self) -> int:
        return self.rows.nbytes + self._inverse_lengths.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosines [rows] of all rows to a `unit_query` [dimensions]."""
        dots = np.concatenate([block @ query for block in _blocks(self.rows)] or [_NOTHING])
        return np.clip(dots * self._inverse_lengths, -1.0, 1.0)


_NOTHING = np.empty(0, np.float32)


def half_unit(vector: NDArray[np.float32]) -> NDArray[np.float16]:
    """A vector [dimensions] as segments hold it: of length 1, then rounded to half precision."""
    return (vector * _inverse_lengths(vector[np.newaxis])[0]).astype("<f2")


def unit_query(query: NDArray[np.float32]) -> NDArray[np.float32]:
    """A query [dimensions] as `Matrix.cosines` takes it: rounded as the rows are, and of length 1."""
    rounded = half_unit(query).astype(np.float32)
    return rounded * _inverse_lengths(rounded[np.newaxis])[0]


def gather(rows: Sequence[Rows], dimensions: Mapping[str, int]) -> Rows:
    """Rows of several sources in the order of their keys, each key once."""
    keys = np.concatenate([np.empty(0, "S1"), *(some.keys for some in rows)])
    matrices = {
        space: np.concatenate([np.empty((0, size), np.float16), *(some.matrices[space] for some in rows)])
        for space, size in dimensions.items()
    }
    _, first = np.unique(keys, return_index=True)
    return Rows(keys, matrices).take(first)


class Segments:
    """An account's segments under a prefix of the bucket.

    `dimensions`: of each space. What was read is cached, by object, up to `cache_bytes`.
    """

    def __init__(self, objects: Objects, dimensions: Mapping[str, int], cache_bytes: int = CACHE_BYTES) -> None:
        self._objects = objects
        self._dimensions = dimensions
        self._cache = _Cache(cache_bytes)

    def write(self, prefix: str, name: str, rows: Rows) -> Segment:
        """Write a segment; its rows are in the order of their keys."""
        arrays: dict[str, NDArray[Any]] = {KEYS: rows.keys, **rows.matrices}
        parts = {}
        for part, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            data = file.getvalue()
            self._objects.put(_object_key(prefix, name, part), data, SEGMENT_MEDIA_TYPE)
            parts[part] = Part(len(data), hashlib.sha256(data).hexdigest())
        return Segment(name, len(rows.keys), parts)

    def delete(self, prefix: str, names: Sequence[str]) -> None:
        """Delete segments; deleting what is not there is no error."""
        parts = [KEYS, *self._dimensions]
        self._objects.delete(_object_key(prefix, name, part) for name in names for part in parts)

    def keys(self, prefix: str, segment: Segment) -> NDArray[np.bytes_] | None:
        """A segment's keys [rows], ascending; None, and a line in the log, if they are missing or damaged."""

        def load() -> NDArray[np.bytes_] | None:
            array = self._read(prefix, segment, KEYS)
            return array if array is not None and self._fits(segment, array, array.dtype.kind == "S", ()) else None

        return self._cache.get(_object_key(prefix, segment.name, KEYS), load, lambda keys: keys.nbytes)

    def matrix(self, prefix: str, segment: Segment, space: str) -> Matrix | None:
        """A segment's vectors in a space; None, and a line in the log, if they are missing or damaged."""

        def load() -> Matrix | None:
            rows = self._read_matrix(prefix, segment, space)
            return None if rows is None else Matrix(rows)

        return self._cache.get(_object_key(prefix, segment.name, space), load, lambda matrix: matrix.size_bytes)

    def rows(self, prefix: str, segment: Segment) -> Rows | None:
        """All of a segment, past the cache; None, and a line in the log, if some of it is missing or damaged."""
        keys = self.keys(prefix, segment)
        matrices = {}
        for space in self._dimensions:
            matrix = self._read_matrix(prefix, segment, space)
            if keys is None or matrix is None:
                return None
            matrices[space] = matrix
        return None if keys is None else Rows(keys, matrices)

    def _read_matrix(self, prefix: str, segment: Segment, space: str) -> NDArray[np.float16] | None:
        array = self._read(prefix, segment, space)
        if array is None or not self._fits(segment, array, array.dtype == np.float16, (self._dimensions[space],)):
            return None
        return array

    def _read(self, prefix: str, segment: Segment, part: str) -> NDArray[Any] | None:
        key = _object_key(prefix, segment.name, part)
        data = self._objects.get(key)
        if data is None:
            logger.error("a part of a segment is missing: %s", key)
            return None
        known = segment.parts.get(part)
        if known is None or known.sha256 != hashlib.sha256(data).hexdigest():
            logger.error("a part of a segment is not what the manifest says: %s", key)
            return None
        return np.load(io.BytesIO(data), allow_pickle=False)

    def _fits(self, segment: Segment, array: NDArray[Any], is_of_type: bool, rest: tuple[int, ...]) -> bool:
        if is_of_type and array.shape == (segment.rows, *rest):
            return True
        logger.error("segment %s has an array %s of %s", segment.name, array.shape, array.dtype)
        return False


class _Cache:
    """What was used least goes when there is too much; what is not there (None) is not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], Any], size_of: Callable[[Any], int]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        loaded = load()  # outside the lock: two threads may read the same, but none waits for another's download
        if loaded is None:
            return None
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (loaded, size_of(loaded))
                self._size_bytes += self._kept[key][1]
            while self._size_bytes > self._limit_bytes:
                _, (_, size_bytes) = self._kept.popitem(last=False)
                self._size_bytes -= size_bytes
        return loaded


def _object_key(prefix: str, name: str, part: str) -> str:
    return f"{prefix}/segments/{name}.{part}.npy"


def _blocks(rows: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(rows), BLOCK_ROWS):
        yield rows[start : start + BLOCK_ROWS].astype(np.float32)


def _inverse_lengths(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """One over the length of each row [rows]; 0 for a row of zeros, whose cosines are then 0."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)

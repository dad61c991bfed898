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

import hashlib
import io
import math
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.attributes import NO_ATTRIBUTES, Attributes
from crowdsight.search.cells import LEAST_RADIUS, divide, half_squares, rows_of_a_cell, strays_of_neighbours
from crowdsight.search.codes import Rotation, encode, words_of
from crowdsight.search.objects import Objects
from crowdsight.search.vectors import single

HASHES, KEYS, ATTRIBUTES, DELETED = "hashes", "keys", "attributes", "deleted"
CELLS, ORDER, CODES, VECTORS = "cells", "order", "codes", "vectors"

EXACT_ROWS = 4096
"""A segment of no more rows is one cell, without codes: all of it is compared."""

CACHE_BYTES = 1024 * 1024 * 1024
GAP_BYTES = 128 * 1024
"""Cells that are no further from each other are read by one request, with what lies between them."""

REQUEST_BYTES = 8 * 1024 * 1024
"""A request reads no more, unless a single cell is larger."""

READERS = 16
"""How many requests to S3 are under way at once."""

FEW_KEYS = 128
"""So many keys of a segment are read each by itself; for more, all of them at once."""

SEGMENT_MEDIA_TYPE = "application/octet-stream"


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
class Rows:
    """Some entries: `keys` [rows], bytes, for each space a float16 matrix [rows, dimensions], and attributes."""

    keys: NDArray[np.bytes_]
    matrices: Mapping[str, NDArray[np.float16]]
    attributes: Attributes

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, chosen: NDArray[Any]) -> "Rows":
        """The rows that an index array, each row at most once, or a mask chooses."""
        matrices = {space: matrix[chosen] for space, matrix in self.matrices.items()}
        return Rows(self.keys[chosen], matrices, self.attributes.take(chosen))

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
    matrices = {space: np.concatenate([some.matrices[space] for some in rows]) for space in dimensions}
    _, first = np.unique(keys, return_index=True)
    order = first[np.argsort(hashes_of(keys[first]), kind="stable")]
    return Rows(keys, matrices, Attributes.joined([some.attributes for some in rows])).take(order)


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


@dataclass(frozen=True)
class Cells:
    """The cells of a segment in one space.

    `middles`: int8 [cells, dimensions], in `steps` [cells]; `half_squares`, `radii`: [cells], float32, half the squared
    length of each middle, and the root mean square of the distances from it; `starts`: [cells + 1], first positions;
    `lowest_scales`, `scale_steps`: [cells], what a row's scale byte means; `code_sums`, `vector_sums`: [cells], CRC-32;
    `strays`: see `cells.strays_of_neighbours`.
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
    key_bytes: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in vars(self).values())

    def __len__(self) -> int:
        return len(self.steps)

    def farthest_stray(self, recall: float) -> float:
        """How far the vectors of cells must be reckoned to stray, in radii, to find this share of neighbours."""
        last = len(self.strays) - 1
        return float(self.strays[math.ceil(recall * last)]) if last >= 0 else math.inf

    def products(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inner products [queries, cells] of queries [queries, dimensions] with the middles."""
        return (queries @ self.middles.astype(np.float32).T) * self.steps


@dataclass(frozen=True)
class CodedCell:
    """One cell: `codes` [words, rows] and `scale_bytes` [rows], uint8."""

    codes: NDArray[np.uint64]
    scale_bytes: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scale_bytes.nbytes


@dataclass(frozen=True)
class VectorCell:
    """One cell: `vectors` [rows, dimensions] and `keys` [rows]."""

    vectors: NDArray[np.float16]
    keys: NDArray[np.bytes_]

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes + self.keys.nbytes


class Segments:
    """An account's segments under a prefix of the bucket.

    `dimensions`: of each space. What was read is cached, up to `cache_bytes`. All that reads raises Damaged.
    """

    def __init__(self, objects: Objects, dimensions: Mapping[str, int], cache_bytes: int = CACHE_BYTES) -> None:
        self._objects = objects
        self._dimensions = dimensions
        self._rotations = {space: Rotation(size) for space, size in dimensions.items()}
        self._cache = _Cache(cache_bytes)
        self._readers = ThreadPoolExecutor(READERS, "segments")

    # Writing

    def write(self, prefix: str, name: str, rows: Rows) -> Segment:
        """Write a segment; its rows are as `gather` gives them, at least one."""
        parts = {
            HASHES: self._put(prefix, name, HASHES, hashes_of(rows.keys).tobytes()),
            KEYS: self._put(prefix, name, KEYS, np.ascontiguousarray(rows.keys).tobytes()),
            ATTRIBUTES: self._put(prefix, name, ATTRIBUTES, _packed(rows.attributes.arrays())),
        }
        for space in self._dimensions:
            for part, data in self._laid_out(space, rows).items():
                parts[f"{space}.{part}"] = self._put(prefix, name, f"{space}.{part}", data)
        return Segment(name, len(rows), parts)

    def write_deletions(self, prefix: str, name: str, rows: NDArray[np.uint32], since_ms: int) -> Deletions:
        """Write which rows of a segment, ascending, are not there any more."""
        return Deletions(name, len(rows), since_ms, self._put(prefix, name, DELETED, rows.astype("<u4").tobytes()))

    def delete(self, prefix: str, names: Sequence[str]) -> None:
        """Delete segments and deletions; deleting what is not there is no error."""
        parts = [HASHES, KEYS, ATTRIBUTES, DELETED]
        parts += [f"{space}.{part}" for space in self._dimensions for part in (CELLS, ORDER, CODES, VECTORS)]
        self._objects.delete(_object_key(prefix, name, part) for name in names for part in parts)

    def _laid_out(self, space: str, rows: Rows) -> dict[str, bytes]:
        """The parts of one space."""
        matrix = rows.matrices[space]
        size = self._dimensions[space]
        is_coded = len(rows) > EXACT_ROWS
        cell_of = divide(matrix, rows_of_a_cell(len(rows))) if is_coded else np.zeros(len(rows), np.int32)
        order = np.argsort(cell_of, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(cell_of))])
        count = len(starts) - 1
        middles, steps = np.empty((count, size), np.int8), np.empty(count, np.float32)
        radii = np.empty(count, np.float32)
        scales = np.zeros((2, count), np.float32)
        sums = np.zeros((2, count), np.uint32)
        codes, vectors = io.BytesIO(), io.BytesIO()
        for cell, (start, end) in enumerate(zip(starts, starts[1:], strict=False)):
            chosen = order[start:end]
            members = matrix[chosen]
            numbers = single(members)
            middles[cell], steps[cell] = _rounded(numbers.mean(axis=0))
            offsets = numbers - middles[cell] * steps[cell]
            radii[cell] = np.sqrt(np.einsum("ij,ij->", offsets, offsets) / len(members))
            if is_coded:
                bits, exact_scales = encode(self._rotations[space](offsets))
                scale_bytes, *scales[:, cell] = _as_bytes(exact_scales)
                block = bits.tobytes() + scale_bytes.tobytes()
                codes.write(block)
                sums[0, cell] = zlib.crc32(block)
            block = members.tobytes() + np.ascontiguousarray(rows.keys[chosen]).tobytes()
            vectors.write(block)
            sums[1, cell] = zlib.crc32(block)
        strays = np.empty(0, np.float32)
        if is_coded:
            strays = strays_of_neighbours(matrix, cell_of, middles * steps[:, np.newaxis], radii)
        cells = {
            "middles": middles,
            "steps": steps,
            "radii": radii,
            "starts": starts.astype(np.uint32),
            "lowest_scales": scales[0],
            "scale_steps": scales[1],
            "code_sums": sums[0],
            "vector_sums": sums[1],
            "strays": strays,
            "key_bytes": np.array([rows.keys.dtype.itemsize], np.uint32),
        }
        parts = {
            CELLS: _packed(cells),
            ORDER: order.astype("<u4").tobytes(),
            VECTORS: vectors.getvalue(),
        }
        return {**parts, CODES: codes.getvalue()} if is_coded else parts

    def _put(self, prefix: str, name: str, part: str, data: bytes) -> Part:
        self._objects.put(_object_key(prefix, name, part), data, SEGMENT_MEDIA_TYPE)
        return Part(len(data), hashlib.sha256(data).hexdigest())

    # Reading what a search needs

    def rotated(self, space: str, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """A query [dimensions] as the codes of its space are."""
        return self._rotations[space](query)

    def is_coded(self, segment: Segment, space: str) -> bool:
        """Whether it has codes; if not, it is one cell."""
        return f"{space}.{CODES}" in segment.parts

    def cells(self, prefix: str, segment: Segment, space: str) -> Cells:
        """What there is to know of all cells."""

        def load() -> Cells:
            part = f"{space}.{CELLS}"
            arrays = _unpacked(self._whole(prefix, segment, part))
            middles, steps = arrays["middles"], arrays["steps"]
            if middles.shape[1:] != (self._dimensions[space],) or arrays["starts"][-1] != segment.rows:
                raise Damaged(f"{_object_key(prefix, segment.name, part)} is of another space or segment")
            return Cells(
                middles,
                steps,
                half_squares(middles * steps[:, np.newaxis]),
                np.maximum(arrays["radii"], LEAST_RADIUS),
                arrays["starts"].astype(np.int64),
                arrays["lowest_scales"],
                arrays["scale_steps"],
                arrays["code_sums"],
                arrays["vector_sums"],
                arrays["strays"],
                arrays["key_bytes"].astype(np.int64),
            )

        return self._cache.get((prefix, segment.name, space, CELLS), load)

    def coded(self, prefix: str, segment: Segment, space: str, wanted: Iterable[int]) -> list[CodedCell]:
        """The codes of some cells, ascending."""
        cells = self.cells(prefix, segment, space)
        size = self._dimensions[space]

        def decode(cell: int, data: memoryview) -> CodedCell:
            rows = len(data) // _code_bytes(size)
            bits = np.frombuffer(data, "<u8", rows * words_of(size)).reshape(words_of(size), rows)
            return CodedCell(bits, np.frombuffer(data, np.uint8, rows, rows * words_of(size) * 8))

        part = f"{space}.{CODES}"
        return self._blocks(prefix, segment, part, wanted, _code_bytes(size), cells.starts, cells.code_sums, decode)

    def vectors(self, prefix: str, segment: Segment, space: str, wanted: Iterable[int]) -> list[VectorCell]:
        """The vectors and keys of some cells, ascending."""
        cells = self.cells(prefix, segment, space)
        size = self._dimensions[space]
        key_bytes = int(cells.key_bytes[0])

        def decode(cell: int, data: memoryview) -> VectorCell:
            rows = len(data) // (2 * size + key_bytes)
            vectors = np.frombuffer(data, "<f2", rows * size).reshape(rows, size)
            return VectorCell(vectors, np.frombuffer(data, f"S{key_bytes}", rows, rows * size * 2))

        part = f"{space}.{VECTORS}"
        each = 2 * size + key_bytes
        return self._blocks(prefix, segment, part, wanted, each, cells.starts, cells.vector_sums, decode)

    def order(self, prefix: str, segment: Segment, space: str) -> NDArray[np.uint32]:
        """The row at each position of a space [rows]."""
        return self._array(prefix, segment, f"{space}.{ORDER}", "<u4")

    def attributes(self, prefix: str, segment: Segment) -> Attributes:
        """The labels and times of all rows."""

        def load() -> Attributes:
            return Attributes.from_arrays(_unpacked(self._whole(prefix, segment, ATTRIBUTES)))

        return self._cache.get((prefix, segment.name, ATTRIBUTES), load)

    def deleted(self, prefix: str, segment: Segment) -> NDArray[np.uint32]:
        """The rows, ascending, that are not there any more."""
        deletions = segment.deletions
        if deletions is None:
            return np.empty(0, np.uint32)

        def load() -> NDArray[np.uint32]:
            return np.frombuffer(self._checked(_object_key(prefix, deletions.name, DELETED), deletions.part), "<u4")

        return self._cache.get((prefix, deletions.name, DELETED), load)

    # Reading more than that

    def keys(self, prefix: str, segment: Segment) -> NDArray[np.bytes_]:
        """All keys, in the order of the rows [rows]; not cached."""
        data = self._whole(prefix, segment, KEYS)
        return np.frombuffer(data, f"S{len(data) // segment.rows}")

    def find(self, prefix: str, segment: Segment, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """The row [keys] of each key, whether or not it is deleted; -1 for those that the segment has not."""
        known = self._array(prefix, segment, HASHES, "<u8")
        wanted = hashes_of(keys)
        found = np.searchsorted(known, wanted)
        candidates = np.flatnonzero(known[np.minimum(found, len(known) - 1)] == wanted) if len(known) else found[:0]
        rows = np.full(len(keys), -1, np.int64)
        if not len(candidates):
            return rows
        width = segment.parts[KEYS].size_bytes // segment.rows
        object_key = _object_key(prefix, segment.name, KEYS)
        all_keys = self.keys(prefix, segment) if len(candidates) > FEW_KEYS else None

        def key_of(row: int) -> bytes:
            if all_keys is not None:
                return all_keys[row]
            return self._range(object_key, row * width, width).rstrip(b"\0")

        def row_of(at: int) -> int:
            row = int(found[at])
            while row < len(known) and known[row] == wanted[at]:  # keys that share a hash follow each other
                if key_of(row) == keys[at]:
                    return row
                row += 1
            return -1

        each = self._readers.map if all_keys is None else map
        rows[candidates] = list(each(row_of, candidates))
        return rows

    def vectors_of(self, prefix: str, segment: Segment, rows: NDArray[np.int64], space: str) -> NDArray[np.float16]:
        """The vectors [rows, dimensions] of some rows."""
        cells = self.cells(prefix, segment, space)
        order = self.order(prefix, segment, space)
        position_of = np.empty(len(order), np.int64)
        position_of[order] = np.arange(len(order))
        positions = position_of[rows]
        cell_of = np.searchsorted(cells.starts, positions, side="right") - 1
        wanted = np.unique(cell_of)
        read = dict(zip(wanted.tolist(), self.vectors(prefix, segment, space, wanted.tolist()), strict=True))
        pairs = zip(cell_of.tolist(), (positions - cells.starts[cell_of]).tolist(), strict=True)
        vectors = [read[cell].vectors[at] for cell, at in pairs]
        return np.stack(vectors) if vectors else np.empty((0, self._dimensions[space]), np.float16)

    def living(self, prefix: str, segment: Segment) -> Rows:
        """All entries of a segment that are still there, past the cache."""
        keys = self.keys(prefix, segment)
        matrices = {}
        for space, size in self._dimensions.items():
            cells = self.cells(prefix, segment, space)
            order = self.order(prefix, segment, space)
            data = memoryview(self._whole(prefix, segment, f"{space}.{VECTORS}"))
            each = 2 * size + int(cells.key_bytes[0])
            matrix = np.empty((segment.rows, size), np.float16)
            for start, end in zip(cells.starts.tolist(), cells.starts[1:].tolist(), strict=False):
                block = np.frombuffer(data, "<f2", (end - start) * size, start * each)
                matrix[order[start:end]] = block.reshape(end - start, size)
            matrices[space] = matrix
        rows = Rows(keys, matrices, self.attributes(prefix, segment))
        if segment.deletions is None:
            return rows
        mask = np.ones(segment.rows, np.bool_)
        mask[self.deleted(prefix, segment)] = False
        return rows.take(mask)

    def _array(self, prefix: str, segment: Segment, part: str, dtype: str) -> NDArray[Any]:
        def load() -> NDArray[Any]:
            return np.frombuffer(self._whole(prefix, segment, part), dtype)

        return self._cache.get((prefix, segment.name, part), load)

    def _blocks(
        self,
        prefix: str,
        segment: Segment,
        part: str,
        wanted: Iterable[int],
        row_bytes: int,
        starts: NDArray[np.int64],
        sums: NDArray[np.uint32],
        decode: Callable[[int, memoryview], Any],
    ) -> list[Any]:
        """The cells of an object that has `row_bytes` a row."""
        object_key = _object_key(prefix, segment.name, part)

        def load_all(missing: Sequence[int]) -> list[Any]:
            bounds = (starts * row_bytes).tolist()

            def load(cells: Sequence[int]) -> list[Any]:
                first = bounds[cells[0]]
                data = memoryview(self._range(object_key, first, bounds[cells[-1] + 1] - first))
                loaded = []
                for cell in cells:
                    block = data[bounds[cell] - first : bounds[cell + 1] - first]
                    if zlib.crc32(block) != sums[cell]:
                        raise Damaged(f"cell {cell} of {object_key} is not what its segment says")
                    loaded.append(decode(cell, block))
                return loaded

            return list(chain.from_iterable(self._readers.map(load, _runs(missing, bounds))))

        return self._cache.get_many((prefix, segment.name, part), list(wanted), load_all)

    def _range(self, object_key: str, start: int, size_bytes: int) -> bytes:
        data = self._objects.get_range(object_key, start, size_bytes)
        if data is None or len(data) != size_bytes:
            raise Damaged(f"{object_key} is missing or cut")
        return data

    def _whole(self, prefix: str, segment: Segment, part: str) -> bytes:
        known = segment.parts.get(part)
        if known is None:
            raise Damaged(f"segment {segment.name} has no {part}")
        return self._checked(_object_key(prefix, segment.name, part), known)

    def _checked(self, object_key: str, known: Part) -> bytes:
        data = self._objects.get(object_key)
        if data is None:
            raise Damaged(f"{object_key} is missing")
        if known.sha256 != hashlib.sha256(data).hexdigest():
            raise Damaged(f"{object_key} is not what the manifest says")
        return data


class _Cache:
    """What was used least goes when there is too much."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], Any]) -> Any:
        return self.get_many(key, [0], lambda _: [load()])[0]

    def get_many(
        self, of: Hashable, wanted: Sequence[int], load: Callable[[Sequence[int]], Sequence[Any]]
    ) -> list[Any]:
        """Several things of one kind; those that are missing are loaded in one call."""
        found = {}
        with self._lock:
            for at in wanted:
                kept = self._kept.get((of, at))
                if kept is not None:
                    self._kept.move_to_end((of, at))
                    found[at] = kept
        if missing := [at for at in wanted if at not in found]:
            # Outside the lock: two threads may read the same, but none waits for another's download.
            loaded = dict(zip(missing, load(missing), strict=True))
            found |= loaded
            with self._lock:
                for at, each in loaded.items():
                    if (of, at) not in self._kept:
                        self._kept[of, at] = each
                        self._size_bytes += _size_of(each)
                while self._size_bytes > self._limit_bytes:
                    self._size_bytes -= _size_of(self._kept.popitem(last=False)[1])
        return [found[at] for at in wanted]


def _size_of(kept: Any) -> int:
    return kept.nbytes


def _object_key(prefix: str, name: str, part: str) -> str:
    return f"{prefix}/segments/{name}.{part}"


def _runs(cells: Sequence[int], bounds: Sequence[int]) -> list[list[int]]:
    """Cells, ascending, in groups that are read by one request each. `bounds`: where each cell starts and ends."""
    runs: list[list[int]] = []
    for cell in cells:
        if (
            runs
            and bounds[cell] - bounds[runs[-1][-1] + 1] <= GAP_BYTES
            and bounds[cell + 1] - bounds[runs[-1][0]] <= REQUEST_BYTES
        ):
            runs[-1].append(cell)
        else:
            runs.append([cell])
    return runs


def _code_bytes(dimensions: int) -> int:
    """Of one row: its code, and a byte for its scale."""
    return words_of(dimensions) * 8 + 1


def _rounded(middle: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """A middle in whole steps, and the step."""
    step = float(np.abs(middle).max()) / 127 or 1.0
    return np.rint(middle / np.float32(step)).astype(np.int8), step


def _as_bytes(scales: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """Scales [rows] in 256 steps, the lowest, and the step."""
    lowest = float(scales.min())
    step = (float(scales.max()) - lowest) / 255
    return np.rint((scales - lowest) / (step or 1.0)).astype(np.uint8), lowest, step


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays in numpy's own format."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _unpacked(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise Damaged(str(error)) from error

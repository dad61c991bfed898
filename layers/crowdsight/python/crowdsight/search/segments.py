"""The segments of an account in S3: written whole, read in parts, and cached. See `segment_format`."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.attributes import Attributes
from crowdsight.search.cache import Cache
from crowdsight.search.cells import LEAST_RADIUS, half_squares
from crowdsight.search.codes import Rotation, words_of
from crowdsight.search.joined_cells import JoinedCells
from crowdsight.search.objects import Objects
from crowdsight.search.rows import Rows, hashes_of
from crowdsight.search.segment_format import (
    ATTRIBUTES,
    CELLS,
    CODES,
    DELETED,
    HASHES,
    KEYS,
    ORDER,
    VECTORS,
    Cells,
    Coded,
    Damaged,
    Deletions,
    Part,
    Segment,
    VectorCell,
    code_bytes,
    packed,
    unpacked,
)
from crowdsight.search.segment_layout import laid_out

CACHE_BYTES = 1024 * 1024 * 1024
GAP_BYTES = 128 * 1024
"""Cells that are no further from each other are read by one request, with what lies between them."""

REQUEST_BYTES = 8 * 1024 * 1024
"""A request reads no more, unless a single cell is larger."""

READERS = 16
"""How many requests to S3 are under way at once."""

FEW_KEYS = 128
"""So many keys of a segment are read each by itself; for more, all of them at once."""

MOST_CELLS = 1 / 2
"""When the codes of more cells were read one by one, all are: they are quicker to search side by side."""

ALL_CODES = "all codes"
SEGMENT_MEDIA_TYPE = "application/octet-stream"


class Segments:
    """An account's segments under a prefix of the bucket.

    `dimensions`: of each space. What was read is cached, up to `cache_bytes`. All that reads raises Damaged.
    """

    def __init__(self, objects: Objects, dimensions: Mapping[str, int], cache_bytes: int = CACHE_BYTES) -> None:
        self._objects = objects
        self._dimensions = dimensions
        self._rotations = {space: Rotation(size) for space, size in dimensions.items()}
        self._cache = Cache(cache_bytes)
        self._readers = ThreadPoolExecutor(READERS, "segments")

    # Writing

    def write(self, prefix: str, name: str, rows: Rows) -> Segment:
        """Write a segment; its rows are as `gather` gives them, at least one."""
        parts = {part: self._put(prefix, name, part, data) for part, data in self._parts(rows)}
        return Segment(name, len(rows), parts)

    def _parts(self, rows: Rows) -> Iterator[tuple[str, bytes]]:
        yield HASHES, hashes_of(rows.keys).tobytes()
        yield KEYS, np.ascontiguousarray(rows.keys).tobytes()
        yield ATTRIBUTES, packed(rows.attributes.arrays())
        for space in self._dimensions:
            for part, data in laid_out(rows, space, self._rotations[space]):
                yield f"{space}.{part}", data

    def write_deletions(self, prefix: str, name: str, rows: NDArray[np.uint32], since_ms: int) -> Deletions:
        """Write which rows of a segment, ascending, are not there any more."""
        return Deletions(name, len(rows), since_ms, self._put(prefix, name, DELETED, rows.astype("<u4").tobytes()))

    def delete(self, prefix: str, names: Sequence[str]) -> None:
        """Delete segments and deletions; deleting what is not there is no error."""
        parts = [HASHES, KEYS, ATTRIBUTES, DELETED]
        parts += [f"{space}.{part}" for space in self._dimensions for part in (CELLS, ORDER, CODES, VECTORS)]
        self._objects.delete(_object_key(prefix, name, part) for name in names for part in parts)

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
            arrays = unpacked(self._whole(prefix, segment, part))
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
                arrays["cosines"],
                arrays["floors"],
                arrays["key_bytes"].astype(np.int64),
            )

        return self._cache.get((prefix, segment.name, space, CELLS), load)

    def joined_cells(self, prefix: str, segments: Sequence[Segment], space: str, recall: float) -> JoinedCells:
        """What a search of several segments with codes asks of their cells."""

        def load() -> JoinedCells:
            return JoinedCells.of([self.cells(prefix, segment, space) for segment in segments], recall)

        names = tuple(segment.name for segment in segments)
        return self._cache.get((prefix, names, space, CELLS, recall), load)

    def has_cells(self, prefix: str, segment: Segment, space: str) -> bool:
        """Whether what there is to know of all cells is in memory."""
        return self._cache.peek((prefix, segment.name, space, CELLS)) is not None

    def has_cells_of(self, prefix: str, segment: Segment, space: str, part: str, wanted: Sequence[int]) -> bool:
        """Whether CODES or VECTORS of some cells are in memory."""
        return self._cache.has((prefix, segment.name, f"{space}.{part}"), wanted)

    def coded(self, prefix: str, segment: Segment, space: str, wanted: Sequence[int]) -> Coded:
        """The codes of some cells, ascending, one after another."""
        return Coded.joined(self._each_coded(prefix, segment, space, wanted))

    def _each_coded(self, prefix: str, segment: Segment, space: str, wanted: Sequence[int]) -> list[Coded]:
        cells = self.cells(prefix, segment, space)
        part = f"{space}.{CODES}"
        row_bytes, decode = self._decoding(space)
        return self._blocks(prefix, segment, part, wanted, row_bytes, cells.starts, cells.code_sums, decode)

    def all_coded(self, prefix: str, segment: Segment, space: str) -> Coded:
        """The codes of all cells."""
        cells = self.cells(prefix, segment, space)
        part = f"{space}.{CODES}"

        def load() -> Coded:
            whole = Coded(
                np.empty((words_of(self._dimensions[space]), segment.rows), np.uint64),
                np.empty(segment.rows, np.uint8),
            )
            blocks = self._each_coded(prefix, segment, space, range(len(cells)))
            for start, end, cell in zip(cells.starts.tolist(), cells.starts[1:].tolist(), blocks, strict=False):
                whole.codes[:, start:end], whole.scale_bytes[start:end] = cell.codes, cell.scale_bytes
            self._cache.forget((prefix, segment.name, part), len(cells))
            return whole

        return self._cache.get((prefix, segment.name, space, ALL_CODES), load)

    def all_coded_if_at_hand(self, prefix: str, segment: Segment, space: str) -> Coded | None:
        """The codes of all cells if they are in memory; they are read if most cells' have been."""
        met = self._cache.count((prefix, segment.name, f"{space}.{CODES}"))
        if met > MOST_CELLS * len(self.cells(prefix, segment, space)):
            return self.all_coded(prefix, segment, space)
        whole: Coded | None = self._cache.peek((prefix, segment.name, space, ALL_CODES))
        return whole

    def _decoding(self, space: str) -> tuple[int, Callable[[int, memoryview], Coded]]:
        """How many bytes of a cell's codes a row has, and how to read them."""
        words = words_of(self._dimensions[space])

        def decode(cell: int, data: memoryview) -> Coded:
            rows = len(data) // code_bytes(self._dimensions[space])
            codes = np.frombuffer(data, "<u8", rows * words).reshape(words, rows)
            return Coded(codes, np.frombuffer(data, np.uint8, rows, rows * words * 8))

        return code_bytes(self._dimensions[space]), decode

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
            return Attributes.from_arrays(unpacked(self._whole(prefix, segment, ATTRIBUTES)))

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
                key = key_of(row)
                if key == keys[at]:
                    return row
                if hashes_of(np.array([key]))[0] != known[row]:
                    raise Damaged(f"key {row} of {object_key} is not what its hash says")
                row += 1
            return -1

        each = self._readers.map if all_keys is None else map
        rows[candidates] = list(each(row_of, candidates))
        return rows

    def may_have(self, prefix: str, segment: Segment, keys: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """Which of the keys [keys] a segment that is damaged may have, as far as that can be told."""
        try:
            known = self._array(prefix, segment, HASHES, "<u8")
        except Damaged:
            return np.ones(len(keys), np.bool_)
        return np.isin(hashes_of(keys), known)

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
        matrices, cell_of = {}, {}
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
            if self.is_coded(segment, space):
                cell_of[space] = np.empty(segment.rows, np.int32)
                cell_of[space][order] = np.repeat(np.arange(len(cells.starts) - 1), np.diff(cells.starts))
        rows = Rows(keys, matrices, self.attributes(prefix, segment), cell_of)
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
        """Cells of an object that has `row_bytes` a row."""

        def load(missing: Sequence[int]) -> list[Any]:
            # A copy of its own for each: none keeps what else its request read in memory.
            def decode_own(cell: int, block: memoryview) -> Any:
                return decode(cell, memoryview(bytes(block)))

            return list(self._load(prefix, segment, part, missing, row_bytes, starts, sums, decode_own))

        return self._cache.get_many((prefix, segment.name, part), list(wanted), load)

    def _load(
        self,
        prefix: str,
        segment: Segment,
        part: str,
        wanted: Sequence[int],
        row_bytes: int,
        starts: NDArray[np.int64],
        sums: NDArray[np.uint32],
        decode: Callable[[int, memoryview], Any],
    ) -> Iterator[Any]:
        """The same, past the cache."""
        object_key = _object_key(prefix, segment.name, part)
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

        return chain.from_iterable(self._readers.map(load, _runs(wanted, bounds)))

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

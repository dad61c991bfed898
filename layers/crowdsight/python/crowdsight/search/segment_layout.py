"""How a segment's vectors are laid out cell by cell when it is written."""

import io
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import divide, divide_large, members_of, nearest_of, rows_of_a_cell
from crowdsight.search.codes import Rotation, encode
from crowdsight.search.neighbour_sample import NeighbourSample
from crowdsight.search.regrouping import merged, regrouped
from crowdsight.search.rows import Rows
from crowdsight.search.segment_format import CELLS, CODES, ORDER, VECTORS, packed
from crowdsight.search.vectors import single

EXACT_ROWS = 4096
"""A segment of no more rows is one cell, without codes: all of it is compared."""

LITTLE, LEAST_MET = 1 / 20, 0.99
"""Neighbours are scattered if so large a share of them is only met in more than so little of a segment."""

GROUP_ROWS = 24, 12, 12
"""Of the groups of each regrouping: the next are smaller, since small clusters are left."""

SAMPLED_ROWS = 256
"""So many vectors of a cell tell well enough where its middle is."""


def laid_out(rows: Rows, space: str, rotation: Rotation) -> Iterator[tuple[str, bytes]]:
    """The parts of one space, each as soon as it is done, of rows as `gather` gives them; `rotation`: that of the
    space."""
    matrix = rows.matrices[space]
    size = matrix.shape[1]
    is_coded = len(rows) > EXACT_ROWS
    if is_coded:
        sample = NeighbourSample.of(matrix)
        cell_of = _divided(matrix, sample, rows.cells.get(space))
    else:
        cell_of = np.zeros(len(rows), np.int32)
    order = np.argsort(cell_of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell_of))])
    bounds = list(pairwise(starts.tolist()))
    yield ORDER, order.astype("<u4").tobytes()
    vectors, vector_sums = _vectors(rows, matrix, order, bounds)
    yield VECTORS, vectors
    middles, steps = np.empty((len(bounds), size), np.int8), np.empty(len(bounds), np.float32)
    radii = np.empty(len(bounds), np.float32)
    scales = np.zeros((2, len(bounds)), np.float32)
    code_sums = np.zeros(len(bounds), np.uint32)
    codes: list[bytes] = []
    for cell, (start, end) in enumerate(bounds):
        numbers = single(_matrix_of(vectors, start, end, size, rows.keys.dtype.itemsize))
        middles[cell], steps[cell] = _rounded(numbers.mean(axis=0))
        numbers -= middles[cell] * steps[cell]
        radii[cell] = np.sqrt(np.vecdot(numbers, numbers).mean())
        if is_coded:
            bits, exact_scales = encode(rotation(numbers))
            scale_bytes, *scales[:, cell] = _as_bytes(exact_scales)
            block = bits.tobytes() + scale_bytes.tobytes()
            codes.append(block)
            code_sums[cell] = zlib.crc32(block)
    if is_coded:
        yield CODES, b"".join(codes)
    strays = cosines = floors = np.empty(0, np.float32)
    if is_coded:
        exact = middles * steps[:, np.newaxis]
        strays, cosines = sample.strays(cell_of, exact, radii), sample.cosines(cell_of, exact)
        floors = sample.floors()
    cells = {
        "middles": middles,
        "steps": steps,
        "radii": radii,
        "starts": starts.astype(np.uint32),
        "lowest_scales": scales[0],
        "scale_steps": scales[1],
        "code_sums": code_sums,
        "vector_sums": vector_sums,
        "strays": strays,
        "cosines": cosines,
        "floors": floors,
        "key_bytes": np.array([rows.keys.dtype.itemsize], np.uint32),
    }
    yield CELLS, packed(cells)


def _vectors(
    rows: Rows, matrix: NDArray[np.float16], order: NDArray[np.int64], bounds: Sequence[tuple[int, int]]
) -> tuple[bytes, NDArray[np.uint32]]:
    """Cell after cell, its vectors and keys; and the cells' checksums."""
    size, key_bytes = matrix.shape[1], rows.keys.dtype.itemsize
    row_bytes = 2 * size + key_bytes
    sums = np.empty(len(bounds), np.uint32)
    file = io.BytesIO()
    file.seek(len(rows) * row_bytes - 1)
    file.write(b"\0")
    with file.getbuffer() as data:
        for cell, (start, end) in enumerate(bounds):
            chosen = order[start:end]
            # All rows are there; "clip" lets numpy write where it is told.
            np.take(matrix, chosen, axis=0, out=_matrix_of(data, start, end, size, key_bytes), mode="clip")
            keys_at = start * row_bytes + (end - start) * 2 * size
            np.ndarray(end - start, rows.keys.dtype, data, keys_at)[:] = rows.keys[chosen]
            sums[cell] = zlib.crc32(data[start * row_bytes : end * row_bytes])
    return file.getvalue(), sums


def _matrix_of(data: bytes | memoryview, start: int, end: int, size: int, key_bytes: int) -> NDArray[np.float16]:
    """The vectors of the cell from one position up to another, in what `_vectors` gives."""
    return np.ndarray((end - start, size), "<f2", data, start * (2 * size + key_bytes))


def _divided(
    matrix: NDArray[np.float16], sample: NeighbourSample, former: NDArray[np.int32] | None
) -> NDArray[np.int32]:
    """The cells [rows], made without the sample: a rough division regrouped, again where neighbours are scattered; of
    several the one that leaves least to search, with its small cells merged."""
    cell_rows = rows_of_a_cell(len(matrix))
    cell_of = divide(matrix, 2 * cell_rows, former, sample.rows)
    found: list[tuple[float, NDArray[np.int32], NDArray[np.float32]]] = []
    for group_rows in GROUP_ROWS:
        cell_of = divide_large(matrix, regrouped(matrix, cell_of, cell_rows, group_rows), cell_rows)
        middles = _about_middles(matrix, cell_of)
        found.append((sample.share_to_search(cell_of, middles, LEAST_MET), cell_of, middles))
        if found[-1][0] <= LITTLE:
            break
    _, cell_of, middles = min(found, key=lambda each: each[0])
    cell_of, middles = merged(cell_of, middles, cell_rows)
    cell_of[sample.rows] = nearest_of(sample.queries, middles)
    return cell_of


def _about_middles(matrix: NDArray[np.float16], cell_of: NDArray[np.int32]) -> NDArray[np.float32]:
    """The middles [cells, dimensions] of SAMPLED_ROWS vectors of each cell."""
    return np.stack([single(matrix[members[:SAMPLED_ROWS]]).mean(axis=0) for members in members_of(cell_of)])


def _rounded(middle: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """A middle in whole steps, and the step."""
    step = float(np.abs(middle).max()) / 127 or 1.0
    return np.rint(middle / np.float32(step)).astype(np.int8), step


def _as_bytes(scales: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """Scales [rows] in 256 steps, the lowest, and the step."""
    lowest = float(scales.min())
    step = (float(scales.max()) - lowest) / 255
    return np.rint((scales - lowest) / (step or 1.0)).astype(np.uint8), lowest, step

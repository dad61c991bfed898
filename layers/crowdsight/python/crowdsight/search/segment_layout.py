"""How a segment's vectors are laid out cell by cell when it is written."""

import io
import zlib

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.cells import divide, rows_of_a_cell, strays_of_neighbours
from crowdsight.search.codes import Rotation, encode
from crowdsight.search.rows import Rows
from crowdsight.search.segment_format import CELLS, CODES, ORDER, VECTORS, packed
from crowdsight.search.vectors import single

EXACT_ROWS = 4096
"""A segment of no more rows is one cell, without codes: all of it is compared."""


def laid_out(rows: Rows, space: str, rotation: Rotation) -> dict[str, bytes]:
    """The parts of one space, of rows as `gather` gives them; `rotation`: that of the space."""
    matrix = rows.matrices[space]
    size = matrix.shape[1]
    is_coded = len(rows) > EXACT_ROWS
    if is_coded:
        cell_of = divide(matrix, rows_of_a_cell(len(rows)), rows.cells.get(space))
    else:
        cell_of = np.zeros(len(rows), np.int32)
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
            bits, exact_scales = encode(rotation(offsets))
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
        CELLS: packed(cells),
        ORDER: order.astype("<u4").tobytes(),
        VECTORS: vectors.getvalue(),
    }
    return {**parts, CODES: codes.getvalue()} if is_coded else parts


def _rounded(middle: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """A middle in whole steps, and the step."""
    step = float(np.abs(middle).max()) / 127 or 1.0
    return np.rint(middle / np.float32(step)).astype(np.int8), step


def _as_bytes(scales: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """Scales [rows] in 256 steps, the lowest, and the step."""
    lowest = float(scales.min())
    step = (float(scales.max()) - lowest) / 255
    return np.rint((scales - lowest) / (step or 1.0)).astype(np.uint8), lowest, step

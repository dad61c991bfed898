"""Vectors in half precision, as the index keeps them, and their cosines.

Half precision moves a vector's length by some 1e-4. Cosines divide by the length that it really has, so that a vector's
cosine with itself is 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 4096
"""How many rows are turned into single precision at a time: the block stays near the processor, and memory small."""

MOST_SHORTENED = np.float32(2**-9)
"""Half precision makes a vector shorter by less than this share."""

SHORT, LONG = 1e-15, 1e15
"""Between these a vector's length, and one over it, are as exact as single precision is."""

_MANTISSA_SHIFT = np.int32(13)
_KEPT_BITS = np.int32(-0x70002000)  # 0x8fffe000: the sign, and a half's exponent and fraction where a float's are
_EXPONENT_SCALE = np.float32(2.0**112)  # the difference of the two formats' exponent biases


def half_unit(vectors: NDArray[np.float32]) -> NDArray[np.float16]:
    """Vectors [..., dimensions] as the index keeps them: of length 1, then rounded; zeros stay zeros."""
    with np.errstate(over="ignore"):
        inverse = inverse_lengths(vectors)
    is_fit = (inverse > SHORT) & (inverse < LONG)
    if not is_fit.all():
        # Some squares may be nothing, or without end.
        largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0)
        largest[is_fit | (largest[..., 0] == 0)] = 1
        vectors = vectors / largest
        inverse = inverse_lengths(vectors)
    return np.multiply(vectors, inverse[..., np.newaxis]).astype("<f2")


def unit_query(query: NDArray[np.float32]) -> NDArray[np.float32]:
    """A query [dimensions] rounded as kept vectors are, and of length 1; zeros stay zeros."""
    rounded = half_unit(query).astype(np.float32)
    return rounded * inverse_lengths(rounded)


def single(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """Finite numbers of half precision in single precision, exactly; several times as fast as `astype`."""
    bits = rows.view(np.int16).astype(np.int32)
    np.left_shift(bits, _MANTISSA_SHIFT, out=bits)
    np.bitwise_and(bits, _KEPT_BITS, out=bits)
    numbers = bits.view(np.float32)
    np.multiply(numbers, _EXPONENT_SCALE, out=numbers)
    return numbers


def cosines(
    rows: NDArray[np.float16], query: NDArray[np.float32], floor: float = -math.inf, most: int | None = None
) -> NDArray[np.float32]:
    """The cosines [rows] of vectors [rows, dimensions], as `half_unit` gives them, to a `unit_query` [dimensions].

    Those below `floor`, or lower than the `most` highest, are by about a thousandth of themselves wrong, but are so
    nevertheless.
    """
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = single(rows[start : start + BLOCK_ROWS])
        products = np.vecdot(block, query)  # in this thread alone: several are searched at once
        uncertain = np.abs(products) * MOST_SHORTENED
        near = np.flatnonzero(products + uncertain >= floor)
        if most is not None and len(near) > most:
            near = np.flatnonzero(products + uncertain >= nth_highest(products - uncertain, most))
        if len(near):
            products[near] *= inverse_lengths(block if len(near) == len(block) else block[near])
        found[start : start + BLOCK_ROWS] = products
    return np.clip(found, -1.0, 1.0, out=found)


def nth_highest(numbers: NDArray[np.float32], n: int) -> float:
    """-inf if there are fewer."""
    if n > len(numbers):
        return -math.inf
    return float(np.partition(numbers, -n)[-n]) if n else math.inf


def inverse_lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """One over the length of each vector [..., dimensions]; 0 for a vector of zeros."""
    lengths = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)

"""One bit a dimension for a vector's offset from the middle of its cell, and how near that says it is to a query.

RaBitQ (Gao & Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest
Neighbor Search", SIGMOD 2024): the offsets are rotated at random and only their signs s are kept, with one number, the
scale, that makes `scale * <query, s>` an unbiased estimate of `<query, offset>` with a known error. The query's numbers
are rounded to three bits, so that its inner product with signs is three counts of unlike bits: a fourth, as in the
paper, would make the error 4 % smaller and a scan a third longer.

Codes are stored by columns, [words, rows] of 64 bits: a scan then streams. A few words alone tell most rows apart from
what is near: of two vectors at an angle a, a share a / pi of the signs are unlike after a random rotation (Charikar,
"Similarity Estimation Techniques from Rounding Algorithms", STOC 2002).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 64
PLANES = 3
BLOCK_ROWS = 16_384
"""How many rows are swept at a time: what is written down of them stays near the processor."""

STEP = 0.58
"""How far apart a query's rounded numbers are, in root mean squares of its numbers: what rounds normal ones best."""

ROTATION_SEED = 20240527

CODE_ERROR = math.sqrt(1 - 2 / math.pi)
"""The standard deviation of an estimate for a query of length 1, in scales: the signs have the length sqrt(D), of which
sqrt(2 D / pi) lies along the offset; what is left, sqrt(D (1 - 2 / pi)), meets the query at random, which in D
dimensions divides it by sqrt(D)."""


class Rotation:
    """A fixed random rotation of vectors: signs are flipped, then rows and columns of the vector, written as a matrix,
    are mixed by two small orthogonal matrices. Every number of the result depends on all numbers of the vector."""

    def __init__(self, dimensions: int) -> None:
        random = np.random.default_rng([ROTATION_SEED, dimensions])
        rows = max(size for size in range(1, math.isqrt(dimensions) + 1) if dimensions % size == 0)
        self._shape = (rows, dimensions // rows)
        self._flips: NDArray[np.float32] = random.choice([-1.0, 1.0], dimensions).astype(np.float32)
        self._left, self._right = (_orthogonal(size, random) for size in self._shape)

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors [..., dimensions], rotated."""
        # All rows of all matrices at once: numpy multiplies a stack of small matrices one by one.
        mixed = (vectors * self._flips).reshape(-1, self._shape[1]) @ self._right
        matrices = mixed.reshape(*vectors.shape[:-1], *self._shape)
        return np.asarray(self._left @ matrices, np.float32).reshape(vectors.shape)


def _orthogonal(size: int, random: np.random.Generator) -> NDArray[np.float32]:
    matrix: NDArray[np.float32] = np.linalg.qr(random.standard_normal((size, size))).Q.astype(np.float32)
    return matrix


def words_of(dimensions: int) -> int:
    """How many words a code has."""
    return -(-dimensions // WORD_BITS)


def encode(offsets: NDArray[np.float32]) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """The codes [words, rows] and scales [rows] of rotated offsets [rows, dimensions]."""
    rows, dimensions = offsets.shape
    padded = np.zeros((rows, words_of(dimensions) * WORD_BITS), np.bool_)
    np.greater(offsets, 0, out=padded[:, :dimensions])
    codes = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    sums = np.abs(offsets).sum(axis=1)
    squares = np.einsum("ij,ij->i", offsets, offsets)
    return np.ascontiguousarray(codes.T), np.divide(squares, sums, out=np.zeros_like(sums), where=sums > 0)


def lengths_of(scales: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """About how long offsets with these scales are."""
    return scales * np.float32(math.sqrt(2 * dimensions / math.pi))


def most_unlike(
    cosines: NDArray[np.float32], signs: NDArray[np.int64], deviations: NDArray[np.float32]
) -> NDArray[np.int64]:
    """How many of so many signs are unlike at most, at these cosines to the query, but for what is as many standard
    deviations away; all three are broadcast."""
    share = np.arccos(np.clip(cosines, -1.0, 1.0)) / math.pi
    return np.floor(signs * share + deviations * np.sqrt(signs * share * (1 - share))).astype(np.int64)


@dataclass(frozen=True)
class QueryPlanes:
    """A rotated query whose numbers are rounded to the odd multiples of half a `step` nearest to 0.

    Such a number is the sum of its planes' signs, the lowest worth half a step, each other twice the one before.
    `planes` [PLANES, words]: a bit is set for +, not for -. `error`: the standard deviation of an estimate, in scales,
    for a query of length 1.
    """

    planes: NDArray[np.uint64]
    step: float
    dimensions: int
    error: float

    @staticmethod
    def of(rotated: NDArray[np.float32]) -> "QueryPlanes":
        """Of a rotated query [dimensions]."""
        dimensions = len(rotated)
        square = float(rotated @ rotated)
        step = STEP * math.sqrt(square / dimensions) or 1.0
        levels = np.clip(np.floor(rotated / np.float32(step)) + 2 ** (PLANES - 1), 0, 2**PLANES - 1)
        rounded = levels - np.float32((2**PLANES - 1) / 2)
        # Rounding shortens a query; its estimates are of the length that it has.
        step = square / (float(rotated @ rounded) or 1.0)
        rounding = float(rounded @ rounded) * step * step / (square or 1.0) - 1
        padded = np.zeros(words_of(dimensions) * WORD_BITS, np.uint8)
        padded[:dimensions] = levels
        bits = (padded >> np.arange(PLANES, dtype=np.uint8)[:, np.newaxis]) & 1
        planes = np.packbits(bits, axis=1, bitorder="little").view("<u8")
        return QueryPlanes(planes, step, dimensions, math.sqrt(CODE_ERROR**2 + max(0.0, rounding)))

    def unlike(self, codes: NDArray[np.uint64], word: int) -> NDArray[np.uint8]:
        """How many signs [rows] of one word of codes [rows] are not the query's."""
        unlike = np.empty(len(codes), np.uint8)
        words = np.empty(min(BLOCK_ROWS, len(codes)), np.uint64)
        for start in range(0, len(codes), BLOCK_ROWS):
            block = codes[start : start + BLOCK_ROWS]
            np.bitwise_xor(block, self.planes[-1, word], out=words[: len(block)])
            np.bitwise_count(words[: len(block)], out=unlike[start : start + BLOCK_ROWS])
        return unlike

    def products(self, codes: NDArray[np.uint64]) -> NDArray[np.float32]:
        """The inner products [rows] of the query with the signs of codes [words, rows]."""
        unlike = np.zeros(codes.shape[1], np.float32)
        words = np.empty_like(codes)
        bits = np.empty(codes.shape, np.uint8)
        for worth, plane in enumerate(self.planes):
            np.bitwise_xor(codes, plane[:, np.newaxis], out=words)
            np.bitwise_count(words, out=bits)
            unlike += np.add.reduce(bits, axis=0, dtype=np.uint16) * np.float32(2**worth)
        return (np.float32(self.dimensions * (2**PLANES - 1) / 2) - unlike) * np.float32(self.step)

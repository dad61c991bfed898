"""One bit a dimension for a vector's offset from the middle of its cell, and how near that says it is to a query.

RaBitQ (Gao & Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest
Neighbor Search", SIGMOD 2024): the offsets are rotated at random and only their signs s are kept, with one number, the
scale, that makes `scale * <query, s>` an unbiased estimate of `<query, offset>` with a known error. The query's numbers
are rounded to four bits, so that its inner product with signs is four counts of common bits.

Codes are stored by columns, [words, rows] of 64 bits: a scan then streams.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 64
PLANES = 4
LARGEST_STEP = 2 ** (PLANES - 1) - 1
"""Queries are rounded to whole steps from minus this to this."""

ROTATION_SEED = 20240527

ERROR_PER_SCALE = math.sqrt(1 - 2 / math.pi)
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
        matrices = (vectors * self._flips).reshape(*vectors.shape[:-1], *self._shape)
        return np.asarray(self._left @ (matrices @ self._right), np.float32).reshape(vectors.shape)


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


@dataclass(frozen=True)
class QueryPlanes:
    """A rotated query in whole steps of two's complement: `planes` [PLANES, words], the lowest bit first; `step`: how
    long one is; `total`: the sum of all numbers, in steps."""

    planes: NDArray[np.uint64]
    step: float
    total: int

    @staticmethod
    def of(rotated: NDArray[np.float32]) -> "QueryPlanes":
        """Of a rotated query [dimensions]."""
        step = float(np.abs(rotated).max()) / LARGEST_STEP or 1.0
        steps = np.rint(rotated / np.float32(step)).astype(np.int8)
        padded = np.zeros(words_of(len(rotated)) * WORD_BITS, np.int8)
        padded[: len(steps)] = steps
        bits = (padded >> np.arange(PLANES, dtype=np.int8)[:, np.newaxis]) & 1
        planes = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little").view("<u8")
        return QueryPlanes(planes, step, int(steps.sum()))

    def products(self, codes: NDArray[np.uint64]) -> NDArray[np.float32]:
        """The inner products [rows] of the query with the signs of codes [words, rows]."""
        counts = np.zeros((PLANES, codes.shape[1]), np.uint16)
        common = np.empty(codes.shape[1], np.uint64)
        bits = np.empty(codes.shape[1], np.uint8)
        for plane, count in zip(self.planes, counts, strict=True):
            for word, column in zip(plane, codes, strict=True):
                if word:
                    np.bitwise_and(column, word, out=common)
                    np.bitwise_count(common, out=bits)
                    np.add(count, bits, out=count)
        weights = np.array([1, 2, 4, -8], np.float32)
        positive = weights @ counts.astype(np.float32)
        # Signs are -1 or 1, bits 0 or 1.
        return (2 * positive - self.total) * np.float32(self.step)

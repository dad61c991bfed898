"""Clustered unit vectors of any number and size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Clustered:
    """Unit vectors around random middles on the sphere.

    `noise`: how long what is added to a middle is, on average, the middle's own length being 1. `skew`: 0 for clusters
    of one size, more for the sizes of Zipf's law with this exponent.
    """

    dimensions: int
    clusters: int
    noise: float
    skew: float
    seed: int

    def vectors(self, count: int, stream: int = 0) -> NDArray[np.float32]:
        """So many of them [count, dimensions]; another `stream` gives others of the same clusters."""
        random = np.random.default_rng([self.seed, stream + 1])
        middles = _unit(np.random.default_rng([self.seed, 0]).standard_normal((self.clusters, self.dimensions)))
        shares = np.arange(1, self.clusters + 1, dtype=float) ** -self.skew
        cluster_of = random.choice(self.clusters, count, p=shares / shares.sum())
        vectors = np.empty((count, self.dimensions), np.float32)
        for start in range(0, count, BLOCK_ROWS):
            block = vectors[start : start + BLOCK_ROWS]
            random.standard_normal(block.shape, np.float32, block)
            block *= self.noise / np.sqrt(self.dimensions)
            block += middles[cluster_of[start : start + BLOCK_ROWS]]
            block[:] = _unit(block)
        return vectors


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

"""What the index is compared with: numpy's exact scan, and faiss, if it is installed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUERIES_AT_ONCE = 32
LEAST_GAIN = 0.0005
LISTS = {10_000: 128, 100_000: 512, 1_000_000: 2048, 10_000_000: 4096}
"""How many lists faiss divides so many vectors into, at the most: some 4 sqrt(n) is what its authors recommend."""


def exact_neighbours(vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k nearest [queries, k] by inner product, in no order."""
    found = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        scores = queries[start : start + QUERIES_AT_ONCE] @ vectors.T
        found[start : start + QUERIES_AT_ONCE] = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return found


def exact_scan(vectors: NDArray[np.float32], query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """What numpy does for one query: all inner products, then the k greatest, best first."""
    scores = vectors @ query
    best = np.argpartition(scores, -k)[-k:]
    return best[np.argsort(-scores[best])]


@dataclass(frozen=True)
class Trial:
    """`seconds`: of each query; `recall`: of all."""

    seconds: NDArray[np.float64]
    recall: float

    @property
    def median_ms(self) -> float:
        return float(np.median(self.seconds)) * 1e3

    @property
    def p99_ms(self) -> float:
        return float(np.quantile(self.seconds, 0.99)) * 1e3


def try_out(
    search: Callable[[NDArray[np.float32]], Any], queries: NDArray[np.float32], truth: NDArray[np.int64]
) -> Trial:
    """One query at a time; `search` gives the rows that it finds."""
    seconds = np.empty(len(queries))
    hits = 0
    for at, (query, nearest) in enumerate(zip(queries, truth, strict=True)):
        began = time.perf_counter()
        found = search(query)
        seconds[at] = time.perf_counter() - began
        hits += len(np.intersect1d(np.asarray(found, np.int64), nearest))
    return Trial(seconds, hits / truth.size)


@dataclass(frozen=True)
class Faiss:
    """`IndexIVFScalarQuantizer` with the fewest probes that reach a recall, or the most that still improve it.

    `build_s`: training and adding.
    """

    lists: int
    probes: int
    build_s: float
    trial: Trial


def try_faiss(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], truth: NDArray[np.int64], recall: float
) -> Faiss | None:
    """None if faiss is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    count, dimensions = vectors.shape
    lists = next((most for least, most in LISTS.items() if count <= least), max(LISTS.values()))
    began = time.perf_counter()
    quantizer = faiss.IndexFlatIP(dimensions)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dimensions, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors)
    index.add(vectors)
    build_s = time.perf_counter() - began
    k = truth.shape[1]

    def try_probes(probes: int) -> Trial:
        index.nprobe = probes
        return try_out(lambda query: index.search(query[np.newaxis], k)[1][0], queries, truth)

    # What its bytes round away, no number of probes finds: it is tried while half as many more find more.
    probes, found = 1, try_probes(1)
    while found.recall < recall and probes < lists:
        more = min(lists, max(probes + 1, round(probes * 1.5)))
        next_found = try_probes(more)
        if next_found.recall < found.recall + LEAST_GAIN:
            break
        probes, found = more, next_found
    return Faiss(lists, probes, build_s, found)

"""Measures the index: built, searched warm and cold, and added to, beside what it is compared with."""

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vector_search.rivals import Faiss, Trial, exact_neighbours, exact_scan, try_faiss, try_out
from benchmarks.vector_search.store import ACCOUNT, SPACE, Store, open_store
from crowdsight.search.index import Entry
from crowdsight.search.s3_index import S3VectorIndex
from crowdsight.search.snapshot import Snapshot

PUT_ROWS = 1_000_000
"""How many vectors are put at a time: each time makes a segment."""

EASED_RECALL = 0.97
"""Also asked of the index: about as much as faiss's bytes can give."""

APPENDED = 1000
EXACT_QUERIES = 30
COLD_QUERIES = 5
LARGEST_EXACT_BYTES = 8 * 1024**3
"""Collections of more bytes, in float32, are not scanned by numpy and faiss: they do not fit beside the index."""

LEAST_RECALL, LEAST_SPEED, MOST_P99, LEAST_COLD = 0.99, 20, 3, 25
MOST_CODE_BYTES = 66
"""A vector of 512 dimensions, all that is kept of cells included."""

LEAST_ROWS = 1_000_000
"""The speed, the bytes read and the comparison with faiss are required of collections of so many vectors or more."""


@dataclass(frozen=True)
class Wanted:
    """`blocks` gives the vectors, float32, [some, dimensions], `count` in all; `queries`: [queries, dimensions]."""

    count: int
    dimensions: int
    blocks: Callable[[], Iterator[NDArray[np.float32]]]
    queries: NDArray[np.float32]
    k: int
    recall: float


@dataclass(frozen=True)
class Cold:
    """What the first searches of cold processes read; medians, but `first_ms` with moto's time in it."""

    bytes_read: int
    requests: int
    share: float
    first_ms: float


@dataclass(frozen=True)
class Append:
    """1,000 more vectors: `put_s` until they are put, `seen_s` until a search has found one of them."""

    put_s: float
    seen_s: float


@dataclass(frozen=True)
class Report:
    """`ours`: searches of a snapshot in memory; `eased`: the same with EASED_RECALL wanted; `with_log`: with what
    moto's DynamoDB takes to read the log."""

    count: int
    dimensions: int
    k: int
    build_s: float
    segments: int
    ours: Trial
    eased: Trial
    with_log: Trial
    exact_ms: float | None
    faiss: Faiss | None
    code_bytes: float
    cold: Cold
    append: Append
    peak_bytes: int

    @property
    def times_faster(self) -> float | None:
        return self.exact_ms / self.ours.median_ms if self.exact_ms else None

    @property
    def shortfalls(self) -> list[str]:
        """Which of the required figures are missed."""
        missed = {f"recall {self.ours.recall:.4f} is below {LEAST_RECALL}": self.ours.recall < LEAST_RECALL}
        if self.count >= LEAST_ROWS:
            if self.times_faster is not None:
                missed[f"{self.times_faster:.1f} times as fast as numpy, not {LEAST_SPEED}"] = (
                    self.times_faster < LEAST_SPEED
                )
            missed[f"the 99th percentile is {self.ours.p99_ms:.2f} ms, above {MOST_P99} medians"] = (
                self.ours.p99_ms > MOST_P99 * self.ours.median_ms
            )
            missed[f"a cold search reads 1/{1 / self.cold.share:.0f} of the vectors, not 1/{LEAST_COLD}"] = (
                self.cold.share > 1 / LEAST_COLD
            )
            missed[f"codes take {self.code_bytes:.2f} bytes a vector, not {MOST_CODE_BYTES}"] = (
                self.dimensions == 512 and self.code_bytes > MOST_CODE_BYTES
            )
        if self.count >= LEAST_ROWS and self.faiss:
            missed[f"building took {self.build_s:.1f} s, more than half of faiss's {self.faiss.build_s:.1f}"] = (
                self.build_s > self.faiss.build_s / 2
            )
            missed[f"faiss finds as many in {self.faiss.trial.median_ms:.2f} ms"] = (
                self.faiss.trial.recall >= min(self.ours.recall, LEAST_RECALL)
                and self.faiss.trial.median_ms < self.ours.median_ms
            )
        missed[f"an append was found after {self.append.seen_s:.2f} s"] = self.append.seen_s >= 1
        return [what for what, is_missed in missed.items() if is_missed]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        faiss = self.faiss and {
            "lists": self.faiss.lists,
            "probes": self.faiss.probes,
            "build_s": round(self.faiss.build_s, 1),
            **_described(self.faiss.trial),
        }
        return {
            "vectors": self.count,
            "dimensions": self.dimensions,
            "k": self.k,
            **_described(self.ours),
            "eased": {"wanted_recall": EASED_RECALL, **_described(self.eased)},
            "with_the_log_median_ms": round(self.with_log.median_ms, 3),
            "exact_median_ms": self.exact_ms and round(self.exact_ms, 2),
            "times_faster_than_exact": self.times_faster and round(self.times_faster, 1),
            "faiss": faiss,
            "build_s": round(self.build_s, 1),
            "segments": self.segments,
            "code_bytes_a_vector": round(self.code_bytes, 2),
            "cold": {**asdict(self.cold), "share": f"1/{1 / self.cold.share:.0f}"},
            "append": {name: round(seconds, 3) for name, seconds in asdict(self.append).items()},
            "peak_memory_mb": self.peak_bytes // 2**20,
            "ok": not self.shortfalls,
        }


def measure(wanted: Wanted, tell: Callable[[str], None]) -> Report:
    """All of it; `tell` hears what is being done."""
    fits = wanted.count * wanted.dimensions * 4 <= LARGEST_EXACT_BYTES
    tell("finding the true neighbours")
    truth = _truth(wanted)
    with open_store() as store:
        index, _ = store.new_index(wanted.dimensions, wanted.recall)
        tell("building the index")
        build_s = _build(index, wanted)
        tell("searching cold")
        cold = _try_cold(store, wanted)
        tell("searching warm")
        snapshot = index.snapshot(ACCOUNT)
        search = _search_of(snapshot, wanted.k)
        for query in wanted.queries:
            search(query)  # a warm process has met such queries
        ours = try_out(search, wanted.queries, truth)
        eased = try_out(_search_of(index.snapshot(ACCOUNT, EASED_RECALL), wanted.k), wanted.queries, truth)
        whole = try_out(_search(index, wanted.k), wanted.queries, truth)
        stats, code_bytes = index.stats(ACCOUNT), _code_bytes(snapshot, wanted)
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        tell("appending")
        append = _append(index, wanted)
    exact_ms = faiss = None
    if fits:
        tell("searching with numpy")
        vectors = np.concatenate(list(wanted.blocks()))
        exact_ms = try_out(
            lambda query: exact_scan(vectors, query, wanted.k), wanted.queries[:EXACT_QUERIES], truth[:EXACT_QUERIES]
        ).median_ms
        tell("building and searching faiss")
        faiss = try_faiss(vectors, wanted.queries, truth, ours.recall)
    return Report(
        wanted.count,
        wanted.dimensions,
        wanted.k,
        build_s,
        stats.segments,
        ours,
        eased,
        whole,
        exact_ms,
        faiss,
        code_bytes,
        cold,
        append,
        peak_bytes,
    )


def _described(trial: Trial) -> dict[str, float]:
    return {
        "recall": round(trial.recall, 4),
        "median_ms": round(trial.median_ms, 3),
        "p99_ms": round(trial.p99_ms, 3),
    }


def _key(row: int) -> str:
    """As long as the key of a stored image."""
    return f"{row:032x}.{row:032x}"


def _row(key: str) -> int:
    return int(key[:32], 16)


def _search(index: S3VectorIndex, k: int) -> Callable[[NDArray[np.float32]], list[int]]:
    return lambda query: [_row(match.key) for match in index.search(ACCOUNT, SPACE, query[np.newaxis], k)[0]]


def _search_of(snapshot: Snapshot, k: int) -> Callable[[NDArray[np.float32]], list[int]]:
    return lambda query: [_row(match.key) for match in snapshot.search(SPACE, query[np.newaxis], k)[0]]


def _truth(wanted: Wanted) -> NDArray[np.int64]:
    """The nearest rows [queries, k]."""
    best: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    first = 0
    for block in wanted.blocks():
        found = exact_neighbours(block, wanted.queries, min(wanted.k, len(block)))
        scores = np.einsum("qd,qkd->qk", wanted.queries, block[found])
        best.append((scores, found + first))
        first += len(block)
    scores, rows = (np.concatenate(parts, axis=1) for parts in zip(*best, strict=True))
    return np.take_along_axis(rows, np.argsort(-scores, axis=1)[:, : wanted.k], axis=1)


def _build(index: S3VectorIndex, wanted: Wanted) -> float:
    """How long it takes to put all vectors, in seconds."""
    first = 0
    seconds = 0.0
    for block in wanted.blocks():
        for start in range(0, len(block), PUT_ROWS):
            some = block[start : start + PUT_ROWS]
            entries = [Entry(_key(first + start + at), {SPACE: vector}) for at, vector in enumerate(some)]
            began = time.perf_counter()
            index.put(ACCOUNT, entries)
            seconds += time.perf_counter() - began
        first += len(block)
    began = time.perf_counter()
    index.refresh()
    return seconds + time.perf_counter() - began


def _try_cold(store: Store, wanted: Wanted) -> Cold:
    read, requests, seconds = [], [], []
    for query in wanted.queries[:COLD_QUERIES]:
        index, s3 = store.new_index(wanted.dimensions, wanted.recall)
        began = time.perf_counter()
        _search(index, wanted.k)(query)
        seconds.append(time.perf_counter() - began)
        read.append(s3.bytes_read)
        requests.append(s3.requests)
    typical = int(np.median(read))
    whole = wanted.count * wanted.dimensions * 4
    return Cold(typical, int(np.median(requests)), typical / whole, round(float(np.median(seconds)) * 1e3, 1))


def _append(index: S3VectorIndex, wanted: Wanted) -> Append:
    random = np.random.default_rng(1000)
    alike = wanted.queries[random.integers(0, len(wanted.queries), APPENDED)]
    vectors = alike + random.standard_normal(alike.shape).astype(np.float32) * np.float32(0.2 / np.sqrt(alike.shape[1]))
    entries = [Entry(_key(wanted.count + at), {SPACE: vector}) for at, vector in enumerate(vectors)]
    began = time.perf_counter()
    index.put(ACCOUNT, entries)
    put_s = time.perf_counter() - began
    found = _search(index, wanted.k)(vectors[-1])
    if found[0] != wanted.count + APPENDED - 1:
        raise AssertionError("what was appended was not found")
    return Append(put_s, time.perf_counter() - began)


def _code_bytes(snapshot: Snapshot, wanted: Wanted) -> float:
    """What all codes take in memory, a vector: codes, scales, and the cells' middles and bounds."""
    segments = snapshot.current.manifest.segments
    parts = [part for segment in segments for name, part in segment.parts.items() if name.endswith(("codes", "cells"))]
    return sum(part.size_bytes for part in parts) / wanted.count

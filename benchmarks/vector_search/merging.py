"""Measures what merging segments costs, against how much is merged."""

import time
from collections.abc import Callable

from benchmarks.vector_search.generating import Clustered
from benchmarks.vector_search.store import ACCOUNT, SPACE, open_store
from crowdsight.search.folding import FAN_OUT
from crowdsight.search.index import Entry

SIZES = (62_500, 125_000, 250_000, 500_000)


def merge_costs(kind: Clustered, tell: Callable[[str], None]) -> dict[int, float]:
    """Microseconds a vector of merging four segments into one, by how many vectors they have together."""
    return {size: _merge_s(kind, size, tell) / size * 1e6 for size in SIZES}


def _merge_s(kind: Clustered, size: int, tell: Callable[[str], None]) -> float:
    tell(f"merging {size:,} vectors")
    with open_store() as store:
        index, _ = store.new_index(kind.dimensions, recall=0.99)
        for part in range(FAN_OUT):
            vectors = kind.vectors(size // FAN_OUT, part + 1)
            index.put(ACCOUNT, [Entry(f"{part}.{at:064}", {SPACE: vector}) for at, vector in enumerate(vectors)])
        began = time.perf_counter()
        index.refresh()
        seconds = time.perf_counter() - began
        if index.stats(ACCOUNT).segments != 1:
            raise AssertionError("the segments were not merged into one")
    return seconds

"""A vector index in memory, for tests of what stands on one; it passes the same tests as the real one."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import (
    EVERYTHING,
    Entry,
    Filter,
    IndexStats,
    Match,
    Refreshed,
    check_account,
    check_entries,
    check_keys,
    check_vectors,
)


class MemoryVectorIndex:
    """Exact, in float64. `spaces`: with their dimensions; None for any."""

    def __init__(self, spaces: Mapping[str, int] | None = None) -> None:
        self._spaces = spaces
        self._entries: dict[str, dict[str, Entry]] = {}
        self._gone: set[tuple[str, str]] = set()

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        check_account(account)
        check_entries(entries)
        if self._spaces is not None:
            for entry in entries:
                check_vectors(entry, self._spaces)
        kept = self._entries.setdefault(account, {})
        for entry in entries:
            if (account, entry.key) not in self._gone:
                kept.setdefault(entry.key, entry)

    def remove(self, account: str, keys: Sequence[str]) -> None:
        check_account(account)
        check_keys(keys)
        for key in keys:
            self._gone.add((account, key))
            self._entries.get(account, {}).pop(key, None)

    def search(
        self, account: str, space: str, queries: NDArray[np.float32], limit: int, where: Filter = EVERYTHING
    ) -> list[list[Match]]:
        check_account(account)
        entries = [
            entry
            for entry in self._entries.get(account, {}).values()
            if where.allows(entry.key, entry.labels, entry.time_ms)
        ]
        found = []
        for query in queries:
            matches = [Match(entry.key, _cosine(entry.vectors[space], query)) for entry in entries]
            found.append(sorted(matches, key=lambda match: (-match.score, match.key))[:limit])
        return found

    def vectors(self, account: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
        check_account(account)
        check_keys(keys)
        kept = self._entries.get(account, {})
        return {key: kept[key].vectors for key in keys if key in kept}

    def all_vectors(self, account: str, size: int) -> Iterator[Mapping[str, Mapping[str, NDArray[np.float32]]]]:
        keys = sorted(self.keys(account))
        for start in range(0, len(keys), size):
            yield self.vectors(account, keys[start : start + size])

    def keys(self, account: str) -> Iterator[str]:
        check_account(account)
        return iter(list(self._entries.get(account, {})))

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        return Refreshed()

    def stats(self, account: str) -> IndexStats:
        return IndexStats(len(self._entries.get(account, {})), 0, 0)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = np.asarray(one, float), np.asarray(other, float)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0

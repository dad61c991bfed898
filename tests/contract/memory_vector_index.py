"""A vector index in memory, for tests of what stands on one; it passes the same tests as the real one."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import Entry, IndexStats, Match, Refreshed, check_account, check_keys


class MemoryVectorIndex:
    """Exact, in float64."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        self._gone: set[tuple[str, str]] = set()

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        check_account(account)
        check_keys([entry.key for entry in entries])
        kept = self._entries.setdefault(account, {})
        kept.update({entry.key: entry for entry in entries if (account, entry.key) not in self._gone})

    def remove(self, account: str, keys: Sequence[str]) -> None:
        check_account(account)
        check_keys(keys)
        for key in keys:
            self._gone.add((account, key))
            self._entries.get(account, {}).pop(key, None)

    def search(self, account: str, space: str, query: NDArray[np.float32], limit: int) -> list[Match]:
        check_account(account)
        entries = list(self._entries.get(account, {}).values())
        matches = [Match(entry.key, _cosine(entry.vectors[space], query)) for entry in entries]
        return sorted(matches, key=lambda match: (-match.score, match.key))[:limit]

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        return Refreshed()

    def stats(self, account: str) -> IndexStats:
        return IndexStats(len(self._entries.get(account, {})), 0, 0)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = np.asarray(one, float), np.asarray(other, float)
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))

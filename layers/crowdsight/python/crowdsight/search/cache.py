"""What was read lately, in memory."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Cache:
    """What was used least goes when there is too much."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._kept: OrderedDict[tuple[Hashable, int], Any] = OrderedDict()
        self._counts: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], Any]) -> Any:
        kept = self.peek(key)
        return kept if kept is not None else self.get_many(key, [0], lambda _: [load()])[0]

    def peek(self, key: Hashable) -> Any:
        """What is kept under a key, or None; it counts as used."""
        with self._lock:
            if (key, 0) in self._kept:
                self._kept.move_to_end((key, 0))
            return self._kept.get((key, 0))

    def has(self, of: Hashable, wanted: Sequence[int]) -> bool:
        """Whether several things of one kind are kept."""
        with self._lock:
            return all((of, at) in self._kept for at in wanted)

    def count(self, of: Hashable) -> int:
        """How many things of one kind are kept."""
        with self._lock:
            return self._counts[of]

    def forget(self, of: Hashable, count: int) -> None:
        """Let go of things of one kind, 0 up to `count`."""
        with self._lock:
            for at in range(count):
                if (of, at) in self._kept:
                    self._let_go((of, at))

    def get_many(
        self, of: Hashable, wanted: Sequence[int], load: Callable[[Sequence[int]], Sequence[Any]]
    ) -> list[Any]:
        """Several things of one kind; those that are missing are loaded in one call."""
        found = {}
        with self._lock:
            for at in wanted:
                kept = self._kept.get((of, at))
                if kept is not None:
                    self._kept.move_to_end((of, at))
                    found[at] = kept
        if missing := [at for at in wanted if at not in found]:
            # Outside the lock: two threads may read the same, but none waits for another's download.
            loaded = dict(zip(missing, load(missing), strict=True))
            found |= loaded
            with self._lock:
                for at, each in loaded.items():
                    if (of, at) not in self._kept:
                        self._kept[of, at] = each
                        self._size_bytes += _size_of(each)
                        self._counts[of] += 1
                while self._size_bytes > self._limit_bytes:
                    self._let_go(next(iter(self._kept)))
        return [found[at] for at in wanted]

    def _let_go(self, key: tuple[Hashable, int]) -> None:
        """With the lock held."""
        self._size_bytes -= _size_of(self._kept.pop(key))
        self._counts[key[0]] -= 1
        if not self._counts[key[0]]:
            del self._counts[key[0]]


def _size_of(kept: Any) -> int:
    return kept.nbytes

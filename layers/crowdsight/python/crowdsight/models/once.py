"""Values that are made at their first use, and once, whichever thread comes first."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Calling it gives the value. `make` runs at the first call, under a lock; if it raises, the next call tries again.

    `functools.cached_property` promises no such thing from Python 3.12 on.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def __call__(self) -> T:
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

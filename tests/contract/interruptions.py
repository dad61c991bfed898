"""AWS clients that do something in the middle: die, or let somebody else go first."""

import threading
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process ends here: nothing catches this but the test."""


class Interruptions:
    """Counts the calls of the clients that it watches, and interrupts one of them."""

    def __init__(self) -> None:
        self.calls = 0
        self._at: int | None = None
        self._action: Callable[[], object] = lambda: None
        self._after = False
        self._lock = threading.Lock()

    def watch(self, client: Any) -> Any:
        return _Watched(client, self)

    def arm(self, at: int, action: Callable[[], object], after: bool = False) -> None:
        """At call number `at` from now on (0 is the next), do this before it is made, or once it is done."""
        self.calls = 0
        self._at, self._action, self._after = at, action, after

    def disarm(self) -> bool:
        """Whether the interruption was still to come."""
        waiting = self._at is not None
        self._at = None
        return waiting

    def run(self, call: Callable[[], Any]) -> Any:
        with self._lock:  # the index reads in several threads
            is_now = self._at == self.calls
            self.calls += 1
            if is_now:
                self._at = None  # the action's own calls are not interrupted
        if not is_now:
            return call()
        if not self._after:
            self._action()
            return call()
        try:
            return call()
        finally:  # also if the answer is an error
            self._action()


class _Watched:
    def __init__(self, client: Any, interruptions: Interruptions) -> None:
        self._client = client
        self._interruptions = interruptions

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if not callable(operation):
            return operation
        return lambda **request: self._interruptions.run(lambda: operation(**request))


def kill() -> None:
    raise Killed

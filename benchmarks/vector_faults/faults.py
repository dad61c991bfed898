"""AWS clients whose process dies now and then, just before a call or just after it."""

import random
import threading
from collections.abc import Callable
from typing import Any


class Died(BaseException):
    """The process ended here: the call was made, or it was not. Nothing catches this but who starts the next one."""


class Faults:
    """Deaths with a probability a call, half of them after it. `injected` counts them."""

    def __init__(self, probability: float, seed: str) -> None:
        self.injected = 0
        self._probability = probability
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def over(self, client: Any) -> Any:
        """A client that dies now and then."""
        return _FaultyClient(client, self)

    def call(self, operation: Callable[[], Any]) -> Any:
        with self._lock:  # the index reads in several threads
            dies = self._dice.random() < self._probability
            is_made = dies and self._dice.random() < 0.5
            self.injected += dies
        if not dies:
            return operation()
        if is_made:
            operation()
        raise Died


class _FaultyClient:
    def __init__(self, client: Any, faults: Faults) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if not callable(operation) or name == "exceptions":
            return operation
        return lambda **request: self._faults.call(lambda: operation(**request))

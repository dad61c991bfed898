"""AWS clients whose calls fail now and then, or whose process dies at one, just before it is made or just after."""

import random
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

URL = "https://faults.invalid"


class Died(BaseException):
    """The process ended here: the call was made, or it was not. Nothing catches this but who starts the next one."""


class Refused(EndpointConnectionError):
    """The call was not made."""


class AnswerLost(ReadTimeoutError):
    """The call was made, but nobody is told what came of it."""


class Faults:
    """Faults with a probability a call. `injected` counts them.

    As often as another: a death before the call, or after it; an error instead of it, or of its answer; the call is
    made twice, as boto3 does when it has waited for too long, and answered the second time.
    """

    def __init__(self, probability: float, seed: str) -> None:
        self.injected = 0
        self._probability = probability
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def over(self, client: Any) -> Any:
        """A client with faults."""
        return _FaultyClient(client, self)

    def call(self, operation: Callable[[], Any]) -> Any:
        with self._lock:  # the index reads in several threads
            is_fault = self._dice.random() < self._probability
            fault = self._dice.choice([_die, _die_after, _refuse, _lose_the_answer, _repeat]) if is_fault else None
            self.injected += is_fault
        return fault(operation) if fault else operation()


def _die(operation: Callable[[], Any]) -> Any:
    raise Died


def _die_after(operation: Callable[[], Any]) -> Any:
    operation()
    raise Died


def _refuse(operation: Callable[[], Any]) -> Any:
    raise Refused(endpoint_url=URL)


def _lose_the_answer(operation: Callable[[], Any]) -> Any:
    operation()
    raise AnswerLost(endpoint_url=URL)


def _repeat(operation: Callable[[], Any]) -> Any:
    operation()
    return operation()


class _FaultyClient:
    def __init__(self, client: Any, faults: Faults) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if not callable(operation) or name == "exceptions":
            return operation
        return lambda **request: self._faults.call(lambda: operation(**request))

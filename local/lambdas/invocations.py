"""One event on its way through a function, and how it ends."""

import json
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.lambdas.process import FunctionProcess

PAYLOAD_LIMIT_BYTES = 6_291_556
"""Of a request and of a response, as Lambda counts it: 6 MB and a little for its own wrapping."""


class FunctionNotFound(Exception):
    """No such function is deployed."""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `error` is None, or `Unhandled` when `payload` describes an error."""

    payload: bytes
    error: str | None = None

    @classmethod
    def of_error(cls, type: str, message: str) -> "Outcome":
        return cls(json.dumps({"errorType": type, "errorMessage": message}).encode(), "Unhandled")


class Invocation:
    """One event on its way through a function."""

    def __init__(self, payload: bytes) -> None:
        self.id = str(uuid.uuid4())
        self.payload = payload
        self.process: FunctionProcess | None = None
        self.started = threading.Event()
        self.ended = threading.Event()
        self.outcome: Outcome | None = None
        self._lock = threading.Lock()

    def end(self, outcome: Outcome) -> None:
        """Settle the outcome; the first one counts."""
        with self._lock:
            if self.outcome is None:
                self.outcome = outcome
        self.started.set()
        self.ended.set()

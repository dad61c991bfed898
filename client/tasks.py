"""Crowd tasks over HTTP.

TaskError
├── ApiError          the service answered with an error: status, code, message
├── ApiUnreachable    no answer came
└── StillWaiting      the task did not end in the time given
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

REQUEST_TIMEOUT_S = 30.0
MAX_THROTTLED_TRIES = 6
LONGEST_POLL_S = 10.0


class TaskError(Exception):
    """Anything that can go wrong between a caller and the service."""


class ApiError(TaskError):
    """The service refused. `status`: of HTTP; `code`: stable, such as `NotFound`; `message`: for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.code = code
        self.message = message


class ApiUnreachable(TaskError):
    """No answer came: no network, a wrong address, or a time-out. The request may or may not have arrived."""


class StillWaiting(TaskError):
    """The task is still processing. `task`: as it was seen last."""

    def __init__(self, task: "Task", timeout_s: float) -> None:
        super().__init__(f"{task.name} is still processing after {timeout_s:g} s")
        self.task = task


@dataclass(frozen=True)
class Problem:
    """Why a task failed; `code` is stable, such as `NoAgreement`."""

    code: str
    message: str


@dataclass(frozen=True)
class Task:
    """A task as the service tells it. `state`: processing, completed or failed. `result`: exactly when completed.
    `problem`: exactly when failed. `document`: the JSON it was read from.
    """

    name: str
    input: Mapping[str, Any]
    state: str
    result: Mapping[str, Any] | None
    problem: Problem | None
    document: Mapping[str, Any]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Task":
        details = document["problemDetails"]
        return cls(
            name=document["taskName"],
            input=document["input"],
            state=document["state"],
            result=document["result"],
            problem=Problem(details["code"], details["message"]) if details else None,
            document=document,
        )

    @property
    def has_ended(self) -> bool:
        return self.state != "processing"


class TaskClient:
    """Puts, gets and deletes tasks.

    `api_url`: the API's base address. A throttled request (429) is sent again after the time that the service asks for,
    six times at most. Every method raises ApiError and ApiUnreachable. Putting again what may have arrived is safe.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(
            base_url=api_url, headers={"x-api-key": api_key}, timeout=timeout_s, transport=transport
        )
        self._sleep = sleep
        self._clock_s = clock_s

    def __enter__(self) -> "TaskClient":
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def put_task(self, function: str, name: str, input: Mapping[str, Any]) -> Task:
        """Ask a question; again with the same name and input, this is the task as it now is."""
        # Escapes keep what UTF-8 cannot carry, such as half a surrogate pair; it is the service's to refuse.
        content = json.dumps({"input": input})
        return self._task("PUT", function, name, content=content, headers={"Content-Type": "application/json"})

    def get_task(self, function: str, name: str) -> Task:
        return self._task("GET", function, name)

    def delete_task(self, function: str, name: str) -> None:
        """Forget a task that has ended; its name is free again."""
        self._send("DELETE", function, name)

    def wait(self, function: str, name: str, timeout_s: float = 3600.0, poll_s: float = 1.0) -> Task:
        """The task once it has ended, asking every `poll_s` seconds at first and every 10 at last.

        Raises StillWaiting after `timeout_s`.
        """
        give_up_at_s = self._clock_s() + timeout_s
        while True:
            task = self.get_task(function, name)
            if task.has_ended:
                return task
            left_s = give_up_at_s - self._clock_s()
            if left_s <= 0:
                raise StillWaiting(task, timeout_s)
            self._sleep(min(poll_s, left_s))
            poll_s = min(max(poll_s, LONGEST_POLL_S), poll_s * 1.2)

    def _task(self, method: str, function: str, name: str, **options: Any) -> Task:
        response = self._send(method, function, name, **options)
        try:
            return Task.from_document(response.json())
        except (ValueError, KeyError, TypeError) as error:
            message = f"this is not a task: {response.text[:200]}"
            raise ApiError(response.status_code, "UnknownAnswer", message) from error

    def _send(self, method: str, function: str, name: str, **options: Any) -> httpx.Response:
        path = f"/functions/{quote(function, safe='')}/tasks/{quote(name, safe='')}"
        for _ in range(MAX_THROTTLED_TRIES):
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                raise ApiUnreachable(f"{self._http.base_url}: {error}") from error
            if response.status_code != 429:
                break
            self._sleep(_retry_after_s(response))
        if response.is_success:
            return response
        raise _read_error(response)


def _retry_after_s(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 1.0


def _read_error(response: httpx.Response) -> ApiError:
    try:
        document = response.json()
        return ApiError(response.status_code, document["error"], document["message"])
    except (ValueError, KeyError, TypeError):
        return ApiError(response.status_code, "UnknownAnswer", response.text[:200] or response.reason_phrase)

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from client import ApiError, ApiUnreachable, StillWaiting, TaskClient

URL = "http://127.0.0.1:8080/prod"


def document(state: str = "processing", **changes: Any) -> dict[str, Any]:
    return {"taskName": "a task", "input": {}, "problemDetails": None, "state": state, "result": None} | changes


class Sleeper:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


def client_for(answer: Callable[[httpx.Request], httpx.Response], sleeper: Sleeper | None = None) -> TaskClient:
    sleeper = sleeper or Sleeper()
    return TaskClient(
        URL, "the key", transport=httpx.MockTransport(answer), sleep=sleeper.sleep, clock_s=lambda: sleeper.now_s
    )


def test_put_sends_the_input_under_an_encoded_name_with_the_key() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=document())

    task = client_for(answer).put_task("image-contains", "a/../b é", {"target": {"label": "\ud800 half"}})
    assert seen[0].method == "PUT"
    assert seen[0].url.raw_path == b"/prod/functions/image-contains/tasks/a%2F..%2Fb%20%C3%A9"
    assert seen[0].headers["x-api-key"] == "the key"
    assert seen[0].headers["content-type"] == "application/json"
    assert json.loads(seen[0].content) == {"input": {"target": {"label": "\ud800 half"}}}
    assert (task.name, task.state, task.result, task.problem, task.has_ended) == (
        "a task",
        "processing",
        None,
        None,
        False,
    )


def test_a_completed_and_a_failed_task_have_a_result_or_a_problem() -> None:
    completed = client_for(
        lambda request: httpx.Response(200, json=document("completed", result={"containsTarget": True}))
    ).get_task("image-contains", "a")
    assert completed.has_ended and completed.result == {"containsTarget": True} and completed.problem is None
    problem = {"code": "Expired", "message": "Too late."}
    failed = client_for(lambda request: httpx.Response(200, json=document("failed", problemDetails=problem))).get_task(
        "image-contains", "a"
    )
    assert failed.has_ended and failed.problem is not None and failed.problem.code == "Expired"


def test_what_the_service_refuses_is_an_error_with_its_code() -> None:
    tasks = client_for(lambda request: httpx.Response(409, json={"error": "StillProcessing", "message": "Not yet."}))
    with pytest.raises(ApiError, match=r"StillProcessing \(409\): Not yet\.") as caught:
        tasks.delete_task("image-contains", "a")
    assert (caught.value.status, caught.value.code) == (409, "StillProcessing")


@pytest.mark.parametrize("response", [httpx.Response(500, text="<html>"), httpx.Response(200, json={"state": "ok"})])
def test_an_answer_that_is_not_the_services_is_an_error_too(response: httpx.Response) -> None:
    with pytest.raises(ApiError, match="UnknownAnswer"):
        client_for(lambda request: response).get_task("image-contains", "a")


def test_no_answer_is_its_own_error() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ApiUnreachable, match="refused"):
        client_for(refuse).get_task("image-contains", "a")


def test_a_throttled_request_is_sent_again_when_the_service_says() -> None:
    answers = [httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(429), httpx.Response(204)]
    sleeper = Sleeper()
    client_for(lambda request: answers.pop(0), sleeper).delete_task("image-contains", "a")
    assert sleeper.slept_s == [7, 1]


def test_a_request_that_stays_throttled_is_given_up() -> None:
    busy = httpx.Response(429, json={"error": "TooManyRequests", "message": "Slow down."})
    sleeper = Sleeper()
    with pytest.raises(ApiError, match="TooManyRequests"):
        client_for(lambda request: busy, sleeper).get_task("image-contains", "a")
    assert len(sleeper.slept_s) == 6


def test_wait_asks_ever_more_rarely_until_the_task_ends() -> None:
    answers = [httpx.Response(200, json=document())] * 20 + [httpx.Response(200, json=document("completed", result={}))]
    sleeper = Sleeper()
    task = client_for(lambda request: answers.pop(0), sleeper).wait("image-contains", "a")
    assert task.state == "completed"
    assert sleeper.slept_s[0] == 1 and sleeper.slept_s[-1] == 10
    assert sleeper.slept_s == sorted(sleeper.slept_s)


def test_wait_ends_on_time_and_tells_how_the_task_stands() -> None:
    sleeper = Sleeper()
    with pytest.raises(StillWaiting, match="after 5 s") as caught:
        client_for(lambda request: httpx.Response(200, json=document()), sleeper).wait("image-contains", "a", 5)
    assert caught.value.task.state == "processing"
    assert sleeper.now_s == 5

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks.faults.callers import PATIENCE_S, Callers, CallFailed
from benchmarks.faults.plan import Question

QUESTION = Question("image-contains", "a task", {"target": {"label": "dog"}})


def document(state: str = "processing", **changes: Any) -> dict[str, Any]:
    return {"taskName": "a task", "input": QUESTION.input, "state": state} | changes


class Service:
    """Gives its answers one after another, the last one from then on; time passes only by sleeping."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept_s = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0)() if len(self.answers) > 1 else self.answers[0]()

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds

    def callers(self) -> Callers:
        http = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(self))
        return Callers(http, sleep=self.sleep)


def answer(status: int, content: Any = None) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=content)


def no_answer() -> httpx.Response:
    raise httpx.ReadError("the connection broke")


def test_what_was_throttled_or_lost_is_sent_again() -> None:
    service = Service(answer(429), answer(502), answer(503), answer(504), no_answer, answer(200, document()))
    callers = service.callers()
    assert asyncio.run(callers.put_all([QUESTION], lambda: None)) == []
    assert [request.method for request in service.requests] == ["PUT"] * 6
    assert all(json.loads(request.content) == {"input": QUESTION.input} for request in service.requests)
    assert callers.tried_again == 5


@pytest.mark.parametrize("status", [400, 402, 403, 404, 500])
def test_an_answer_that_no_client_expects_is_a_failure(status: int) -> None:
    (failure,) = asyncio.run(Service(answer(status, {"error": "X"})).callers().put_all([QUESTION], lambda: None))
    assert f"PUT answered {status}" in failure


def test_an_answer_about_another_task_is_a_failure() -> None:
    service = Service(answer(201, document(taskName="another")))
    assert len(asyncio.run(service.callers().put_all([QUESTION], lambda: None))) == 1


def test_patience_ends() -> None:
    service = Service(answer(503))
    with pytest.raises(CallFailed, match="503"):
        asyncio.run(service.callers().wait_for_all([QUESTION], 10.0, lambda: None))
    assert PATIENCE_S < service.slept_s < PATIENCE_S + 10


def test_callers_ask_until_each_task_has_ended() -> None:
    service = Service(answer(200, document()), answer(200, document()), answer(200, document("completed")))
    told = []
    ended = asyncio.run(service.callers().wait_for_all([QUESTION], 10.0, lambda: told.append(1)))
    assert ended == {"a task": document("completed")}
    assert (len(service.requests), len(told)) == (3, 1)


def test_a_task_that_does_not_end_in_time_is_left_out() -> None:
    service = Service(answer(200, document()))
    assert asyncio.run(service.callers().wait_for_all([QUESTION], 0.05, lambda: None)) == {}

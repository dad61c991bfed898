"""Callers: put every task at once, a few requests at a time, then ask until each has ended."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.faults.plan import Question

TRIED_AGAIN = frozenset((429, 502, 503, 504))
"""What a client sends again: nothing was decided about the request, and putting twice is safe."""

PATIENCE_S = 120.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
POLLS_PER_S = 10
"""How often the callers ask in all, so that asking does not slow down what they wait for."""

Document = Mapping[str, Any]


class CallFailed(Exception):
    """An answer that no client is prepared for, or none for a long time."""


class Callers:
    """`http`: a client with the API's base URL and key. `concurrency`: requests at a time.

    `tried_again`: how many requests had to be sent again. `sleep`: waits for seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        concurrency: int = 16,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._slots = asyncio.Semaphore(concurrency)
        self._dice = random.Random(f"callers {seed}")
        self._sleep = sleep
        self.tried_again = 0

    async def put_all(self, questions: Sequence[Question], on_put: Callable[[], None]) -> list[str]:
        """Put every task; what went wrong, if anything."""
        failures = []

        async def put(question: Question) -> None:
            try:
                document = await self._send("PUT", question, {200, 201}, json={"input": question.input})
                if document["taskName"] != question.name or document["input"] != question.input:
                    failures.append(f"task {question.name}: putting it answered {document}")
            except CallFailed as error:
                failures.append(str(error))
            on_put()

        await asyncio.gather(*(put(question) for question in questions))
        return failures

    async def wait_for_all(
        self, questions: Sequence[Question], timeout_s: float, on_end: Callable[[], None]
    ) -> dict[str, Document]:
        """The documents of the tasks that ended within the time, by name. Raises CallFailed."""
        ended: dict[str, Document] = {}
        waiting = list(questions)
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + timeout_s
        while waiting and clock() < give_up_at:
            began_at = clock()
            round_ = waiting[:POLLS_PER_S]
            documents = await asyncio.gather(*(self._send("GET", question, {200}) for question in round_))
            again = []
            for question, document in zip(round_, documents, strict=True):
                if document["state"] == "processing":
                    again.append(question)
                else:
                    ended[question.name] = document
                    on_end()
            waiting = waiting[POLLS_PER_S:] + again
            await self._sleep(max(0.0, 1.0 - (clock() - began_at)))
        return ended

    async def _send(self, method: str, question: Question, expected: set[int], **options: Any) -> Document:
        """The answer's document, tried for as long as a patient client would."""
        path = f"/functions/{quote(question.function, safe='')}/tasks/{quote(question.name, safe='')}"
        waited_s, pause_s = 0.0, FIRST_PAUSE_S
        while True:
            async with self._slots:
                try:
                    response = await self._http.request(method, path, **options)
                    trouble = f"{response.status_code} {response.text[:200]}"
                    if response.status_code in expected:
                        document: Document = response.json()
                        return document
                    if response.status_code not in TRIED_AGAIN:
                        raise CallFailed(f"task {question.name}: {method} answered {trouble}")
                except httpx.TransportError as error:
                    trouble = str(error) or type(error).__name__
            if waited_s > PATIENCE_S:
                raise CallFailed(f"task {question.name}: {method} has no answer but {trouble}")
            self.tried_again += 1
            wait_s = self._dice.uniform(pause_s / 2, pause_s)
            await self._sleep(wait_s)
            waited_s += wait_s
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

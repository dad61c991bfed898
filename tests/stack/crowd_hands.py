"""A Worker moved by hand: the simulated Workers' browser at the worker site's own forms, one step at a time."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from client.stack import TASKS_STACK
from crowdsight.catalogue import CATALOGUE
from crowdsight.dynamodb import Table
from local.workers.behaviour import BEHAVIOURS
from local.workers.browser import Browser, Traffic
from local.workers.pace import Pace
from local.workers.pages import Page
from local.workers.pictures import Pictures
from local.workers.truth import PHOTOGRAPHS, Truth
from local.workers.worker import Surroundings, Work, Worker
from tests.stack.running_stack import RunningStack, wait_for

CONTAINS = "image-contains"
SIMILARITY = "image-similarity"
UNANSWERED = "unanswered"
"""The name of a task that is given the time to expire."""


def contains_input(name: str, label: str = "a dog") -> dict[str, Any]:
    """An input that no other task has, so that its HIT can be told from others."""
    return {"image": {"url": picture_url(name)}, "target": {"label": label}}


def similarity_input(name: str) -> dict[str, Any]:
    return {"image1": {"url": picture_url(name)}, "image2": {"url": picture_url(f"{name}-other")}}


def picture_url(name: str) -> str:
    return f"https://example.com/{name}.jpg"


def hits_of(running: RunningStack, name: str) -> list[Mapping[str, Any]]:
    """The HITs that ask about the picture of that name, as the requester sees them; disposed ones are not seen."""
    return [hit for hit in all_hits(running) if picture_url(name) in hit["Question"]]


def all_hits(running: RunningStack) -> list[Mapping[str, Any]]:
    """Every HIT that the requester has and has not disposed of."""
    return [hit for page in running.mturk.get_paginator("list_hits").paginate() for hit in page["HITs"]]


def wait_for_hit(running: RunningStack, name: str, *, but_not: str = "") -> str:
    """The id of the one HIT about the picture of that name, apart from an earlier one, once it is there."""

    def look() -> list[str]:
        return [hit["HITId"] for hit in hits_of(running, name) if hit["HITId"] != but_not]

    [hit_id] = wait_for(f"a HIT for {name}", look)
    return hit_id


class Hands:
    """One named Worker, signed in. Use as a context manager."""

    def __init__(self, running: RunningStack, name: str) -> None:
        self._site_url = running["worker_site_url"]
        invitation = f"{self._site_url}/join/{running.operator.invite_worker(name)}"
        self._runner = asyncio.Runner()
        around = Surroundings(Truth.read(Path(PHOTOGRAPHS, "truth.json")), Pictures(), Pace(1))
        self._browser = Browser(Traffic())
        self._worker = Worker(invitation, BEHAVIOURS["perfect"], self._browser, around, random.Random(0))

    def __enter__(self) -> "Hands":
        self._runner.run(self._worker.sign_in())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._browser.__aexit__())
        self._runner.close()

    def open(self, path: str) -> Page:
        return self._runner.run(self._browser.open(self._site_url + path))

    def accept(self, hit_id: str) -> Work:
        """Accept the HIT from its preview, and see its question."""
        return self._runner.run(self._accept(hit_id))

    async def _accept(self, hit_id: str) -> Work:
        preview = await self._browser.open(f"{self._site_url}/hits/{hit_id}")
        accept = preview.form_to("/accept")
        assert accept is not None, f"{preview.url}: {preview.status} {preview.heading}"
        work = await self._worker.open_question(await self._browser.submit(accept))
        assert work is not None
        return work

    def submit(self, work: Work, answer: str) -> Page:
        """Press the button with that answer."""
        return self._runner.run(self._browser.submit(work.form, {"answer": answer}))

    def answer(self, hit_id: str, answer: str) -> None:
        """Accept and answer."""
        page = self.submit(self.accept(hit_id), answer)
        assert page.status < 400, page


def forget_workers(running: RunningStack) -> None:
    """Let nothing be known of any Worker, nor be learned later from what was."""
    aws = running.stack.aws
    table = Table(aws.client("dynamodb"), aws.outputs(TASKS_STACK)["SkillsTable"])
    for kind in ("LESSONS", "SKILLS"):
        for function in CATALOGUE:
            table.delete_many((item["pk"], item["sk"]) for item in table.query_all(f"{kind}#{function}"))


def answer_all(running: RunningStack, hands: Sequence[Hands], name: str, answer: str, *, but_not: str = "") -> str:
    """Each Worker gives that answer to the HIT about the picture of that name; the HIT's id."""
    hit_id = wait_for_hit(running, name, but_not=but_not)
    for worker in hands:
        worker.answer(hit_id, answer)
    return hit_id

"""A local stack with few open HITs, then many; Workers who list and take them; and the books afterwards."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from client.stack import PATIENT
from local.running import RunningStack
from local.workers.behaviour import BEHAVIOURS
from local.workers.browser import Browser, Traffic
from local.workers.pace import Pace
from local.workers.pages import Page
from local.workers.pictures import Pictures
from local.workers.truth import PHOTOGRAPHS, Truth
from local.workers.worker import Surroundings, Worker, assignment_id_of

REWARD_CENTS = 1
CREATORS = 8
PATIENCE_S = 300.0
"""Two hundred at once wait for two processors."""

MOST_TIMES_SLOWER = 1.5
"""Listing and finding may take so many times as long with many open HITs as with few: what chance makes of it."""

QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">
<HTMLContent><![CDATA[<!DOCTYPE html><form method="post" action="https://www.mturk.com/mturk/externalSubmit">
<input type="hidden" name="assignmentId" value=""><button name="answer" value="yes">Yes</button>
<button name="answer" value="no">No</button></form>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"""

Show = Callable[[str, int], None]


@dataclass(frozen=True)
class Plan:
    """`few` and `many` open HITs of one place each; every one of `workers` does `each` of them, all at once, and goes
    for each of `contested` HITs with one place. `looks`: how often each kind of page is timed."""

    few: int = 100
    many: int = 10_000
    workers: int = 200
    each: int = 10
    contested: int = 10
    looks: int = 40
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """`listing_ms`: the median time of a page, by its name and by the number of open HITs. `given`: assignments, by
    what became of them in the Workers' eyes. `winners`: how many got each contested HIT."""

    plan: Plan
    listing_ms: dict[str, dict[int, float]]
    given: dict[str, int]
    seconds: float
    winners: list[int]
    server_errors: int
    discrepancies: list[str] = field(default_factory=list)

    @property
    def times_slower(self) -> dict[str, float]:
        """With many open HITs, as multiples of with few."""
        return {
            page: round(by_count[self.plan.many] / by_count[self.plan.few], 2)
            for page, by_count in self.listing_ms.items()
        }

    @property
    def shortfalls(self) -> list[str]:
        slower = [f"{page}: {times} times" for page, times in self.times_slower.items() if times > MOST_TIMES_SLOWER]
        contested = [] if self.winners == [1] * self.plan.contested else [f"contested HITs went to {self.winners}"]
        return [*self.discrepancies, *contested, *slower]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        rates = {"assignments_a_second": round(self.given.get("submitted", 0) / self.seconds, 1)}
        return asdict(self) | rates | {"times_slower": self.times_slower, "ok": not self.shortfalls}


def run(plan: Plan, state_dir: Path, show: Show = lambda stage, done: None) -> Report:
    """Run the plan on a stack of its own. Raises StackFailed."""
    # All Workers come from one address here, and nobody waits between two HITs.
    unlimited = [f"--setting={name}=0" for name in ("network_rate", "worker_rate", "sign_in_rate")]
    with RunningStack(state_dir, "--workers", "none", *unlimited) as running:
        return asyncio.run(_Trial(plan, running, show).run())


class _Trial:
    def __init__(self, plan: Plan, running: RunningStack, show: Show) -> None:
        self._plan = plan
        self._show = show
        self._operator = running.stack.operator()
        workplace = running.stack.workplace()
        self._site_url = workplace.url
        self._mturk = workplace.mturk(PATIENT)
        self._invitations = [
            workplace.invitation_url(self._operator.invite_worker(f"Worker {number}")) for number in range(plan.workers)
        ]
        self._traffic = Traffic()
        self._around = Surroundings(Truth.read(PHOTOGRAPHS / "truth.json"), Pictures(), Pace(plan.workers))

    async def run(self) -> Report:
        plan = self._plan
        hit_type_id = self._hit_type("Press a button")
        async with AsyncExitStack() as opened:
            workers = [await self._enter(opened, number) for number in range(plan.workers)]
            self._create(hit_type_id, plan.few, "few HITs")
            few = await self._time_pages(workers[0])
            self._create(hit_type_id, plan.many - plan.few, "many HITs")
            many = await self._time_pages(workers[0])
            began_at = time.monotonic()
            await asyncio.gather(*(self._work(worker) for worker in workers))
            seconds = time.monotonic() - began_at
            winners = await self._contest(workers)
        listing_ms = {page: {plan.few: few[page], plan.many: many[page]} for page in few}
        given = dict(self._around.did)
        return Report(
            plan, listing_ms, given, round(seconds, 1), winners, self._traffic.server_errors, self._discrepancies()
        )

    async def _enter(self, opened: AsyncExitStack, number: int) -> Worker:
        browser = await opened.enter_async_context(Browser(self._traffic, patience_s=PATIENCE_S))
        dice = random.Random(f"{self._plan.seed} {number}")
        worker = Worker(self._invitations[number], BEHAVIOURS["perfect"], browser, self._around, dice)
        await worker.sign_in()
        self._show("Workers", number + 1)
        return worker

    def _hit_type(self, title: str) -> str:
        terms = {"Reward": f"0.{REWARD_CENTS:02}", "AssignmentDurationInSeconds": 3600, "Description": "Yes or no."}
        return str(self._mturk.create_hit_type(Title=title, **terms)["HITTypeId"])

    def _create(self, hit_type_id: str, count: int, stage: str) -> list[str]:
        def create(_: int) -> str:
            terms = {"MaxAssignments": 1, "LifetimeInSeconds": 86_400, "Question": QUESTION}
            return str(self._mturk.create_hit_with_hit_type(HITTypeId=hit_type_id, **terms)["HIT"]["HITId"])

        hit_ids = []
        with ThreadPoolExecutor(CREATORS) as threads:
            for hit_id in threads.map(create, range(count)):
                hit_ids.append(hit_id)
                self._show(stage, len(hit_ids))
        return hit_ids

    async def _time_pages(self, worker: Worker) -> dict[str, float]:
        """The medians, in milliseconds, of the list of groups, a group, and a HIT found in it."""
        first = await worker.browser.open(f"{self._site_url}/")
        [group] = {link.url for link in first.links_to("/groups/")}
        pages = {"list": f"{self._site_url}/", "group": group, "preview of the next HIT": f"{group}/preview"}
        times: dict[str, list[float]] = {name: [] for name in pages}
        for look in range(self._plan.looks):
            for name, url in pages.items():
                began_at = time.perf_counter()
                page = await worker.browser.open(url)
                times[name].append((time.perf_counter() - began_at) * 1000)
                if page.status != 200:
                    raise RuntimeError(f"{url}: {page.status} {page.heading}")
            self._show("looks", look + 1)
        return {name: round(median(each), 1) for name, each in times.items()}

    async def _work(self, worker: Worker) -> None:
        for _ in range(self._plan.each):
            await worker.do_one(await worker.browser.open(f"{self._site_url}/"))
            self._show("assignments", self._around.did["submitted"])

    async def _contest(self, workers: Sequence[Worker]) -> list[int]:
        """How many Workers got each of some HITs that all of them want at the same moment."""
        hit_ids = self._create(self._hit_type("One of you"), self._plan.contested, "contested HITs")
        return [await self._contest_one(workers, hit_id) for hit_id in hit_ids]

    async def _contest_one(self, workers: Sequence[Worker], hit_id: str) -> int:
        url = f"{self._site_url}/hits/{hit_id}"
        previews = await asyncio.gather(*(worker.browser.open(url) for worker in workers))
        accepts = [preview.form_to("/accept") for preview in previews]
        if None in accepts:
            raise RuntimeError(f"{url}: not every Worker may take it")
        pages: list[Page] = await asyncio.gather(
            *(worker.browser.submit(form) for worker, form in zip(workers, accepts, strict=True) if form)
        )
        return sum(page.status == 200 and bool(assignment_id_of(page.url)) for page in pages)

    def _discrepancies(self) -> list[str]:
        """What does not add up: in the workplace's own books, and between the Workers' eyes and the requester's."""
        found = list(self._operator.audit().discrepancies)
        wanted = self._plan.workers * self._plan.each
        did = self._around.did
        if did["submitted"] != wanted:
            found.append(f"{wanted} assignments were to be submitted, and {did['submitted']} were: {dict(did)}")
        assignments = list(self._submitted())
        for what, key in (("assignment", "AssignmentId"), ("HIT", "HITId")):
            often = [id for id, times in Counter(each[key] for each in assignments).items() if times > 1]
            found += [f"{what} {id} was given twice" for id in often]
        if len(assignments) != did["submitted"]:
            found.append(f"Workers submitted {did['submitted']} assignments, and its requester sees {len(assignments)}")
        by_worker = Counter(each["WorkerId"] for each in assignments)
        if set(by_worker.values()) - {self._plan.each}:
            found.append(f"Workers submitted {sorted(set(by_worker.values()))} each")
        return found

    def _submitted(self) -> Iterator[dict[str, Any]]:
        """Every assignment that the requester sees, HIT by HIT."""
        pages = self._mturk.get_paginator("list_reviewable_hits").paginate(PaginationConfig={"PageSize": 100})
        hit_ids = [hit["HITId"] for page in pages for hit in page["HITs"]]

        def of_hit(hit_id: str) -> list[dict[str, Any]]:
            return list(self._mturk.list_assignments_for_hit(HITId=hit_id)["Assignments"])

        with ThreadPoolExecutor(CREATORS) as threads:
            for assignments in threads.map(of_hit, hit_ids):
                yield from assignments

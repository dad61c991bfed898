"""A local stack, an account with a free allowance and a balance, many callers at once, and the books afterwards."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.faults.killer import Killer, list_processes
from crowdsight.accounts.allowance import RESERVATION_S
from crowdsight.wiring import Wiring
from local.running import RunningStack

ACCOUNT = "counted"
OPERATION = "find_similar"
SETTLED_S = RESERVATION_S + 5
"""After this, what a killed Lambda held has expired."""


@dataclass(frozen=True)
class Plan:
    """`price_cents` each after `free`; `kill_every_s`: how often a process that searches is killed, 0 for never."""

    searches: int = 500
    callers: int = 32
    free: int = 100
    balance_cents: int = 150
    price_cents: int = 1
    kill_every_s: float = 0.0
    seed: int = 0

    @property
    def affordable(self) -> int:
        """How many searches succeed, if more are asked for."""
        return self.free + self.balance_cents // self.price_cents


@dataclass(frozen=True)
class Report:
    """`statuses`: how many answers of each, by phase: under fire, and after it until nothing is left.

    `discrepancies`: what the audit found, and where the counts are not what they must be.
    """

    plan: Plan
    statuses: dict[str, dict[int, int]]
    kills: int
    free_used: int
    paid_used: int
    balance_cents: int
    ledger_cents: int
    seconds: float
    discrepancies: list[str]

    @property
    def is_ok(self) -> bool:
        return not self.discrepancies

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.is_ok}


def run(plan: Plan, state_dir: Path, show: Callable[[str, int], None] = lambda stage, done: None) -> Report:
    """Run the plan on a stack of its own. Raises StackFailed."""
    with RunningStack(state_dir, "--workers", "none") as running:
        accounts = running.stack.accounts()
        accounts.accounts.create(ACCOUNT)
        accounts.accounts.set_terms(ACCOUNT, {"free_searches": plan.free, "search_price_cents": plan.price_cents})
        accounts.ledger.top_up(ACCOUNT, plan.balance_cents, "benchmark")
        key = accounts.accounts.create_key(ACCOUNT).key
        started_at = time.monotonic()
        with httpx.Client(base_url=running["api_url"], headers={"x-api-key": key}, trust_env=False, timeout=60) as api:
            with Killer(plan.kill_every_s, plan.seed, lambda: _searching(running["lambda_url"])) as killer:
                under_fire = _search(api, plan, plan.searches, lambda done: show("under fire", done))
            if killer.kills:
                time.sleep(SETTLED_S)
            # Whatever the killed ones held can be spent now, and not one more.
            afterwards = _search(api, plan, plan.searches, lambda done: show("afterwards", done))
        seconds = time.monotonic() - started_at
        return _report(plan, accounts, under_fire, afterwards, sum(killer.kills.values()), seconds)


def _searching(lambda_url: str) -> list[Any]:
    return [process for process in list_processes(lambda_url) if process.operation == OPERATION]


def _search(api: httpx.Client, plan: Plan, times: int, show: Callable[[int], None]) -> Counter[int]:
    statuses: Counter[int] = Counter()

    def call(_: int) -> int:
        while True:
            reply = api.post("/", content=json.dumps({"text": "a dog"}))
            if reply.status_code != 429:
                return reply.status_code
            time.sleep(float(reply.headers["retry-after"]))

    with ThreadPoolExecutor(plan.callers) as threads:
        for status in threads.map(call, range(times)):
            statuses[status] += 1
            show(statuses.total())
    return statuses


def _report(
    plan: Plan, accounts: Wiring, under_fire: Counter[int], afterwards: Counter[int], kills: int, seconds: float
) -> Report:
    standing = accounts.allowance.standing(ACCOUNT)
    ledger_cents = sum(entry.cents for entry in accounts.ledger.entries(ACCOUNT))
    left_cents = plan.balance_cents % plan.price_cents
    counted = standing.free_used + standing.paid_used
    told = under_fire[200] + afterwards[200]
    found = accounts.ledger.discrepancies(ACCOUNT)
    if (standing.free_used, standing.balance_cents, ledger_cents) != (plan.free, left_cents, left_cents):
        found.append("the free ones or the balance are not used up to the last")
    if counted != plan.affordable:
        found.append(f"{counted} searches are counted where {plan.affordable} are to be had")
    # A Lambda that was killed between its last write and its answer has made a search that nobody was told of.
    if not counted - kills <= told <= counted:
        found.append(f"{told} successes were told and {counted} counted, with {kills} kills")
    if unexpected := (set(under_fire) | set(afterwards)) - {200, 402, 500, 502, 504}:
        found.append(f"statuses {sorted(unexpected)}")
    return Report(
        plan,
        {"under_fire": dict(under_fire), "afterwards": dict(afterwards)},
        kills,
        standing.free_used,
        standing.paid_used,
        standing.balance_cents,
        ledger_cents,
        round(seconds, 1),
        found,
    )

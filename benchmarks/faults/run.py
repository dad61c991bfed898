"""One run: stack, callers, killer, audit, in order."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from benchmarks.faults.audit import audit_run, balance_cents, patient_mturk, settled, task_audit, unfinished_executions
from benchmarks.faults.callers import Callers, CallFailed, Document
from benchmarks.faults.killer import Killer, list_processes
from benchmarks.faults.plan import FEE_PERCENT, Plan, Question
from benchmarks.faults.stack import run_stack
from client.stack import Stack
from crowdsight.crowd.audit import TaskAudit

SETTLE_POLL_S = 1.0

Advance = Callable[[str], None]
"""Told of each task that goes a stage further: `put`, `ended` or `settled`."""


@dataclass(frozen=True)
class Report:
    """What a run came to. `seconds`: from the first PUT to the last task's end; `settled_seconds`: to the last HIT's.

    `failed`: how many by problem code. `tried_again`: requests that callers sent again. `audit`: `ok`, or what does not
    add up.
    """

    tasks: int
    seed: int
    notifications: str
    completed: int
    failed: dict[str, int]
    answers: int
    answers_per_task: float
    cents: int
    seconds: float
    settled_seconds: float
    tasks_per_minute: float
    kills: int
    tried_again: int
    audit: str | list[str]

    @property
    def is_ok(self) -> bool:
        return self.audit == "ok"

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def run(plan: Plan, state_dir: Path, advance: Advance = lambda stage: None) -> Report:
    """Do it all; the stack's state and logs stay in `state_dir`. Raises StackFailed."""
    with run_stack(plan, state_dir) as running:
        return run_on(plan, running.stack, running["lambda_url"], advance)


def run_on(plan: Plan, stack: Stack, lambda_url: str, advance: Advance = lambda stage: None) -> Report:
    """Do it on a running stack that nobody else uses and that has the plan's settings.

    `lambda_url`: the local Lambda's, which lists the processes to kill.
    """
    questions = plan.questions()
    funds_cents = balance_cents(patient_mturk(stack))
    tasks = task_audit(stack, FEE_PERCENT)
    began_at = time.monotonic()
    with Killer(plan.kill_every_s, plan.seed, lambda: list_processes(lambda_url)) as killer:
        documents, failures, tried_again = asyncio.run(_call(plan, stack, questions, advance))
        ended_s = time.monotonic() - began_at
        _wait_until_settled(plan, stack, tasks, questions, advance)
    settled_s = time.monotonic() - began_at
    audit = audit_run(stack, questions, documents, funds_cents, FEE_PERCENT)
    return Report(
        tasks=plan.tasks,
        seed=plan.seed,
        notifications=plan.notifications,
        completed=audit.completed,
        failed=dict(sorted(audit.failed.items())),
        answers=audit.answers,
        answers_per_task=round(audit.answers / plan.tasks, 2),
        cents=audit.cents,
        seconds=round(ended_s, 1),
        settled_seconds=round(settled_s, 1),
        tasks_per_minute=round(plan.tasks / ended_s * 60, 1),
        kills=killer.kills.total(),
        tried_again=tried_again,
        audit=[*failures, *audit.discrepancies] or "ok",
    )


async def _call(
    plan: Plan, stack: Stack, questions: list[Question], advance: Advance
) -> tuple[dict[str, Document], list[str], int]:
    """What the callers were told at the end, what went wrong, and how many requests were sent again."""
    api = stack.local_api()
    async with httpx.AsyncClient(
        base_url=api.url, headers={"x-api-key": api.key}, timeout=35.0, trust_env=False
    ) as http:
        callers = Callers(http, concurrency=plan.callers, seed=plan.seed)
        failures = await callers.put_all(questions, lambda: advance("put"))
        if failures:
            return {}, failures, callers.tried_again
        try:
            documents = await callers.wait_for_all(questions, plan.timeout_s, lambda: advance("ended"))
        except CallFailed as error:
            return {}, [str(error)], callers.tried_again
        return documents, [], callers.tried_again


def _wait_until_settled(
    plan: Plan, stack: Stack, tasks: TaskAudit, questions: list[Question], advance: Advance
) -> None:
    """Until every HIT is disposed of and every execution is over, or the time for that is up: the audit tells which."""
    give_up_at = time.monotonic() + plan.timeout_s
    waiting = list(questions)
    while (waiting or unfinished_executions(stack)) and time.monotonic() < give_up_at:
        time.sleep(SETTLE_POLL_S)
        done = settled(tasks, waiting)
        for _ in done:
            advance("settled")
        waiting = [question for question in waiting if question.name not in done]

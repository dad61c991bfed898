"""The audit of a run: what the public APIs say, what the stores hold and what the ledger booked must be one story."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from botocore.config import Config

from benchmarks.faults.callers import Document
from benchmarks.faults.plan import Question
from client.stack import TASKS_STACK, Stack
from crowdsight.crowd.audit import AuditedTask, TaskAudit
from crowdsight.crowd.requester import annotation_of
from crowdsight.tasks import State, TaskKey
from crowdsight.wiring import Settings, Wiring

ACCOUNT = "default"
CONCURRENT_READS = 4


@dataclass(frozen=True)
class OfferedHit:
    """A HIT as its requester sees it, with the status of each of its assignments by id."""

    hit_id: str
    status: str
    annotation: str
    assignments: Mapping[str, str]


@dataclass
class RunAudit:
    """What a run came to, and what does not add up."""

    completed: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    cents: int = 0
    discrepancies: list[str] = field(default_factory=list)

    def expect(self, what: str, actual: object, expected: object) -> None:
        if actual != expected:
            self.discrepancies.append(f"{what} is {actual}, not {expected}")


def task_audit(stack: Stack, fee_percent: int) -> TaskAudit:
    """The product's own audit of tasks, over that deployment's table."""
    table = stack.aws.outputs(TASKS_STACK)["TasksTable"]
    return Wiring(Settings(tasks_table=table, workplace_fee_percent=fee_percent), stack.aws.client).task_audit


def patient_mturk(stack: Stack) -> Any:
    """An ordinary client for the deployment's requester account, which does not give up when it is throttled."""
    return stack.workplace().mturk(Config(retries={"mode": "adaptive", "max_attempts": 12}))


def balance_cents(mturk: Any) -> int:
    """What the requester account can spend, as MTurk's API tells it."""
    return int(Decimal(mturk.get_account_balance()["AvailableBalance"]) * 100)


def settled(audit: TaskAudit, questions: Iterable[Question]) -> set[str]:
    """The names of the tasks to which nothing more can happen."""
    return {question.name for question in questions if (task := audit.read(key_of(question))) and task.is_settled}


def unfinished_executions(stack: Stack) -> dict[str, str]:
    """The status of each workflow execution that has not succeeded, by its name, a generation's id."""
    workflows = stack.aws.client("stepfunctions")
    found: dict[str, str] = {}
    for machine in workflows.list_state_machines()["stateMachines"]:
        for page in workflows.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"]):
            found |= {each["name"]: each["status"] for each in page["executions"] if each["status"] != "SUCCEEDED"}
    return found


def audit_run(
    stack: Stack, questions: Sequence[Question], documents: Mapping[str, Document], funds_cents: int, fee_percent: int
) -> RunAudit:
    """Read everything and compare. `documents`: what callers were told at the end; `funds_cents`: the first balance."""
    run = RunAudit()
    mturk = patient_mturk(stack)
    tasks = task_audit(stack, fee_percent)
    with ThreadPoolExecutor(CONCURRENT_READS) as readers:
        audited = list(readers.map(lambda each: tasks.read(key_of(each)), questions))
        hits = list(readers.map(lambda task: _read_hit_of(task, mturk), audited))
    for question, task, hit in zip(questions, audited, hits, strict=True):
        _audit_task(run, question, task, documents.get(question.name), hit)
    _audit_budget(run, tasks, audited)
    _audit_workplace(run, stack, mturk, [hit.hit_id for hit in hits if hit], funds_cents)
    for name, status in unfinished_executions(stack).items():
        run.discrepancies.append(f"workflow execution {name} is {status}")
    return run


def key_of(question: Question) -> TaskKey:
    return TaskKey(ACCOUNT, question.function, question.name)


def _read_hit_of(task: AuditedTask | None, mturk: Any) -> OfferedHit | None:
    return read_hit(mturk, task.generation.hit_id) if task and task.generation and task.generation.hit_id else None


def read_hit(mturk: Any, hit_id: str) -> OfferedHit:
    """The HIT by MTurk's API, disposed of or not."""
    hit = mturk.get_hit(HITId=hit_id)["HIT"]
    pages = mturk.get_paginator("list_assignments_for_hit").paginate(HITId=hit_id)
    assignments = {each["AssignmentId"]: each["AssignmentStatus"] for page in pages for each in page["Assignments"]}
    return OfferedHit(hit_id, hit["HITStatus"], hit.get("RequesterAnnotation", ""), assignments)


def _audit_task(
    run: RunAudit, question: Question, task: AuditedTask | None, document: Document | None, hit: OfferedHit | None
) -> None:
    """One task: what its caller was told, its own records, its HIT."""
    name = f"task {question.name}"
    if document is None:
        run.discrepancies.append(f"{name} did not end in time")
    if task is None or task.generation is None:
        run.discrepancies.append(f"{name} or its generation is not there")
        return
    run.discrepancies += task.discrepancies
    if document is not None:
        run.expect(f"{name}: what its caller was told", document, task.task.document())
    run.completed += task.task.state is State.COMPLETED
    if task.task.problem:
        run.failed[task.task.problem.code.value] += 1
    run.answers += len(task.answers)
    run.cents += task.generation.spent_cents or 0
    if hit is None:
        run.expect(f"{name}: answers without a HIT", len(task.answers), 0)
        return
    run.expect(f"{name}: HIT {hit.hit_id}", hit.status, "Disposed")
    run.expect(f"{name}: annotation of HIT {hit.hit_id}", hit.annotation, annotation_of(task.generation.id))
    run.expect(
        f"{name}: assignments at the workplace",
        sorted(hit.assignments),
        sorted(answer.assignment_id for answer in task.answers),
    )
    for assignment_id, status in hit.assignments.items():
        run.expect(f"{name}: assignment {assignment_id}", status, "Approved")


def _audit_budget(run: RunAudit, tasks: TaskAudit, audited: Sequence[AuditedTask | None]) -> None:
    """Of what was reserved for the worst case, only what was spent is still taken."""
    spent: Counter[str] = Counter()
    for task in audited:
        if task and task.generation and task.generation.budget_month:
            spent[task.generation.budget_month] += task.generation.spent_cents or 0
    for month, cents in spent.items():
        run.expect(f"the crowd budget taken in {month}", tasks.committed_cents(ACCOUNT, month), cents)


def _audit_workplace(run: RunAudit, stack: Stack, mturk: Any, hit_ids: Sequence[str], funds_cents: int) -> None:
    """The workplace's own audit, and that it has nothing but these HITs, all paid and gone."""
    workplace = stack.operator().audit()
    run.discrepancies += workplace.discrepancies
    run.expect("the number of different HITs", len(set(hit_ids)), len(hit_ids))
    run.expect("HITs at the workplace", workplace.hits, len(hit_ids))
    run.expect("rewards paid and fees", workplace.rewards_paid_cents + workplace.fees_cents, run.cents)
    run.expect("held at the end", workplace.held_cents, 0)
    run.expect("the requester's balance", balance_cents(mturk), funds_cents - run.cents)
    run.expect("HITs that the requester still has", mturk.list_hits()["NumResults"], 0)

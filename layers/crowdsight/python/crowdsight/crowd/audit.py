"""Proof that a task ended as its answers say, and cost what they cost: the task against its generation and its answers.

Run it when nothing is going on: a step in between can look like a discrepancy, and one that is real shows again in a
second run. Money and HITs are the workplace's to prove, see `crowdsight.workplace.audit`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.judging import Grounds, decide
from crowdsight.crowd.prices import answer_cents
from crowdsight.task_store import Generation, Phase, RecordedAnswer, Spending, TaskStore
from crowdsight.tasks import ProblemCode, State, Task, TaskKey

BY_ADJUDICATION = (ProblemCode.NO_AGREEMENT, ProblemCode.IMAGE_UNAVAILABLE)
"""The problems that follow from the answers, and what was known of who gave them."""

BY_JUDGEMENT = (*BY_ADJUDICATION, ProblemCode.EXPIRED)
"""Those that end a task by judgement."""

AUDIT_ATTEMPTS = 10
AUDIT_PAUSE_S = 1.0


@dataclass(frozen=True)
class AuditedTask:
    """A task, its generation's record (None if there is none) and answers, and what does not add up (nothing)."""

    task: Task
    generation: Generation | None
    answers: list[RecordedAnswer]
    discrepancies: list[str]

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.generation is not None and self.generation.phase is Phase.SETTLED


class TaskAudit:
    """`fee_percent`: the workplace's, as in the deployment's settings."""

    def __init__(self, store: TaskStore, fee_percent: int) -> None:
        self._store = store
        self._fee_percent = fee_percent

    def read(self, key: TaskKey) -> AuditedTask | None:
        """The task that has this name now; None if there is none."""
        task = self._store.find(key)
        if task is None:
            return None
        generation = self._store.generation(task.generation)
        if generation is None:
            return AuditedTask(task, None, [], [f"task {key.name} has no record of its generation"])
        answers = self._store.answers(generation.id)
        return AuditedTask(task, generation, answers, discrepancies_of(task, generation, answers, self._fee_percent))

    def committed_cents(self, account: str, month: str) -> int:
        """What is taken of an account's crowd budget in a month (`yyyy-mm`)."""
        return self._store.committed_cents(account, month)


class BudgetAudit:
    """Proof that accounts' months have taken what their tasks have cost, and may still cost.

    `sleep`: waits for so many seconds.
    """

    def __init__(self, store: TaskStore, sleep: Callable[[float], None]) -> None:
        self._store = store
        self._sleep = sleep

    def spendings(self, account: str) -> Iterator[Spending]:
        """What each settled task has cost."""
        return self._store.spendings(account)

    def discrepancies(self, accounts: Iterable[str]) -> list[str]:
        """Months in which something does not add up; nothing, if all is well.

        It may be run while tasks go on: what seems wrong is read again, until it is twice the same while the budgets
        stand still. The pause in between is for unsettled tasks, whose index is eventually consistent.
        """
        seeming: dict[str, list[str]] = {account: [] for account in accounts}
        found: list[str] = []
        for attempt in range(AUDIT_ATTEMPTS):
            if attempt:
                self._sleep(AUDIT_PAUSE_S)
            for account, (is_still, amiss) in self._read(seeming).items():
                if is_still and amiss in ([], seeming[account]):
                    found += amiss
                    del seeming[account]
                else:
                    seeming[account] = amiss if is_still else []
            if not seeming:
                return found
        return found + [f"{account}: its budgets were in use all the time; audit it again" for account in seeming]

    def _read(self, accounts: Iterable[str]) -> dict[str, tuple[bool, list[str]]]:
        """For each account, whether its budgets were the same before and after, and what does not add up."""
        before = {account: self._store.budgets(account) for account in accounts}
        unsettled: dict[str, list[Generation]] = {account: [] for account in before}
        for generation in self._store.unsettled_generations():
            if generation.key.account in unsettled:
                unsettled[generation.key.account].append(generation)
        read = {}
        for account, budgets in before.items():
            expected = self._expected_cents(account, unsettled[account])
            amiss = [
                f"{account}: {budgets.get(month, 0)} cents are committed in {month}, and its tasks say "
                f"{expected[month]}"
                for month in sorted({*budgets, *expected})
                if budgets.get(month, 0) != expected[month]
            ]
            read[account] = (self._store.budgets(account) == budgets, amiss)
        return read

    def _expected_cents(self, account: str, unsettled: Iterable[Generation]) -> Counter[str]:
        """By month. A generation that was settled meanwhile is counted once, at what it cost."""
        expected: Counter[str] = Counter()
        settled = set()
        for spending in self._store.spendings(account):
            expected[spending.month] += spending.cents
            settled.add(spending.generation)
        for generation in unsettled:
            if generation.id not in settled:
                expected[generation.budget_month] += generation.worst_case_cents
        return expected


def discrepancies_of(task: Task, generation: Generation, answers: list[RecordedAnswer], fee_percent: int) -> list[str]:
    """What is not as it must be with a task that has ended and whose HIT is settled."""
    found = []
    if generation.key != task.key or generation.input_json != task.input_json:
        found.append(f"generation {generation.id} is of another task or input")
    if task.state is State.PROCESSING:
        found.append("has not ended")
    if generation.phase is not Phase.SETTLED:
        found.append(f"its generation is {generation.phase}, not settled")
    workers = [answer.worker_id for answer in answers]
    if len(set(workers)) < len(workers):
        found.append("a Worker answered it twice")
    spent_cents = len(answers) * answer_cents(CATALOGUE[generation.function], fee_percent)
    if generation.spent_cents != spent_cents:
        found.append(f"{generation.spent_cents} cents are booked for {len(answers)} answers of {spent_cents} cents")
    found += _wrong_outcome(task, generation, answers)
    return [f"task {task.key.name}: {what}" for what in found]


def _wrong_outcome(task: Task, generation: Generation, answers: list[RecordedAnswer]) -> list[str]:
    """The adjudicator again, over the same answers and with what it knew then.

    Only Expired and failures of a step do not follow from them. The latter have no grounds: then the rule as it is
    while it knows nobody, and all answers.
    """
    function = CATALOGUE[generation.function]
    rule, counted = function.adjudicator, answers
    if generation.grounds:
        grounds = Grounds.from_document(generation.grounds)
        rule, counted = grounds.rule(function), grounds.counted(answers)
        if len(counted) < len(grounds.assignment_ids):
            return ["it was judged by answers that are not recorded"]
    elif task.state is State.COMPLETED or (task.problem and task.problem.code in BY_JUDGEMENT):
        return ["it was judged, and nothing says by what"]
    decision = decide(function, rule, generation, counted, generation.created_at_ms)
    match task.state:
        case State.COMPLETED if task.result != decision.result:
            return [f"the result is {task.result}, and its answers say {decision.action} {decision.result}"]
        case State.FAILED if task.problem and task.problem.code in BY_ADJUDICATION:
            if decision.problem != task.problem.code:
                return [f"it failed as {task.problem.code}, and its answers say {decision.action} {decision.problem}"]
        case State.FAILED if decision.action == "complete":
            return [f"it failed as {task.problem and task.problem.code}, and its answers say {decision.result}"]
    return []

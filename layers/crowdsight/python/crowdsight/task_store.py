"""Tasks and their generations in DynamoDB.

| pk                              | sk               | what                                                        |
|---------------------------------|------------------|-------------------------------------------------------------|
| TASK#account#function#name      | TASK             | the task that has this name now                             |
| GENERATION#id                   | GENERATION       | one use of the name: its HIT, its task token, its deadline  |
| GENERATION#id                   | ANSWER#assignment| one submitted answer                                        |
| BUDGET#account                  | yyyy-mm          | cents committed in a month                                  |
| BUDGET#account                  | yyyy-mm#id       | cents that a settled generation has cost                    |
| ANSWERS#function                | yyyy-mm          | how many answers came in a month: to settled tasks, and to  |
|                                 |                  | known-answer questions                                      |

The index `open` (open_pk = one of 16 shards, open_sk = when to look next, in milliseconds) holds the generations that
still need looking after: processing, or finished with a HIT that is not disposed of yet.

The task item decides. A task ends by one transaction that requires it to be processing in this very generation, so
that it ends once, however often a step runs.
"""

import json
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Step, Table, TransactionFailed
from crowdsight.errors import BudgetExceeded, NotFound, StillProcessing
from crowdsight.tasks import KEEP_FINISHED_S, Problem, ProblemCode, State, Task, TaskKey

SHARDS = "0123456789abcdef"
"""A generation's shard of the index `open` is the first character of its id."""


class TaskExists(Exception):
    """The name is taken."""


class UnknownGeneration(Exception):
    """No such generation: its record is gone."""


class Phase(StrEnum):
    """Where a generation is: its task is processing; the task has ended; and its HIT is disposed of as well."""

    OPEN = "open"
    CLOSED = "closed"
    SETTLED = "settled"


@dataclass(frozen=True)
class RecordedAnswer:
    """A submitted assignment. `form_value` is what the Worker sent as `answer`, or None if there was none."""

    assignment_id: str
    worker_id: str
    form_value: str | None
    submitted_at_ms: int


@dataclass(frozen=True)
class Generation:
    """One use of a task name. `function` is the catalogue's name; times are milliseconds since the epoch.

    `assignments_asked`: how many answers its HIT asks for so far. `hit_over`: no further answer can come.
    `worst_case_cents`: what was reserved of the account's crowd budget in `budget_month`. `spent_cents`: what it cost
    in the end, once it is settled. `grounds`: what its task was judged by, once it has ended by judgement.
    """

    id: str
    key: TaskKey
    function: str
    input_json: str
    phase: Phase
    started: bool
    created_at_ms: int
    deadline_ms: int
    hit_id: str | None
    assignments_asked: int
    hit_over: bool
    token: str | None
    budget_month: str
    worst_case_cents: int
    spent_cents: int | None = None
    grounds: dict[str, Any] | None = None


@dataclass(frozen=True)
class Spending:
    """What a task has cost in the end. `month`: whose budget it was taken of. `at_ms`: when it was settled."""

    key: TaskKey
    generation: str
    month: str
    cents: int
    at_ms: int


class TaskStore:
    """All reads are strongly consistent but `due_generations`."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    # The task

    def find(self, key: TaskKey) -> Task | None:
        """The task that has this name now, or None."""
        item = self._table.get(_task_pk(key), "TASK")
        return _task(key, item) if item else None

    def create(
        self, task: Task, function: str, lifetime_s: int, *, worst_case_cents: int = 0, ceiling_cents: int = 0
    ) -> None:
        """Take the name and open a generation, reserving the worst-case price of the month's budget.

        `ceiling_cents`: the account's monthly crowd budget, 0 for one that has no end.
        Raises TaskExists, BudgetExceeded.
        """
        if ceiling_cents and worst_case_cents > ceiling_cents:
            raise BudgetExceeded(_budget_message(worst_case_cents, ceiling_cents))
        now = self._clock()
        month = self.month()
        generation: Item = {
            "pk": _generation_pk(task.generation),
            "sk": "GENERATION",
            "account": task.key.account,
            "task_function": task.key.function,
            "task_name": task.key.name,
            "function": function,
            "input": task.input_json,
            "phase": Phase.OPEN.value,
            "created_at_ms": now,
            "deadline_ms": now + lifetime_s * 1000,
            "open_pk": task.generation[0],
            "open_sk": now,
            "budget_month": month,
            "worst_case_cents": worst_case_cents,
        }
        room = {"room": ceiling_cents - worst_case_cents} if ceiling_cents else {}
        steps = [
            self._table.put_step("task", self._task_item(task), "attribute_not_exists(pk)"),
            self._table.put_step("generation", generation, "attribute_not_exists(pk)"),
            self._table.update_step(
                "budget",
                f"BUDGET#{task.key.account}",
                month,
                "ADD committed_cents :worst",
                "attribute_not_exists(committed_cents) OR committed_cents <= :room" if room else None,
                {"worst": worst_case_cents} | room,
            ),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed as error:
            if "task" in error.failed:
                raise TaskExists from error
            raise BudgetExceeded(_budget_message(worst_case_cents, ceiling_cents)) from error

    def create_finished(self, task: Task) -> None:
        """Take the name for a task that is finished from the start. Raises TaskExists."""
        try:
            self._table.put(self._task_item(task), "attribute_not_exists(pk)")
        except ConditionFailed as error:
            raise TaskExists from error

    def delete(self, key: TaskKey) -> None:
        """Free the name of a finished task. Raises NotFound, StillProcessing."""
        try:
            self._table.delete(
                _task_pk(key),
                "TASK",
                "attribute_exists(pk) AND #state <> :processing",
                {"processing": State.PROCESSING.value},
                {"state": "state"},
            )
        except ConditionFailed as error:
            if self.find(key) is None:
                raise NotFound("no such task") from error
            raise StillProcessing("the task is still processing; it can be deleted when it is finished") from error

    def complete(
        self, generation: Generation, result: dict[str, Any], grounds: Mapping[str, Any] | None = None
    ) -> bool:
        """End the task with a result; False if it has ended already. `grounds`: None if it was not judged."""
        return self._finish(
            generation,
            grounds,
            State.COMPLETED,
            "#result = :result",
            {"result": json.dumps(result)},
            {"result": "result"},
        )

    def fail(self, generation: Generation, problem: Problem, grounds: Mapping[str, Any] | None = None) -> bool:
        """End the task with a problem; False if it has ended already."""
        return self._finish(
            generation,
            grounds,
            State.FAILED,
            "problem_code = :code, problem_message = :message",
            {"code": problem.code.value, "message": problem.message},
            {},
        )

    # Its generation

    def generation(self, generation_id: str) -> Generation | None:
        """The generation, or None if there is none or its record is forgotten."""
        item = self._table.get(_generation_pk(generation_id), "GENERATION")
        return _generation(item) if item else None

    def load_generation(self, generation_id: str) -> Generation:
        """Raises UnknownGeneration."""
        generation = self.generation(generation_id)
        if generation is None:
            raise UnknownGeneration(generation_id)
        return generation

    def mark_started(self, generation_id: str) -> None:
        """The workflow's execution exists."""
        self._change(generation_id, "SET started = :true", {"true": True})

    def set_hit(self, generation_id: str, hit_id: str, assignments: int) -> None:
        """The HIT was created. Doing it again changes nothing, not even after an extension."""
        try:
            self._table.update(
                _generation_pk(generation_id),
                "GENERATION",
                "SET hit_id = :hit, assignments_asked = :asked",
                "attribute_exists(pk) AND attribute_not_exists(hit_id)",
                {"hit": hit_id, "asked": assignments},
            )
        except ConditionFailed:
            pass  # recorded by an earlier run of the same step

    def set_assignments_asked(self, generation_id: str, assignments: int) -> None:
        """The HIT was extended to this many assignments; never goes back."""
        try:
            self._table.update(
                _generation_pk(generation_id),
                "GENERATION",
                "SET assignments_asked = :asked",
                "assignments_asked < :asked",
                {"asked": assignments},
            )
        except ConditionFailed:
            pass  # recorded by an earlier run of the same step

    def set_token(self, generation_id: str, token: str) -> None:
        """The workflow waits behind this task token; the last one counts."""
        self._change(generation_id, "SET task_token = :token", {"token": token})

    def set_hit_over(self, generation_id: str) -> None:
        """No further answer can come."""
        self._change(generation_id, "SET hit_over = :true", {"true": True})

    def add_answer(self, generation_id: str, answer: RecordedAnswer) -> None:
        """Record an answer; the same assignment again changes nothing."""
        item: Item = {
            "pk": _generation_pk(generation_id),
            "sk": f"ANSWER#{answer.assignment_id}",
            "worker_id": answer.worker_id,
            "form_value": answer.form_value,
            "submitted_at_ms": answer.submitted_at_ms,
            "ttl_s": self._clock() // 1000 + 2 * KEEP_FINISHED_S,
        }
        try:
            self._table.put(item, "attribute_not_exists(pk)")
        except ConditionFailed:
            pass  # a second notification

    def answers(self, generation_id: str) -> list[RecordedAnswer]:
        """In order of submission."""
        items = self._table.query_all(_generation_pk(generation_id), "ANSWER#")
        answers = [
            RecordedAnswer(
                assignment_id=item["sk"].removeprefix("ANSWER#"),
                worker_id=item["worker_id"],
                form_value=item["form_value"],
                submitted_at_ms=item["submitted_at_ms"],
            )
            for item in items
        ]
        return sorted(answers, key=lambda answer: (answer.submitted_at_ms, answer.assignment_id))

    # Budgets

    def month(self) -> str:
        """The present one, `yyyy-mm` in UTC."""
        return month_of(self._clock())

    def budgets(self, account: str) -> dict[str, int]:
        """By month, what an account's tasks have cost or may still cost at the worst."""
        items = self._table.query_all(f"BUDGET#{account}")
        return {item["sk"]: item["committed_cents"] for item in items if "committed_cents" in item}

    def spendings(self, account: str) -> Iterator[Spending]:
        """What each settled task has cost, by month."""
        for item in self._table.query_all(f"BUDGET#{account}"):
            if "task_name" in item:
                month, _, generation = item["sk"].partition("#")
                key = TaskKey(account, item["task_function"], item["task_name"])
                yield Spending(key, generation, month, item["cents"], item["at_ms"])

    def committed_cents(self, account: str, month: str) -> int:
        """What an account's tasks of a month (`yyyy-mm`, UTC) have cost, or may still cost at the worst."""
        item = self._table.get(f"BUDGET#{account}", month)
        return int(item["committed_cents"]) if item else 0

    # Looking after generations

    def due_generations(self) -> Iterator[Generation]:
        """Generations whose time to be looked at has come, oldest first within a shard (eventually consistent).

        The shards come in any order, so that none is always last when there is more to do than a run has time for.
        """
        return self._unsettled(self._clock())

    def open_generations(self, most: int) -> list[Generation]:
        """Those whose tasks are processing, among so many unsettled ones at most (eventually consistent)."""
        some = islice(self.unsettled_generations(), most)
        return [generation for generation in some if generation.phase is Phase.OPEN]

    def unsettled_generations(self) -> Iterator[Generation]:
        """All whose cost is not known yet (eventually consistent)."""
        return self._unsettled(sys.maxsize)

    def _unsettled(self, due_by_ms: int) -> Iterator[Generation]:
        for shard in random.sample(SHARDS, len(SHARDS)):
            for item in self._table.query_all(shard, sk_between=(0, due_by_ms), index="open"):
                yield _generation(item)

    def look_again(self, generation_id: str, after_s: int) -> None:
        """When to look after a generation next."""
        self._change(
            generation_id, "SET open_sk = :at", {"at": self._clock() + after_s * 1000}, "attribute_exists(open_pk)"
        )

    def settle(self, generation: Generation, spent_cents: int, answers: int = 0) -> None:
        """Nothing more can happen to a closed generation: correct the budget to what was spent, forget it later.

        `answers`: how many it got.
        """
        steps = [
            self._table.update_step(
                "generation",
                _generation_pk(generation.id),
                "GENERATION",
                "SET phase = :settled, spent_cents = :spent, ttl_s = :ttl REMOVE open_pk, open_sk, task_token",
                "phase = :closed",
                {
                    "settled": Phase.SETTLED.value,
                    "closed": Phase.CLOSED.value,
                    "spent": spent_cents,
                    "ttl": self._clock() // 1000 + KEEP_FINISHED_S,
                },
            ),
            self._table.update_step(
                "budget",
                f"BUDGET#{generation.key.account}",
                generation.budget_month,
                "ADD committed_cents :difference",
                values={"difference": spent_cents - generation.worst_case_cents},
            ),
            self._table.put_step(
                "spending",
                {
                    "pk": f"BUDGET#{generation.key.account}",
                    "sk": f"{generation.budget_month}#{generation.id}",
                    "task_function": generation.key.function,
                    "task_name": generation.key.name,
                    "cents": spent_cents,
                    "at_ms": self._clock(),
                },
            ),
            count_step(self._table, generation.function, self._clock(), "to_tasks", answers),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed:
            pass  # settled already

    def _task_item(self, task: Task) -> Item:
        now = self._clock()
        item: Item = {
            "pk": _task_pk(task.key),
            "sk": "TASK",
            "generation": task.generation,
            "input": task.input_json,
            "state": task.state.value,
            "created_at_ms": now,
        }
        if task.state is not State.PROCESSING:
            item |= {"result": json.dumps(task.result), "ttl_s": now // 1000 + KEEP_FINISHED_S}
        return item

    def _finish(
        self,
        generation: Generation,
        grounds: Mapping[str, Any] | None,
        state: State,
        change: str,
        values: dict[str, Any],
        names: dict[str, str],
    ) -> bool:
        now = self._clock()
        steps = [
            self._table.update_step(
                "task",
                _task_pk(generation.key),
                "TASK",
                f"SET #state = :state, ttl_s = :ttl, {change}",
                "#state = :processing AND generation = :generation",
                values
                | {
                    "state": state.value,
                    "processing": State.PROCESSING.value,
                    "generation": generation.id,
                    "ttl": now // 1000 + KEEP_FINISHED_S,
                },
                names | {"state": "state"},
            ),
            self._table.update_step(
                "generation",
                _generation_pk(generation.id),
                "GENERATION",
                "SET phase = :closed, open_sk = :now, grounds = :grounds",
                "phase = :open",
                {
                    "closed": Phase.CLOSED.value,
                    "open": Phase.OPEN.value,
                    "now": now,
                    "grounds": json.dumps(grounds),
                },
            ),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed:
            return False
        return True

    def _change(
        self, generation_id: str, expression: str, values: dict[str, Any], condition: str = "attribute_exists(pk)"
    ) -> None:
        try:
            self._table.update(_generation_pk(generation_id), "GENERATION", expression, condition, values)
        except ConditionFailed:
            pass  # forgotten or settled meanwhile: there is nothing left to change


def month_of(at_ms: int) -> str:
    """`yyyy-mm`, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m")


def answers_key(function: str, at_ms: int) -> tuple[str, str]:
    """Where a function's answers of a month are counted, by `to_tasks` and `to_known`."""
    return f"ANSWERS#{function}", month_of(at_ms)


def count_step(table: Table, function: str, at_ms: int, name: str, answers: int) -> Step:
    """Count so many answers more."""
    pk, sk = answers_key(function, at_ms)
    return table.update_step("count", pk, sk, "ADD #name :more", values={"more": answers}, names={"name": name})


def _task_pk(key: TaskKey) -> str:
    return f"TASK#{key.account}#{key.function}#{key.name}"


def _generation_pk(generation_id: str) -> str:
    return f"GENERATION#{generation_id}"


def _task(key: TaskKey, item: Item) -> Task:
    problem = Problem(ProblemCode(item["problem_code"]), item["problem_message"]) if "problem_code" in item else None
    return Task(
        key=key,
        generation=item["generation"],
        input_json=item["input"],
        state=State(item["state"]),
        result=json.loads(item["result"]) if "result" in item else None,
        problem=problem,
    )


def _generation(item: Item) -> Generation:
    return Generation(
        id=item["pk"].removeprefix("GENERATION#"),
        key=TaskKey(item["account"], item["task_function"], item["task_name"]),
        function=item["function"],
        input_json=item["input"],
        phase=Phase(item["phase"]),
        started=item.get("started", False),
        created_at_ms=item["created_at_ms"],
        deadline_ms=item["deadline_ms"],
        hit_id=item.get("hit_id"),
        assignments_asked=item.get("assignments_asked", 0),
        hit_over=item.get("hit_over", False),
        token=item.get("task_token"),
        budget_month=item["budget_month"],
        worst_case_cents=item.get("worst_case_cents", 0),
        spent_cents=item.get("spent_cents"),
        grounds=json.loads(item.get("grounds", "null")),
    )


def _budget_message(price_cents: int, ceiling_cents: int) -> str:
    return (
        f"the task may cost up to {price_cents} cents and this month's crowd budget of {ceiling_cents} cents does not "
        "cover it; it becomes free again as tasks end, or an operator can raise it"
    )

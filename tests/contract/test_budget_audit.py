"""Budgets are audited while tasks go on: what is wrong is found, and what only seems so is not."""

from collections.abc import Iterator
from typing import Any

import pytest

from crowdsight.crowd.audit import BudgetAudit
from crowdsight.dynamodb import Table
from crowdsight.task_store import Generation, TaskStore
from crowdsight.tasks import Task, TaskKey, canonical_json
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.crowd_world import CONTAINS_INPUT
from tests.contract.interruptions import Interruptions
from tests.contract.memory_dynamodb import MemoryDynamoDB

WORST_CENTS = 18


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    dynamodb = MemoryDynamoDB()
    create_table(dynamodb, "tasks", {"open": "N"})
    return dynamodb


@pytest.fixture
def store(dynamodb: MemoryDynamoDB, clock: StoppedClock) -> TaskStore:
    return TaskStore(Table(dynamodb, "tasks"), clock)


def create(store: TaskStore, account: str, digit: str) -> Generation:
    task = Task(TaskKey(account, "image-contains", f"task-{digit}"), digit * 32, canonical_json(CONTAINS_INPUT))
    store.create(task, "image-contains", 3600, worst_case_cents=WORST_CENTS)
    return store.load_generation(task.generation)


def settle(store: TaskStore, generation: Generation, cents: int) -> None:
    store.complete(generation, {"containsTarget": True})
    store.settle(store.load_generation(generation.id), cents)


@pytest.mark.parametrize("at", range(25))
@pytest.mark.parametrize("spent_cents", [0, 6, WORST_CENTS])
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_a_task_that_starts_or_ends_at_any_moment_of_an_audit_is_no_discrepancy(
    at: int, spent_cents: int, after: bool, dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    running = create(store, "ann", "1")

    def go_on() -> None:
        settle(store, running, spent_cents)
        create(store, "ann", "2")
        create(store, "bob", "3")

    interruptions = Interruptions()
    audit = BudgetAudit(TaskStore(Table(interruptions.watch(dynamodb), "tasks"), clock), clock.move)
    interruptions.arm(at, go_on, after)
    assert audit.discrepancies(["ann", "bob"]) == []


class Lagging(TaskStore):
    """Its index takes a while to know of a task."""

    def __init__(self, *store: Any) -> None:
        super().__init__(*store)
        self.lag = 1

    def unsettled_generations(self) -> Iterator[Generation]:
        self.lag -= 1
        return iter(()) if self.lag >= 0 else super().unsettled_generations()


def test_a_task_that_the_index_does_not_know_yet_is_no_discrepancy(
    dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    create(store, "ann", "1")
    lagging = Lagging(Table(dynamodb, "tasks"), clock)
    assert BudgetAudit(lagging, clock.move).discrepancies(["ann"]) == []


def test_a_task_that_the_index_still_takes_for_unsettled_is_counted_once(
    dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    generation = create(store, "ann", "1")
    settle(store, generation, 6)

    class Behind(TaskStore):
        def unsettled_generations(self) -> Iterator[Generation]:
            return iter([generation])

    assert BudgetAudit(Behind(Table(dynamodb, "tasks"), clock), clock.move).discrepancies(["ann"]) == []


def test_cents_that_no_task_explains_are_found_in_their_account_and_month(
    dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    settle(store, create(store, "ann", "1"), 6)
    create(store, "bob", "2")
    Table(dynamodb, "tasks").update("BUDGET#ann", store.month(), "ADD committed_cents :one", values={"one": 1})
    (found,) = BudgetAudit(store, clock.move).discrepancies(["ann", "bob"])
    assert found == f"ann: 7 cents are committed in {store.month()}, and its tasks say 6"


def test_budgets_that_never_stand_still_are_said_to_be_so(
    dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    class Busy(TaskStore):
        def budgets(self, account: str) -> dict[str, int]:
            table = Table(dynamodb, "tasks")
            table.update(f"BUDGET#{account}", self.month(), "ADD committed_cents :one", values={"one": 1})
            return super().budgets(account)

    (found,) = BudgetAudit(Busy(Table(dynamodb, "tasks"), clock), clock.move).discrepancies(["ann"])
    assert "audit it again" in found


def test_what_is_unsettled_is_read_once_for_all_accounts(
    dynamodb: MemoryDynamoDB, store: TaskStore, clock: StoppedClock
) -> None:
    def calls(accounts: list[str]) -> int:
        interruptions = Interruptions()
        watched = TaskStore(Table(interruptions.watch(dynamodb), "tasks"), clock)
        assert BudgetAudit(watched, clock.move).discrepancies(accounts) == []
        return interruptions.calls

    one, two = calls(["ann"]), calls(["ann", "bob"])
    assert two - one == 3

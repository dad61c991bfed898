import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crowdsight.dynamodb import Table
from crowdsight.errors import BudgetExceeded, NotFound, StillProcessing
from crowdsight.task_store import Generation, Phase, RecordedAnswer, Spending, TaskExists, TaskStore
from crowdsight.tasks import KEEP_FINISHED_S, Problem, ProblemCode, State, Task, TaskKey
from tests.conftest import StoppedClock

KEY = TaskKey("default", "image-contains", "butterbean")
FIRST, SECOND = "0" * 32, "f" * 32
YES = {"containsTarget": True}
EXPIRED = Problem.of(ProblemCode.EXPIRED, FIRST)
LIFETIME_S = 3600
PRICE, CEILING = 27, 60


@pytest.fixture
def store(tasks_table: Table, clock: StoppedClock) -> TaskStore:
    return TaskStore(tasks_table, clock)


@pytest.fixture
def create(store: TaskStore) -> Callable[..., Generation]:
    """Create a task and give back its generation."""

    def create(generation_id: str = FIRST, key: TaskKey = KEY, **more: Any) -> Generation:
        store.create(Task(key, generation_id, '{"a":1}'), "image-contains", LIFETIME_S, **more)
        return reread(store, generation_id)

    return create


def reread(store: TaskStore, generation_id: str) -> Generation:
    generation = store.generation(generation_id)
    assert generation is not None
    return generation


def answer(number: int, submitted_at_ms: int = 0, form_value: str | None = "yes") -> RecordedAnswer:
    return RecordedAnswer(f"3ASSIGNMENT{number}", f"AWORKER{number}", form_value, submitted_at_ms)


def committed_cents(table: Table, clock: StoppedClock) -> int:
    month = datetime.fromtimestamp(clock() / 1000, UTC).strftime("%Y-%m")
    item = table.get("BUDGET#default", month)
    return int(item["committed_cents"]) if item else 0


# The task


def test_a_created_task_is_processing_and_its_generation_open(
    store: TaskStore, create: Callable[..., Generation], clock: StoppedClock
) -> None:
    generation = create()
    assert store.find(KEY) == Task(KEY, FIRST, '{"a":1}', State.PROCESSING)
    assert generation == Generation(
        id=FIRST,
        key=KEY,
        function="image-contains",
        input_json='{"a":1}',
        phase=Phase.OPEN,
        started=False,
        created_at_ms=clock(),
        deadline_ms=clock() + LIFETIME_S * 1000,
        hit_id=None,
        assignments_asked=0,
        hit_over=False,
        token=None,
        budget_month=datetime.fromtimestamp(clock() / 1000, UTC).strftime("%Y-%m"),
        worst_case_cents=0,
    )


def test_a_name_is_taken_once_and_the_refused_task_leaves_nothing(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    create(FIRST)
    with pytest.raises(TaskExists):
        create(SECOND, worst_case_cents=PRICE, ceiling_cents=CEILING)
    assert store.generation(SECOND) is None
    assert committed_cents(tasks_table, clock) == 0
    found = store.find(KEY)
    assert found and found.generation == FIRST


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(KEY, account="another"),
        dataclasses.replace(KEY, function="image-contains-test"),
        dataclasses.replace(KEY, name="Butterbean"),
    ],
)
def test_another_account_function_or_name_is_another_task(
    store: TaskStore, create: Callable[..., Generation], other: TaskKey
) -> None:
    create()
    assert store.find(other) is None
    create(SECOND, other)
    assert store.complete(reread(store, SECOND), YES)
    store.delete(other)
    found = store.find(KEY)
    assert found and found.state is State.PROCESSING


def test_a_twins_task_is_finished_from_the_start_and_takes_its_name_once(store: TaskStore, tasks_table: Table) -> None:
    task = Task(KEY, FIRST, "{}", State.COMPLETED, result={"similarityScore": 0.29})
    store.create_finished(task)
    assert store.find(KEY) == task
    with pytest.raises(TaskExists):
        store.create_finished(dataclasses.replace(task, generation=SECOND))
    assert list(store.due_generations()) == []


def test_a_task_that_is_processing_cannot_be_deleted_a_finished_one_once(
    store: TaskStore, create: Callable[..., Generation]
) -> None:
    with pytest.raises(NotFound):
        store.delete(KEY)
    generation = create()
    with pytest.raises(StillProcessing):
        store.delete(KEY)
    assert store.find(KEY)
    store.complete(generation, YES)
    store.delete(KEY)
    assert store.find(KEY) is None
    with pytest.raises(NotFound):
        store.delete(KEY)


def test_a_deleted_tasks_name_is_free_at_once(store: TaskStore, create: Callable[..., Generation]) -> None:
    store.fail(create(FIRST), EXPIRED)
    store.delete(KEY)
    create(SECOND)
    assert store.find(KEY) == Task(KEY, SECOND, '{"a":1}')


def test_a_task_ends_once_however_often_it_is_ended(store: TaskStore, create: Callable[..., Generation]) -> None:
    generation = create()
    assert store.complete(generation, YES)
    assert not store.complete(generation, {"containsTarget": False})
    assert not store.fail(generation, EXPIRED)
    assert store.find(KEY) == Task(KEY, FIRST, '{"a":1}', State.COMPLETED, result=YES)
    assert reread(store, FIRST).phase is Phase.CLOSED


def test_a_failed_task_has_a_problem_and_no_result(store: TaskStore, create: Callable[..., Generation]) -> None:
    generation = create()
    assert store.fail(generation, EXPIRED)
    assert not store.complete(generation, YES)
    assert store.find(KEY) == Task(KEY, FIRST, '{"a":1}', State.FAILED, problem=EXPIRED)


def test_late_steps_of_an_old_generation_change_nothing_of_the_next_one(
    store: TaskStore, create: Callable[..., Generation]
) -> None:
    old = create(FIRST)
    store.fail(old, EXPIRED)
    store.delete(KEY)
    before = create(SECOND)
    assert not store.complete(old, YES)
    assert not store.fail(old, EXPIRED)
    store.mark_started(FIRST)
    store.set_hit(FIRST, "3HIT", 2)
    store.set_assignments_asked(FIRST, 3)
    store.set_token(FIRST, "token")
    store.set_hit_over(FIRST)
    store.add_answer(FIRST, answer(1))
    store.settle(reread(store, FIRST), 3)
    assert store.find(KEY) == Task(KEY, SECOND, '{"a":1}')
    assert reread(store, SECOND) == before
    assert store.answers(SECOND) == []


def test_a_finished_task_is_kept_90_days_from_its_end_and_a_processing_one_for_ever(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    generation = create()
    task_item = ("TASK#default#image-contains#butterbean", "TASK")
    processing = tasks_table.get(*task_item)
    assert processing and "ttl_s" not in processing
    clock.move(1000)
    store.complete(generation, YES)
    finished = tasks_table.get(*task_item)
    assert finished and finished["ttl_s"] == clock() // 1000 + KEEP_FINISHED_S
    still_looked_after = tasks_table.get(f"GENERATION#{FIRST}", "GENERATION")
    assert still_looked_after and "ttl_s" not in still_looked_after


# Its generation


def test_a_hit_is_recorded_once_and_an_extension_never_goes_back(
    store: TaskStore, create: Callable[..., Generation]
) -> None:
    create()
    store.set_hit(FIRST, "3HIT", 2)
    store.set_assignments_asked(FIRST, 3)
    store.set_assignments_asked(FIRST, 4)
    store.set_assignments_asked(FIRST, 3)
    store.set_hit(FIRST, "3HIT", 2)
    generation = reread(store, FIRST)
    assert (generation.hit_id, generation.assignments_asked) == ("3HIT", 4)


def test_the_last_task_token_counts(store: TaskStore, create: Callable[..., Generation]) -> None:
    create()
    store.set_token(FIRST, "one")
    store.set_token(FIRST, "two")
    assert reread(store, FIRST).token == "two"


def test_an_answer_is_recorded_once_and_answers_come_in_order_of_submission(
    store: TaskStore, create: Callable[..., Generation]
) -> None:
    create()
    store.add_answer(FIRST, answer(1, submitted_at_ms=300))
    store.add_answer(FIRST, answer(3, submitted_at_ms=100, form_value=None))
    store.add_answer(FIRST, answer(2, submitted_at_ms=100))
    store.add_answer(FIRST, dataclasses.replace(answer(1), form_value="no"))
    assert store.answers(FIRST) == [
        answer(2, submitted_at_ms=100),
        answer(3, submitted_at_ms=100, form_value=None),
        answer(1, submitted_at_ms=300),
    ]


def test_what_concerns_an_unknown_generation_creates_nothing(store: TaskStore, tasks_table: Table) -> None:
    store.mark_started(FIRST)
    store.set_hit(FIRST, "3HIT", 2)
    store.set_assignments_asked(FIRST, 3)
    store.set_token(FIRST, "token")
    store.set_hit_over(FIRST)
    store.look_again(FIRST, 60)
    assert store.generation(FIRST) is None
    assert list(tasks_table.query_all(f"GENERATION#{FIRST}")) == []


# Looking after generations


def test_a_generation_is_due_from_its_creation_until_it_is_settled(
    store: TaskStore, create: Callable[..., Generation], clock: StoppedClock
) -> None:
    create(FIRST)
    create(SECOND, dataclasses.replace(KEY, name="other"))
    assert {generation.id for generation in store.due_generations()} == {FIRST, SECOND}
    store.look_again(FIRST, 60)
    assert [generation.id for generation in store.due_generations()] == [SECOND]
    clock.move(60)
    assert {generation.id for generation in store.due_generations()} == {FIRST, SECOND}
    store.settle(reread(store, FIRST), 0)
    assert reread(store, FIRST).phase is Phase.OPEN, "a generation is settled only after its task has ended"
    store.complete(reread(store, FIRST), YES)
    store.settle(reread(store, FIRST), 6)
    store.settle(reread(store, FIRST), 6)
    store.look_again(FIRST, 0)
    assert [generation.id for generation in store.due_generations()] == [SECOND]
    assert reread(store, FIRST).phase is Phase.SETTLED


def test_a_generation_is_due_again_as_soon_as_its_task_has_ended(
    store: TaskStore, create: Callable[..., Generation]
) -> None:
    generation = create()
    store.look_again(FIRST, 3600)
    store.complete(generation, YES)
    assert [generation.phase for generation in store.due_generations()] == [Phase.CLOSED]


def test_generations_of_every_shard_are_found(store: TaskStore, create: Callable[..., Generation]) -> None:
    ids = {digit * 32 for digit in "0123456789abcdef"}
    for generation_id in ids:
        create(generation_id, dataclasses.replace(KEY, name=generation_id))
    assert {generation.id for generation in store.due_generations()} == ids


# The budget


def test_the_budget_is_reserved_up_to_the_ceiling_and_never_over_it(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    terms = {"worst_case_cents": PRICE, "ceiling_cents": 2 * PRICE}
    create("0" * 32, dataclasses.replace(KEY, name="0"), **terms)
    create("1" * 32, dataclasses.replace(KEY, name="1"), **terms)
    assert committed_cents(tasks_table, clock) == 2 * PRICE
    refused = dataclasses.replace(KEY, name="2")
    with pytest.raises(BudgetExceeded, match="27 cents"):
        create("2" * 32, refused, **terms)
    assert store.find(refused) is None
    assert store.generation("2" * 32) is None
    assert committed_cents(tasks_table, clock) == 2 * PRICE


def test_a_task_that_costs_more_than_the_whole_budget_is_refused_and_one_that_costs_all_of_it_is_not(
    create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    with pytest.raises(BudgetExceeded):
        create(worst_case_cents=PRICE, ceiling_cents=PRICE - 1)
    create(worst_case_cents=PRICE, ceiling_cents=PRICE)
    assert committed_cents(tasks_table, clock) == PRICE


def test_settling_corrects_the_budget_to_what_was_spent_once(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    generation = create(worst_case_cents=PRICE, ceiling_cents=CEILING)
    store.complete(generation, YES)
    for _ in range(2):
        store.settle(reread(store, FIRST), 6)
    assert committed_cents(tasks_table, clock) == 6
    assert list(store.spendings("default")) == [Spending(KEY, FIRST, store.month(), 6, clock())]
    assert store.budgets("default") == {store.month(): 6}
    assert list(store.spendings("another")) == []


def test_a_budget_is_settled_in_the_month_in_which_it_was_reserved(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    clock.now_ms = int(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp() * 1000)
    generation = create(worst_case_cents=PRICE, ceiling_cents=CEILING)
    assert generation.budget_month == "2027-01"
    clock.move(2)
    assert committed_cents(tasks_table, clock) == 0
    store.fail(generation, EXPIRED)
    store.settle(reread(store, FIRST), 0)
    assert committed_cents(tasks_table, clock) == 0
    assert tasks_table.get("BUDGET#default", "2027-01") == {
        "pk": "BUDGET#default",
        "sk": "2027-01",
        "committed_cents": 0,
    }


def test_without_a_ceiling_everything_is_reserved_as_well_and_a_ceiling_of_one_account_is_not_anothers(
    store: TaskStore, create: Callable[..., Generation], tasks_table: Table, clock: StoppedClock
) -> None:
    create("0" * 32, dataclasses.replace(KEY, name="0"), worst_case_cents=PRICE, ceiling_cents=0)
    assert committed_cents(tasks_table, clock) == PRICE
    create("1" * 32, dataclasses.replace(KEY, name="1"), worst_case_cents=PRICE, ceiling_cents=2 * PRICE)
    create("2" * 32, dataclasses.replace(KEY, account="another"), worst_case_cents=PRICE, ceiling_cents=PRICE)
    assert committed_cents(tasks_table, clock) == 2 * PRICE
    with pytest.raises(BudgetExceeded):
        create("3" * 32, dataclasses.replace(KEY, name="3"), worst_case_cents=PRICE, ceiling_cents=2 * PRICE)
    create("3" * 32, dataclasses.replace(KEY, name="3"), worst_case_cents=PRICE, ceiling_cents=0)

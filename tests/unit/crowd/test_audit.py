from dataclasses import replace
from typing import Any

import pytest

from crowdsight.adjudication.tally import UNIT, SkillState
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.audit import BY_JUDGEMENT, discrepancies_of
from crowdsight.crowd.judging import Grounds
from crowdsight.task_store import Generation, Phase, RecordedAnswer
from crowdsight.tasks import Problem, ProblemCode, State, Task, TaskKey

FEE_PERCENT = 20
KEY = TaskKey("default", "image-contains", "butterbean")
TASK = Task(KEY, "f00d", "{}", State.COMPLETED, {"containsTarget": True})
GENERATION = Generation(
    id="f00d",
    key=KEY,
    function="image-contains",
    input_json="{}",
    phase=Phase.SETTLED,
    started=True,
    created_at_ms=0,
    deadline_ms=3_600_000,
    hit_id="HIT1",
    assignments_asked=2,
    hit_over=True,
    token=None,
    budget_month="2027-01",
    worst_case_cents=0,
    spent_cents=6,
)


def answers(*form_values: str) -> list[RecordedAnswer]:
    return [RecordedAnswer(f"A{number}", f"W{number}", value, number) for number, value in enumerate(form_values)]


def grounds_of(*form_values: str, skills: SkillState | None = None) -> dict[str, Any]:
    """A task's that was judged by these answers."""
    rule = CATALOGUE["image-contains"].adjudicator.knowing(skills or SkillState())
    return Grounds.of(rule, None, answers(*form_values)).document()


def found(task: Task = TASK, *form_values: str, **changes: Any) -> list[str]:
    spent_cents = 3 * len(form_values)
    is_judged = task.problem is None or task.problem.code in BY_JUDGEMENT
    grounds = grounds_of(*form_values) if is_judged else None
    generation = replace(GENERATION, **({"spent_cents": spent_cents, "grounds": grounds} | changes))
    return discrepancies_of(task, generation, answers(*form_values), FEE_PERCENT)


def failed(code: ProblemCode) -> Task:
    return replace(TASK, state=State.FAILED, result=None, problem=Problem.of(code, "f00d"))


def test_a_task_that_ended_as_its_answers_say_and_cost_what_they_cost_adds_up() -> None:
    assert found(TASK, "yes", "yes") == []
    assert found(failed(ProblemCode.IMAGE_UNAVAILABLE), "unavailable", "unavailable") == []
    assert found(failed(ProblemCode.NO_AGREEMENT), *["yes", "no"] * 4, "yes") == []
    assert found(failed(ProblemCode.EXPIRED), "yes") == []
    assert found(failed(ProblemCode.INSUFFICIENT_FUNDS)) == []


@pytest.mark.parametrize(
    ("task", "form_values"),
    [
        (TASK, ["no", "no"]),
        (TASK, ["yes"]),
        (failed(ProblemCode.IMAGE_UNAVAILABLE), ["yes", "yes"]),
        (failed(ProblemCode.NO_AGREEMENT), ["yes", "no"]),
        (failed(ProblemCode.EXPIRED), ["yes", "yes"]),
        (failed(ProblemCode.SERVICE_ERROR), ["no", "no"]),
    ],
)
def test_an_outcome_that_the_answers_do_not_give_is_found(task: Task, form_values: list[str]) -> None:
    (what,) = found(task, *form_values)
    assert "its answers say" in what


def test_an_outcome_follows_from_what_was_known_of_the_workers_then() -> None:
    always_right = {"known|yes|yes": 30 * UNIT, "known|no|no": 30 * UNIT}
    known = grounds_of("yes", skills=SkillState(always_right, {"W0": always_right}))
    assert found(TASK, "yes", grounds=known) == []
    assert "its answers say" in found(TASK, "yes", grounds=grounds_of("yes"))[0]


def test_an_answer_that_came_too_late_to_be_judged_is_paid_and_decides_nothing() -> None:
    assert found(TASK, "yes", "yes", "no", "no", "no", "no", grounds=grounds_of("yes", "yes")) == []


def test_a_judgement_without_grounds_or_by_answers_that_are_not_there_is_found() -> None:
    assert "nothing says by what" in found(TASK, "yes", "yes", grounds=None)[0]
    assert "not recorded" in found(TASK, "yes", grounds=grounds_of("yes", "yes"))[0]


def test_money_that_is_booked_wrong_is_found() -> None:
    assert "5 cents are booked" in found(TASK, "yes", "yes", spent_cents=5)[0]
    assert "None cents are booked" in found(TASK, "yes", "yes", spent_cents=None)[0]


def test_what_has_not_ended_or_is_not_settled_is_found() -> None:
    assert "has not ended" in found(replace(TASK, state=State.PROCESSING, result=None), "yes", "yes")[0]
    assert "not settled" in found(TASK, "yes", "yes", phase=Phase.CLOSED)[0]


def test_a_worker_who_answered_twice_is_found() -> None:
    twice = [replace(answer, worker_id="W0") for answer in answers("yes", "yes")]
    assert (
        "twice" in discrepancies_of(TASK, replace(GENERATION, grounds=grounds_of("yes", "yes")), twice, FEE_PERCENT)[0]
    )


def test_a_generation_of_another_task_is_found() -> None:
    assert "another task" in found(TASK, "yes", "yes", key=replace(KEY, name="another"))[0]
    assert "another task" in found(TASK, "yes", "yes", input_json="[]")[0]

"""What the workflow learns of Workers, what it makes of it, and what it tells of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crowdsight.adjudication import Answer
from crowdsight.adjudication.tally import SkillState
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.requester import Requester
from crowdsight.crowd.skills import ANSWERS_A_PART
from crowdsight.errors import NotFound
from crowdsight.tasks import ProblemCode, State
from tests.contract.crowd_world import KEY, QUEUE_URL, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION

CONTAINS = CATALOGUE["image-contains"]
SIMILARITY = CATALOGUE["image-similarity"]
MOST = 1_000

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world() -> MakeWorld:
    return lambda **options: World(MemoryDynamoDB(), **options)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def teach(world: World, worker: str, answers: int = 20, right: bool = True) -> None:
    """Known questions of both truths, answered."""
    for number in range(answers):
        truth, other = ("yes", "no") if number % 2 else ("no", "yes")
        answer = Answer(f"AWORKER{worker}", truth if right else other)
        world.skills.tell(CONTAINS, f"known-{worker}-{number}", truth, [answer])


def named(number: int) -> str:
    return f"task-{number}"


@pytest.mark.parametrize("options", [{}, {"twice": True}, {"mortal": True}])
def test_each_task_that_ends_teaches_once_whatever_dies(make_world: MakeWorld, options: dict[str, bool]) -> None:
    world = make_world(**options)
    first, second = world.put(), world.put(SIMILARITY_KEY)
    world.reconcile()  # starts what died before it had started
    world.answer_all(first, ["yes", "no", "yes", "yes"])
    world.answer_all(second, ["1", "1", "1", "1"])
    (lesson,) = world.skills.closed_tasks(CONTAINS, MOST)
    assert {answer.worker_id: answer.value for answer in lesson.answers} == {
        "AWORKER0": "yes",
        "AWORKER1": "no",
        "AWORKER2": "yes",
        "AWORKER3": "yes",
    }
    assert world.skills.everyone(CONTAINS) == lesson.contribution == CONTAINS.adjudicator.contribution(lesson.answers)
    (lesson,) = world.skills.closed_tasks(SIMILARITY, MOST)
    assert world.skills.everyone(SIMILARITY) == lesson.contribution
    world.settle(first, second)


def test_an_open_task_and_one_that_failed_without_judgement_teach_nothing(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.deliver()
    world.publishing.fail_task(generation, ProblemCode.SERVICE_ERROR)
    assert world.skills.everyone(CONTAINS) == SkillState()


def test_a_task_whose_image_does_not_load_teaches_nothing(world: World) -> None:
    world.answer_all(world.put(), ["yes", "unavailable", "unavailable", "unavailable"])
    assert world.get().state is State.FAILED
    assert world.skills.everyone(CONTAINS) == SkillState()


def test_a_task_that_expires_teaches_by_the_answers_that_came(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.deliver()
    world.pass_time(5 * 3600)
    world.settle(generation)
    assert world.get().problem
    assert set(world.skills.everyone(CONTAINS).workers) == {"AWORKERA"}


def test_one_answer_of_a_worker_known_to_be_good_is_enough_and_only_one_is_asked_for(world: World) -> None:
    teach(world, "GOOD")
    generation = world.put()
    assert world.workplace.get_hit(world.hit_id(generation)).max_assignments == 1
    world.answer(generation, "GOOD", "yes")
    world.deliver()
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)


def test_a_hit_of_a_run_that_knew_less_is_found_as_it_is(world: World) -> None:
    task, _ = world.put_task(KEY, {"image": {"url": "https://www.example.com/1.jpg"}, "target": {"label": "dog"}})
    world.publishing.create_hit(task.generation)
    hit_id = world.hit_id(task.generation)
    other_process = Requester(lambda: world.mturk, QUEUE_URL)
    assert other_process.publish(CONTAINS, task.generation, HTML_QUESTION, 3600, 1, task.generation) == (hit_id, 2)


def test_a_refit_loses_nothing_and_makes_the_tallies_agree_with_its_lessons(world: World) -> None:
    for number in range(8):
        values = ["yes", "yes"] if number % 2 else ["no", "yes", "no", "no"]
        world.answer_all(world.put(replace(KEY, name=named(number))), values)
    before = world.skills.everyone(CONTAINS)
    replaced = world.refit_skills(lambda: 600)
    assert replaced["image-contains"] > 0
    total = SkillState()
    for lesson in world.skills.closed_tasks(CONTAINS, MOST):
        total.add(lesson.contribution)
    assert world.skills.everyone(CONTAINS) == total != before
    assert world.skills.knowing(CONTAINS, ()).tuning["audits"] == 0


def test_a_refit_calibrates_on_known_questions(world: World) -> None:
    teach(world, "A")
    world.refit_skills(lambda: 600)
    assert world.skills.knowing(CONTAINS, ()).tuning["audits"] == 20


def test_a_question_with_more_answers_than_one_lesson_holds_calibrates_once(world: World) -> None:
    answers = [Answer(f"AWORKER{number}", "yes") for number in range(2 * ANSWERS_A_PART)]
    world.skills.tell(CONTAINS, "known", "yes", answers)
    world.refit_skills(lambda: 600)
    assert world.skills.knowing(CONTAINS, ()).tuning["audits"] == 1


def test_a_refit_without_time_leaves_functions_to_the_next(world: World) -> None:
    assert world.refit_skills(lambda: 30) == {}


# The audit


def test_an_audit_tells_each_answer_what_was_believed_why_it_stopped_and_what_it_cost(world: World) -> None:
    generation = world.put()
    assert world.get_audit(KEY) == {
        "taskName": "butterbean",
        "state": "processing",
        "answers": [],
        "stopped": None,
        "cents": 0,
        "machinePrior": None,
    }
    for number, value in enumerate(["yes", "no", "nonsense", "yes", "yes"]):
        world.clock.move(1)
        world.answer(generation, f"{number}", value)
        world.deliver()
    world.settle(generation)
    audit = world.get_audit(KEY)
    assert [answer["answer"] for answer in audit["answers"]] == ["yes", "no", None, "yes", "yes"]
    confidence = [answer["confidence"] for answer in audit["answers"]]
    assert confidence[1] == confidence[2] < confidence[0] < confidence[4]
    assert len({answer["worker"] for answer in audit["answers"]}) == 5
    assert not any("AWORKER" in answer["worker"] for answer in audit["answers"])
    assert (audit["state"], audit["stopped"], audit["cents"]) == ("completed", "confident", world.spent_cents())


def test_a_late_answer_is_told_and_paid_and_has_no_confidence(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "no")
    slow = world.accept(generation, "SLOW")
    world.deliver()
    world.publishing.extend_hit(generation, 3)
    world.answer(generation, "B", "no")
    world.deliver()
    world.pass_time(0)
    decision, _ = world.judging.adjudicate(generation)
    assert decision.grounds
    world.publishing.close_task(generation, {"containsTarget": False}, decision.grounds)
    world.clock.move(1)
    world.submit(slow, "yes")
    world.settle(generation)
    audit = world.get_audit(KEY)
    assert [answer["confidence"] is None for answer in audit["answers"]] == [False, False, True]
    assert audit["cents"] == world.spent_cents() == 9


@pytest.mark.parametrize(
    ("values", "stopped"),
    [
        (["unavailable"] * 2, "unavailable"),
        (["yes", "no"] * 4 + ["yes"], "most_answers"),
        (["yes", "yes"], "confident"),
    ],
)
def test_an_audit_says_why_it_stopped(world: World, values: list[str], stopped: str) -> None:
    world.answer_all(world.put(), values)
    assert world.get_audit(KEY)["stopped"] == stopped


def test_a_task_that_ended_by_an_error_stopped_by_it(world: World) -> None:
    world.end_early(world.put())
    assert world.get_audit(KEY)["stopped"] == "error"


def test_a_worker_has_one_code_in_an_account_and_others_in_others(world: World) -> None:
    keys = [KEY, replace(KEY, name="other"), replace(KEY, account="other")]
    for key in keys:
        world.answer_all(world.put(key), ["yes", "yes"])
    codes = [{answer["worker"] for answer in world.get_audit(key)["answers"]} for key in keys]
    assert codes[0] == codes[1]
    assert not codes[0] & codes[2]


def test_there_is_an_audit_exactly_where_there_is_a_task(world: World) -> None:
    with pytest.raises(NotFound):
        world.get_audit(KEY)
    with pytest.raises(NotFound):
        world.get_audit(replace(KEY, function="image-segments"))
    world.put()
    with pytest.raises(NotFound):
        world.get_audit(replace(KEY, account="other"))
    twin = replace(KEY, function="image-contains-test")
    world.put(twin)
    assert world.get_audit(twin)["answers"] == []

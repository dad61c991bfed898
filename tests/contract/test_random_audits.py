"""Random audits of finished tasks, from the draw to what the told truth teaches."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from crowdsight.adjudication import Answer
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.random_audits import DrawnTask, RandomAudits, is_drawn
from crowdsight.errors import InvalidRequest, NotFound
from crowdsight.tasks import State
from tests.contract.crowd_world import KEY, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB

CONTAINS = CATALOGUE["image-contains"]
TRUE, FALSE = {"containsTarget": True}, {"containsTarget": False}


@pytest.fixture
def world() -> World:
    return World(MemoryDynamoDB())


def drawn(world: World, function: str = "image-contains") -> list[DrawnTask]:
    return list(world.audits.drawn(CATALOGUE[function]))


def finish(world: World, values: str | list[str], name: str = "butterbean") -> str:
    """A task that has ended by these answers and is settled; its generation."""
    generation = world.put(replace(KEY, name=name))
    world.reconcile()  # its execution, if the process died before it was started
    world.answer_all(generation, values)
    world.settle(generation)
    return generation


def test_the_share_of_tasks_drawn_is_the_one_that_is_set() -> None:
    dice = random.Random(0)
    ids = [f"{dice.getrandbits(128):032x}" for _ in range(20_000)]
    assert sum(is_drawn(id, 2) for id in ids) == pytest.approx(400, abs=80)
    assert not any(is_drawn(id, 0) for id in ids)
    assert all(is_drawn(id, 100) for id in ids)
    assert {id for id in ids if is_drawn(id, 2)} < {id for id in ids if is_drawn(id, 5)}


def test_a_drawn_task_is_told_of_without_its_result_when_it_has_ended(world: World) -> None:
    generation = world.put()
    assert drawn(world) == []
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    [task] = drawn(world)
    assert (task.id, task.input_json, task.truth_json) == (generation, world.get().input_json, None)
    assert set(task.answers) == {Answer("AWORKER0", "yes"), Answer("AWORKER1", "yes")}


def test_a_task_that_is_deleted_by_its_caller_is_audited_all_the_same(world: World) -> None:
    generation = finish(world, ["yes", "yes"])
    world.delete()
    world.audits.tell(CONTAINS, generation, TRUE)
    assert [task.truth_json for task in drawn(world)] == ['{"containsTarget":true}']


def test_a_task_without_an_answer_to_judge_by_is_not_drawn(world: World) -> None:
    finish(world, ["unavailable", "unavailable"])
    assert drawn(world) == []


def test_a_task_is_drawn_with_the_answers_that_it_was_judged_by(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    slow = world.accept(generation, "SLOW")
    world.deliver()
    world.publishing.extend_hit(generation, 3)
    world.answer(generation, "B", "yes")
    world.deliver()
    decision, _ = world.judging.adjudicate(generation)
    assert decision.grounds
    world.publishing.close_task(generation, {"containsTarget": True}, decision.grounds)
    world.submit(slow, "no")
    world.settle(generation)
    [task] = drawn(world)
    assert set(task.answers) == {Answer("AWORKERA", "yes"), Answer("AWORKERB", "yes")}


def test_a_task_that_ended_by_an_error_is_not_drawn(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.deliver()
    world.end_early(generation)
    world.settle(generation)
    assert drawn(world) == []


def test_with_a_share_of_nothing_nothing_is_drawn(world: World) -> None:
    audits = RandomAudits(world.tasks_table, world.store, world.skills, world.clock, 0)
    generation = world.put()
    audits.draw(world.store.load_generation(generation), [Answer("A", "yes")])
    assert list(audits.drawn(CONTAINS)) == []


def test_a_truth_is_told_once_and_stands_in_place_of_what_the_task_taught_by_itself(world: World) -> None:
    generation = finish(world, ["yes", "yes"])
    for _ in range(2):
        world.audits.tell(CONTAINS, generation, FALSE)
    state = world.skills.everyone(CONTAINS)
    assert state.pooled == {"known|no": 1_000_000, "known|no|yes": 2_000_000}
    assert state.workers["AWORKER0"] == {"known|no|yes": 1_000_000}
    with pytest.raises(InvalidRequest, match="another truth"):
        world.audits.tell(CONTAINS, generation, TRUE)
    assert world.skills.everyone(CONTAINS) == state
    [lesson] = world.skills.audited_tasks(CONTAINS, 10)
    assert (Counter(answer.value for answer in lesson.answers), lesson.truth) == (Counter(yes=2), "no")


def test_a_grade_is_told_as_the_function_states_it(world: World) -> None:
    generation = world.put(SIMILARITY_KEY)
    for number in range(9):
        if world.get(SIMILARITY_KEY).state is State.PROCESSING:
            world.answer(generation, f"{number}", "3")
            world.deliver()
    world.settle(generation)
    world.audits.tell(CATALOGUE["image-similarity"], generation, {"similarityScore": 0.5})
    assert world.skills.everyone(CATALOGUE["image-similarity"]).workers["AWORKER0"]["deviations"] == 250_000


def test_what_is_no_truth_or_no_drawn_task_is_refused(world: World) -> None:
    generation = finish(world, ["yes", "yes"])
    with pytest.raises(InvalidRequest, match=r"truth\.containsTarget"):
        world.audits.tell(CONTAINS, generation, {"containsTarget": 1})
    with pytest.raises(NotFound):
        world.audits.tell(CONTAINS, "f" * 32, TRUE)
    assert [task.truth_json for task in drawn(world)] == [None]


@pytest.mark.parametrize("options", [{"twice": True}, {"mortal": True}])
def test_steps_that_die_or_run_twice_draw_once_and_teach_once(options: dict[str, bool]) -> None:
    world = World(MemoryDynamoDB(), **options)
    generation = finish(world, ["yes", "yes"])
    assert [task.id for task in drawn(world)] == [generation]
    world.attempt(lambda: world.audits.tell(CONTAINS, generation, TRUE))
    assert world.skills.everyone(CONTAINS).pooled == {"known|yes": 1_000_000, "known|yes|yes": 2_000_000}

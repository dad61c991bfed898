import random
from typing import Any

from benchmarks.adjudication.local import ANSWERS_A_REPLAY, FIGURES, Ended, compare, with_more_answers

WORKERS = [f"{number:016x}" for number in range(15)]


def ended(number: int, dice: random.Random) -> Ended:
    truth = dice.choice(("yes", "no"))
    answers: list[dict[str, Any]] = [
        {"worker": worker, "answer": truth, "confidence": 0.8 + position / 10}
        for position, worker in enumerate(dice.sample(WORKERS, 2))
    ]
    late = {"worker": "late", "answer": truth, "confidence": None}
    return Ended(truth, truth, {"answers": [*answers, late], "cents": 6})


TASKS = [ended(number, random.Random(number)) for number in range(40)]


def test_a_replay_meets_the_answers_that_counted_and_more_of_workers_who_have_not_answered_yet() -> None:
    recorded = with_more_answers(TASKS, random.Random(0))
    for task, answers in zip(TASKS, recorded.answers.values(), strict=True):
        assert list(answers[:2]) == task.answers
        assert len({answer.worker_id for answer in answers}) == len(answers) == ANSWERS_A_REPLAY
        assert {answer.value for answer in answers} == {task.truth}, "who was always right so far goes on being so"


def test_a_task_that_ended_without_an_answer_that_counted_is_wrong_and_was_not_confident() -> None:
    late = {"worker": "late", "answer": "yes", "confidence": None}
    unavailable = {"worker": "one", "answer": "unavailable", "confidence": 0.5}
    for answers, confidence in (([], 0.0), ([late], 0.0), ([unavailable], 0.5)):
        outcome = Ended("yes", None, {"answers": answers, "cents": 0}).outcome()
        assert (outcome.right, outcome.confidence, outcome.answers, outcome.decided) == (False, confidence, 0, False)
    assert compare([*TASKS, Ended("yes", None, {"answers": [late], "cents": 3})], 2)["stack"]["coverage"] < 1


def test_the_stacks_figures_are_of_what_was_judged_and_its_cents_of_what_was_paid() -> None:
    found = compare(TASKS, 3)
    assert found["stack"]["answers_per_task"] == 2
    assert found["stack"]["accuracy"] == found["stack"]["coverage"] == 1
    assert found["stack"]["paid_cents"] == 240
    assert found["replay"].keys() == found["noise"].keys() == found["deviations"].keys() == set(FIGURES)
    assert found["replay"]["accuracy"] == 1

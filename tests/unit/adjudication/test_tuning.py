import random

import pytest

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.tally import SkillState
from crowdsight.adjudication.tuning import tuned
from crowdsight.adjudication.two_coin import TwoCoin

RULE = TwoCoin(("no", "yes"))
Questions = dict[str, tuple[list[Answer], Value]]


def asked(chances: list[float], questions: int = 40) -> tuple[Questions, SkillState]:
    """Known-answer questions that Workers W0, W1 … answer rightly with these chances."""
    dice, state, found = random.Random(4), SkillState(), Questions()
    for number in range(questions):
        truth = dice.choice(RULE.categories)
        other = "no" if truth == "yes" else "yes"
        answers = [
            Answer(f"W{worker}", truth if dice.random() < chance else other) for worker, chance in enumerate(chances)
        ]
        state.add(RULE.lesson(answers, truth))
        state.add(RULE.truth_lesson(truth))
        found[f"{number}"] = (answers, truth)
    return found, state


def test_with_nobody_known_nothing_is_tuned() -> None:
    rule = tuned(RULE, SkillState(), {})
    assert (rule.priors, rule.calibration, rule.next_right) == (RULE.priors, RULE.calibration, None)


def test_the_state_is_left_as_it_was() -> None:
    questions, state = asked([0.9, 0.8, 0.5])
    before = state.of(state.workers)
    tuned(RULE, state, questions)
    assert state == before


def test_the_next_answer_is_expected_from_those_above_the_floor() -> None:
    questions, state = asked([0.9] * 6 + [0.5] * 6)
    rule = tuned(RULE, state, questions)
    assert rule.next_right is not None and rule.next_right > 0.82
    assert rule.knowing(state).model.average_rows[0][1][0] < 0.8


def test_workers_that_differ_are_drawn_less_to_the_pool_than_workers_alike() -> None:
    weights = []
    for chances in ([0.95, 0.5] * 8, [0.75] * 16):
        questions, state = asked(chances)
        weights.append(tuned(RULE, state, questions).priors.worker_weight)
    assert weights[0] < RULE.priors.worker_weight < weights[1]


def test_confidence_is_calibrated_on_the_known_questions() -> None:
    questions, state = asked([0.8] * 5)
    assert tuned(RULE, state, questions).calibration.audits == len(questions)


def test_a_question_with_many_answers_calibrates_as_a_task_would_that_had_asked_for_some_of_them() -> None:
    """Of forty answers most are right to every question: judged by all of them nothing would ever be wrong."""
    questions, state = asked([0.65] * 40, questions=150)
    few = {name: (answers[:3], truth) for name, (answers, truth) in questions.items()}
    told = state.of(state.workers)
    for name, (answers, truth) in questions.items():
        told.subtract(RULE.lesson(answers, truth))
        told.add(RULE.lesson(few[name][0], truth))
    stated = tuned(RULE, state, questions).calibration.stated(0.9)
    by_all = tuned(RULE, state, {}, questions).calibration.stated(0.9)
    assert stated < by_all - 0.05
    assert stated == pytest.approx(tuned(RULE, told, {}, few).calibration.stated(0.9), abs=0.08)

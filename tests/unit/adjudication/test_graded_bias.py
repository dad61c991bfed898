import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication import UNAVAILABLE, UNREADABLE, Answer, Decided, Undecided, Unloadable
from crowdsight.adjudication.graded_bias import Estimate, GradedBias, GradedModel
from crowdsight.adjudication.learning import close, refit
from crowdsight.adjudication.tally import SkillState

RULE = GradedBias()
WORKERS = [f"W{number}" for number in range(9)]
GRADES = st.integers(0, 20).map(lambda step: step / 20)
ANSWERS = st.lists(st.tuples(st.sampled_from(WORKERS), GRADES), max_size=9, unique_by=lambda pair: pair[0]).map(
    lambda pairs: [Answer(worker, grade) for worker, grade in pairs]
)
LESSONS = st.lists(st.tuples(ANSWERS, GRADES), max_size=10)
Lessons = list[tuple[list[Answer], float]]


def taught(lessons: Lessons) -> SkillState:
    """What known-answer questions with these answers and truths teach."""
    state = SkillState()
    for answers, truth in lessons:
        state.add(RULE.lesson(answers, truth))
        state.add(RULE.truth_lesson(truth))
    return state


def graded(*grades: float) -> list[Answer]:
    return [Answer(worker, grade) for worker, grade in zip(WORKERS, grades, strict=False)]


@given(LESSONS, ANSWERS, st.randoms())
def test_the_order_of_answers_changes_nothing(lessons: Lessons, answers: list[Answer], dice: random.Random) -> None:
    rule = RULE.knowing(taught(lessons))
    shuffled = dice.sample(answers, len(answers))
    assert rule.model.estimate(shuffled) == rule.model.estimate(answers)
    assert rule.judge(shuffled) == rule.judge(answers)


@given(LESSONS, ANSWERS)
def test_an_estimate_is_a_distribution_around_a_grade(lessons: Lessons, answers: list[Answer]) -> None:
    estimate = RULE.knowing(taught(lessons)).model.estimate(answers)
    assert sum(share for share, _, _ in estimate.parts) == pytest.approx(1)
    assert 0 <= estimate.grade <= 1
    assert 0 <= estimate.within(0.05) <= estimate.within(0.1) <= 1
    assert estimate.within(0.1) <= estimate.within(0.1, shared=False) + 1e-9


@given(LESSONS, ANSWERS)
def test_a_wider_interval_is_stated_for_a_higher_level(lessons: Lessons, answers: list[Answer]) -> None:
    estimate = RULE.knowing(taught(lessons)).model.estimate(answers)
    (low, high), (lower, higher) = estimate.interval(0.5), estimate.interval(0.9)
    assert 0 <= lower <= low <= estimate.grade <= high <= higher <= 1


@given(LESSONS, ANSWERS)
def test_what_a_closed_task_contributed_can_be_taken_back(lessons: Lessons, answers: list[Answer]) -> None:
    state = taught(lessons)
    task = close(state, RULE, answers)
    state.subtract(task.contribution)
    assert state == taught(lessons)


def test_a_stated_interval_holds_the_truth_as_often_as_it_says() -> None:
    estimate = Estimate(((0.5, 0.5, 0.01), (0.5, 0.5, 0.0025)), shared=0.0025)
    low, high = estimate.interval(0.9)
    dice, held = random.Random(3), 0
    for _ in range(20_000):
        _, mean, variance = dice.choice(estimate.parts)
        held += low <= dice.gauss(mean, (variance + estimate.shared) ** 0.5) <= high
    assert held / 20_000 == pytest.approx(0.9, abs=0.01)


def test_agreement_is_decided_sooner_than_disagreement() -> None:
    assert isinstance(RULE.judge(graded(0.5, 0.5, 0.5, 0.5)), Decided)
    assert RULE.judge(graded(0.1, 0.9, 0.5, 0.7)) == Undecided()


def test_without_confidence_it_goes_on_to_the_most_answers() -> None:
    rule = GradedBias(least=0.9)
    for count in range(2, 10):
        assert rule.judge(graded(*[0.0, 1.0] * 5)[:count]) == Undecided()
    assert isinstance(RULE.judge(graded(*[0.0, 1.0] * 4, 0.5)), Decided)


def test_an_image_that_does_not_load_ends_the_task_when_it_leads_the_grades_by_two() -> None:
    unloadable = [Answer("W1", UNAVAILABLE), Answer("W2", UNAVAILABLE)]
    assert RULE.judge(unloadable) == Unloadable()
    assert RULE.judge([*unloadable, Answer("W3", 0.5)]) == Undecided()


def test_who_gives_no_grade_where_others_do_gets_no_more_hits() -> None:
    answers = [Answer("W0", 1.0), Answer("W1", UNAVAILABLE), Answer("W2", UNREADABLE)]
    assert all(RULE.knowing(taught([(answers, 0.5)] * 4)).welcomes(worker) for worker in WORKERS)
    rule = RULE.knowing(taught([(answers, 0.5)] * 5))
    assert [rule.welcomes(worker) for worker in WORKERS[:4]] == [True, False, False, True]
    assert RULE.knowing(taught([(answers[1:2], 0.5)] * 9)).welcomes("W1")


def test_a_known_bias_is_taken_off() -> None:
    state = taught([([Answer("W0", 0.7), Answer("W1", 0.5)], 0.5) for _ in range(10)])
    model = GradedModel(state)
    assert model.worker("W0")[0] == pytest.approx(0.2, abs=0.08)
    assert abs(model.worker("W1")[0]) < 0.02
    biased, plain = (model.estimate([Answer(worker, 0.9)]).grade for worker in ("W0", "W1"))
    assert biased < plain - 0.1


def test_what_all_misjudge_alike_widens_the_interval_and_not_the_number_of_answers() -> None:
    alike = taught([(graded(truth + 0.2, truth + 0.2, truth - 0.01), truth) for truth in (0.2, 0.4, 0.6) * 5])
    assert GradedModel(alike).shared > GradedModel(SkillState()).shared * 0.9
    narrow, wide = (Estimate(((1.0, 0.5, 0.01),), shared) for shared in (0.0, 0.02))
    assert wide.interval(0.9)[0] < narrow.interval(0.9)[0]
    assert wide.within(0.1, shared=False) == narrow.within(0.1, shared=False)


def test_a_refit_learns_biases_and_keeps_the_state_the_sum_of_its_tasks() -> None:
    dice, state = random.Random(2), SkillState()
    tasks = []
    for _ in range(60):
        truth = dice.uniform(0.2, 0.8)
        biases = (0.15, -0.15, 0.0, 0.0)
        tasks.append(close(state, RULE, graded(*(truth + bias + dice.gauss(0, 0.05) for bias in biases))))
    refit(state, RULE, tasks)
    model = GradedModel(state)
    high, low, *others = (model.worker(worker)[0] for worker in WORKERS[:4])
    assert high > 0.08 > max(others) and low < -0.08 < min(others)
    for task in tasks:
        state.subtract(task.contribution)
    assert state == SkillState()

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication import UNAVAILABLE, UNREADABLE, Answer, Decided, Undecided, Unloadable
from crowdsight.adjudication.calibration import Calibration
from crowdsight.adjudication.confusion import ConfusionModel, truth_told
from crowdsight.adjudication.lead_by_two import LeadByTwo
from crowdsight.adjudication.learning import ClosedTask, close, refit
from crowdsight.adjudication.tally import SkillState
from crowdsight.adjudication.two_coin import TwoCoin

CATEGORIES = ("a", "b", "c")
RULE = TwoCoin(CATEGORIES)
WORKERS = [f"W{number}" for number in range(9)]
VALUES = st.sampled_from((*CATEGORIES, UNAVAILABLE))
ANSWERS = st.lists(st.tuples(st.sampled_from(WORKERS), VALUES), max_size=9, unique_by=lambda pair: pair[0]).map(
    lambda pairs: [Answer(worker, value) for worker, value in pairs]
)
LESSONS = st.lists(st.tuples(ANSWERS, st.sampled_from(CATEGORIES)), max_size=12)
Lessons = list[tuple[list[Answer], str]]


def taught(lessons: Lessons) -> SkillState:
    """What known-answer questions with these answers and truths teach."""
    state = SkillState()
    for answers, truth in lessons:
        state.add(RULE.model.told(answers, truth))
        state.add(truth_told(truth))
    return state


def all_answer(value: str, *workers: str) -> list[Answer]:
    return [Answer(worker, value) for worker in workers]


def expert_and_guessers() -> SkillState:
    """W0 is always right, W1 to W3 always say "a"."""
    return taught(
        [(all_answer(truth, "W0") + all_answer("a", "W1", "W2", "W3"), truth) for truth in CATEGORIES for _ in range(8)]
    )


@given(LESSONS, ANSWERS)
def test_what_is_believed_sums_to_one(lessons: Lessons, answers: list[Answer]) -> None:
    belief = RULE.knowing(taught(lessons)).believe(answers)
    assert sum(belief.shares) == pytest.approx(1)
    assert all(share > 0 for share in belief.shares)
    assert belief.value == CATEGORIES[belief.shares.index(max(belief.shares))]


@given(LESSONS, ANSWERS, st.randoms())
def test_the_order_of_answers_changes_nothing(lessons: Lessons, answers: list[Answer], dice: random.Random) -> None:
    rule = RULE.knowing(taught(lessons))
    shuffled = dice.sample(answers, len(answers))
    assert rule.believe(shuffled) == rule.believe(answers)
    assert rule.judge(shuffled) == rule.judge(answers)


@given(ANSWERS)
def test_knowing_nothing_it_is_first_to_lead_by_two(answers: list[Answer]) -> None:
    assert RULE.judge(answers) == LeadByTwo().judge(answers)


@given(ANSWERS)
def test_knowing_nothing_it_believes_what_most_say(answers: list[Answer]) -> None:
    shares = RULE.believe(answers).shares
    counts = [sum(answer.value == category for answer in answers) for category in CATEGORIES]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (shares[one] > shares[other] + 1e-9) == (counts[one] > counts[other])


@given(LESSONS, ANSWERS)
def test_every_row_of_a_confusion_matrix_sums_to_one(lessons: Lessons, answers: list[Answer]) -> None:
    model = ConfusionModel(CATEGORIES, taught(lessons))
    for worker in WORKERS:
        for row, by_clarity in zip(model.confusion(worker), model.rows_of(worker), strict=True):
            assert sum(row) == pytest.approx(1)
            for chances in by_clarity:
                assert sum(chances) == pytest.approx(1)
                assert min(chances) > 0


@given(LESSONS, ANSWERS)
def test_what_a_closed_task_contributed_can_be_taken_back(lessons: Lessons, answers: list[Answer]) -> None:
    state, untouched = taught(lessons), taught(lessons)
    model = ConfusionModel(CATEGORIES, state)
    contribution = model.closed(answers, model.posterior(answers))
    state.add(contribution)
    state.subtract(contribution)
    assert state == untouched


def test_an_expert_outweighs_those_who_always_say_the_same() -> None:
    rule = RULE.knowing(expert_and_guessers())
    assert rule.believe(all_answer("b", "W0") + all_answer("a", "W1", "W2", "W3")).value == "b"


def test_a_single_answer_is_enough_only_from_a_worker_who_was_measured() -> None:
    lessons: Lessons = [(all_answer(truth, *WORKERS[:4]), truth) for truth in CATEGORIES for _ in range(8)]
    rule = RULE.knowing(taught(lessons)).calibrated(Calibration(audits=1))
    assert rule.judge(all_answer("b", "W0")) == Decided("b")
    assert rule.judge(all_answer("b", "new")) == Undecided()


def test_no_result_is_given_that_no_worker_gave() -> None:
    other = {"a": "b", "b": "a", "c": "c"}
    lessons: Lessons = [
        (all_answer(other[truth], "W0", "W3") + all_answer(truth, "W1"), truth)
        for truth in CATEGORIES
        for _ in range(9)
    ]
    rule = RULE.knowing(taught(lessons)).calibrated(Calibration(audits=24))
    contrary = all_answer("a", "W0", "W3")
    assert rule.believe(contrary).value == "b"
    assert rule.judge(contrary) == rule.at_most(2).judge(contrary) == Undecided()
    assert rule.judge([*contrary, Answer("W1", "b")]) == Decided("b")


def test_it_goes_on_to_the_most_answers_where_they_tell_next_to_nothing() -> None:
    dice = random.Random(1)
    lessons = [([Answer(worker, dice.choice(CATEGORIES)) for worker in WORKERS], "abc"[n % 3]) for n in range(60)]
    rule = RULE.knowing(taught(lessons)).calibrated(Calibration(audits=60))
    assert rule.judge(all_answer("a", "W0", "W1")) == rule.at_most(2).judge(all_answer("a", "W0", "W1")) == Undecided()


@pytest.mark.parametrize("state", [SkillState(), expert_and_guessers()])
def test_an_image_that_does_not_load_ends_the_task_when_it_leads_by_two(state: SkillState) -> None:
    rule = RULE.knowing(state)
    unloadable = all_answer(UNAVAILABLE, "W1", "W2")
    assert rule.judge(unloadable) == Unloadable()
    assert rule.judge([*unloadable, Answer("W0", "b")]) == Undecided()


def test_only_known_answers_put_a_worker_below_the_floor() -> None:
    state = expert_and_guessers()
    model = ConfusionModel(CATEGORIES, state)
    for _ in range(20):
        state.add(model.closed(all_answer("a", "W7"), [0.0, 0.5, 0.5]))
    rule = RULE.knowing(state)
    assert rule.welcomes("W0")
    assert rule.welcomes("new")
    assert rule.welcomes("W7")
    assert not rule.welcomes("W1")


@pytest.mark.parametrize(("knows", "agreement", "is_welcome"), [(True, 0.55, True), (False, 0.8, False)])
def test_who_is_right_where_the_crowd_is_wrong_stays_and_who_is_wrong_with_it_goes(
    knows: bool, agreement: float, is_welcome: bool
) -> None:
    rule, state = TwoCoin(("a", "b")), SkillState()
    for truth, other in (("a", "b"), ("b", "a")):
        for _ in range(5):
            state.add(rule.lesson(all_answer(truth if knows else other, "W0"), truth))
        for number in range(100):
            value = truth if number < 100 * agreement else other
            believed = [float(category == truth) for category in rule.categories]
            state.add(rule.model.closed([Answer("W0", value)], believed))
    assert rule.knowing(state).welcomes("W0") == is_welcome


def test_who_is_shut_out_comes_back_only_when_clearly_above_the_floor() -> None:
    rule = TwoCoin(("a", "b"))
    between = {"a": ["a"] * 7 + ["b"] * 3, "b": ["b"] * 6 + ["a"] * 4}
    state = SkillState()
    for truth, values in between.items():
        for value in values:
            state.add(rule.lesson([Answer("W0", value), *all_answer(truth, "W1", "W2")], truth))
    rule = rule.knowing(state)
    assert 0.3 < rule.model.informedness("W0") < 0.3 * rule.way_back
    assert [rule.welcomes("W0", is_shut_out) for is_shut_out in (False, True)] == [True, False]
    assert rule.welcomes("W1", is_shut_out=True)


def test_who_never_answers_what_others_do_is_below_the_floor() -> None:
    questions = [([*all_answer(truth, "W0"), *all_answer(UNAVAILABLE, "W1")], truth) for truth in CATEGORIES] * 2
    rule = RULE.knowing(taught([*questions, (all_answer(UNREADABLE, "W2"), "a")] * 3))
    assert [rule.welcomes(worker) for worker in WORKERS[:3]] == [True, False, True]
    assert not rule.knowing(taught([(all_answer(UNREADABLE, "W2"), "a")] * 20)).welcomes("W2")
    assert rule.knowing(taught([(all_answer(UNAVAILABLE, "W1", "W2"), "a")] * 20)).welcomes("W1")


def test_what_was_missed_tells_nothing_of_the_answers_that_are_given() -> None:
    given: Lessons = [(all_answer("a", "W0"), "a")] * 6
    with_missed: Lessons = [*given, *[(all_answer("a", "W1") + all_answer(UNAVAILABLE, "W0"), "a")] * 6]
    models = [ConfusionModel(CATEGORIES, taught(lessons)) for lessons in (given, with_missed)]
    assert models[0].counted("W0") == models[1].counted("W0") == 6


def test_known_truths_set_the_class_prior_and_believed_ones_only_lean_it() -> None:
    model = ConfusionModel(CATEGORIES, SkillState())
    believed, told = SkillState(), SkillState()
    for _ in range(100):
        believed.add(model.closed([], [1.0, 0.0, 0.0]))
        told.add(truth_told("a"))
    leaned = ConfusionModel(CATEGORIES, believed).class_prior[0]
    assert 1 / 3 < leaned < ConfusionModel(CATEGORIES, told).class_prior[0]


def closed_tasks(truths: Sequence[str], state: SkillState, dice: random.Random) -> list[ClosedTask]:
    """Tasks answered by W0 to W4, of whom W0 and W1 are right nine times in ten and the others four times in ten."""
    tasks = []
    for truth in truths:
        answers = [
            Answer(worker, truth if dice.random() < (0.9 if number < 2 else 0.4) else dice.choice(CATEGORIES))
            for number, worker in enumerate(WORKERS[:5])
        ]
        tasks.append(close(state, RULE, answers))
    return tasks


def test_a_refit_learns_who_is_better_and_keeps_the_state_the_sum_of_its_tasks() -> None:
    dice, state = random.Random(5), SkillState()
    tasks = closed_tasks([dice.choice(CATEGORIES) for _ in range(80)], state, dice)
    refit(state, RULE, tasks)
    model = ConfusionModel(CATEGORIES, state)
    right = [sum(model.confusion(worker)[truth][truth] for truth in range(3)) / 3 for worker in WORKERS[:5]]
    assert min(right[:2]) > max(right[2:]) + 0.15
    for task in tasks:
        state.subtract(task.contribution)
    assert state == SkillState()


def test_agreement_alone_never_takes_the_pool_to_chance() -> None:
    dice, state, tasks = random.Random(6), SkillState(), []
    for number in range(200):
        answers = [Answer(f"W{number}-{seat}", dice.choice(CATEGORIES)) for seat in range(3)]
        tasks.append(close(state, RULE, answers))
    refit(state, RULE, tasks)
    rows = ConfusionModel(CATEGORIES, state).average_rows
    assert all(max(rows[truth][1]) == rows[truth][1][truth] > 0.5 for truth in range(len(CATEGORIES)))

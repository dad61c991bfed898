import math
import random
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided, Unloadable, Verdict
from crowdsight.adjudication.mean_interval import T_95, MeanInterval

RULE = MeanInterval()
GRADES = (0.0, 0.25, 0.5, 0.75, 1.0)


def answers_of(*values: str | float) -> list[Answer]:
    return [Answer(f"W{number}", value) for number, value in enumerate(values)]


def two_sided_probability(t: float, freedom: int) -> float:
    """P(|T| <= t), in the closed form of Abramowitz and Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, total = math.cos(angle), 0.0
    term = cosine if freedom % 2 else 1.0
    for step in range(1 + freedom % 2, freedom, 2):
        total += term
        term *= cosine**2 * step / (step + 1)
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if freedom % 2 else total


def quantile_95(freedom: int) -> float:
    low, high = 0.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_probability(middle, freedom) < 0.9 else (low, middle)
    return low


@pytest.mark.parametrize("freedom", range(1, 9))
def test_the_table_of_students_t_agrees_with_its_closed_form(freedom: int) -> None:
    assert T_95[freedom - 1] == pytest.approx(quantile_95(freedom), abs=0.0006)


def test_every_possible_set_of_grades_is_decided_exactly_when_its_90_percent_interval_is_within_a_tenth() -> None:
    decided = 0
    for number in range(RULE.first_answers, RULE.most_answers + 1):
        quantile = quantile_95(number - 1)
        for grades in combinations_with_replacement(GRADES, number):
            mean = math.fsum(grades) / number
            deviation = math.sqrt(math.fsum((grade - mean) ** 2 for grade in grades) / (number - 1))
            half_width = quantile * deviation / math.sqrt(number)
            assert abs(half_width - 0.1) > 1e-4, "no set of grades is so near the limit that rounding decides"
            verdict = RULE.judge(answers_of(*grades))
            if half_width < 0.1:
                decided += 1
                assert isinstance(verdict, Decided), grades
                assert verdict.value == pytest.approx(mean)
            else:
                assert verdict == Undecided(), grades
    assert decided > 50


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((), Undecided()),
        ((1.0, 1.0), Undecided()),
        ((1.0, 1.0, 1.0), Decided(1.0)),
        ((0.0, 0.0, 0.0), Decided(0.0)),
        ((0.5, 0.5, 0.75), Undecided()),
        ((UNAVAILABLE,), Undecided()),
        ((UNAVAILABLE, UNAVAILABLE), Unloadable()),
        ((UNAVAILABLE, UNAVAILABLE, 0.5), Undecided()),
        ((UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, 0.5), Unloadable()),
        ((UNAVAILABLE, 1.0, 1.0), Undecided()),
        ((UNAVAILABLE, 1.0, 1.0, 1.0), Decided(1.0)),
        ((UNAVAILABLE, UNAVAILABLE, 0.25, 0.25, 0.25), Decided(0.25)),
    ],
)
def test_an_image_that_does_not_load_must_lead_the_grades_by_two_and_never_counts_as_a_grade(
    values: tuple[str | float, ...], verdict: Verdict
) -> None:
    assert RULE.judge(answers_of(*values)) == verdict


@given(st.lists(st.sampled_from((*GRADES, UNAVAILABLE)), max_size=9), st.randoms())
def test_the_order_of_answers_changes_nothing(values: list[str | float], dice: random.Random) -> None:
    answers = answers_of(*values)
    verdict, shuffled_verdict = RULE.judge(answers), RULE.judge(dice.sample(answers, len(answers)))
    if isinstance(verdict, Decided) and isinstance(shuffled_verdict, Decided):
        assert shuffled_verdict.value == pytest.approx(verdict.value)
    else:
        assert shuffled_verdict == verdict


@given(st.lists(st.floats(0, 1), min_size=3, max_size=9))
def test_a_decided_value_is_a_grade_between_the_least_and_the_most_that_was_given(grades: list[float]) -> None:
    verdict = RULE.judge(answers_of(*grades))
    if isinstance(verdict, Decided):
        assert min(grades) - 1e-9 <= float(verdict.value) <= max(grades) + 1e-9

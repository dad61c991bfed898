"""When a model's scores may say something of a task, and what they say then."""

import math
import random

import pytest

from crowdsight.adjudication.machine_prior import (
    ENOUGH,
    LEAST_SHARE,
    MOST_SHARE,
    MOST_TRUTHS,
    fit_curve,
    fit_line,
)


def categories(seed: int, count: int, apart: float) -> list[tuple[float, bool]]:
    """Scores of spread 1 whose middle is `apart` higher where the truth is the positive category."""
    dice = random.Random(seed)
    truths = [dice.random() < 0.4 for _ in range(count)]
    return [(dice.gauss(apart if truth else 0.0, 1.0), truth) for truth in truths]


def grades(seed: int, count: int, slope: float) -> list[tuple[float, float]]:
    dice = random.Random(seed)
    truths = [dice.random() for _ in range(count)]
    return [(slope * truth + dice.gauss(0, 0.1), truth) for truth in truths]


class TestCurve:
    def test_without_truths_it_does_not_help(self) -> None:
        curve = fit_curve([], True)
        assert not curve.helps
        assert curve.share(0.3) == 0.5

    def test_scores_that_tell_the_truth_help_once_there_are_some_dozens(self) -> None:
        assert not any(fit_curve(categories(seed, 5, 2.0), True).helps for seed in range(50))
        assert sum(fit_curve(categories(seed, 80, 2.0), True).helps for seed in range(50)) == 50

    def test_scores_that_tell_nothing_hardly_ever_seem_to_help(self) -> None:
        """A Bayes factor of 20 is reached by chance at most once in 20 times, whenever one looks (Ville 1939)."""
        seeming = [
            fit_curve(categories(seed, count, 0.0), True).helps for seed in range(100) for count in (10, 30, 100)
        ]
        assert sum(seeming) <= len(seeming) / 20

    def test_scores_that_tell_the_opposite_help_as_well(self) -> None:
        curve = fit_curve(categories(1, 200, -2.0), True)
        assert curve.helps
        assert curve.share(2.0) < curve.usual < curve.share(-4.0)

    def test_it_says_about_how_often_the_truth_is_positive(self) -> None:
        curve = fit_curve(categories(2, 500, 2.0), True)
        fresh = categories(3, 4000, 2.0)
        for low in (0.1, 0.3, 0.5, 0.7):
            told = [truth for score, truth in fresh if low <= curve.share(score) < low + 0.2]
            assert sum(told) / len(told) == pytest.approx(low + 0.1, abs=0.12)

    def test_it_is_never_certain(self) -> None:
        curve = fit_curve([(float(number % 2) * 10, number % 2 == 1) for number in range(300)], True)
        assert curve.helps
        assert (curve.share(-1e9), curve.share(1e9)) == (LEAST_SHARE, MOST_SHARE)

    @pytest.mark.parametrize("truth", [True, False])
    def test_truths_that_are_all_alike_are_no_evidence_for_the_scores(self, truth: bool) -> None:
        assert fit_curve([(random.Random(number).random(), truth) for number in range(300)], True).evidence < ENOUGH

    def test_scores_that_are_all_alike_are_no_evidence(self) -> None:
        curve = fit_curve([(0.5, number % 3 == 0) for number in range(100)], True)
        assert not curve.helps
        assert math.isfinite(curve.share(0.7))

    def test_a_score_that_is_no_number_is_left_out(self) -> None:
        known = categories(4, 60, 2.0)
        assert fit_curve([*known, (math.nan, True), (math.inf, False)], True) == fit_curve(known, True)

    def test_only_the_latest_truths_count(self) -> None:
        old = [(score, not truth) for score, truth in categories(5, 400, 2.0)]
        assert fit_curve([*old, *categories(6, MOST_TRUTHS, 2.0)], True) == fit_curve(
            categories(6, MOST_TRUTHS, 2.0), True
        )


class TestLine:
    def test_without_truths_it_does_not_help(self) -> None:
        line = fit_line([])
        assert not line.helps
        assert line.grade(3.0).grade == 0.5

    def test_scores_that_tell_the_grade_help_once_there_are_some_dozens(self) -> None:
        assert sum(fit_line(grades(seed, 60, 0.5)).helps for seed in range(50)) >= 48

    def test_scores_that_tell_nothing_hardly_ever_seem_to_help(self) -> None:
        seeming = [fit_line(grades(seed, count, 0.0)).helps for seed in range(100) for count in (10, 30, 100)]
        assert sum(seeming) <= len(seeming) / 20

    def test_its_variance_is_that_of_its_errors_or_more(self) -> None:
        line = fit_line(grades(1, 500, 0.5))
        errors = [line.grade(score).grade - grade for score, grade in grades(2, 4000, 0.5)]
        squares = sum(error**2 for error in errors) / len(errors)
        assert squares <= line.grade(0.2).variance <= 2 * squares

    def test_a_grade_is_from_nought_to_one(self) -> None:
        line = fit_line(grades(3, 100, 0.5))
        assert (line.grade(-1e6).grade, line.grade(1e6).grade) == (0.0, 1.0)

    def test_scores_that_are_all_alike_are_no_evidence(self) -> None:
        dice = random.Random(1)
        assert not fit_line([(0.5, dice.random()) for _ in range(100)]).helps

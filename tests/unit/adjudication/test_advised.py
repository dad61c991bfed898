"""What the machine's opinion of a task may do, and what it may not."""

import pytest

from crowdsight.adjudication import Answer, Decided, Undecided
from crowdsight.adjudication.graded_bias import GradedBias
from crowdsight.adjudication.machine_prior import Grade, Opinion, Share
from crowdsight.adjudication.tally import SkillState
from crowdsight.adjudication.two_coin import TwoCoin

CATEGORIES = ("yes", "no")
YES, NO = Answer("A", "yes"), Answer("B", "no")
CERTAIN = Share("yes", 0.96)


def measured(right: int = 20) -> SkillState:
    """Workers A to D, each of whom answered so many known-answer questions of each truth rightly, and two wrongly."""
    rule, state = TwoCoin(CATEGORIES), SkillState()
    for worker in "ABCD":
        for truth, other in (CATEGORIES, CATEGORIES[::-1]):
            for value in [truth] * right + [other]:
                state.add(rule.lesson([Answer(worker, value)], truth))
    return state


class TestCategories:
    def test_an_opinion_alone_decides_nothing(self) -> None:
        assert TwoCoin(CATEGORIES).knowing(measured()).advised(CERTAIN).judge([]) == Undecided()

    def test_an_opinion_moves_what_is_believed(self) -> None:
        rule = TwoCoin(CATEGORIES).knowing(measured())
        plain, advised = rule.believe([NO]), rule.advised(CERTAIN).believe([NO])
        assert advised.shares[0] > plain.shares[0]

    def test_an_opinion_that_agrees_saves_answers(self) -> None:
        rule = TwoCoin(CATEGORIES, right_unaudited=100.0).knowing(measured(8))
        assert rule.judge([YES]) == Undecided()
        assert rule.advised(CERTAIN).judge([YES]) == Decided("yes")

    def test_good_workers_who_agree_outweigh_it(self) -> None:
        rule = TwoCoin(CATEGORIES).knowing(measured()).advised(CERTAIN)
        assert rule.judge([Answer(worker, "no") for worker in "ABCD"]) == Decided("no")

    def test_it_teaches_nothing_of_workers(self) -> None:
        rule = TwoCoin(CATEGORIES).knowing(measured())
        assert rule.advised(CERTAIN).contribution([YES, NO]) == rule.contribution([YES, NO])

    @pytest.mark.parametrize("opinion", [None, Grade(0.5, 0.1), Share("maybe", 0.9)])
    def test_what_is_no_opinion_of_these_categories_changes_nothing(self, opinion: Opinion | None) -> None:
        rule = TwoCoin(CATEGORIES).knowing(measured())
        assert rule.advised(CERTAIN).advised(opinion).believe([YES]) == rule.believe([YES])


class TestGrades:
    GRADES = (Answer("A", 0.75), Answer("B", 1.0))

    def test_an_opinion_alone_decides_nothing(self) -> None:
        assert GradedBias().advised(Grade(0.5, 0.001)).judge([]) == Undecided()

    def test_an_opinion_draws_the_grade_towards_it_and_makes_it_surer(self) -> None:
        plain = GradedBias().model.estimate(self.GRADES)
        advised = GradedBias().advised(Grade(0.3, 0.02)).model.estimate(self.GRADES)
        assert 0.3 < advised.grade < plain.grade
        assert advised.variance < plain.variance

    def test_it_teaches_nothing_of_workers(self) -> None:
        assert GradedBias().advised(Grade(0.3, 0.02)).contribution(self.GRADES) == GradedBias().contribution(
            self.GRADES
        )

    @pytest.mark.parametrize("opinion", [None, Share("yes", 0.9)])
    def test_what_is_no_grade_changes_nothing(self, opinion: Opinion | None) -> None:
        rule = GradedBias().advised(Grade(0.3, 0.02)).advised(opinion)
        assert rule.model.estimate(self.GRADES) == GradedBias().model.estimate(self.GRADES)

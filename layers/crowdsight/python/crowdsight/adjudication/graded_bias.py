"""Graded answers as truth + the Worker's bias + noise, all shrunk.

A Worker's bias and noise are estimated from how far the answers were from what the others said (or from the known
truth), and drawn towards the pool's. A task's noise is the Workers' times a factor on a small grid, which its answers
tell. What all Workers misjudge alike is a variance of its own: more answers do not reduce it, and a stated interval
counts it in. Two-way random effects with shrunk variances, as in Raykar et al. 2010, section 4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from crowdsight.adjudication import (
    UNAVAILABLE,
    UNREADABLE,
    Answer,
    Decided,
    Undecided,
    Unloadable,
    Value,
    Verdict,
    missed,
)
from crowdsight.adjudication.machine_prior import Grade, Line, Opinion, fit_line
from crowdsight.adjudication.tally import UNIT, SkillState, Tally

LEAD_OF_UNAVAILABLE = 2
COUNT, SUM, SQUARES = "answers", "deviations", "squares"
TASKS, TRUTHS, TRUTHS_SQUARED = "tasks", "truths", "truths squared"
PAIRS, SHARED = "pairs", "shared"
KNOWN, MISSED = "known", "missed"
HALVINGS = 40


@dataclass(frozen=True)
class GradedPriors:
    """What is believed of graders before any answer; standard deviations are in grades from 0 to 1.

    `noise`: of one answer around truth and bias; `bias`: of Workers' biases; `shared`: of what all misjudge alike.
    The weights are how firmly: in answers of all, in answers of a Worker's own, and in known questions.
    `truth` and `truth_spread`: of true grades, `truth_weight`: in tasks. `factors`, `factor_shares`: the grid of a
    task's noise variance.
    """

    noise: float = 0.2
    noise_weight: float = 20.0
    own_noise_weight: float = 8.0
    bias: float = 0.08
    shared: float = 0.09
    shared_weight: float = 10.0
    truth: float = 0.5
    truth_spread: float = 0.5
    truth_weight: float = 10.0
    factors: tuple[float, ...] = (0.25, 1.0, 2.5)
    factor_shares: tuple[float, ...] = (0.3, 0.45, 0.25)


@dataclass(frozen=True)
class Estimate:
    """What answers say of a grade: a mixture of normal distributions, (share, mean, variance), before what all
    misjudge alike, whose variance is `shared`."""

    parts: tuple[tuple[float, float, float], ...]
    shared: float

    @property
    def grade(self) -> float:
        """The posterior mean, from 0 to 1."""
        return min(1.0, max(0.0, self._mean))

    @property
    def _mean(self) -> float:
        return math.fsum(share * mean for share, mean, _ in self.parts)

    @property
    def variance(self) -> float:
        """Of what further answers can tell."""
        centre = self._mean
        return math.fsum(share * (variance + (mean - centre) ** 2) for share, mean, variance in self.parts)

    def within(self, distance: float, shared: bool = True) -> float:
        """P(|error| <= distance), with or without what all misjudge alike."""
        centre, extra = self.grade, self.shared if shared else 0.0
        total = 0.0
        for share, mean, variance in self.parts:
            deviation = math.sqrt(2 * (variance + extra))
            total += share * (
                math.erf((centre + distance - mean) / deviation) - math.erf((centre - distance - mean) / deviation)
            )
        return total / 2

    def interval(self, level: float) -> tuple[float, float]:
        """The symmetric interval that holds the truth with this probability, cut to 0 and 1."""
        low, high = 0.0, 2.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.within(middle) < level else (low, middle)
        return max(0.0, self.grade - high), min(1.0, self.grade + high)


class GradedModel:
    """What graded answers tell, given a skill state. The state may change; then make a new model."""

    def __init__(
        self, state: SkillState, priors: GradedPriors | None = None, opinion: tuple[float, float] | None = None
    ) -> None:
        """`opinion`: this task's grade before its answers, and its variance, in place of true grades in general."""
        self.priors = priors or GradedPriors()
        self._state = state
        pooled, given = state.pooled, self.priors
        count, squares = _read(pooled, COUNT), _read(pooled, SQUARES)
        variance = (given.noise_weight * given.noise**2 + squares) / (given.noise_weight + count)
        self.noise = max(variance, 1e-4)
        tasks, total, squared = _read(pooled, TASKS), _read(pooled, TRUTHS), _read(pooled, TRUTHS_SQUARED)
        weight = given.truth_weight + tasks
        self.centre = (given.truth_weight * given.truth + total) / weight
        spread = given.truth_weight * (given.truth_spread**2 + given.truth**2) + squared
        self.spread = max(spread / weight - self.centre**2, 0.01)
        if opinion:
            self.centre, self.spread = opinion
        pairs, shared = _read(pooled, PAIRS), _read(pooled, SHARED)
        self.shared = max((given.shared_weight * given.shared**2 + shared) / (given.shared_weight + pairs), 1e-4)

    def worker(self, worker_id: str) -> tuple[float, float, float]:
        """A Worker's bias, how uncertain it is, and the noise: a grade and two variances."""
        tally = self._state.workers.get(worker_id, {})
        count, total, squares = _read(tally, COUNT), _read(tally, SUM), _read(tally, SQUARES)
        prior = self.priors.bias**2
        kept = count * prior + self.noise
        bias = total * prior / kept
        around = max(squares - 2 * bias * total + count * bias**2, 0.0)
        weight = self.priors.own_noise_weight
        return bias, prior * self.noise / kept, max((weight * self.noise + around) / (weight + count), self.noise / 5)

    def estimate(self, answers: Sequence[Answer]) -> Estimate:
        """The posterior of the grade, whatever the order of the answers."""
        graders = [
            (float(answer.value), *self.worker(answer.worker_id))
            for answer in sorted(answers, key=lambda answer: answer.worker_id)
            if answer.value != UNAVAILABLE
        ]
        parts = []
        for factor, share in zip(self.priors.factors, self.priors.factor_shares, strict=True):
            precision, weighted = 1 / self.spread, self.centre / self.spread
            for grade, bias, unsure, noise in graders:
                weight = 1 / (noise * factor + unsure)
                precision += weight
                weighted += weight * (grade - bias)
            mean = weighted / precision
            log = math.log(share) - math.log(precision) / 2 - (mean - self.centre) ** 2 / self.spread / 2
            for grade, bias, unsure, noise in graders:
                variance = noise * factor + unsure
                log -= math.log(variance) / 2 + (grade - bias - mean) ** 2 / variance / 2
            parts.append((log, mean, 1 / precision))
        highest = max(log for log, _, _ in parts)
        shares = [math.exp(log - highest) for log, _, _ in parts]
        total = math.fsum(shares)
        return Estimate(
            tuple((share / total, mean, variance) for share, (_, mean, variance) in zip(shares, parts, strict=True)),
            self.shared,
        )

    def known_and_missed(self, worker_id: str) -> tuple[float, float]:
        """How many of a Worker's answers to known-answer questions have been counted, and how many were none."""
        tally = self._state.workers.get(worker_id, {})
        return _read(tally, KNOWN), _read(tally, MISSED)

    def closed(self, answers: Sequence[Answer]) -> SkillState:
        """What a task contributes when it closes: each answer against what the others say, by how sure they are."""
        contribution = SkillState()
        for answer in answers:
            if answer.value == UNAVAILABLE:
                continue
            others = self.estimate([other for other in answers if other is not answer])
            weight = self.noise / (self.noise + others.variance)
            deviation = float(answer.value) - others.grade
            lesson = _lesson(weight, deviation, max(deviation**2 - others.variance, 0.0))
            contribution.add(SkillState(lesson, {answer.worker_id: lesson}))
        grade = self.estimate(answers)
        contribution.add(SkillState(_truth(grade.grade, grade.variance)))
        return contribution

    def told(self, answers: Sequence[Answer], truth: float) -> SkillState:
        """What answers to a question of known truth contribute, besides that truth."""
        contribution = SkillState()
        deviations = [
            (answer.worker_id, float(answer.value) - truth)
            for answer in answers
            if answer.value not in (UNAVAILABLE, UNREADABLE)
        ]
        for worker_id, deviation in deviations:
            lesson = _lesson(1.0, deviation, max(deviation**2 - self.shared, 0.0))
            contribution.add(SkillState(lesson, {worker_id: lesson | {KNOWN: UNIT}}))
        for worker_id in missed(answers):
            contribution.add(SkillState({}, {worker_id: {KNOWN: UNIT, MISSED: UNIT}}))
        count = len(deviations)
        if count > 1:
            total = math.fsum(deviation for _, deviation in deviations)
            products = (total**2 - math.fsum(deviation**2 for _, deviation in deviations)) / (count * (count - 1))
            contribution.add(SkillState({PAIRS: UNIT, SHARED: round(products * UNIT)}))
        return contribution


@dataclass(frozen=True)
class GradedBelief:
    """What the answers say: the grade, and P(|error| <= epsilon) of it, what all misjudge alike counted in."""

    value: float
    confidence: float


@dataclass(frozen=True)
class GradedBias:
    """For grades from 0 to 1; `knowing` gives the same rule with what is known of a task's Workers.

    Decided when P(|error| <= `epsilon`), as far as further answers can tell, is `enough`, or when a further answer
    would not lower the expected error by its price: `answers_per_noise` is how many answers an error as large as one
    answer's noise is worth. With P below `least` it does not stop before the most answers are in. "The image does not
    load" ends it when it leads the grades by two.

    A Worker can be found below the floor once `enough_known` answers to known-answer questions have been counted: who
    gave no grade to more than `most_missed` of these, a share, although there was something to grade; who is shut out
    comes back at `way_back` times fewer.
    """

    epsilon: float = 0.05
    enough: float = 0.9
    least: float = 0.2
    answers_per_noise: float = 30.0
    first_answers: int = 2
    most_answers: int = 9
    enough_known: float = 5.0
    most_missed: float = 0.5
    way_back: float = 1.25
    priors: GradedPriors = field(default_factory=GradedPriors)
    skills: SkillState = field(default_factory=SkillState)
    opinion: tuple[float, float] | None = None

    def knowing(self, skills: SkillState) -> Self:
        return replace(self, skills=skills)

    @property
    def tuning(self) -> Mapping[str, float]:
        """Nothing: all that it learns is in the tallies."""
        return {}

    def with_tuning(self, tuning: Mapping[str, float]) -> Self:
        return self

    def advised(self, opinion: Opinion | None) -> Self:
        """The same rule for a task of which the machine thinks so. An opinion of a category is none."""
        return replace(self, opinion=(opinion.grade, opinion.variance) if isinstance(opinion, Grade) else None)

    def foretelling(self, known: Sequence[tuple[float, Value]]) -> Line:
        """What scores of one kind say of the grade."""
        return fit_line([(score, float(truth)) for score, truth in known])

    def at_most(self, answers: int) -> Self:
        return replace(self, most_answers=answers)

    def contribution(self, answers: Sequence[Answer]) -> SkillState:
        return GradedModel(self.skills, self.priors).closed(answers)  # the machine's opinion teaches nothing of Workers

    def lesson(self, answers: Sequence[Answer], truth: Value) -> SkillState:
        return self.model.told(answers, float(truth))

    def truth_lesson(self, truth: Value) -> SkillState:
        return SkillState(_truth(float(truth), 0.0))

    @cached_property
    def model(self) -> GradedModel:
        """What answers tell, given the skills."""
        return GradedModel(self.skills, self.priors, self.opinion)

    def believe(self, answers: Sequence[Answer]) -> GradedBelief:
        estimate = self.model.estimate(answers)
        return GradedBelief(estimate.grade, estimate.within(self.epsilon))

    def welcomes(self, worker_id: str, is_shut_out: bool = False) -> bool:
        """Everyone who grades: a bias or much noise is weighed accordingly."""
        known, missed = self.model.known_and_missed(worker_id)
        return known < self.enough_known or missed <= known * self.most_missed / (self.way_back if is_shut_out else 1.0)

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        grades = sum(answer.value != UNAVAILABLE for answer in answers)
        if len(answers) - 2 * grades >= LEAD_OF_UNAVAILABLE:
            return Unloadable()
        if grades < self.first_answers:
            return Undecided()
        estimate = self.model.estimate(answers)
        sure = estimate.within(self.epsilon, shared=False)
        is_worth_more = len(answers) < self.most_answers and sure < self.enough and self._gain(estimate) > 1
        return Undecided() if is_worth_more or sure < self.least else Decided(estimate.grade)

    def _gain(self, estimate: Estimate) -> float:
        """How many answers the expected fall of the absolute error by one more is worth, from an average Worker."""
        before = after = 0.0
        noise, bias = self.model.noise, self.priors.bias**2
        for (share, _, variance), factor in zip(estimate.parts, self.priors.factors, strict=True):
            before += share * math.sqrt(variance)
            after += share * math.sqrt(1 / (1 / variance + 1 / (noise * factor + bias)))
        return (before - after) * math.sqrt(2 / math.pi) * self.answers_per_noise / math.sqrt(self.model.noise)


def _lesson(weight: float, deviation: float, square: float) -> Tally:
    return _tally({COUNT: weight, SUM: weight * deviation, SQUARES: weight * square})


def _truth(grade: float, variance: float) -> Tally:
    return _tally({TASKS: 1.0, TRUTHS: grade, TRUTHS_SQUARED: grade**2 + variance})


def _tally(numbers: dict[str, float]) -> Tally:
    return {name: round(number * UNIT) for name, number in numbers.items()}


def _read(tally: Tally, name: str) -> float:
    return tally.get(name, 0) / UNIT

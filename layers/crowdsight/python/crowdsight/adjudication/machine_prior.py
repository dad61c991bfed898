"""The machine's opinion of a task as a prior, once truths that became known show that it helps.

A model gives each task a score, such as how alike a picture and a label are. From scores of tasks whose truth became
known, in known-answer questions and audits, follows what a score says of the truth: a logistic curve for two categories
(Platt 1999), a line for grades. Whether it helps is told by prediction: each truth is foretold from those before it,
with the score and without (Dawid 1984, prequential). The ratio of what both made of all truths is a Bayes factor; below
`ENOUGH` (Kass & Raftery 1995: strong evidence) the opinion has no weight at all.

The opinion is tempered, and kept off certainty: it shares what misleads people, and no score alone is an answer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crowdsight.adjudication import Value

ENOUGH = math.log(20)
MOST_TRUTHS = 500
"""Of so many truths, the latest, an opinion is made."""

TEMPER = 0.8
LEAST_SHARE, MOST_SHARE = 0.04, 0.96
FIRM = 1.0
"""The standard deviation of a curve's slope before any truth, for scores of spread 1."""

NEWTON_STEPS = 25
STEEPEST = 30.0
LEAST_VARIANCE = 1e-3
TRUTHS_BEFORE = 3.0
"""How many truths the spread of grades without a line weighs, where a line's errors are estimated."""

SPREAD_BEFORE = 0.3
"""The standard deviation of true grades before any is known."""


@dataclass(frozen=True)
class Share:
    """An opinion: this category is the true one with this chance, from 0 to 1."""

    category: Value
    share: float


@dataclass(frozen=True)
class Grade:
    """An opinion: the true grade, from 0 to 1, and the variance of the error."""

    grade: float
    variance: float


Opinion = Share | Grade


@dataclass(frozen=True)
class Curve:
    """P(the positive category | score) = 1 / (1 + exp(-(at + slope * score))).

    `category`: the positive one; `usual`: its share of truths. `evidence`: the logarithm of the Bayes factor for the
    curve; `truths`: how many are behind it.
    """

    category: Value
    at: float
    slope: float
    usual: float
    evidence: float
    truths: int

    @property
    def helps(self) -> bool:
        """Whether there is enough evidence that the score foretells the truth."""
        return self.evidence >= ENOUGH

    def opinion(self, score: float) -> Share | None:
        """None while the score is not known to help."""
        return Share(self.category, self.share(score)) if self.helps else None

    def share(self, score: float) -> float:
        """The tempered P(positive | score), from `LEAST_SHARE` to `MOST_SHARE`."""
        usual = _log_odds(self.usual)
        odds = usual + TEMPER * (self.at + self.slope * score - usual)
        return min(max(_logistic(odds), LEAST_SHARE), MOST_SHARE)


@dataclass(frozen=True)
class Line:
    """The grade that a score foretells, `at + slope * score`, with a normal error of this variance."""

    at: float
    slope: float
    error: float
    evidence: float
    truths: int

    @property
    def helps(self) -> bool:
        """Whether there is enough evidence that the score foretells the truth."""
        return self.evidence >= ENOUGH

    def opinion(self, score: float) -> Grade | None:
        """None while the score is not known to help."""
        return self.grade(score) if self.helps else None

    def grade(self, score: float) -> Grade:
        """What the score foretells, tempered."""
        return Grade(_grade(self.at + self.slope * score), self.error / TEMPER)


MachinePrior = Curve | Line


def fit_curve(known: Sequence[tuple[float, Value]], category: Value) -> Curve:
    """The curve of (score, truth) for this positive category, in the order in which truths became known."""
    kept = [(score, truth == category) for score, truth in known if math.isfinite(score)][-MOST_TRUTHS:]
    evidence, fitted_at, at, slope = 0.0, -1, 0.0, 0.0
    positives = 0
    for count, (score, positive) in enumerate(kept):
        usual = (positives + 1) / (count + 2)
        if _is_refitted(count, fitted_at):
            at, slope = _logistic_curve(kept[:count])
            fitted_at = count
        evidence += _log_chance(_logistic(at + slope * score), positive) - _log_chance(usual, positive)
        positives += positive
    at, slope = _logistic_curve(kept)
    return Curve(category, at, slope, (positives + 1) / (len(kept) + 2), evidence, len(kept))


def fit_line(known: Sequence[tuple[float, float]]) -> Line:
    """The line of (score, true grade), in the order in which truths became known."""
    kept = [pair for pair in known if math.isfinite(pair[0])][-MOST_TRUTHS:]
    evidence = 0.0
    for count, (score, grade) in enumerate(kept):
        seen = kept[:count]
        centre, spread = _spread(seen)
        at, slope, error = _straight_line(seen)
        foretold = _grade(at + slope * score)
        evidence += _log_density(grade - foretold, error) - _log_density(grade - centre, spread)
    at, slope, error = _straight_line(kept)
    return Line(at, slope, error, evidence, len(kept))


def _grade(value: float) -> float:
    return min(1.0, max(0.0, value))


def _is_refitted(count: int, fitted_at: int) -> bool:
    """At every truth while there are few, then whenever there are a twentieth more."""
    return fitted_at < 0 or count <= 20 or count >= fitted_at * 1.05


def _logistic_curve(known: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """The most probable curve, by Newton's method; the slope has a normal prior, the share of positives a weak one."""
    if not known:
        return 0.0, 0.0
    middle, scale = _middle_and_scale([score for score, _ in known])
    points = [((score - middle) / scale, float(positive)) for score, positive in known]
    at = slope = 0.0
    for _ in range(NEWTON_STEPS):
        # One positive and one negative truth of no score, as in the usual share, keep the curve from certainty.
        chance = _logistic(at)
        toward_at, toward_slope = 1.0 - 2 * chance, -slope / FIRM**2
        curve_at, curve_both, curve_slope = 2 * chance * (1 - chance), 0.0, 1 / FIRM**2
        for x, positive in points:
            chance = _logistic(at + slope * x)
            weight = chance * (1 - chance)
            toward_at += positive - chance
            toward_slope += (positive - chance) * x
            curve_at += weight
            curve_both += weight * x
            curve_slope += weight * x * x
        determinant = curve_at * curve_slope - curve_both**2
        if determinant <= 0:
            break
        step_at = (curve_slope * toward_at - curve_both * toward_slope) / determinant
        step_slope = (curve_at * toward_slope - curve_both * toward_at) / determinant
        at = min(max(at + step_at, -STEEPEST), STEEPEST)
        slope = min(max(slope + step_slope, -STEEPEST), STEEPEST)
        if abs(step_at) + abs(step_slope) < 1e-9:
            break
    return at - slope * middle / scale, slope / scale


def _straight_line(known: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """At, slope and error variance; the slope is drawn towards none as by one truth at one spread's distance."""
    centre, spread = _spread(known)
    if len(known) < 2:
        return centre, 0.0, spread
    middle, scale = _middle_and_scale([score for score, _ in known])
    xs = [(score - middle) / scale for score, _ in known]
    slope = sum(x * (grade - centre) for x, (_, grade) in zip(xs, known, strict=True)) / (sum(x * x for x in xs) + 1)
    left = sum((grade - centre - slope * x) ** 2 for x, (_, grade) in zip(xs, known, strict=True))
    error = max((left + TRUTHS_BEFORE * spread) / (len(known) - 1 + TRUTHS_BEFORE), LEAST_VARIANCE)
    return centre - slope * middle / scale, slope / scale, error * (1 + 1 / len(known))


def _spread(known: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The mean and variance to expect of the next truth, drawn towards a half and `SPREAD_BEFORE`."""
    count = len(known) + 1
    centre = (sum(grade for _, grade in known) + 0.5) / count
    squares = sum((grade - centre) ** 2 for _, grade in known) + TRUTHS_BEFORE * SPREAD_BEFORE**2
    return centre, max(squares / (len(known) + TRUTHS_BEFORE), LEAST_VARIANCE) * (1 + 1 / count)


def _middle_and_scale(scores: Sequence[float]) -> tuple[float, float]:
    middle = math.fsum(scores) / len(scores)
    spread = math.sqrt(math.fsum((score - middle) ** 2 for score in scores) / len(scores))
    return middle, spread or 1.0


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(odds, -STEEPEST), STEEPEST)))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def _log_chance(share: float, positive: bool) -> float:
    return math.log(share if positive else 1 - share)


def _log_density(distance: float, variance: float) -> float:
    return -(distance**2) / variance / 2 - math.log(variance) / 2

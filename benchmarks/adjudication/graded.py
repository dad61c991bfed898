"""Figures of graded answers: the product's adjudicator, and the mean of five of the same answers in the same order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.adjudication.recorded import Recorded
from benchmarks.adjudication.replay import Replay
from crowdsight.adjudication import Decided
from crowdsight.adjudication.graded_bias import GradedBias

MEAN_OF = 5
LEVEL = 0.9


@dataclass(frozen=True)
class Figures:
    """`mae` and `spearman` are of all tasks, by the estimate where no result was given; `coverage`: the share with one.

    `interval_coverage`: how many stated 90 % intervals hold the truth; `interval_width`: their mean width.
    """

    tasks: int
    mae: float
    spearman: float
    answers_per_task: float
    interval_coverage: float
    interval_level: float
    interval_width: float
    coverage: float
    mean_of_5_mae: float
    mean_of_5_spearman: float
    mean_of_5_answers_per_task: float


def measure(recorded: Recorded, seed: int, known: int = 0, rule: GradedBias | None = None) -> Figures:
    """One replay's figures."""
    run = Replay(recorded, rule or GradedBias(), seed, known)
    truths, grades, means, answers, means_of, held, widths, decided = [], [], [], [], [], [], [], 0
    for ended in run.run():
        truth = float(recorded.truths[ended.task])
        estimate = ended.rule.model.estimate(ended.answers)
        low, high = estimate.interval(LEVEL)
        first = run.orders[ended.task][:MEAN_OF]
        truths.append(truth)
        grades.append(estimate.grade)
        means.append(fmean(float(answer.value) for answer in first))
        means_of.append(len(first))
        answers.append(len(ended.answers))
        held.append(low <= truth <= high)
        widths.append(high - low)
        decided += isinstance(ended.verdict, Decided)
    return Figures(
        tasks=len(truths),
        mae=mean_error(grades, truths),
        spearman=rank_correlation(grades, truths),
        answers_per_task=fmean(answers),
        interval_coverage=fmean(held),
        interval_level=LEVEL,
        interval_width=fmean(widths),
        coverage=decided / len(truths),
        mean_of_5_mae=mean_error(means, truths),
        mean_of_5_spearman=rank_correlation(means, truths),
        mean_of_5_answers_per_task=fmean(means_of),
    )


def mean_error(grades: Sequence[float], truths: Sequence[float]) -> float:
    """The mean absolute error."""
    return fmean(abs(grade - truth) for grade, truth in zip(grades, truths, strict=True))


def rank_correlation(grades: Sequence[float], truths: Sequence[float]) -> float:
    """Spearman's, equal values sharing the mean of their ranks; 0 where all are equal."""
    one, other = _ranks(grades), _ranks(truths)
    middle = fmean(one)
    product = math.fsum((a - middle) * (b - middle) for a, b in zip(one, other, strict=True))
    spread = math.fsum((a - middle) ** 2 for a in one) * math.fsum((b - middle) ** 2 for b in other)
    return product / math.sqrt(spread) if spread else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [fmean(places[value]) for value in values]

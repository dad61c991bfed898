"""Figures of categorical answers: the product's adjudicator, and simple rules on the same answers in the same order."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.adjudication.recorded import Recorded
from benchmarks.adjudication.replay import KnownQuestions, Replay
from crowdsight.adjudication import Answer, Decided, Unloadable, Value
from crowdsight.adjudication.lead_by_two import LeadByTwo
from crowdsight.adjudication.tally import SkillState
from crowdsight.adjudication.tuning import tuned
from crowdsight.adjudication.two_coin import TwoCoin

MAJORITY = 5
BINS = 10


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    `right`: whether the likeliest value is true, given or not, unless the task ended because "the image does not load";
    `confidence`: as stated then; `majority` and `lead`: whether those rules' values are true; `lead_answers`: how many
    the latter took.
    """

    right: bool
    confidence: float
    answers: int
    decided: bool
    majority: bool
    lead: bool
    lead_answers: int


@dataclass(frozen=True)
class Figures:
    """`accuracy` is of all tasks, by the likeliest value where no result was given; `coverage`: the share with one."""

    tasks: int
    accuracy: float
    answers_per_task: float
    coverage: float
    expected_calibration_error: float
    accuracy_of_results: float
    mean_confidence: float
    majority_of_5_accuracy: float
    majority_of_5_answers_per_task: float
    lead_by_two_accuracy: float
    lead_by_two_answers_per_task: float


def replay(recorded: Recorded, seed: int, known: int = 0, rule: TwoCoin | None = None) -> tuple[list[Outcome], float]:
    """How each task ended, and the mean number of answers that a majority of 5 took."""
    rule = rule or TwoCoin(recorded.categories)
    run = Replay(recorded, rule, seed, known, tune, TwoCoin.welcomes)
    dice = random.Random(seed)
    outcomes = []
    for ended in run.run():
        truth, order = recorded.truths[ended.task], run.orders[ended.task]
        belief = ended.rule.believe(ended.answers)
        leading, lead_answers = lead_by_two(order, rule.most_answers, dice)
        outcomes.append(
            Outcome(
                right=belief.value == truth and not isinstance(ended.verdict, Unloadable),
                confidence=belief.confidence,
                answers=len(ended.answers),
                decided=isinstance(ended.verdict, Decided),
                majority=majority(order[:MAJORITY], dice) == truth,
                lead=leading == truth,
                lead_answers=lead_answers,
            )
        )
    return outcomes, fmean(min(MAJORITY, len(order)) for order in run.orders.values())


def measure(recorded: Recorded, seed: int, known: int = 0, rule: TwoCoin | None = None) -> Figures:
    """One replay's figures."""
    outcomes, majority_answers = replay(recorded, seed, known, rule)
    results = [outcome.right for outcome in outcomes if outcome.decided]
    return Figures(
        tasks=len(outcomes),
        accuracy=fmean(outcome.right for outcome in outcomes),
        answers_per_task=fmean(outcome.answers for outcome in outcomes),
        coverage=len(results) / len(outcomes),
        expected_calibration_error=calibration_error(outcomes),
        accuracy_of_results=fmean(results) if results else 0.0,
        mean_confidence=fmean(outcome.confidence for outcome in outcomes),
        majority_of_5_accuracy=fmean(outcome.majority for outcome in outcomes),
        majority_of_5_answers_per_task=majority_answers,
        lead_by_two_accuracy=fmean(outcome.lead for outcome in outcomes),
        lead_by_two_answers_per_task=fmean(outcome.lead_answers for outcome in outcomes),
    )


def tune(rule: TwoCoin, state: SkillState, questions: KnownQuestions) -> TwoCoin:
    """As the scheduled refit does it."""
    return tuned(rule, state, questions)


def majority(answers: Sequence[Answer], dice: random.Random) -> Value:
    """The commonest value; a tie is broken by lot."""
    counts = Counter(answer.value for answer in answers)
    return dice.choice(sorted((value for value, count in counts.items() if count == max(counts.values())), key=str))


def lead_by_two(order: Sequence[Answer], most: int, dice: random.Random) -> tuple[Value, int]:
    """Its value and how many answers it took; the commonest where it does not decide."""
    for count in range(1, min(most, len(order)) + 1):
        verdict = LeadByTwo(most).judge(order[:count])
        if isinstance(verdict, Decided):
            return verdict.value, count
    return majority(order[:most], dice), min(most, len(order))


def calibration_error(outcomes: Sequence[Outcome]) -> float:
    """The expected calibration error: |share right - mean confidence| over ten bins of equal width, by tasks."""
    bins: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        bins.setdefault(min(int(outcome.confidence * BINS), BINS - 1), []).append(outcome)
    return sum(abs(sum(found.right - found.confidence for found in group)) for group in bins.values()) / len(outcomes)

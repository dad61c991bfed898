"""What the scheduled refit sets for categorical answers beside the tallies.

How alike Workers are, from their answers to known-answer questions; calibration, and how often the next answer is
right, both of the Workers who still get HITs: it is they who will answer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.calibration import fit
from crowdsight.adjudication.confusion import KNOWN, count_name
from crowdsight.adjudication.learning import Learner
from crowdsight.adjudication.tally import UNIT, SkillState
from crowdsight.adjudication.two_coin import TwoCoin

Questions = Iterable[tuple[Sequence[Answer], Value]]
"""The answers to each known-answer question, and its truth."""

LEAST_TOLD = 3
LEAST_ALIKE, MOST_ALIKE = 2.0, 30.0
WORKERS_BEFORE = 10


def retuned(rule: Learner, state: SkillState, questions: Questions) -> Learner:
    """Any rule, tuned as its kind is; one for grades stays as it is."""
    return tuned(rule, state, questions) if isinstance(rule, TwoCoin) else rule


def tuned(rule: TwoCoin, state: SkillState, questions: Questions) -> TwoCoin:
    """The rule, tuned to all that is known now.

    `state`: with all Workers. `questions`: the answers to each known-answer question, and its truth, all of them told
    to the state. Each is judged by the answers it got as if nothing of it had been told.
    """
    alike = _likeness(rule, state)
    rule = replace(rule, priors=replace(rule.priors, worker_weight=alike))
    audits = []
    for answers, truth in questions:
        lesson = rule.lesson(answers, truth)
        lesson.add(rule.truth_lesson(truth))
        state.subtract(lesson)
        untold = rule.knowing(state)
        welcome = [
            answer for answer in answers if answer.value in rule.categories and untold.welcomes(answer.worker_id)
        ]
        if welcome:
            belief = untold.believe(welcome)
            audits.append((max(belief.shares), belief.value == truth))
        state.add(lesson)
    return rule.expecting(_usual_right(rule.knowing(state), state)).calibrated(fit(audits))


def _likeness(rule: TwoCoin, state: SkillState) -> float:
    """How many answers of a Worker's own weigh as much as the pool, by the method of moments for a beta distribution.

    With few Workers measured it stays near what it is.
    """
    told = []
    for tally in state.workers.values():
        counts = {
            (truth, answer): tally.get(count_name(KNOWN, truth, answer), 0) / UNIT
            for truth in rule.categories
            for answer in rule.categories
        }
        total = sum(counts.values())
        if total >= LEAST_TOLD:
            told.append((total, sum(counts[category, category] for category in rule.categories)))
    totals = sum(total for total, _ in told)
    if len(told) < 2:
        return rule.priors.worker_weight
    mean = sum(right for _, right in told) / totals
    between = sum(total * (right / total - mean) ** 2 for total, right in told) - (len(told) - 1) * mean * (1 - mean)
    spread = between / (totals - sum(total**2 for total, _ in told) / totals)
    weight = mean * (1 - mean) / max(spread, 1e-6) - 1
    bounded = math.log(min(max(weight, LEAST_ALIKE), MOST_ALIKE))
    prior = math.log(rule.priors.worker_weight)
    return math.exp((len(told) * bounded + WORKERS_BEFORE * prior) / (len(told) + WORKERS_BEFORE))


def _usual_right(rule: TwoCoin, state: SkillState) -> float | None:
    """How often an answer by a Worker who still gets HITs is right; None if nobody is known."""
    right = total = 0.0
    for worker_id in state.workers:
        if rule.welcomes(worker_id):
            weight = rule.model.counted(worker_id)
            matrix = rule.model.confusion(worker_id)
            right += weight * sum(prior * matrix[truth][truth] for truth, prior in enumerate(rule.model.class_prior))
            total += weight
    return right / total if total else None

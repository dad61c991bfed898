"""What the scheduled refit sets for categorical answers beside the tallies.

How alike Workers are, from their answers to known-answer questions; calibration, and how often the next answer is
right, both of the Workers who still get HITs: it is they who will answer.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from crowdsight.adjudication import Answer, Undecided, Value
from crowdsight.adjudication.calibration import fit
from crowdsight.adjudication.confusion import KNOWN, count_name
from crowdsight.adjudication.learning import Learner
from crowdsight.adjudication.tally import UNIT, SkillState
from crowdsight.adjudication.two_coin import TwoCoin

Questions = Mapping[str, tuple[Sequence[Answer], Value]]
"""By its name, the answers to each question whose truth was told, and that truth."""

LEAST_TOLD = 3
LEAST_ALIKE, MOST_ALIKE = 2.0, 30.0
WORKERS_BEFORE = 10


def retuned(rule: Learner, state: SkillState, questions: Questions, tasks: Questions) -> Learner:
    """Any rule, tuned as its kind is; one for grades stays as it is."""
    return tuned(rule, state, questions, tasks) if isinstance(rule, TwoCoin) else rule


def tuned(rule: TwoCoin, state: SkillState, questions: Questions, tasks: Questions | None = None) -> TwoCoin:
    """The rule, tuned to all that is known now.

    `state`: with all Workers. `questions`: known-answer ones; `tasks`: audited ones. The truths of all were told to
    the state, and each is judged as if nothing of it had been. For confidence is that of a task: a task is judged by
    the answers it ended with, and a question, which gets many more, by as many of them, in an order drawn by lot, as
    it would have ended with.
    """
    tasks = tasks or {}
    alike = _likeness(rule, state)
    rule = replace(rule, priors=replace(rule.priors, worker_weight=alike))
    stopping = rule.calibrated(replace(rule.calibration, audits=len(questions) + len(tasks)))
    audits = []
    for name, (answers, truth) in [*questions.items(), *tasks.items()]:
        lesson = rule.lesson(answers, truth)
        lesson.add(rule.truth_lesson(truth))
        state.subtract(lesson)
        untold = stopping.knowing(state)
        welcome = [
            answer for answer in answers if answer.value in rule.categories and untold.welcomes(answer.worker_id)
        ]
        if name in questions:
            welcome = _until_it_stops(untold, sorted(welcome, key=lambda answer: _lot(name, answer)))
        if welcome:
            belief = untold.believe(welcome)
            audits.append((max(belief.shares), belief.value == truth))
        state.add(lesson)
    return rule.expecting(_usual_right(rule.knowing(state), state)).calibrated(fit(audits))


def _until_it_stops(rule: TwoCoin, answers: list[Answer]) -> list[Answer]:
    """The first answers, as many as a task with these would have asked for."""
    most = min(rule.most_answers, len(answers))
    counts = range(rule.first_answers, most)
    enough = next((count for count in counts if not isinstance(rule.judge(answers[:count]), Undecided)), most)
    return answers[:enough]


def _lot(question: str, answer: Answer) -> bytes:
    return hashlib.blake2b(f"{question} {answer.worker_id}".encode(), digest_size=8).digest()


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

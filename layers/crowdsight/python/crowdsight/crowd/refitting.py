"""The scheduled refit: closed tasks judged anew by what all the others tell by now, and rules tuned to what is known.

It may run at any time, twice at once, and be killed anywhere: what it writes are lessons, each of which is replaced
only while it is as it was read.
"""

import hashlib
from collections.abc import Callable, Iterable

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.learning import ClosedTask, refit
from crowdsight.adjudication.machine_prior import MOST_TRUTHS
from crowdsight.adjudication.tally import UNIT, SkillState
from crowdsight.adjudication.tuning import retuned
from crowdsight.catalogue import CrowdFunction
from crowdsight.crowd.gates import Gates
from crowdsight.crowd.opinions import Opinions
from crowdsight.crowd.requester import RequesterError
from crowdsight.crowd.skills import Lesson, Skills

MOST_TASKS = 1_000
MOST_AUDITED = 1_000
MOST_TOLD = 1_000
"""As many lessons of a function are looked at: the newest closed tasks, the newest audited ones, and known-answer
questions; others stay as they are."""

WORTH_A_WRITE = UNIT // 100
"""A lesson in which no count changes by more, a hundredth of an answer, stays as it is."""

LEAST_TIME_S = 60.0
"""With less time left, a function waits for the next run."""


class Refit:
    """One run is all functions in turn."""

    def __init__(self, skills: Skills, opinions: Opinions, gates: Gates, functions: Iterable[CrowdFunction]) -> None:
        self._skills = skills
        self._opinions = opinions
        self._gates = gates
        self._functions = tuple(functions)

    def __call__(self, time_left_s: Callable[[], float]) -> dict[str, int]:
        """Returns how many lessons of each function teach something else now.

        Raises an ExceptionGroup of RequesterError, at the end, if the workplace refused to shut Workers out or in.
        """
        replaced = {}
        errors: list[RequesterError] = []
        for function in self._functions:
            if time_left_s() < LEAST_TIME_S:
                break
            replaced[function.name] = self._refit(function)
            try:
                # Of a Worker who is shut out nothing may be known any more, where known questions were removed.
                workers = {*self._skills.everyone(function).workers, *self._skills.excluded(function)}
                self._gates.review(function, sorted(workers))
            except* RequesterError as group:
                errors += [error for error in group.exceptions if isinstance(error, RequesterError)]
        if errors:
            raise ExceptionGroup("some Workers' gates could not be set", errors)
        return replaced

    def _refit(self, function: CrowdFunction) -> int:
        closed, audited, told, state = self._read(function)
        tasks = [ClosedTask(lesson.answers, lesson.contribution) for lesson in closed]
        refit(state, self._skills.knowing(function, ()), tasks)
        rule = retuned(function.adjudicator, state, _questions(told), _questions(audited))
        changed = [
            (lesson, task.contribution)
            for lesson, task in zip(closed, tasks, strict=True)
            if _is_worth_a_write(lesson.contribution, task.contribution)
        ]
        replaced = self._skills.replace(function, changed)
        self._skills.set_tuning(function, rule.tuning)
        self._weigh_the_machine(function, [*audited, *told])
        return replaced

    def _weigh_the_machine(self, function: CrowdFunction, told: Iterable[Lesson]) -> None:
        """Compare what models scored with the truths that were told; a question in several parts counts once.

        The first `MOST_TRUTHS` of each kind are taken, in an order as good as drawn by lot and the same every time.
        """
        truths = {lesson.question: lesson.truth for lesson in told if lesson.truth is not None}
        scores = self._opinions.scores(function, truths)
        scored: dict[str, list[str]] = {}
        for question in truths:
            if question in scores:
                scored.setdefault(scores[question].kind, []).append(question)
        priors = {}
        for kind, questions in scored.items():
            drawn = sorted(questions[:MOST_TRUTHS], key=_lot)
            known = [(scores[question].value, truths[question]) for question in drawn]
            priors[kind] = function.adjudicator.foretelling(known)
        self._opinions.set_priors(function, priors)

    def _read(self, function: CrowdFunction) -> tuple[list[Lesson], list[Lesson], list[Lesson], SkillState]:
        """Lessons of closed tasks, audited ones and known-answer questions, and a state that they are in.

        They are those that stayed as they were while the state was read.
        """
        before = {lesson.sk: lesson.version for kind in self._lessons(function) for lesson in kind}
        state = self._skills.everyone(function)
        closed, audited, told = (
            [lesson for lesson in kind if before.get(lesson.sk) == lesson.version] for kind in self._lessons(function)
        )
        return closed, audited, told, state

    def _lessons(self, function: CrowdFunction) -> tuple[list[Lesson], list[Lesson], list[Lesson]]:
        return (
            self._skills.closed_tasks(function, MOST_TASKS),
            self._skills.audited_tasks(function, MOST_AUDITED),
            self._skills.told_questions(function, MOST_TOLD),
        )


def _questions(lessons: Iterable[Lesson]) -> dict[str, tuple[list[Answer], Value]]:
    """Answers and truths, the parts of each question together."""
    questions: dict[str, tuple[list[Answer], Value]] = {}
    for lesson in lessons:
        if lesson.truth is not None:
            answers, _ = questions.setdefault(lesson.question, ([], lesson.truth))
            answers += lesson.answers
    return questions


def _lot(question: str) -> bytes:
    return hashlib.blake2b(question.encode(), digest_size=8).digest()


def _is_worth_a_write(before: SkillState, after: SkillState) -> bool:
    change = SkillState(after.pooled, after.workers)
    change.subtract(before)
    tallies = (change.pooled, *change.workers.values())
    return any(abs(count) > WORTH_A_WRITE for tally in tallies for count in tally.values())

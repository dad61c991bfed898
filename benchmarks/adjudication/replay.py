"""Recorded answers, met by the product's adjudicator as the service would meet them."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmarks.adjudication.recorded import Recorded
from crowdsight.adjudication import Answer, Undecided, Unloadable, Value, Verdict
from crowdsight.adjudication.learning import ClosedTask, Learner, close, refit
from crowdsight.adjudication.tally import SkillState

OPEN_AT_ONCE = 10
FIRST_REFIT = 10
GROWTH = 1.3
LEAST_GROWTH = 10
"""The refit runs each time that closed tasks are so many more than at the last, as a factor and in tasks."""

Rule = TypeVar("Rule", bound=Learner)


@dataclass(frozen=True)
class Ended(Generic[Rule]):
    """A task at its end: its answers, the verdict, and the rule as it was then, before the task taught anything."""

    task: str
    answers: Sequence[Answer]
    verdict: Verdict
    rule: Rule


class Replay(Generic[Rule]):
    """One order of the recorded answers, by seed.

    `known`: up to so many answers of each Worker, drawn at random and at most half of them, are answers to
    known-answer questions that came before. They are not met again. `welcomes`: whether a Worker still gets HITs;
    another one's answer is taken instead. `tune`: called with the rule, the state and the known questions before the
    first task and at each refit; gives the rule to go on with.
    """

    def __init__(
        self,
        recorded: Recorded,
        rule: Rule,
        seed: int,
        known: int = 0,
        tune: Callable[[Rule, SkillState, "KnownQuestions"], Rule] = lambda rule, state, questions: rule,
        welcomes: Callable[[Rule, str], bool] = lambda rule, worker_id: True,
    ) -> None:
        self._dice = random.Random(seed)
        self._rule, self._tune, self._welcomes = rule, tune, welcomes
        self.questions = _draw_known(recorded, known, self._dice)
        self.orders: dict[str, list[Answer]] = {}
        for task, answers in recorded.answers.items():
            told = {answer.worker_id for answer in self.questions.get(task, ([], None))[0]}
            rest = [answer for answer in answers if answer.worker_id not in told]
            if rest:
                self.orders[task] = self._dice.sample(rest, len(rest))

    def run(self) -> Iterator[Ended[Rule]]:
        """The tasks as they end. One of those open, at random, gets the next answer."""
        state, rule = SkillState(), self._rule
        for answers, truth in self.questions.values():
            state.add(rule.lesson(answers, truth))
            state.add(rule.truth_lesson(truth))
        rule = self._tune(self._rule, state, self.questions)
        waiting = self._dice.sample(list(self.orders), len(self.orders))
        coming = {task: iter(order) for task, order in self.orders.items()}
        opened: dict[str, list[Answer]] = {}
        closed: list[ClosedTask] = []
        next_refit = FIRST_REFIT
        while waiting or opened:
            while waiting and len(opened) < OPEN_AT_ONCE:
                opened[waiting.pop()] = []
            task = self._dice.choice(list(opened))
            answers, knowing = opened[task], rule.knowing(state)
            answer = next((answer for answer in coming[task] if self._welcomes(knowing, answer.worker_id)), None)
            if answer is None:
                verdict = knowing.at_most(len(answers)).judge(answers)
            else:
                answers.append(answer)
                verdict = knowing.judge(answers)
            if isinstance(verdict, Undecided) and answer is not None and len(answers) < rule.most_answers:
                continue
            del opened[task]
            yield Ended(task, answers, verdict, knowing_until_now(knowing, state, answers))
            if not isinstance(verdict, Unloadable):
                closed.append(close(state, rule, answers))
            if len(closed) >= next_refit:
                refit(state, rule, closed)
                rule = self._tune(self._rule, state, self.questions)
                next_refit = max(next_refit + LEAST_GROWTH, int(next_refit * GROWTH))


KnownQuestions = dict[str, tuple[list[Answer], Value]]
"""The answers to each known-answer question, and its truth."""


def knowing_until_now(rule: Rule, state: SkillState, answers: Sequence[Answer]) -> Rule:
    """The rule with a copy of what it knows of these answers' Workers, since the state goes on changing."""
    return rule.knowing(state.of(answer.worker_id for answer in answers))


def _draw_known(recorded: Recorded, known: int, dice: random.Random) -> KnownQuestions:
    by_worker: dict[str, list[tuple[str, Answer]]] = {}
    for task, answers in recorded.answers.items():
        for answer in answers:
            by_worker.setdefault(answer.worker_id, []).append((task, answer))
    questions: KnownQuestions = {}
    for given in by_worker.values():
        for task, answer in dice.sample(given, min(known, len(given) // 2)):
            questions.setdefault(task, ([], recorded.truths[task]))[0].append(answer)
    return questions

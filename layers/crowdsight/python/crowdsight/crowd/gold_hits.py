"""Known-answer questions at the workplace, among a function's tasks and not to be told from them.

While a function has open tasks, some of its questions have an open HIT each: a tenth as many as there are tasks, within
limits, and no more than the answers that its questions may still get this month. A Worker can do each HIT once, so a
new Worker meets many of them, and one who has done them all only the next one, which takes the place of the longest
asked every hour. When there has been no task for a while all are closed, and hold no money. A HIT is never made anew
while the workplace has it: closed, it is only opened again. Workers see how long a HIT can still be found, so each goes
by the deadline of some open task, and by another's when that has ended.
"""

import json
import math
import random
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from crowdsight.adjudication import UNREADABLE, Answer
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.clock import Clock
from crowdsight.crowd.gold import GoldQuestion, GoldRef, GoldStore, Phase, Pool
from crowdsight.crowd.prices import GOLD_ASSIGNMENTS
from crowdsight.crowd.questions import render_question
from crowdsight.crowd.requester import Gone, InsufficientFunds, Refused, Requester, RequesterError
from crowdsight.crowd.skills import Skills
from crowdsight.task_store import RecordedAnswer, TaskStore
from crowdsight.tasks import check_input

TASKS_A_QUESTION = 10
FEWEST_ASKED, MOST_ASKED = 10, 50
"""At once, of one function: as many as there are open tasks to TASKS_A_QUESTION, but no fewer and no more."""

MOVE_AFTER_S = 3_600
"""How long after the last one another question takes the place of the longest asked."""

IDLE_AFTER_S = 900
"""How long after the last open task all HITs are closed."""

MOST_LOOKED_AT = 2_000
"""So many tasks of all functions, drawn as good as by lot, are looked at each time."""

ANSWERS_AT_FIRST, TASK_ANSWERS_AN_ANSWER = 200, 5
"""What they may cost: of a function, in a month, so many answers, and one for every so many to its settled tasks."""

ROUNDING_MS = 2_000
"""As much as the workplace may round a HIT's end by, and a lifetime be shorter than the time to a deadline."""

LEAST_ROOM, MORE_ROOM = 3, 5
"""A HIT that fewer Workers than that can still take gets so many assignments more."""

SPARE_S = 10
SHORTEST_LIFETIME_S = 60
"""An open task whose deadline is nearer gives no HIT its deadline."""


class GoldHits:
    """Asks the questions, and takes in their answers. Each step may run twice."""

    def __init__(
        self,
        store: GoldStore,
        tasks: TaskStore,
        skills: Skills,
        requester: Requester,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._skills = skills
        self._requester = requester
        self._clock = clock

    def record(self, ref: GoldRef, answer: RecordedAnswer) -> None:
        """Record a submitted answer, and learn from it; again: changes nothing."""
        self._store.add_answer(ref, answer)
        question = self._store.find(ref)
        function = CATALOGUE.get(ref.function)
        if question is None or question.is_removed or function is None:
            return
        value = function.read_answer(answer.form_value or "")
        told = Answer(answer.worker_id, UNREADABLE if value is None else value)
        self._skills.tell(function, ref.subject, question.truth, [told])

    def tend(self, time_left_s: Callable[[], float]) -> dict[str, int]:
        """Open, extend and close HITs as there are tasks; returns how many are open, by function.

        What the workplace refuses does not keep the others waiting: errors are raised at the end, in an ExceptionGroup
        of RequesterError.
        """
        deadlines: dict[str, list[int]] = {name: [] for name in CATALOGUE}
        for generation in self._tasks.open_generations(MOST_LOOKED_AT):
            deadlines.setdefault(generation.function, []).append(generation.deadline_ms)
        opened: dict[str, int] = {}
        errors: list[RequesterError] = []
        for function in CATALOGUE.values():
            opened[function.name] = self._tend_function(function, deadlines[function.name], time_left_s, errors)
        if errors:
            raise ExceptionGroup("some known-answer questions could not be looked after", errors)
        return opened

    def _tend_function(
        self,
        function: CrowdFunction,
        deadlines_ms: Sequence[int],
        time_left_s: Callable[[], float],
        errors: list[RequesterError],
    ) -> int:
        """`deadlines_ms`: those of the function's open tasks."""
        now_ms, tasks = self._clock(), len(deadlines_ms)
        pool = self._store.pool(function)
        questions = self._store.questions(function)
        kept = [question for question in questions if not question.is_removed]
        size = min(max(math.ceil(tasks / TASKS_A_QUESTION), FEWEST_ASKED), MOST_ASKED)
        if tasks:
            pool = replace(moved(pool, kept, size, now_ms), active_at_ms=now_ms)
            self._store.set_pool(function, pool)
        asked: set[GoldRef] = set()
        if now_ms - pool.active_at_ms < IDLE_AFTER_S * 1000:
            to_tasks, to_known = self._store.answers_this_month(function)
            left = max(ANSWERS_AT_FIRST + to_tasks // TASK_ANSWERS_AN_ANSWER - to_known, 0)
            asked = {question.ref for question in in_pool(kept, pool.start, size)[:left]}
        offered = [each for each in deadlines_ms if each > now_ms + SHORTEST_LIFETIME_S * 1000]
        for question in questions:
            if time_left_s() < SPARE_S:
                break
            try:
                self._tend_question(function, question, question.ref in asked, offered)
            except RequesterError as error:
                errors.append(error)
        return len(asked)

    def _tend_question(
        self, function: CrowdFunction, question: GoldQuestion, is_asked: bool, offered: Collection[int]
    ) -> None:
        if is_asked:
            self._ask(function, question, offered)
        elif question.phase is Phase.OPEN:
            self._close(function, question)
        elif question.phase is Phase.CLOSING:
            self._finish(question)
        elif question.is_removed:
            self._forget(function, question)

    def _ask(self, function: CrowdFunction, question: GoldQuestion, offered: Collection[int]) -> None:
        """Have a HIT open that Workers can take until one of the deadlines; without any it stays as it is."""
        if question.phase is not Phase.OPEN:
            self._store.set_phase(question, Phase.OPEN)
        if question.hit_id is None:
            if offered:
                self._publish(function, question, random.choice([*offered]))
            return
        try:
            hit = self._requester.hit(question.hit_id)
            if offered and all(abs(each - hit.expires_at_ms) > ROUNDING_MS for each in offered):
                self._requester.offer_until(question.hit_id, random.choice([*offered]))
                hit = self._requester.hit(question.hit_id)
            if hit.available < LEAST_ROOM:
                token = f"{question.hit_id}-{hit.assignments}"
                self._requester.extend(question.hit_id, MORE_ROOM, token)
            self._collect(question, question.hit_id)
        except Gone:
            self._store.forget_hit(question)  # the next look makes another

    def _publish(self, function: CrowdFunction, question: GoldQuestion, expires_at_ms: int) -> str:
        """Create the question's next HIT and record it; again, within a day: finds the same HIT."""
        lifetime_s = (expires_at_ms - self._clock()) // 1000
        question_xml = render_question(function, check_input(function, json.loads(question.input_json)))
        token = f"{question.ref.id}-{question.added_at_ms}-{question.hits}"
        hit_id, _ = self._requester.publish(
            function, question.ref.subject, question_xml, lifetime_s, GOLD_ASSIGNMENTS, token
        )
        self._store.set_hit(question, hit_id)
        return hit_id

    def _close(self, function: CrowdFunction, question: GoldQuestion) -> None:
        """Take the HIT from the list. One that was not recorded may have been created unheard, and is found so."""
        try:
            hit_id = question.hit_id or self._publish(function, question, self._clock() + SHORTEST_LIFETIME_S * 1000)
            self._requester.expire(hit_id)
        except Gone:
            pass  # disposed of by the workplace
        except (InsufficientFunds, Refused):
            if question.hit_id is not None:
                raise
            # A HIT that exists is found before either is looked at.
        self._store.set_phase(question, Phase.CLOSING)

    def _finish(self, question: GoldQuestion) -> None:
        """Wait for those who are still at the HIT."""
        if question.hit_id is not None:
            try:
                if not self._requester.hit(question.hit_id).reviewable:
                    return
                self._collect(question, question.hit_id)
            except Gone:
                self._store.forget_hit(question)
        self._store.set_phase(question, Phase.WAITING)

    def _forget(self, function: CrowdFunction, question: GoldQuestion) -> None:
        """A removed question's HIT is over: take back what it has taught."""
        if question.hit_id is not None:
            try:
                self._requester.dispose(question.hit_id)
            except Refused:
                self._store.set_phase(question, Phase.CLOSING)  # an answer came in between
                return
        self._skills.take_back(function, question.ref.subject)
        self._store.delete(question.ref)

    def _collect(self, question: GoldQuestion, hit_id: str) -> None:
        """Record and pay the answers whose notifications were lost."""
        for submission in self._requester.submissions(hit_id, unpaid_only=True):
            self.record(question.ref, submission.answer)
            self._requester.pay(submission.answer.assignment_id)


def in_pool(questions: Sequence[GoldQuestion], start: str, size: int) -> list[GoldQuestion]:
    """The questions from a place on, and from the first on again; `questions` are in order."""
    first = bisect_left([question.place for question in questions], start)
    return [*questions[first:], *questions[:first]][:size]


def moved(pool: Pool, questions: Sequence[GoldQuestion], size: int, now_ms: int) -> Pool:
    """The pool without its first question, and so with the next one, if it is time for that and others wait."""
    if pool.moved_at_ms == 0:
        return replace(pool, moved_at_ms=now_ms)
    if len(questions) <= size or now_ms - pool.moved_at_ms < MOVE_AFTER_S * 1000:
        return pool
    return replace(pool, start=in_pool(questions, pool.start, 2)[1].place, moved_at_ms=now_ms)

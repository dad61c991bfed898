"""Answers, from the workplace into the store: on notification, and on a schedule for notifications that were lost.

A notification may come early, twice, late or never. What it says is never believed: the answer is read from the
workplace, and the HIT's annotation says to which generation, or known-answer question, it belongs. Every submitted
answer is paid, also one that comes after its task has ended, or is deleted, and one that makes no sense.
"""

import json
from collections.abc import Callable
from typing import Any

from crowdsight.catalogue import CATALOGUE
from crowdsight.clock import Clock
from crowdsight.crowd.gold import GoldRef
from crowdsight.crowd.gold_hits import GoldHits
from crowdsight.crowd.judging import AWAIT_MARGIN_S, Grounds, is_ready, last_answer_at_ms, read_answers
from crowdsight.crowd.prices import answer_cents
from crowdsight.crowd.publishing import publish_hit
from crowdsight.crowd.random_audits import RandomAudits
from crowdsight.crowd.requester import (
    TOKEN_LIFETIME_S,
    Gone,
    InsufficientFunds,
    Refused,
    Requester,
    RequesterError,
    Submission,
)
from crowdsight.crowd.skills import Skills
from crowdsight.crowd.workflow import Workflow, WorkflowUnavailable
from crowdsight.errors import CrowdsightError
from crowdsight.task_store import Generation, Phase, TaskStore
from crowdsight.tasks import Problem, ProblemCode

LOOK_AFTER_S = 10
"""How long after looking at a generation it is looked at again: well below the schedule's minute, so that every run
looks at each, and long enough that two runs at a time do not do the same work."""

GIVE_UP_AFTER_S = 3_600
"""How long after its last possible answer a task that its workflow has not ended is ended as a ServiceError."""


class MalformedNotification(Exception):
    """Not a document of MTurk notifications."""


class Recorder:
    """Records answers and pays for them."""

    def __init__(
        self,
        store: TaskStore,
        skills: Skills,
        requester: Requester,
        workflow: Workflow,
        gold: GoldHits,
        audits: RandomAudits,
        clock: Clock,
        fee_percent: int,
    ) -> None:
        self._store = store
        self._skills = skills
        self._requester = requester
        self._workflow = workflow
        self._gold = gold
        self._audits = audits
        self._clock = clock
        self._fee_percent = fee_percent

    def record_notification(self, body: str) -> None:
        """Act on one SQS message. Raises MalformedNotification, RequesterError, WorkflowUnavailable."""
        for event in _events(body):
            match event.get("EventType"):
                case "AssignmentSubmitted":
                    self._record_assignment(str(event.get("AssignmentId")))
                case "HITReviewable" | "HITExpired":
                    self._look_at_hit(str(event.get("HITId")))

    def reconcile(self, time_left_s: Callable[[], float]) -> int:
        """Look after every generation that is due, while time is left; returns how many were.

        One that the workplace refuses does not keep the others waiting: its error is raised at the end, in an
        ExceptionGroup of RequesterError.
        """
        looked_at = 0
        errors = []
        for generation in self._store.due_generations():
            if time_left_s() < 10:
                break
            self._store.look_again(generation.id, LOOK_AFTER_S)
            try:
                self.look_after(generation)
            except (RequesterError, WorkflowUnavailable, CrowdsightError, KeyError) as error:
                # The last two: a deployment has changed or removed its function.
                errors.append(error)
            looked_at += 1
        if errors:
            raise ExceptionGroup("some generations could not be looked after", errors)
        return looked_at

    def collect(self, generation_id: str) -> None:
        """Record every answer of a generation that the workplace has, and whether more can come."""
        generation = self._store.generation(generation_id)
        if generation and generation.hit_id:
            self._collect(generation, generation.hit_id)

    def look_after(self, generation: Generation) -> None:
        """Mend whatever was lost: an execution not started, answers not recorded, a HIT not disposed of."""
        match generation.phase:
            case Phase.OPEN:
                if not generation.started:
                    self._workflow.start(generation)
                    self._store.mark_started(generation.id)
                elif self._is_overdue(generation):
                    self._store.fail(generation, Problem.of(ProblemCode.SERVICE_ERROR, generation.id))
                elif generation.hit_id:
                    self._collect(generation, generation.hit_id)
                    self._wake(generation.id)
            case Phase.CLOSED:
                self._settle(generation)

    def _record_assignment(self, assignment_id: str) -> None:
        try:
            submission, subject = self._requester.submission(assignment_id)
        except Gone:
            return  # its HIT is disposed of, which happens only after every answer is paid
        if subject is None:
            return  # a HIT of another program of this requester
        if gold := GoldRef.parse(subject):
            self._gold.record(gold, submission.answer)
            self._pay(submission)
            return
        self._record(subject, submission)
        self._wake(subject)

    def _look_at_hit(self, hit_id: str) -> None:
        try:
            hit = self._requester.hit(hit_id)
        except Gone:
            return
        generation = self._store.generation(hit.subject) if hit.subject else None
        if generation and generation.phase is Phase.OPEN:
            self._collect(generation, hit_id)
            self._wake(generation.id)

    def _collect(self, generation: Generation, hit_id: str) -> None:
        try:
            hit = self._requester.hit(hit_id)
            for submission in self._requester.submissions(hit_id):
                self._record(generation.id, submission)
        except Gone:
            self._store.set_hit_over(generation.id)
            return
        if hit.reviewable and hit.expires_at_ms <= self._clock():
            self._store.set_hit_over(generation.id)

    def _record(self, generation_id: str, submission: Submission) -> None:
        self._store.add_answer(generation_id, submission.answer)
        self._pay(submission)

    def _pay(self, submission: Submission) -> None:
        if not submission.paid:
            self._requester.pay(submission.answer.assignment_id)

    def _wake(self, generation_id: str) -> None:
        generation = self._store.generation(generation_id)
        if generation is None or generation.phase is not Phase.OPEN or generation.token is None:
            return
        if is_ready(generation, self._store.answers(generation_id)):
            self._workflow.wake(generation.token)

    def _settle(self, generation: Generation) -> None:
        """Once nobody can submit any more and all is paid, dispose of the HIT."""
        if generation.hit_id is None and (hit_id := self._find_unrecorded_hit(generation)):
            self._requester.expire(hit_id)
            return
        if generation.hit_id:
            try:
                hit = self._requester.hit(generation.hit_id)
                if not hit.reviewable or hit.expires_at_ms > self._clock():
                    self._requester.expire(generation.hit_id)
                    return
                self._collect(generation, generation.hit_id)
                self._requester.dispose(generation.hit_id)
            except Gone:
                pass  # disposed of by an earlier run
            except Refused:
                return  # an answer came in between; the next look settles it
        function = CATALOGUE[generation.function]
        answers = self._store.answers(generation.id)
        if generation.grounds:
            judged = Grounds.from_document(generation.grounds).counted(answers)
            self._audits.draw(generation, read_answers(function, judged))
        spent_cents = len(answers) * answer_cents(function, self._fee_percent)
        self._store.settle(generation, spent_cents, len(answers))

    def _find_unrecorded_hit(self, generation: Generation) -> str | None:
        """The HIT of a task that ended before its HIT was recorded: it may have been created unheard.

        Asking again finds it by its UniqueRequestToken, or creates it, to be expired at once, if it is not there. While
        the account is refused it cannot be told, and is asked again, until the token is forgotten.
        """
        if self._clock() - generation.created_at_ms >= TOKEN_LIFETIME_S * 1000:
            return None
        try:
            return publish_hit(self._store, self._skills, self._requester, generation, self._clock())
        except (InsufficientFunds, Refused):
            return None  # a HIT that exists is found before either is looked at

    def _is_overdue(self, generation: Generation) -> bool:
        last_ms = last_answer_at_ms(CATALOGUE[generation.function], generation)
        return self._clock() > last_ms + (AWAIT_MARGIN_S + GIVE_UP_AFTER_S) * 1000


def _events(body: str) -> list[dict[str, Any]]:
    try:
        events = json.loads(body)["Events"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedNotification("the message is not a notification document") from error
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise MalformedNotification("the document's Events are not a list of objects")
    return events

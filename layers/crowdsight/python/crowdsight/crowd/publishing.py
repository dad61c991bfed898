"""The workflow's steps that act: publish, extend and close a generation's one HIT, and end its task.

Each may run twice, and then does nothing the second time.
"""

import json
from collections.abc import Mapping
from typing import Any

from crowdsight.adjudication import UNAVAILABLE
from crowdsight.catalogue import CATALOGUE
from crowdsight.clock import Clock
from crowdsight.crowd.judging import Grounds, read_answers, wait_s
from crowdsight.crowd.questions import render_question
from crowdsight.crowd.requester import Gone, Refused, Requester
from crowdsight.crowd.skills import Skills
from crowdsight.task_store import Generation, Phase, TaskStore
from crowdsight.tasks import Problem, ProblemCode, check_input

SHORTEST_LIFETIME_S = 30

PROBLEM_OF_ERROR = {
    "InsufficientFunds": ProblemCode.INSUFFICIENT_FUNDS,
    "AccountSetup": ProblemCode.ACCOUNT_SETUP,
}
"""What a step's exception, named after its class, means for the task; any other is a ServiceError."""


def publish_hit(store: TaskStore, skills: Skills, requester: Requester, generation: Generation, now_ms: int) -> str:
    """Create the generation's one HIT and record it; again, within 24 hours: finds the same HIT. Returns its id.

    It asks for as few answers as can be enough, for all that is known of Workers now.

    Raises InsufficientFunds, AccountSetup, WorkplaceUnavailable, Refused.
    """
    function = CATALOGUE[generation.function]
    lifetime_s = max(SHORTEST_LIFETIME_S, (generation.deadline_ms - now_ms) // 1000)
    question_xml = render_question(function, check_input(function, json.loads(generation.input_json)))
    first_answers = skills.knowing(function, ()).first_answers
    hit_id, assignments = requester.publish(
        function, generation.id, question_xml, lifetime_s, first_answers, token=generation.id
    )
    store.set_hit(generation.id, hit_id, assignments)
    return hit_id


class Publishing:
    """The steps that need the requester account."""

    def __init__(self, store: TaskStore, skills: Skills, requester: Requester, clock: Clock) -> None:
        self._store = store
        self._skills = skills
        self._requester = requester
        self._clock = clock

    def create_hit(self, generation_id: str) -> int:
        """Publish the generation's HIT; returns how long to wait for answers, in seconds.

        Raises InsufficientFunds, AccountSetup, WorkplaceUnavailable, Refused.
        """
        generation = self._store.load_generation(generation_id)
        function = CATALOGUE[generation.function]
        if generation.hit_id is None and generation.phase is Phase.OPEN:
            publish_hit(self._store, self._skills, self._requester, generation, self._clock())
        return wait_s(function, generation, self._clock())

    def extend_hit(self, generation_id: str, assignments: int) -> None:
        """Ask for one answer more, `assignments` in all.

        Raises InsufficientFunds, AccountSetup, WorkplaceUnavailable, Refused.
        """
        generation = self._store.load_generation(generation_id)
        if generation.hit_id is None or assignments <= generation.assignments_asked:
            return
        try:
            more = assignments - generation.assignments_asked
            self._requester.extend(generation.hit_id, more, token=f"{generation_id}-{assignments}")
        except Gone:
            self._store.set_hit_over(generation_id)
            return
        except Refused:
            if self._clock() < generation.deadline_ms:
                raise
            self._store.set_hit_over(generation_id)  # it has expired: nobody can take another assignment
            return
        self._store.set_assignments_asked(generation_id, assignments)

    def close_task(self, generation_id: str, result: dict[str, Any], grounds: Mapping[str, Any]) -> None:
        """Give the task its result, learn from it, and take the HIT from the list. `grounds`: a Grounds' document."""
        generation = self._store.load_generation(generation_id)
        self._store.complete(generation, result, grounds)
        self._learn(generation_id)
        self._expire(generation)

    def fail_task(self, generation_id: str, problem: ProblemCode, grounds: Mapping[str, Any] | None = None) -> None:
        """End the task with a problem, learn from it if it was judged, and take the HIT from the list."""
        generation = self._store.load_generation(generation_id)
        self._store.fail(generation, Problem.of(problem, generation_id), grounds)
        if problem is not ProblemCode.IMAGE_UNAVAILABLE:
            self._learn(generation_id)
        self._expire(generation)

    def _learn(self, generation_id: str) -> None:
        """Only a task that has ended, by judgement, teaches, so that an open one never informs on its own Workers."""
        generation = self._store.load_generation(generation_id)
        if generation.grounds is None:
            return
        counted = Grounds.from_document(generation.grounds).counted(self._store.answers(generation_id))
        function = CATALOGUE[generation.function]
        answers = read_answers(function, counted)
        if any(answer.value != UNAVAILABLE for answer in answers):
            self._skills.close(function, generation, answers)

    def _expire(self, generation: Generation) -> None:
        if generation.hit_id is None:
            return
        try:
            self._requester.expire(generation.hit_id)
        except Gone:
            pass  # disposed of meanwhile


def problem_of(error_name: str | None) -> ProblemCode:
    """The problem that a step's error means, by the name of its class."""
    return PROBLEM_OF_ERROR.get(error_name or "", ProblemCode.SERVICE_ERROR)

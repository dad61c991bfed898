"""The workflow's steps that decide: wait until the answers asked for are in, then say what to do next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from crowdsight.adjudication import Answer, Decided, Undecided, Unloadable
from crowdsight.adjudication.learning import Learner
from crowdsight.adjudication.tally import SkillState
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.clock import Clock
from crowdsight.crowd.opinions import Advice, Opinions
from crowdsight.crowd.skills import Skills
from crowdsight.crowd.workflow import Workflow
from crowdsight.task_store import Generation, RecordedAnswer, TaskStore
from crowdsight.tasks import ProblemCode, result_of

AWAIT_MARGIN_S = 60
"""How long after the last moment at which an answer can come the workflow goes on waiting for its notification."""


@dataclass(frozen=True)
class Grounds:
    """What a task was judged by at its end, kept with it: which assignments, what was known of their Workers, and what
    the machine thought; None if it had no score in time.
    """

    assignment_ids: tuple[str, ...]
    skills: SkillState
    tuning: Mapping[str, float]
    advice: Advice | None

    @classmethod
    def of(cls, rule: Learner, advice: Advice | None, answers: Iterable[RecordedAnswer]) -> Self:
        """`rule`: as it knew the Workers of these answers."""
        return cls(tuple(answer.assignment_id for answer in answers), rule.skills, rule.tuning, advice)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        skills = SkillState(document["pooled"], document["workers"])
        advice = Advice.from_document(document["advice"]) if document["advice"] else None
        return cls(tuple(document["assignments"]), skills, document["tuning"], advice)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "assignments": list(self.assignment_ids),
            "pooled": self.skills.pooled,
            "workers": self.skills.workers,
            "tuning": dict(self.tuning),
            "advice": self.advice.document() if self.advice else None,
        }

    def rule(self, function: CrowdFunction) -> Learner:
        """The function's rule as it was then."""
        rule = function.adjudicator.with_tuning(self.tuning).knowing(self.skills)
        return rule.advised(self.advice.opinion if self.advice else None)

    def counted(self, answers: Iterable[RecordedAnswer]) -> list[RecordedAnswer]:
        """Those of the answers that were judged; others came too late."""
        return [answer for answer in answers if answer.assignment_id in self.assignment_ids]


@dataclass(frozen=True)
class Decision:
    """What to do next. `action`: complete (with `result`), fail (with `problem`), extend (to `assignments`) or wait.

    `grounds`: a Grounds' document, where it ends the task.
    """

    action: str
    result: dict[str, Any] | None = None
    problem: ProblemCode | None = None
    assignments: int | None = None
    grounds: dict[str, Any] | None = None


def is_ready(generation: Generation, answers: list[RecordedAnswer]) -> bool:
    """Whether there is something to adjudicate: the rule cannot decide before all answers asked for are in."""
    return generation.hit_over or len(answers) >= generation.assignments_asked > 0


def read_answers(function: CrowdFunction, answers: Iterable[RecordedAnswer]) -> list[Answer]:
    """What Workers said. Answers that the question never offered count as paid, not as answers."""
    return [
        Answer(answer.worker_id, value)
        for answer in answers
        if answer.form_value is not None and (value := function.read_answer(answer.form_value)) is not None
    ]


def decide(
    function: CrowdFunction, rule: Learner, generation: Generation, answers: list[RecordedAnswer], now_ms: int
) -> Decision:
    """The next step, from what is recorded. `rule`: the function's, knowing the Workers of these answers.

    An answer that the question never offered is paid, and takes one of the places that the function allows.
    """
    valid = read_answers(function, answers)
    match rule.at_most(rule.most_answers - (len(answers) - len(valid))).judge(valid):
        case Decided(value):
            return Decision("complete", result=result_of(function, value))
        case Unloadable():
            return Decision("fail", problem=ProblemCode.IMAGE_UNAVAILABLE)
        case Undecided():
            if len(answers) >= rule.most_answers:
                return Decision("fail", problem=ProblemCode.NO_AGREEMENT)
            if generation.hit_over or now_ms >= last_answer_at_ms(function, generation):
                return Decision("fail", problem=ProblemCode.EXPIRED)
            if len(answers) < generation.assignments_asked:
                return Decision("wait")
            return Decision("extend", assignments=generation.assignments_asked + 1)


def last_answer_at_ms(function: CrowdFunction, generation: Generation) -> int:
    """After this moment nobody can submit: who accepted the HIT at its end has had the time allotted."""
    return generation.deadline_ms + function.assignment_duration_s * 1000


def wait_s(function: CrowdFunction, generation: Generation, now_ms: int) -> int:
    """How long the workflow waits for answers at most, in seconds."""
    return max(1, (last_answer_at_ms(function, generation) - now_ms) // 1000 + AWAIT_MARGIN_S)


class Judging:
    """The steps that need no requester account. Each may run twice."""

    def __init__(self, store: TaskStore, skills: Skills, opinions: Opinions, workflow: Workflow, clock: Clock) -> None:
        self._store = store
        self._skills = skills
        self._opinions = opinions
        self._workflow = workflow
        self._clock = clock

    def await_answer(self, generation_id: str, token: str) -> None:
        """Remember the task token. Answers that came before it are not missed: then the workflow goes on at once."""
        self._store.set_token(generation_id, token)
        generation = self._store.load_generation(generation_id)
        if is_ready(generation, self._store.answers(generation_id)):
            self._workflow.wake(token)

    def adjudicate(self, generation_id: str) -> tuple[Decision, int]:
        """What to do next, and how long to wait at most if that is to wait, in seconds."""
        generation = self._store.load_generation(generation_id)
        function = CATALOGUE[generation.function]
        answers = self._store.answers(generation_id)
        advice = self._opinions.advice(function, generation.id)
        rule = self._skills.knowing(function, [answer.worker_id for answer in answers])
        rule = rule.advised(advice.opinion if advice else None)
        decision = decide(function, rule, generation, answers, self._clock())
        if decision.action in ("complete", "fail"):
            decision = replace(decision, grounds=Grounds.of(rule, advice, answers).document())
        return decision, wait_s(function, generation, self._clock())

"""A task's audit, for its caller: what Workers answered, what was believed after each, why it stopped, what it cost."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from crowdsight.adjudication.learning import Learner
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.crowd.judging import Grounds, read_answers
from crowdsight.crowd.opinions import Opinions, opinion_document
from crowdsight.crowd.prices import answer_cents
from crowdsight.crowd.requests import GetTask
from crowdsight.crowd.skills import Skills
from crowdsight.task_store import Generation, RecordedAnswer, TaskStore
from crowdsight.tasks import ProblemCode, State, Task, TaskKey

CODE_DIGITS = 16

STOPPED = {
    "confident": "The answer is confident enough: one more is not worth its price.",
    "most_answers": "All the answers that the function allows are in.",
    "unavailable": "Workers agree that an image does not load.",
    "expired": "No more answers came within the allotted time.",
    "error": "Something failed; the task's problem says what.",
}
"""Why a task asked for no further answer."""


class GetAudit:
    """`read_code_key`: the secret that Workers' codes are made with. `fee_percent`: the workplace's."""

    def __init__(
        self,
        get_task: GetTask,
        store: TaskStore,
        skills: Skills,
        opinions: Opinions,
        fee_percent: int,
        read_code_key: Callable[[], bytes],
    ) -> None:
        self._get_task = get_task
        self._store = store
        self._skills = skills
        self._opinions = opinions
        self._fee_percent = fee_percent
        self._read_code_key = read_code_key

    def __call__(self, key: TaskKey) -> dict[str, Any]:
        """The audit as the API tells it; of a `-test` task, with no answers. Raises NotFound."""
        task = self._get_task(key)
        generation = self._store.generation(task.generation)
        answers = self._store.answers(generation.id) if generation else []
        document: dict[str, Any] = {
            "taskName": key.name,
            "state": task.state,
            "answers": [],
            "stopped": None,
            "cents": 0,
            "machinePrior": None,
        }
        if generation:
            function = CATALOGUE[generation.function]
            document["answers"] = self._tell(key.account, function, generation, answers)
            document["machinePrior"] = self._machine_prior(function, generation)
            document["stopped"] = _why_stopped(function, task, generation)
            document["cents"] = len(answers) * answer_cents(function, self._fee_percent)
        return document

    def _machine_prior(self, function: CrowdFunction, generation: Generation) -> dict[str, Any] | None:
        """What it was judged with at its end, or what is known of it now; None without a score."""
        if generation.grounds:
            advice = Grounds.from_document(generation.grounds).advice
        else:
            advice = self._opinions.advice(function, generation.id)
        if advice is None:
            return None
        return {
            "kind": advice.score.kind,
            "score": round(advice.score.value, 4),
            "evidence": round(advice.prior.evidence, 2) if advice.prior else 0.0,
            "truths": advice.prior.truths if advice.prior else 0,
            "opinion": opinion_document(advice.opinion) if advice.opinion else None,
        }

    def _tell(
        self, account: str, function: CrowdFunction, generation: Generation, answers: Sequence[RecordedAnswer]
    ) -> list[dict[str, Any]]:
        if generation.grounds:
            grounds = Grounds.from_document(generation.grounds)
            rule, counted = grounds.rule(function), grounds.counted(answers)
        else:
            advice = self._opinions.advice(function, generation.id)
            rule = self._skills.knowing(function, [answer.worker_id for answer in answers])
            rule, counted = rule.advised(advice.opinion if advice else None), list(answers)
        code_key = self._read_code_key() if answers else b""
        return [
            {
                "worker": worker_code(code_key, account, answer.worker_id),
                "answer": next((each.value for each in read_answers(function, [answer])), None),
                "submittedAt": _wire_time(answer.submitted_at_ms),
                "confidence": _confidence(function, rule, counted, answer),
            }
            for answer in answers
        ]


def worker_code(key: bytes, account: str, worker_id: str) -> str:
    """A Worker's code: the same in all of an account's tasks, another one in every other account's."""
    return hmac.new(key, f"{account}\0{worker_id}".encode(), hashlib.sha256).hexdigest()[:CODE_DIGITS]


def _confidence(
    function: CrowdFunction, rule: Learner, counted: Sequence[RecordedAnswer], answer: RecordedAnswer
) -> float | None:
    """After this answer and those before it, by all that was known at the end; None if the answer was not counted."""
    if answer not in counted:
        return None
    so_far = counted[: counted.index(answer) + 1]
    return round(rule.believe(read_answers(function, so_far)).confidence, 4)


def _why_stopped(function: CrowdFunction, task: Task, generation: Generation) -> str | None:
    if task.state is State.PROCESSING:
        return None
    if generation.grounds is None:
        return "error"
    if task.problem and task.problem.code is ProblemCode.IMAGE_UNAVAILABLE:
        return "unavailable"
    if task.problem and task.problem.code is ProblemCode.EXPIRED:
        return "expired"
    counted = Grounds.from_document(generation.grounds).assignment_ids
    return "most_answers" if len(counted) >= function.adjudicator.most_answers else "confident"


def _wire_time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Crowd tasks: what they are and which moves they may make.

    (none) ── create ──> processing ── complete ──> completed ──┐
                             └──────── fail ──────> failed ─────┴── delete ──> (none)

A task name may be used again after deletion. Each use is a *generation* with an id of its own; HITs and answers
belong to a generation, so that a late answer to a deleted task can never reach the next one of that name.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from crowdsight.adjudication import Value
from crowdsight.catalogue import CrowdFunction, Document
from crowdsight.errors import InvalidRequest

KEEP_FINISHED_S = 90 * 86_400
NAME_RULE = "a task name has 1 to 64 of A-Z a-z 0-9 . _ -"

_name = re.compile(r"[A-Za-z0-9._-]{1,64}")


class State(StrEnum):
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class ProblemCode(StrEnum):
    """Why a task failed; part of the public interface."""

    EXPIRED = "Expired"
    NO_AGREEMENT = "NoAgreement"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    INSUFFICIENT_FUNDS = "InsufficientFunds"
    ACCOUNT_SETUP = "AccountSetup"
    SERVICE_ERROR = "ServiceError"


PROBLEM_MESSAGES = {
    ProblemCode.EXPIRED: "Not enough Workers provided answers for your task within the allotted time.",
    ProblemCode.NO_AGREEMENT: "Workers gave all the answers that this function allows, and they do not agree enough.",
    ProblemCode.IMAGE_UNAVAILABLE: "Workers agree that an image of your task does not load.",
    ProblemCode.INSUFFICIENT_FUNDS: "The requester account does not have the funds for the HIT of your task.",
    ProblemCode.ACCOUNT_SETUP: "The workplace refuses the requester account: not set up, not linked or suspended.",
    ProblemCode.SERVICE_ERROR: "Something went wrong on our side. Correlation id: {correlation_id}",
}


@dataclass(frozen=True)
class Problem:
    code: ProblemCode
    message: str

    @classmethod
    def of(cls, code: ProblemCode, correlation_id: str) -> "Problem":
        return cls(code, PROBLEM_MESSAGES[code].format(correlation_id=correlation_id))


@dataclass(frozen=True)
class TaskKey:
    """What makes a task unique. `function` is the name as called, `-test` included."""

    account: str
    function: str
    name: str


@dataclass(frozen=True)
class Task:
    """One task as its caller sees it. `input_json` is canonical JSON of the input as it was sent."""

    key: TaskKey
    generation: str
    input_json: str
    state: State = State.PROCESSING
    result: dict[str, Any] | None = None
    problem: Problem | None = None

    def document(self) -> dict[str, Any]:
        """The task document of the API: the same keys for every verb and state."""
        return {
            "taskName": self.key.name,
            "input": json.loads(self.input_json),
            "problemDetails": {"code": self.problem.code, "message": self.problem.message} if self.problem else None,
            "state": self.state,
            "result": self.result,
        }


def check_name(name: str) -> str:
    """Raises InvalidRequest unless the name is one a task can have."""
    if not _name.fullmatch(name):
        raise InvalidRequest(NAME_RULE)
    return name


def canonical_json(value: Any) -> str:
    """JSON text that is equal exactly when the JSON values are, key order apart."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def check_input(function: CrowdFunction, task_input: Any) -> Document:
    """The validated input. Raises InvalidRequest naming each wrong field."""
    try:
        return function.input_model.model_validate(task_input)
    except ValidationError as error:
        raise InvalidRequest(describe(error, "input")) from error


def check_truth(function: CrowdFunction, truth: Any) -> Value:
    """What a known result, a document as the function's results are, means. Raises InvalidRequest."""
    try:
        return function.value_of(function.result_model.model_validate(truth))
    except ValidationError as error:
        raise InvalidRequest(describe(error, "truth")) from error


def describe(error: ValidationError, root: str) -> str:
    """Each wrong field and what is wrong with it, on one line."""
    problems = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join([root, *(str(part)[:64] for part in found["loc"])])
        problems.append(f"{field}: {found['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems[:5])


def result_of(function: CrowdFunction, value: Value) -> dict[str, Any]:
    """A verdict's value as the function's result document."""
    return function.present(value).model_dump(mode="json")


def read_put(body: Any) -> Any:
    """The input of a PUT's body, `{"input": {...}}`. Raises InvalidRequest."""
    if not isinstance(body, dict) or "input" not in body:
        raise InvalidRequest('the body must be a JSON object with the key "input"')
    if unknown := sorted(body.keys() - {"input"}):
        raise InvalidRequest(f"the body has unknown keys: {', '.join(key[:64] for key in unknown[:5])}")
    return body["input"]

"""Crowd tasks in the description: a document and two routes for each function of the catalogue, and for its twin."""

from typing import Any

from crowdsight.adjudication.machine_prior import ENOUGH
from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX, CrowdFunction, Document
from crowdsight.crowd.disclosure import CODE_DIGITS, STOPPED
from crowdsight.errors import BudgetExceeded, InvalidRequest, StillProcessing, UnsupportedMediaType
from crowdsight.openapi.answers import ALWAYS, REFERENCE, error_answers, json_content, object_schema, reference
from crowdsight.tasks import NAME_RULE, PROBLEM_MESSAGES, State

_TASK_NAME = {
    "name": "task",
    "in": "path",
    "required": True,
    "description": NAME_RULE,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_ACCOUNT = {
    "name": "account",
    "in": "path",
    "required": True,
    "description": "The AWS account of the deployment; another number is 404.",
    "schema": {"type": "string", "pattern": "^[0-9]{12}$"},
}


def models() -> list[type[Document]]:
    """What the descriptions refer to."""
    return [model for function in CATALOGUE.values() for model in (function.input_model, function.result_model)]


def schemas() -> dict[str, Any]:
    """The task document of every function, and the audit's."""
    return {
        f"Task-{function.name}{suffix}": _task_schema(function)
        for function in CATALOGUE.values()
        for suffix in ("", TEST_SUFFIX)
    } | {"TaskAudit": _audit_schema()}


def paths() -> dict[str, Any]:
    """The routes of every function and its twin, with and without an account."""
    described: dict[str, Any] = {}
    for function in CATALOGUE.values():
        for suffix in ("", TEST_SUFFIX):
            name = function.name + suffix
            path = f"/functions/{name}/tasks/{{task}}"
            described[path] = {"parameters": [_TASK_NAME], **_task_operations(function, name, "")}
            described[f"{path}/audit"] = {"parameters": [_TASK_NAME], **_audit_operation(name, "")}
            described[f"/{{account}}{path}"] = {
                "parameters": [_ACCOUNT, _TASK_NAME],
                **_task_operations(function, name, "-by-account"),
            }
            described[f"/{{account}}{path}/audit"] = {
                "parameters": [_ACCOUNT, _TASK_NAME],
                **_audit_operation(name, "-by-account"),
            }
    return described


def _task_operations(function: CrowdFunction, name: str, id_suffix: str) -> dict[str, Any]:
    task = json_content({"$ref": REFERENCE.format(model=f"Task-{name}")})
    body_schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["input"],
        "properties": {"input": reference(function.input_model)},
    }

    def operation(verb: str, summary: str, answers: dict[str, Any], *errors: str) -> dict[str, Any]:
        return {
            "operationId": f"{verb}-{name}{id_suffix}",
            "summary": summary,
            "responses": answers | error_answers(*errors, *ALWAYS),
        }

    return {
        "put": operation(
            "put",
            f"Create a task: {function.summary}",
            {
                "201": {"description": "Created; it is processing.", "content": task},
                "200": {"description": "It exists with an equal input: the task as it now is.", "content": task},
            },
            InvalidRequest.code,
            BudgetExceeded.code,
            "RequestTooLarge",
            UnsupportedMediaType.code,
        )
        | {"requestBody": {"required": True, "content": json_content(body_schema)}},
        "get": operation("get", "A task as it now is.", {"200": {"description": "The task.", "content": task}}),
        "delete": operation(
            "delete",
            "Free the name of a finished task.",
            {"204": {"description": "Deleted."}},
            StillProcessing.code,
        ),
    }


def _audit_operation(name: str, id_suffix: str) -> dict[str, Any]:
    audit = json_content({"$ref": REFERENCE.format(model="TaskAudit")})
    return {
        "get": {
            "operationId": f"audit-{name}{id_suffix}",
            "summary": "How a task was judged: each answer, the confidence after it, why it stopped, what it cost.",
            "responses": {"200": {"description": "The audit.", "content": audit}} | error_answers(*ALWAYS),
        }
    }


def _audit_schema() -> dict[str, Any]:
    confidence = {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 1,
        "description": "After this answer, by all that was known at the end; null: it came too late to count.",
    }
    answer = object_schema(
        worker={
            "type": "string",
            "pattern": f"^[0-9a-f]{{{CODE_DIGITS}}}$",
            "description": "The same Worker has the same code in all tasks of an account.",
        },
        answer={
            "type": ["string", "number", "null"],
            "description": "A choice, a grade, or `unavailable`; null: nothing that the question offers.",
        },
        submittedAt={"type": "string", "format": "date-time"},
        confidence=confidence,
    )
    why = "; ".join(f"`{code}`: {meaning}" for code, meaning in STOPPED.items())
    return object_schema(
        taskName={"type": "string"},
        state={"enum": [str(state) for state in State]},
        answers={"type": "array", "items": answer, "description": "In order of submission; none of a `-test` task."},
        stopped={"enum": [*STOPPED, None], "description": f"Null while it is processing. {why}"},
        cents={"type": "integer", "minimum": 0, "description": "What the answers so far have cost, with fees."},
        machinePrior=_machine_prior_schema(),
    )


def _machine_prior_schema() -> dict[str, Any]:
    scored = object_schema(
        kind={"type": "string", "description": "Which model scored it, and how."},
        score={"type": "number"},
        evidence={
            "type": "number",
            "description": "The logarithm of the Bayes factor for such scores, from tasks of known truth. Below "
            f"{ENOUGH:.2f} the machine's opinion has no weight.",
        },
        truths={"type": "integer", "minimum": 0, "description": "How many known truths are behind the evidence."},
        opinion={
            "description": "What the task was judged with before any answer; null: nothing.",
            "anyOf": [
                object_schema(value={"type": "string"}, probability={"type": "number", "minimum": 0, "maximum": 1}),
                object_schema(value={"type": "number"}, standardDeviation={"type": "number", "minimum": 0}),
                {"type": "null"},
            ],
        },
    )
    return {"description": "What models thought of it; null without a score.", "anyOf": [scored, {"type": "null"}]}


def _task_schema(function: CrowdFunction) -> dict[str, Any]:
    problem = {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "message"],
        "properties": {
            "code": {"enum": [str(code) for code in PROBLEM_MESSAGES]},
            "message": {"type": "string"},
        },
    }
    properties = {
        "taskName": {"type": "string"},
        "input": reference(function.input_model),
        "problemDetails": {"anyOf": [problem, {"type": "null"}], "description": "Not null exactly when failed."},
        "state": {"enum": [str(state) for state in State]},
        "result": {
            "anyOf": [reference(function.result_model), {"type": "null"}],
            "description": "Not null exactly when completed.",
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }

"""Crowd tasks in the description: a document and two routes for each function of the catalogue, and for its twin."""

from typing import Any

from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX, CrowdFunction, Document
from crowdsight.errors import BudgetExceeded, InvalidRequest, StillProcessing, UnsupportedMediaType
from crowdsight.openapi.answers import ALWAYS, REFERENCE, error_answers, json_content, reference
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
    """The task document of every function."""
    return {
        f"Task-{function.name}{suffix}": _task_schema(function)
        for function in CATALOGUE.values()
        for suffix in ("", TEST_SUFFIX)
    }


def paths() -> dict[str, Any]:
    """The routes of every function and its twin, with and without an account."""
    described: dict[str, Any] = {}
    for function in CATALOGUE.values():
        for suffix in ("", TEST_SUFFIX):
            name = function.name + suffix
            path = f"/functions/{name}/tasks/{{task}}"
            described[path] = {"parameters": [_TASK_NAME], **_task_operations(function, name, "")}
            described[f"/{{account}}{path}"] = {
                "parameters": [_ACCOUNT, _TASK_NAME],
                **_task_operations(function, name, "-by-account"),
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

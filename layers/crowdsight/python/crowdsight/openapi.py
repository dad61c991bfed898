"""The API's description, OpenAPI 3.1, made from the catalogue's models and the one table of errors."""

from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX, CrowdFunction, Document
from crowdsight.errors import (
    BudgetExceeded,
    InternalError,
    InvalidRequest,
    NotFound,
    StillProcessing,
    UnsupportedMediaType,
)
from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR
from crowdsight.tasks import NAME_RULE, PROBLEM_MESSAGES, State

VERSION = "1.0.0"
REFERENCE = "#/components/schemas/{model}"

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
_ALWAYS = ("Unauthorized", "Forbidden", NotFound.code, "TooManyRequests", InternalError.code)


def describe_api(server_url: str) -> dict[str, Any]:
    """The document. `server_url`: where the paths start, absolute or relative to the document's own host."""
    models = [
        (model, "validation")
        for function in CATALOGUE.values()
        for model in (function.input_model, function.result_model)
    ]
    _, definitions = models_json_schema(models, ref_template=REFERENCE)  # type: ignore[arg-type]
    schemas = definitions["$defs"] | {"Error": _error_schema()}
    paths: dict[str, Any] = {"/openapi.json": {"get": _openapi_operation()}}
    for function in CATALOGUE.values():
        for suffix in ("", TEST_SUFFIX):
            name = function.name + suffix
            schemas[f"Task-{name}"] = _task_schema(function)
            path = f"/functions/{name}/tasks/{{task}}"
            paths[path] = {"parameters": [_TASK_NAME], **_task_operations(function, name, "")}
            paths[f"/{{account}}{path}"] = {
                "parameters": [_ACCOUNT, _TASK_NAME],
                **_task_operations(function, name, "-by-account"),
            }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "crowdsight",
            "version": VERSION,
            "description": "Questions about images, answered by people.",
        },
        "servers": [{"url": server_url}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def _task_operations(function: CrowdFunction, name: str, id_suffix: str) -> dict[str, Any]:
    task = _json_content({"$ref": REFERENCE.format(model=f"Task-{name}")})
    body_schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["input"],
        "properties": {"input": _reference(function.input_model)},
    }

    def operation(verb: str, summary: str, answers: dict[str, Any], *errors: str) -> dict[str, Any]:
        return {
            "operationId": f"{verb}-{name}{id_suffix}",
            "summary": summary,
            "responses": answers | _error_answers(*errors, *_ALWAYS),
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
        | {"requestBody": {"required": True, "content": _json_content(body_schema)}},
        "get": operation("get", "A task as it now is.", {"200": {"description": "The task.", "content": task}}),
        "delete": operation(
            "delete",
            "Free the name of a finished task.",
            {"204": {"description": "Deleted."}},
            StillProcessing.code,
        ),
    }


def _openapi_operation() -> dict[str, Any]:
    return {
        "operationId": "get-openapi",
        "summary": "This document.",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": _json_content({"type": "object"})}}
        | _error_answers("TooManyRequests", InternalError.code),
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
        "input": _reference(function.input_model),
        "problemDetails": {"anyOf": [problem, {"type": "null"}], "description": "Not null exactly when failed."},
        "state": {"enum": [str(state) for state in State]},
        "result": {
            "anyOf": [_reference(function.result_model), {"type": "null"}],
            "description": "Not null exactly when completed.",
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _error_schema() -> dict[str, Any]:
    codes = [*STATUS_OF_ERROR, *GATEWAY_CODES]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["error", "message"],
        "properties": {
            "error": {"enum": codes, "description": "Stable: what programs should compare."},
            "message": {"type": "string", "description": "For people."},
        },
    }


def _error_answers(*codes: str) -> dict[str, Any]:
    content = _json_content({"$ref": REFERENCE.format(model="Error")})
    answers: dict[str, Any] = {}
    for code in codes:
        status = (STATUS_OF_ERROR | GATEWAY_CODES)[code]
        answers[str(int(status))] = {"description": f"{status.phrase}: `{code}`.", "content": content}
        if status is HTTPStatus.TOO_MANY_REQUESTS:
            seconds = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
            answers[str(int(status))]["headers"] = {"Retry-After": seconds}
    return answers


def _reference(model: type[Document]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _json_content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}

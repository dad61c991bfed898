"""What every part of the description is made of: JSON contents, references to schemas, and the errors."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from crowdsight.errors import InternalError, NotFound, TooManyRequests
from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR

REFERENCE = "#/components/schemas/{model}"

KEY_CODES = ("Unauthorized", "Forbidden")
"""What the gateway answers of keys, to all paths in one form."""

ALWAYS = ("Unauthorized", "Forbidden", NotFound.code, TooManyRequests.code, InternalError.code)
"""What every route that needs a key may answer."""


def error_schema() -> dict[str, Any]:
    codes = [code for code in (*STATUS_OF_ERROR, *GATEWAY_CODES) if code not in KEY_CODES]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["error", "message"],
        "properties": {
            "error": {"enum": codes, "description": "Stable: what programs should compare."},
            "message": {"type": "string", "description": "For people."},
            "url": {"type": "string", "description": "Of `AlreadyStored`: where the picture is."},
        },
    }


def key_error_schema() -> dict[str, Any]:
    """The form of `POST /`'s errors, with a message: the gateway has one answer for the whole API."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["statusCode", "error", "message", "headers"],
        "properties": {
            "statusCode": {"enum": [int(GATEWAY_CODES[code]) for code in KEY_CODES]},
            "error": {"enum": ["Missing an API key", "Invalid API key"]},
            "message": {"type": "string"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


def error_answers(*codes: str, model: str = "Error") -> dict[str, Any]:
    """Responses by status; codes that share one are told together. `model`: the schema of their bodies."""
    answers: dict[str, Any] = {}
    for code in codes:
        content = json_content({"$ref": REFERENCE.format(model="KeyRefused" if code in KEY_CODES else model)})
        status = (STATUS_OF_ERROR | GATEWAY_CODES)[code]
        answers[str(int(status))] = {"description": f"{status.phrase}: `{code}`.", "content": content}
        if status is HTTPStatus.TOO_MANY_REQUESTS:
            seconds = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
            answers[str(int(status))]["headers"] = {"Retry-After": seconds}
    return answers


def reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def json_content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has all of these properties and no other."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }

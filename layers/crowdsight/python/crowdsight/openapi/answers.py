"""What every part of the description is made of: JSON contents, references to schemas, and the errors."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from crowdsight.errors import InternalError, NotFound
from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR

REFERENCE = "#/components/schemas/{model}"

ALWAYS = ("Unauthorized", "Forbidden", NotFound.code, "TooManyRequests", InternalError.code)
"""What every route that needs a key may answer."""


def error_schema() -> dict[str, Any]:
    codes = [*STATUS_OF_ERROR, *GATEWAY_CODES]
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


def error_answers(*codes: str, model: str = "Error") -> dict[str, Any]:
    """Responses by status; codes that share one are told together. `model`: the schema of their bodies."""
    content = json_content({"$ref": REFERENCE.format(model=model)})
    answers: dict[str, Any] = {}
    for code in codes:
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

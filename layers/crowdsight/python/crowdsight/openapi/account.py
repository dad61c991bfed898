"""The caller's own account in the description."""

from typing import Any

from pydantic import BaseModel

from crowdsight.account_http import RotationBody
from crowdsight.errors import InvalidRequest, KeyIsEnding, TooManyKeys, UnsupportedMediaType
from crowdsight.openapi.answers import ALWAYS, REFERENCE, error_answers, json_content, object_schema, reference

_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}


def models() -> list[type[BaseModel]]:
    """What the descriptions refer to."""
    return [RotationBody]


def schemas() -> dict[str, Any]:
    """Bodies of answers."""
    return {
        "Account": object_schema(
            account={"type": "string"},
            balance_cents=_COUNT,
            searches=object_schema(
                free=_COUNT,
                free_used=_COUNT,
                free_left=_COUNT,
                paid=_COUNT,
                price_cents=_COUNT,
                resets_at=_TIME,
            ),
            crowd=object_schema(
                month={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
                budget_cents={"type": ["integer", "null"], "description": "null: no ceiling."},
                committed_cents=_COUNT,
            ),
        ),
        "NewKey": object_schema(
            api_key={"type": "string"},
            key_id={"type": "string"},
            previous_key_expires_at=_TIME,
            message={"type": "string"},
        ),
    }


def paths() -> dict[str, Any]:
    """The routes."""
    return {
        "/account": {
            "get": {
                "operationId": "get-account",
                "summary": "What the account has used, has left, and pays.",
                "responses": _answered("200", "The account.", "Account") | error_answers(*ALWAYS),
            }
        },
        "/account/key": {
            "post": {
                "operationId": "rotate-key",
                "summary": "A new key in place of the one in use, which goes on working for the overlap; once.",
                "requestBody": {"required": False, "content": json_content(reference(RotationBody))},
                "responses": _answered("201", "The key, shown only this once.", "NewKey")
                | error_answers(
                    InvalidRequest.code,
                    TooManyKeys.code,
                    KeyIsEnding.code,
                    UnsupportedMediaType.code,
                    "RequestTooLarge",
                    *ALWAYS,
                ),
            }
        },
    }


def _answered(status: str, description: str, model: str) -> dict[str, Any]:
    return {status: {"description": description, "content": json_content({"$ref": REFERENCE.format(model=model)})}}

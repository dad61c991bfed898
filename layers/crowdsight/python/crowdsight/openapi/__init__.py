"""The API's description, OpenAPI 3.1, made from the models that validate and the one table of errors."""

from typing import Any

from pydantic.json_schema import models_json_schema

from crowdsight.errors import InternalError, TooManyRequests
from crowdsight.openapi import account, search, tasks
from crowdsight.openapi.answers import REFERENCE, error_answers, error_schema, json_content, key_error_schema

VERSION = "1.0.0"


def describe_api(server_url: str) -> dict[str, Any]:
    """The document. `server_url`: where the paths start, absolute or relative to the document's own host."""
    models = [(model, "validation") for model in (*tasks.models(), *search.models(), *account.models())]
    _, definitions = models_json_schema(models, ref_template=REFERENCE)  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "crowdsight",
            "version": VERSION,
            "description": "Questions about images, answered by people, and a search for images that look alike.",
        },
        "servers": [{"url": server_url}],
        "security": [{"apiKey": []}],
        "paths": {"/openapi.json": {"get": _openapi_operation()}, **tasks.paths(), **search.paths(), **account.paths()},
        "components": {
            "schemas": definitions["$defs"]
            | {"Error": error_schema(), "KeyRefused": key_error_schema()}
            | tasks.schemas()
            | search.schemas()
            | account.schemas(),
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def _openapi_operation() -> dict[str, Any]:
    return {
        "operationId": "get-openapi",
        "summary": "This document.",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": json_content({"type": "object"})}}
        | error_answers(TooManyRequests.code, InternalError.code),
    }

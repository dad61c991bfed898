"""HTTP as API Gateway's REST proxy integration passes it: reading requests, writing answers.

The one table from error codes to statuses is here.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from pydantic_core import from_json

from crowdsight.errors import (
    BudgetExceeded,
    CrowdsightError,
    InternalError,
    InvalidRequest,
    NotFound,
    StillProcessing,
    UnsupportedMediaType,
)
from crowdsight.tasks import TaskKey

STATUS_OF_ERROR = {
    InvalidRequest.code: HTTPStatus.BAD_REQUEST,
    BudgetExceeded.code: HTTPStatus.PAYMENT_REQUIRED,
    NotFound.code: HTTPStatus.NOT_FOUND,
    StillProcessing.code: HTTPStatus.CONFLICT,
    UnsupportedMediaType.code: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InternalError.code: HTTPStatus.INTERNAL_SERVER_ERROR,
}
GATEWAY_CODES = {
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "Unauthorized": HTTPStatus.UNAUTHORIZED,
    "Forbidden": HTTPStatus.FORBIDDEN,
    "RequestTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "TooManyRequests": HTTPStatus.TOO_MANY_REQUESTS,
}
"""Codes of the errors that the gateway answers itself, before any Lambda runs."""

Event = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Event, Any], Answer]

logger = Logger()


def json_operation(handler: Handler) -> Handler:
    """Answer the handler's errors as `{"error", "message"}`; one that nobody named is a 500 with a correlation id."""

    @wraps(handler)
    def operation(event: Event, context: Any) -> Answer:
        try:
            return handler(event, context)
        except CrowdsightError as error:
            return answer(STATUS_OF_ERROR[error.code], {"error": error.code, "message": error.message})
        except Exception:  # the last line of defence: a caller gets an answer, the log gets the trace
            correlation_id = event["requestContext"]["requestId"]
            logger.exception("unexpected error", correlation_id=correlation_id)
            message = f"something went wrong on our side; correlation id {correlation_id}"
            return answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": InternalError.code, "message": message})

    return operation


def answer(status: int, document: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A proxy integration's answer with a JSON document, or an empty body."""
    if document is None:
        return {"statusCode": int(status), "headers": dict(headers or {}), "body": ""}
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(document),
    }


def task_key(event: Event) -> TaskKey:
    """Whose task, of which function, under which name. REST APIs pass path parameters as they came: percent-encoded.

    Raises NotFound when the path names another deployment's account.
    """
    parameters = event["pathParameters"]
    context = event["requestContext"]
    if "account" in parameters and unquote(parameters["account"]) != context["accountId"]:
        raise NotFound("no such account here")
    return TaskKey(
        account=context["authorizer"]["account"],
        function=unquote(parameters["function"]),
        name=unquote(parameters["task"]),
    )


def json_body(event: Event) -> Any:
    """The body as a JSON value. Raises UnsupportedMediaType, InvalidRequest."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    body = event.get("body") or ""
    if "\ufffd" in body:  # what the gateway puts for bytes that are not UTF-8; a caller who means it can escape it
        raise InvalidRequest("the body is not valid JSON: it is not UTF-8")
    try:
        return from_json(b64decode(body) if event.get("isBase64Encoded") else body.encode(), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error

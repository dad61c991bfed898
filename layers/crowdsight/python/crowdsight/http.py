"""The callers' API's HTTP: what its requests say, and its answers as API Gateway's proxy integration takes them.

The one table from error codes to statuses is here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from crowdsight.errors import (
    AllowanceExhausted,
    AlreadyStored,
    BudgetExceeded,
    CrowdsightError,
    InternalError,
    InvalidRequest,
    KeyIsEnding,
    NotFound,
    StillProcessing,
    TooManyKeys,
    TooManyRequests,
    UndecodableImage,
    UnfetchableImage,
    UnsupportedMediaType,
)
from crowdsight.proxy_request import ProxyRequest
from crowdsight.tasks import TaskKey, describe

STATUS_OF_ERROR = {
    InvalidRequest.code: HTTPStatus.BAD_REQUEST,
    UnfetchableImage.code: HTTPStatus.BAD_REQUEST,
    UndecodableImage.code: HTTPStatus.BAD_REQUEST,
    BudgetExceeded.code: HTTPStatus.PAYMENT_REQUIRED,
    AllowanceExhausted.code: HTTPStatus.PAYMENT_REQUIRED,
    NotFound.code: HTTPStatus.NOT_FOUND,
    StillProcessing.code: HTTPStatus.CONFLICT,
    AlreadyStored.code: HTTPStatus.CONFLICT,
    TooManyKeys.code: HTTPStatus.CONFLICT,
    KeyIsEnding.code: HTTPStatus.CONFLICT,
    UnsupportedMediaType.code: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    TooManyRequests.code: HTTPStatus.TOO_MANY_REQUESTS,
    InternalError.code: HTTPStatus.INTERNAL_SERVER_ERROR,
}
GATEWAY_CODES = {
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "Unauthorized": HTTPStatus.UNAUTHORIZED,
    "Forbidden": HTTPStatus.FORBIDDEN,
    "RequestTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""Codes of the errors that only the gateway answers, before any Lambda runs."""

Answer = dict[str, Any]
Operation = Callable[[ProxyRequest], Answer]
Handler = Callable[[dict[str, Any], Any], Answer]

ErrorDocument = Callable[[int, CrowdsightError], Any]
"""An error as an API shows it, with its status."""

Model = TypeVar("Model", bound=BaseModel)

logger = Logger()


def json_operation(operation: Operation) -> Handler:
    """A Lambda's handler: reads the event for the operation, and answers its errors as `{"error", "message"}`.

    An error that nobody named is a 500 with a correlation id.
    """
    return guarded(operation, _error_document)


def guarded(operation: Operation, document_of: ErrorDocument, headers: Mapping[str, str] | None = None) -> Handler:
    """A Lambda's handler that answers every error, with `headers`, as `document_of` has it."""

    guarded_operation = guard(operation, document_of, headers)

    @wraps(operation)
    def handler(event: dict[str, Any], context: Any) -> Answer:
        return guarded_operation(ProxyRequest.from_event(event))

    return handler


def guard(operation: Operation, document_of: ErrorDocument, headers: Mapping[str, str] | None = None) -> Operation:
    """An operation that answers every error, with `headers`, as `document_of` has it."""

    def guarded_operation(request: ProxyRequest) -> Answer:
        try:
            return operation(request)
        except CrowdsightError as named:
            error = named
        except Exception:  # the last line of defence: a caller gets an answer, the log gets the trace
            logger.exception("unexpected error", correlation_id=request.id)
            error = InternalError(f"something went wrong on our side; correlation id {request.id}")
        status = STATUS_OF_ERROR[error.code]
        return answer(status, document_of(status, error), {**(headers or {}), **error.headers})

    return guarded_operation


def _error_document(status: int, error: CrowdsightError) -> dict[str, Any]:
    return {"error": error.code, "message": error.message, **error.details}


def answer(status: int, document: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A proxy integration's answer with a JSON document, or an empty body."""
    if document is None:
        return {"statusCode": int(status), "headers": dict(headers or {}), "body": ""}
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(document),
    }


def read_model(model: type[Model], value: Any, root: str) -> Model:
    """A JSON object as a model. Raises InvalidRequest, which names each wrong field below `root`."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"the {root} must be a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(describe(error, root)) from error


def account_of(request: ProxyRequest) -> str:
    """The account of the caller's key."""
    account: str = request.caller["account"]
    return account


@contextmanager
def price_told(price_cents: int) -> Iterator[dict[str, str]]:
    """Gives the header of a task's worst-case price, which an error that is raised meanwhile carries as well."""
    headers = {"X-Worst-Case-Cents": str(price_cents)}
    try:
        yield headers
    except CrowdsightError as error:
        error.headers = {**error.headers, **headers}
        raise


def task_key(request: ProxyRequest) -> TaskKey:
    """Whose task, of which function, under which name. REST APIs pass path parameters as they came: percent-encoded.

    Raises NotFound when the path names another deployment's account.
    """
    parameters = request.path_parameters
    if "account" in parameters and unquote(parameters["account"]) != request.account_id:
        raise NotFound("no such account here")
    return TaskKey(
        account=account_of(request),
        function=unquote(parameters["function"]),
        name=unquote(parameters["task"]),
    )


def json_body(request: ProxyRequest) -> Any:
    """The body as a JSON value. Raises UnsupportedMediaType, InvalidRequest."""
    if "content-type" in request.headers and request.media_type != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    return json_value(request.body)


def json_value(body: bytes) -> Any:
    """Raises InvalidRequest."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error

"""Lambda proxy integrations: the event that a function gets, and its answer as a response."""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any

from local.gateway.calls import Call
from local.http_server import Response, is_sendable
from local.lambdas.invocations import Outcome
from local.template import ACCOUNT_ID

REMAPPED_HEADERS = {"authorization", "connection", "content-md5", "date", "server", "upgrade", "www-authenticate"}
"""A Lambda's headers that API Gateway renames, to `x-amzn-Remapped-…`."""

DROPPED_HEADERS = {"content-length", "transfer-encoding"}
REPLACED_HEADERS = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "connection"}


def proxy_event(call: Call, *, is_binary: bool) -> dict[str, Any]:
    """The proxy event, version 1.0. `is_binary`: whether the body travels in base64.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    assert call.match is not None
    request = call.request
    headers = [(name, value) for name, value in request.headers if name.lower() not in REPLACED_HEADERS]
    forwarded = [value for name, value in request.headers if name.lower() == "x-forwarded-for"]
    host = request.header("Host", "127.0.0.1")
    headers += [
        ("X-Amzn-Trace-Id", f"Root=1-{int(call.at):08x}-{call.id.replace('-', '')[:24]}"),
        ("X-Forwarded-For", ", ".join([*forwarded, request.peer])),
        ("X-Forwarded-Port", host.partition(":")[2] or "80"),
        ("X-Forwarded-Proto", "http"),
    ]
    body = base64.b64encode(request.body).decode() if is_binary else request.body.decode("utf-8", "replace")
    query = call.query
    return {
        "resource": call.match.node.path,
        "path": call.path,
        "httpMethod": call.verb,
        "headers": dict(headers),
        "multiValueHeaders": _grouped(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _grouped(query) or None,
        "pathParameters": call.match.parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": call.api_id,
            "authorizer": call.authorizer or None,
            "domainName": host,
            "domainPrefix": call.api_id,
            "extendedRequestId": call.id,
            "httpMethod": call.verb,
            "identity": {"sourceIp": request.peer, "userAgent": request.header("User-Agent") or None, "apiKey": None},
            "path": call.path,
            "protocol": "HTTP/1.1",
            "requestId": call.id,
            "requestTime": call.log_time,
            "requestTimeEpoch": int(call.at * 1000),
            "resourceId": call.match.node.id,
            "resourcePath": call.match.node.path,
            "stage": call.stage,
        },
        "body": body or None,
        "isBase64Encoded": is_binary,
    }


def proxy_response(outcome: Outcome, decode: bool) -> Response | None:
    """A function's answer as a response; None when it is not one, or the function failed.

    `decode`: whether a body in base64 is decoded.
    """
    if outcome.error:
        return None
    try:
        answer = json.loads(outcome.payload)
        status = int(answer["statusCode"])
        body = answer.get("body")
        single, multiple = ({} if answer.get(key) is None else answer[key] for key in ("headers", "multiValueHeaders"))
        headers = {name.lower(): [(name, as_text(value))] for name, value in single.items()}
        headers |= {name.lower(): [(name, as_text(value)) for value in values] for name, values in multiple.items()}
        if not isinstance(body, str | None) or not 100 <= status <= 599:
            return None
        content = (body or "").encode("utf-8", "replace")
        if answer.get("isBase64Encoded") and decode:
            content = base64.b64decode(content, validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None
    headers.setdefault("content-type", [("Content-Type", "application/json")])
    sent = [
        (f"x-amzn-Remapped-{name}" if key in REMAPPED_HEADERS else name, value)
        for key, values in headers.items()
        if key not in DROPPED_HEADERS
        for name, value in values
    ]
    response = Response(status, content, sent)
    return response if is_sendable(response) else None


def as_text(value: Any) -> str:
    """A JSON value in a header or a context."""
    return value if isinstance(value, str) else json.dumps(value)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups

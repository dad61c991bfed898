"""One request on its way through an API."""

import datetime
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from local.gateway.routes import Match
from local.http_server import Request
from local.template import ACCOUNT_ID, REGION

DEFAULT_ANSWERS = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource"),
    "INVALID_API_KEY": (403, "Forbidden"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "Internal server error"),
    "AUTHORIZER_FAILURE": (500, "Internal server error"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "THROTTLED": (429, "Too Many Requests"),
    "UNAUTHORIZED": (401, "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type"),
    "DEFAULT_5XX": (502, "Internal server error"),
}
"""Status and message of the gateway's own answers, of those types that occur here,
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html."""


class Refusal(Exception):
    """The gateway answers by itself; `type` is one of its response types."""

    def __init__(self, type: str, status: int | None = None) -> None:
        super().__init__(type)
        self.type = type
        self.status = status or DEFAULT_ANSWERS[type][0]
        self.message = DEFAULT_ANSWERS[type][1]


@dataclass
class Call:
    """One request to an API. `authorizer`: what its authorizer says of the caller. `usage_key`: and whose usage plan's
    key the request counts for."""

    request: Request
    api_id: str
    stage: str
    match: Match | None = None
    authorizer: dict[str, str] = field(default_factory=dict)
    usage_key: str = ""
    refusal: Refusal | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.verb = self.request.method.upper()
        self.path = _origin_form(self.request.path)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.query, keep_blank_values=True, errors="replace")

    @property
    def method_arn(self) -> str:
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{self.api_id}/{self.stage}/{self.verb}{self.path}"

    @property
    def log_time(self) -> str:
        """When it came, as the Common Log Format has it."""
        return datetime.datetime.fromtimestamp(self.at, datetime.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")

    def context(self) -> dict[str, str]:
        """The `$context` values,
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html."""
        message = self.refusal.message if self.refusal else ""
        return {
            "accountId": ACCOUNT_ID,
            "apiId": self.api_id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": self.refusal.type if self.refusal else "-",
            "extendedRequestId": self.id,
            "httpMethod": self.verb,
            "identity.sourceIp": self.request.peer,
            "identity.userAgent": self.request.header("User-Agent"),
            "path": self.path,
            "protocol": "HTTP/1.1",
            "requestId": self.id,
            "requestTime": self.log_time,
            "requestTimeEpoch": str(int(self.at * 1000)),
            "resourcePath": self.match.node.path if self.match else "-",
            "stage": self.stage,
            **{f"authorizer.{name}": value for name, value in self.authorizer.items()},
        }


def media_type(header: str) -> str:
    """The media type in a Content-Type or an Accept header, without its parameters."""
    return header.split(";")[0].strip().lower()


def _origin_form(path: str) -> str:
    """The path alone, also of a request that was sent as to a proxy."""
    if path.startswith("/"):
        return path
    found = re.match(r"https?://[^/]*(/.*)?$", path)
    return (found[1] or "/") if found else "/"

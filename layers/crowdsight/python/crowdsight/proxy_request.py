"""A request as API Gateway's REST proxy integration passes it to a Lambda: the one place that reads such an event."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class ProxyRequest:
    """A proxy event of payload version 1.0, or a REQUEST authorizer's.

    `path`: percent-encoded as sent, without the stage or a custom domain's base path; `whole_path`: with them, as the
    client sent it. `resource`: the route that it was found under, such as `/image/{file}`.
    `path_parameters`: percent-encoded too. `query`: decoded, in order, a name as often as it was sent.
    `headers`: by lower-case name. `id` names the request in the log.
    `origin`: what the client reached the API at, such as `https://api.example.com`.
    `account_id`: the AWS account of the API. `source_ip`: where the request came from, as
    API Gateway saw it. `caller`: what the authorizer said of the caller.
    """

    method: str
    path: str
    whole_path: str = ""
    resource: str = ""
    origin: str = ""
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    id: str = ""
    account_id: str = ""
    source_ip: str = ""
    caller: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The request in an event. What is no text or no base64 becomes a body that no reader takes as UTF-8."""
        context = event.get("requestContext") or {}
        query = event.get("multiValueQueryStringParameters") or {}
        body = event.get("body") or ""
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        parameters = event.get("pathParameters") or {}
        whole_path, resource = context.get("path") or event["path"], event["resource"]
        scheme = "http" if headers.get("x-forwarded-proto") == "http" else "https"
        return cls(
            method=event["httpMethod"].upper(),
            path=_own_path(whole_path, resource, parameters),
            whole_path=whole_path,
            resource=resource,
            origin=f"{scheme}://{context.get('domainName', '')}",
            path_parameters=parameters,
            query=tuple((name, value) for name, values in query.items() for value in values),
            headers=headers,
            # A gateway can hand on a lone surrogate, which UTF-8 has no bytes for.
            body=_decode_base64(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
            id=context.get("requestId", ""),
            account_id=context.get("accountId", ""),
            source_ip=(context.get("identity") or {}).get("sourceIp") or "",
            caller=context.get("authorizer") or {},
        )

    @property
    def prefix(self) -> str:
        """What comes before `path` in addresses: "/prod" under a stage, "" or a base path on a domain of its own."""
        return self.whole_path.removesuffix(self.path).rstrip("/")

    @property
    def base_url(self) -> str:
        """What the API's paths come after in absolute addresses: `https://api.example.com`, `https://….com/prod`."""
        return self.origin + self.prefix

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, in lower case; "" if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def asked(self, name: str) -> str:
        """A query parameter's last value, "" if there is none."""
        return dict(self.query).get(name, "")


def _own_path(whole_path: str, resource: str, parameters: Mapping[str, str]) -> str:
    """The end of a path that has as many segments as its resource.

    An event's own `path` will not do: on a custom domain it has the base path in it.
    """
    if resource == "/":
        return "/"
    segments = [
        parameters.get(segment[1:-2], "").strip("/") if segment.endswith("+}") else segment
        for segment in resource.strip("/").split("/")
    ]
    depth = "/".join(segments).count("/") + 1
    prefix = whole_path.rstrip("/").rsplit("/", depth)[0]
    return whole_path[len(prefix) :]


def _decode_base64(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b"\xff"

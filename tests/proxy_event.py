"""The events of API Gateway's REST proxy integration, payload version 1.0, for tests of what receives them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSPreparedRequest

ACCOUNT_ID = "123456789012"
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def proxy_event(
    method: str,
    address: str,
    *,
    prefix: str = "",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    is_base64: bool = False,
    resource: str | None = None,
    path_parameters: Mapping[str, str] | None = None,
    caller: Mapping[str, str] | None = None,
    source_ip: str = "192.0.2.1",
) -> dict[str, Any]:
    """The event of a request to `address`: a path with its stage, `prefix`, and perhaps a query.

    `resource`: the route; unless it is given, one that takes every path. `path_parameters`: percent-encoded, as REST
    APIs pass them. `caller`: what the authorizer said, if there is one.
    """
    url = urlsplit(address)
    sent = dict(headers or {})
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    path = url.path.removeprefix(prefix) or "/"
    parameters = dict(path_parameters or {})
    if resource is None:
        resource = "/" if path == "/" else "/{proxy+}"
        parameters |= {"proxy": path.removeprefix("/")} if path != "/" else {}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent or None,
        "multiValueHeaders": {name: [value] for name, value in sent.items()} or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": "abc123",
            "authorizer": dict(caller) if caller else None,
            "httpMethod": method,
            "identity": {"sourceIp": source_ip, "userAgent": "curl/8", "accountId": None},
            "path": url.path,
            "requestId": REQUEST_ID,
            "stage": "prod",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    }


def event_of(request: AWSPreparedRequest, prefix: str = "") -> dict[str, Any]:
    """The event of a request that botocore would put on the wire."""
    url = urlsplit(request.url)
    headers = {name: v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
    headers.setdefault("Host", url.netloc)
    body = request.body.decode(errors="replace") if isinstance(request.body, bytes) else request.body
    return proxy_event(request.method, f"{url.path}?{url.query}", prefix=prefix, headers=headers, body=body)

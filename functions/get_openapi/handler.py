"""GET /openapi.json: the API's description, made from the models that validate."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_operation
from crowdsight.openapi import describe_api
from crowdsight.proxy_request import ProxyRequest


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    return answer(HTTPStatus.OK, describe_api(request.prefix or "/"), {"Cache-Control": "public, max-age=300"})

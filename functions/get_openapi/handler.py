"""GET /openapi.json: the API's description, made from the models that validate."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_operation
from crowdsight.openapi import describe_api


@json_operation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = event["requestContext"]
    prefix = request["path"].removesuffix(event["path"])
    return answer(HTTPStatus.OK, describe_api(prefix or "/"), {"Cache-Control": "public, max-age=300"})

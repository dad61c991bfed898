"""GET /account: what the caller's account has used, has left, and pays."""

from http import HTTPStatus
from typing import Any

from crowdsight.account_http import account_document
from crowdsight.http import account_of, answer, json_operation
from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

describe_account = wire().describe_account


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    return answer(HTTPStatus.OK, account_document(describe_account(account_of(request))))

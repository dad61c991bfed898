"""POST /account/key: a new key in place of the caller's own."""

from http import HTTPStatus
from typing import Any

from crowdsight.account_http import NOT_KEPT, key_document, key_id_of, rotation_body
from crowdsight.http import account_of, answer, json_operation
from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

accounts = wire().accounts


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    made = accounts.rotate_key(account_of(request), key_id_of(request), rotation_body(request).overlap_s)
    return answer(HTTPStatus.CREATED, key_document(made), NOT_KEPT)

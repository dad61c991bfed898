"""GET /functions/{function}/tasks/{task}/audit: who answered what, how sure it made us, and what it cost."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_operation, task_key
from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    return answer(HTTPStatus.OK, wiring.get_audit(task_key(request)))

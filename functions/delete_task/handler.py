"""DELETE /functions/{function}/tasks/{task}: free the name of a finished task."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_operation, task_key
from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    wiring.delete_task(task_key(request))
    return answer(HTTPStatus.NO_CONTENT)

"""PUT /functions/{function}/tasks/{task}: create a task, once."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_body, json_operation, task_key
from crowdsight.proxy_request import ProxyRequest
from crowdsight.tasks import read_put
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    task, is_new = wiring.put_task(task_key(request), read_put(json_body(request)))
    return answer(HTTPStatus.CREATED if is_new else HTTPStatus.OK, task.document())

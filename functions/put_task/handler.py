"""PUT /functions/{function}/tasks/{task}: create a task, once."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_body, json_operation, price_told, task_key
from crowdsight.proxy_request import ProxyRequest
from crowdsight.tasks import read_put
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    key = task_key(request)
    with price_told(wiring.put_task.price_cents(key)) as headers:
        task, is_new = wiring.put_task(key, read_put(json_body(request)))
    return answer(HTTPStatus.CREATED if is_new else HTTPStatus.OK, task.document(), headers)

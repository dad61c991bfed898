"""GET /functions/{function}/tasks/{task}: a task as it now is."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import answer, json_operation, task_key
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return answer(HTTPStatus.OK, wiring.get_task(task_key(event)).document())

"""Workflow step: publish the task's HIT."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"await_timeout_s": wiring.publishing.create_hit(event["generation"])}

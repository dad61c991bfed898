"""Workflow step: the task is completed."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> None:
    wiring.publishing.close_task(event["generation"], event["result"], event["grounds"])

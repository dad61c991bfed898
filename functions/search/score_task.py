"""Workflow step: what the models make of a task, before there are answers."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> None:
    wiring.machine.score_task(event["generation"])

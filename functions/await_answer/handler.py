"""Workflow step: wait behind a task token until the answers asked for are in."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> None:
    wiring.judging.await_answer(event["generation"], event["token"])

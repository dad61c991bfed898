"""Workflow step: decide from the recorded answers what to do next."""

from dataclasses import asdict
from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    decision, await_timeout_s = wiring.judging.adjudicate(event["generation"])
    return {**asdict(decision), "await_timeout_s": await_timeout_s}

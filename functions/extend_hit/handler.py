"""Workflow step: ask for one answer more."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> None:
    wiring.publishing.extend_hit(event["generation"], event["assignments"])

"""Every minute: what time alone brings about at the workplace, and events that could not be sent before."""

from typing import Any

from crowdsight.wiring import wire

SPARE_MS = 10_000

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return wiring.workplace.sweep(lambda: context.get_remaining_time_in_millis() < SPARE_MS)

"""Every minute: forget expired requests, and clear away what killed saves and removals left."""

from dataclasses import asdict
from typing import Any

from crowdsight.wiring import wire

SPARE_MS = 10_000

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return asdict(wiring.sweep_images(lambda: context.get_remaining_time_in_millis() < SPARE_MS))

"""Every two minutes: fold what was saved and removed into the segments of the vector index."""

from dataclasses import asdict
from typing import Any

from crowdsight.wiring import wire

SPARE_MS = 20_000

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return asdict(wiring.vector_index.refresh(lambda: context.get_remaining_time_in_millis() < SPARE_MS))

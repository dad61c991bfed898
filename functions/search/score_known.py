"""Every half hour: what the models make of known-answer questions that are new, to be held against the truth."""

from typing import Any

from crowdsight.wiring import wire

SPARE_MS = 20_000

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> int:
    return wiring.machine.score_known(lambda: context.get_remaining_time_in_millis() < SPARE_MS)

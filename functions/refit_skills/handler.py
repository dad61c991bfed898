"""Every hour: judge closed tasks anew by what is known by now, tune, and shut out whom known answers speak against."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return wiring.refit_skills(lambda: context.get_remaining_time_in_millis() / 1000)

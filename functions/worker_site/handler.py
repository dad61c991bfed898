"""GET / and ANY /{proxy+} of the workplace: the worker site."""

from typing import Any

from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return wiring.worker_site.respond(event)

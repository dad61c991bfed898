"""Workflow step: the task has failed, by a decision (`problem`) or by a step's error (`error`)."""

from typing import Any

from crowdsight.crowd.publishing import problem_of
from crowdsight.tasks import ProblemCode
from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> None:
    problem = ProblemCode(event["problem"]) if "problem" in event else problem_of(event["error"]["Error"])
    wiring.publishing.fail_task(event["generation"], problem, event.get("grounds"))

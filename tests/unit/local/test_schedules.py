"""Rates are fired, and everything else is refused before it is missed."""

import datetime
import json
import time
from typing import Any, cast

import pytest

from local.deployment import Deployed, DeploymentError
from local.lambdas import Lambda, Outcome
from local.schedules import period_s, scheduled_event, start_schedules
from local.template import Resource

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:sweep"


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 days)", 172_800)]
)
def test_a_rate_is_a_period(expression: str, seconds: int) -> None:
    assert period_s(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(1 fortnight)", ""])
def test_another_schedule_is_refused(expression: str) -> None:
    with pytest.raises(DeploymentError):
        period_s(expression)


def test_the_event_says_which_rule_fired_and_when() -> None:
    event = scheduled_event("every-minute", datetime.datetime(2026, 11, 22, 1, 2, 3, tzinfo=datetime.UTC))
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["time"] == "2026-11-22T01:02:03Z"
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/every-minute"]


class Swept:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def invoke(self, name: str, payload: bytes, client_context: str = "") -> Outcome:
        assert name == FUNCTION
        self.events.append(json.loads(payload))
        return Outcome(b'{"errorType": "Failure"}', "Unhandled")


def rule(**changes: Any) -> Resource:
    properties = {"ScheduleExpression": "rate(1 minute)", "Targets": [{"Arn": FUNCTION, "Id": "0"}], **changes}
    return Resource("stack", "Rule", "AWS::Events::Rule", "rule", properties, {})


def test_a_rule_fires_again_and_again_at_its_speed_whatever_its_function_does() -> None:
    swept = Swept()
    start_schedules(Deployed([rule()]), cast(Lambda, swept), speed=1200)
    time.sleep(0.28)
    assert 3 <= len(swept.events) <= 5


def test_a_disabled_rule_stays_silent_and_an_input_of_its_own_is_what_is_sent() -> None:
    swept = Swept()
    targets = [{"Arn": FUNCTION, "Id": "0", "Input": '{"own": 1}'}]
    start_schedules(Deployed([rule(State="DISABLED"), rule(Targets=targets)]), cast(Lambda, swept), speed=1200)
    time.sleep(0.08)
    assert swept.events == [{"own": 1}]


def test_a_target_that_is_no_function_is_refused() -> None:
    with pytest.raises(DeploymentError):
        start_schedules(Deployed([rule(Targets=[{"Arn": "arn:aws:sqs:x:y:z"}])]), cast(Lambda, Swept()))

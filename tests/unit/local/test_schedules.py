"""Rates are fired, and everything else is refused before it is missed."""

import datetime
import json
from typing import Any, cast

import pytest

from local.children import Stopping
from local.deployment import Deployed, DeploymentError
from local.lambdas.invocations import Outcome
from local.lambdas.service import Lambda
from local.schedules import Schedule, period_s, read_schedules, scheduled_event
from local.template import Resource

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:sweep"


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 days)", 172_800)]
)
def test_a_rate_is_a_period(expression: str, seconds: int) -> None:
    assert period_s(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(1 fortnight)", ""])
def test_a_schedule_that_is_not_a_rate_is_refused(expression: str) -> None:
    with pytest.raises(DeploymentError):
        period_s(expression)


def test_the_event_says_which_rule_fired_and_when() -> None:
    event = scheduled_event("every-minute", datetime.datetime(2026, 11, 22, 1, 2, 3, tzinfo=datetime.UTC))
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["time"] == "2026-11-22T01:02:03Z"
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/every-minute"]


class Seconds:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Swept:
    """A function that fails, after `takes_s`, and the end of its stack after three runs."""

    def __init__(self, clock: Seconds, takes_s: float = 0.0) -> None:
        self.events: list[Any] = []
        self.times: list[float] = []
        self._clock = clock
        self._takes_s = takes_s

    def invoke(self, name: str, payload: bytes) -> Outcome:
        assert name == FUNCTION
        if len(self.events) == 3:
            raise Stopping
        self.events.append(json.loads(payload))
        self.times.append(self._clock.now)
        self._clock.sleep(self._takes_s)
        return Outcome(b'{"errorType": "Failure"}', "Unhandled")


def rule(**changes: Any) -> Resource:
    properties = {"ScheduleExpression": "rate(1 minute)", "Targets": [{"Arn": FUNCTION, "Id": "0"}], **changes}
    return Resource("stack", "Rule", "AWS::Events::Rule", "rule", properties, {})


def run(schedule: Schedule, takes_s: float = 0.0) -> Swept:
    clock = Seconds()
    swept = Swept(clock, takes_s)
    schedule.run(cast(Lambda, swept), clock, clock.sleep)
    return swept


def test_a_rule_fires_each_period_though_its_function_fails_until_the_stack_stops() -> None:
    [schedule] = read_schedules(Deployed([rule()]))
    swept = run(schedule)
    assert swept.times == [60, 120, 180]
    assert {event["source"] for event in swept.events} == {"aws.events"}


def test_speed_divides_the_period() -> None:
    [schedule] = read_schedules(Deployed([rule()]), speed=20)
    assert run(schedule).times == [3, 6, 9]


def test_a_run_that_takes_longer_than_the_period_delays_the_next_and_they_do_not_pile_up() -> None:
    assert run(Schedule("rule", FUNCTION, 60), takes_s=100).times == [60, 160, 260]


def test_a_disabled_rule_stays_silent() -> None:
    assert list(read_schedules(Deployed([rule(State="DISABLED")]))) == []


def test_an_input_of_its_own_is_what_is_sent() -> None:
    [schedule] = read_schedules(Deployed([rule(Targets=[{"Arn": FUNCTION, "Id": "0", "Input": '{"own": 1}'}])]))
    assert run(schedule).events == [{"own": 1}] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"Targets": [{"Arn": "arn:aws:sqs:x:y:z", "Id": "0"}]},
        {"Targets": [{"Arn": FUNCTION, "Id": "0", "InputTransformer": {}}]},
        {"ScheduleExpression": "cron(0 12 * * ? *)"},
        {"EventPattern": {"source": ["aws.s3"]}},
    ],
)
def test_a_rule_that_asks_for_what_is_not_served_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DeploymentError):
        list(read_schedules(Deployed([rule(**changes)])))

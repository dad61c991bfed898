"""EventBridge's rules with a rate, fired.

Differences from EventBridge: a rule waits for its function, so that a run that takes longer than the period delays the
next, and one that failed is not tried again before that.
"""

import datetime
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.children import Stopping
from local.deployment import Deployed, DeploymentError, check_served, refuse
from local.lambdas.service import Lambda
from local.log import log
from local.template import ACCOUNT_ID, REGION

UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}
SERVED = ("Description", "Name", "ScheduleExpression", "State", "Targets")
SERVED_TARGET = ("Arn", "Id", "Input")


@dataclass(frozen=True)
class Schedule:
    """One function that a rule fires at. `input`: what it is sent, JSON; by default EventBridge's own event."""

    rule: str
    function: str
    period_s: float
    input: str | None = None

    def run(
        self,
        functions: Lambda,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Fire each period, the first time after one, until the stack stops."""
        next_at = clock() + self.period_s
        while True:
            sleep(max(0.0, next_at - clock()))
            next_at = max(next_at + self.period_s, clock())
            payload = self.input or json.dumps(scheduled_event(self.rule, datetime.datetime.now(datetime.UTC)))
            try:
                outcome = functions.invoke(self.function, payload.encode())
            except Stopping:
                return
            if outcome.error:
                log.warning("rule %s: %s failed: %s", self.rule, self.function, outcome.payload[:2000])


def period_s(expression: str) -> int:
    """The period of `rate(5 minutes)`, in seconds. Raises DeploymentError for anything else, such as `cron(…)`."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if found is None:
        raise DeploymentError(f"the local stack fires only rates, not {expression}")
    return int(found[1]) * UNITS_S[found[2]]


def scheduled_event(rule: str, now: datetime.datetime) -> dict[str, Any]:
    """What EventBridge sends to a target without an input of its own."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{rule}"],
        "detail": {},
    }


def read_schedules(deployed: Deployed, speed: float = 1.0) -> Iterator[Schedule]:
    """Those of every enabled rule of the templates. `speed` divides the periods. Raises DeploymentError."""
    for rule in deployed.of_type("AWS::Events::Rule"):
        check_served(rule, rule.properties, SERVED)
        every_s = period_s(rule.properties.get("ScheduleExpression", "an event pattern")) / speed
        if rule.properties.get("State", "ENABLED") != "ENABLED":
            continue
        for target in rule.properties.get("Targets", []):
            check_served(rule, target, SERVED_TARGET)
            if ":function:" not in target["Arn"]:
                refuse(rule, f"the target {target['Arn']}")
            yield Schedule(rule.physical_id, target["Arn"], every_s, target.get("Input"))


def start_schedules(deployed: Deployed, functions: Lambda, speed: float = 1.0) -> None:
    """Fire every enabled rule from now on, each in a thread of its own. Raises DeploymentError."""
    for schedule in list(read_schedules(deployed, speed)):
        threading.Thread(target=schedule.run, args=(functions,), name=f"fire-{schedule.rule}", daemon=True).start()

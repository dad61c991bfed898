"""EventBridge's rules with a rate, fired. A run that takes longer than the period delays the next."""

import datetime
import json
import re
import threading
import time
import uuid
from typing import Any

from local.children import Stopping
from local.deployment import Deployed, DeploymentError
from local.lambdas import Lambda, TooManyRequests
from local.log import log
from local.template import ACCOUNT_ID, REGION

UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}


def period_s(expression: str) -> int:
    """The period of `rate(5 minutes)`, in seconds. Raises DeploymentError for anything else, such as `cron(…)`."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if found is None:
        raise DeploymentError(f"the local stack fires only rates, not {expression}")
    return int(found[1]) * UNITS_S[found[2]]


def start_schedules(deployed: Deployed, functions: Lambda, speed: float = 1.0) -> None:
    """Fire every enabled rule of the templates, the first time after one period. `speed` divides the periods."""
    for rule in deployed.of_type("AWS::Events::Rule"):
        expression = rule.properties.get("ScheduleExpression")
        if expression is None or rule.properties.get("State", "ENABLED") != "ENABLED":
            continue
        for target in rule.properties.get("Targets", []):
            if ":function:" not in target["Arn"]:
                raise DeploymentError(f"{rule.logical_id}: the local stack fires only at functions")
            threading.Thread(
                target=_fire,
                args=(rule.physical_id, target, period_s(expression) / speed, functions),
                name=f"fire-{rule.logical_id}",
                daemon=True,
            ).start()


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


def _fire(rule: str, target: dict[str, Any], every_s: float, functions: Lambda) -> None:
    next_at = time.monotonic() + every_s
    while True:
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at = max(next_at + every_s, time.monotonic())
        now = datetime.datetime.now(datetime.UTC)
        payload = target.get("Input") or json.dumps(scheduled_event(rule, now))
        try:
            outcome = functions.invoke(target["Arn"], payload.encode())
        except TooManyRequests:
            log.warning("rule %s: %s is busy", rule, target["Arn"])
            continue
        except Stopping:
            return
        if outcome.error:
            log.warning("rule %s: %s failed: %s", rule, target["Arn"], outcome.payload[:2000])

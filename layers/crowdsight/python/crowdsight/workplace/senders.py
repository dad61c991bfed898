"""How a notification leaves: by Amazon SQS or SNS, to a queue or topic whose own policy lets Mechanical Turk send.

The roles of this workplace may send to every queue and topic of its account. So that nothing is sent where nobody asked
for it, what counts is what MTurk asks for: a statement of the destination's policy that allows the service principal
below (MTurk's API reference, Notification Handling Using Amazon SQS, and Using Amazon SNS).

That principal is the same for all requesters, as on MTurk: whoever knows a queue that lets it send can have their own
HITs' events sent there. Each document names its requester as `CustomerId`, by which a program tells its own.
"""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.clock import Clock
from crowdsight.workplace.events import Delivery, DeliveryFailed

PRINCIPAL = "mturk-requester.amazonaws.com"
CHECKED_FOR_MS = 60_000

_ACTIONS = {"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}
_CONDITIONS = frozenset(("aws:securetransport", "aws:sourceaccount", "aws:sourcearn"))
"""Keys of conditions that MTurk's documents tell to set. A statement with any other says nothing about MTurk."""


class AwsSender:
    """A `Sender` over boto3 clients, which should give up within seconds: a Worker is waiting.

    That a destination can be sent to is looked up again after a minute.
    """

    def __init__(self, sqs: Any, sns: Any, clock: Clock) -> None:
        self._sqs = sqs
        self._sns = sns
        self._clock = clock
        self._checked = lru_cache(maxsize=1000)(self._check)

    def check(self, transport: str, destination: str) -> None:
        """Raises DeliveryFailed unless the destination is there and its policy lets MTurk send."""
        try:
            self._check(transport, destination)
        except (BotoCoreError, ClientError) as error:
            raise DeliveryFailed(str(error)) from error

    def send(self, delivery: Delivery) -> None:
        """Raises DeliveryFailed."""
        try:
            self._checked(delivery.transport, delivery.destination, self._clock() // CHECKED_FOR_MS)
            if delivery.transport == "SNS":
                self._sns.publish(TopicArn=delivery.destination, Message=delivery.document)
            else:
                self._sqs.send_message(QueueUrl=delivery.destination, MessageBody=delivery.document)
        except (BotoCoreError, ClientError) as error:
            raise DeliveryFailed(str(error)) from error

    def _check(self, transport: str, destination: str, _period: int = 0) -> None:
        if transport == "SNS":
            arn = destination
            attributes = self._sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        else:
            wanted = ["Policy", "QueueArn"]
            attributes = self._sqs.get_queue_attributes(QueueUrl=destination, AttributeNames=wanted)["Attributes"]
            arn = attributes["QueueArn"]
        if not lets_mturk(attributes.get("Policy", ""), _ACTIONS[transport], arn):
            raise DeliveryFailed(f"the policy of {arn} does not allow {PRINCIPAL} {_ACTIONS[transport]}")


def lets_mturk(policy: str, action: str, arn: str) -> bool:
    """Whether a resource's policy (JSON, perhaps empty) has a statement that allows MTurk this action on it.

    A Deny counts if it has no condition. Of the conditions that MTurk's documents name, only that a transport be
    insecure is never met.
    """
    try:
        statements = [one for one in _listed(json.loads(policy)["Statement"]) if _is_about(one, action, arn)]
        if any(one["Effect"] == "Deny" and not one.get("Condition") for one in statements):
            return False
        return any(one["Effect"] == "Allow" and _is_met(one.get("Condition") or {}) for one in statements)
    except (ValueError, KeyError, TypeError, AttributeError):  # SQS takes no policy that is not well-formed
        return False


def _is_about(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    principal = statement.get("Principal", {})
    named = [principal] if isinstance(principal, str) else [name for one in principal.values() for name in _listed(one)]
    actions = [pattern.lower() for pattern in _listed(statement.get("Action", []))]
    return (
        ("*" in named or PRINCIPAL in named)
        and any(fnmatchcase(action.lower(), pattern) for pattern in actions)
        and any(fnmatchcase(arn, pattern) for pattern in _listed(statement.get("Resource", "*")))
    )


def _is_met(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    pairs = [(key.lower(), value) for test in condition.values() for key, value in test.items()]
    secure = [str(one).lower() for key, value in pairs if key == "aws:securetransport" for one in _listed(value)]
    return {key for key, _ in pairs} <= _CONDITIONS and "false" not in secure


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]

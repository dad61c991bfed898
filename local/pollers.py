"""SQS event source mappings, polled as Lambda polls them.

A batch that its function handles is deleted; where the mapping reports batch item failures, all but those. What is left
becomes visible again after the queue's visibility timeout and, received too often, goes to the dead-letter queue.

`Notifications` makes deliveries worse than they usually are, for tests: SQS promises no more than at least once, in any
order, and whoever sends may lose messages before SQS has them.
"""

import json
import random
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.children import Stopping
from local.deployment import Clients, Deployed, check_served
from local.lambdas.invocations import Outcome
from local.lambdas.service import Lambda
from local.log import log
from local.options import Notifications
from local.template import REGION

MAX_RECEIVED = 10
LONG_POLL_S = 20
CONCURRENT_BATCHES = 4
LONGEST_DELAY_S = 3.0
"""Of what is delivered again, or out of order."""

SERVED = (
    *("BatchSize", "Enabled", "EventSourceArn", "FunctionName", "FunctionResponseTypes"),
    *("MaximumBatchingWindowInSeconds", "ScalingConfig", "Tags"),
)


class Poller:
    """One event source mapping."""

    def __init__(
        self, mapping: dict[str, Any], clients: Clients, functions: Lambda, notifications: Notifications
    ) -> None:
        self._queue_arn: str = mapping["EventSourceArn"]
        self._function: str = mapping["FunctionName"]
        self._batch_size = int(mapping.get("BatchSize", 10))
        self._window_s = int(mapping.get("MaximumBatchingWindowInSeconds", 0))
        self._reports_failures = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])
        self._functions = functions
        self._notifications = notifications
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", CONCURRENT_BATCHES)
        self._slots = threading.BoundedSemaphore(int(concurrency))
        self._random = random.Random()
        self._sqs = clients.client("sqs")
        self._queue_url = self._sqs.get_queue_url(QueueName=self._queue_arn.rsplit(":", 1)[-1])["QueueUrl"]

    def run(self) -> None:
        """Poll until the queue's service goes away with the stack."""
        while True:
            self._slots.acquire()
            try:
                messages = self._receive_batch()
            except (BotoCoreError, ClientError) as error:
                log.warning("polling %s: %s", self._queue_arn, error)
                time.sleep(1)
                messages = []
            if messages:
                threading.Thread(target=self._dispatch, args=(messages,), daemon=True).start()
            else:
                self._slots.release()

    def _receive_batch(self) -> list[dict[str, Any]]:
        messages = self._receive(LONG_POLL_S)
        deadline = time.monotonic() + self._window_s
        while messages and len(messages) < self._batch_size and time.monotonic() < deadline:
            messages += self._receive(max(0, min(1, int(deadline - time.monotonic()))))
        return messages

    def _receive(self, wait_s: int) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(self._batch_size, MAX_RECEIVED),
            WaitTimeSeconds=wait_s,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _dispatch(self, messages: list[dict[str, Any]]) -> None:
        try:
            match self._notifications:
                case Notifications.NORMAL:
                    self._deliver(messages)
                case Notifications.DUPLICATE:
                    self._deliver(messages)
                    self._deliver_late(messages)
                case Notifications.DROP:
                    self._delete(messages)
                case Notifications.REORDER:
                    for message in messages:
                        self._deliver_late([message])
        except Stopping:
            pass
        except (BotoCoreError, ClientError) as error:
            log.warning("delivering from %s: %s", self._queue_arn, error)
        finally:
            self._slots.release()

    def _deliver_late(self, messages: list[dict[str, Any]]) -> None:
        def deliver() -> None:
            try:
                self._deliver(messages)
            except (BotoCoreError, ClientError, Stopping) as error:
                log.warning("delivering late from %s: %s", self._queue_arn, error)

        timer = threading.Timer(self._random.uniform(0, LONGEST_DELAY_S), deliver)
        timer.daemon = True
        timer.start()

    def _deliver(self, messages: list[dict[str, Any]]) -> None:
        event = {"Records": [self._record(message) for message in messages]}
        outcome = self._functions.invoke(self._function, json.dumps(event).encode())
        failed = failed_ids(outcome, {message["MessageId"] for message in messages}, self._reports_failures)
        if failed:
            log.warning("%s did not handle %s of %s messages", self._function, len(failed), len(messages))
        self._delete([message for message in messages if message["MessageId"] not in failed])

    def _delete(self, messages: list[dict[str, Any]]) -> None:
        for start in range(0, len(messages), MAX_RECEIVED):
            self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages[start : start + MAX_RECEIVED])
                ],
            )

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "dataType": value["DataType"],
                    "stringListValues": [],
                    "binaryListValues": [],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue_arn,
            "awsRegion": REGION,
        }


def failed_ids(outcome: Outcome, ids: set[str], reports_failures: bool) -> set[str]:
    """The messages of a batch that are to be tried again.

    All of them when the function failed, or when its report is not one or names a message that was not in the batch.
    """
    if outcome.error:
        return ids
    if not reports_failures:
        return set()
    try:
        report = json.loads(outcome.payload) or {}
        failed = {failure["itemIdentifier"] for failure in report.get("batchItemFailures") or []}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ids
    return failed if failed <= ids else ids


def start_pollers(deployed: Deployed, clients: Clients, functions: Lambda, notifications: Notifications) -> None:
    """Poll for every enabled event source mapping of the templates. Raises DeploymentError."""
    for mapping in deployed.of_type("AWS::Lambda::EventSourceMapping"):
        check_served(mapping, mapping.properties, SERVED)
        if mapping.properties.get("Enabled", True):
            poller = Poller(mapping.properties, clients, functions, notifications)
            threading.Thread(target=poller.run, name=f"poll-{mapping.logical_id}", daemon=True).start()

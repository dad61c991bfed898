"""Queues are polled as Lambda polls them."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from local.deployment import Clients
from local.lambdas.invocations import Outcome
from local.lambdas.service import Lambda
from local.options import Notifications
from local.pollers import Poller, failed_ids

IDS = {"a", "b", "c"}
QUEUES = iter(range(1000))


def report(*ids: str) -> Outcome:
    return Outcome(json.dumps({"batchItemFailures": [{"itemIdentifier": id} for id in ids]}).encode())


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (report(), set()),
        (report("b"), {"b"}),
        (report("b", "d"), IDS),
        (Outcome(b"null"), set()),
        (Outcome(b'{"batchItemFailures": null}'), set()),
        (Outcome(b'{"batchItemFailures": [{}]}'), IDS),
        (Outcome(b'"text"'), IDS),
        (Outcome(b"{}", "Unhandled"), IDS),
    ],
)
def test_a_report_names_the_messages_to_try_again(outcome: Outcome, failed: set[str]) -> None:
    assert failed_ids(outcome, IDS, reports_failures=True) == failed


def test_without_reports_only_an_error_fails_a_batch() -> None:
    assert failed_ids(report("b"), IDS, reports_failures=False) == set()
    assert failed_ids(Outcome(b"{}", "Unhandled"), IDS, reports_failures=False) == IDS


class Receiver:
    """A function that keeps count of the messages it is given, and fails those whose text is `bad`."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.batches: list[int] = []
        self._lock = threading.Lock()

    def invoke(self, name: str, payload: bytes) -> Outcome:
        records = json.loads(payload)["Records"]
        with self._lock:
            self.batches.append(len(records))
            self.seen.update(record["body"] for record in records)
        assert all(record["eventSourceARN"].endswith(":" + name) for record in records)
        return report(*(record["messageId"] for record in records if record["body"] == "bad"))


class Queues:
    """A queue with a dead-letter queue behind it, polled for a receiver."""

    def __init__(self, aws_url: str, sqs: Any) -> None:
        self.receiver = Receiver()
        self._sqs = sqs
        self._clients = Clients(aws_url)
        name = f"queue-{next(QUEUES)}"
        self.dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        dead_arn = f"arn:aws:sqs:us-east-1:123456789012:{name}-dead"
        self.url = sqs.create_queue(
            QueueName=name,
            Attributes={
                "VisibilityTimeout": "1",
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}),
            },
        )["QueueUrl"]
        self.mapping = {
            "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:{name}",
            "FunctionName": name,
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }

    def send(self, *texts: str) -> None:
        for text in texts:
            self._sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def poll(self, notifications: Notifications = Notifications.NORMAL) -> None:
        poller = Poller(self.mapping, self._clients, cast(Lambda, self.receiver), notifications)
        threading.Thread(target=poller.run, daemon=True).start()

    def left(self, url: str) -> int:
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def queues(aws_url: str, aws: Callable[[str], Any]) -> Queues:
    return Queues(aws_url, aws("sqs"))


def eventually(holds: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_handled_messages_are_deleted_and_others_end_as_dead_letters(queues: Queues) -> None:
    queues.send("good", "bad", "fine")
    queues.poll()
    assert eventually(lambda: queues.left(queues.dead_url) == 1, 20)
    assert queues.receiver.seen == {"good": 1, "fine": 1, "bad": 2}
    assert queues.left(queues.url) == 0


def test_messages_that_wait_come_in_batches(queues: Queues) -> None:
    queues.send(*[f"m{number}" for number in range(25)])
    queues.poll()
    assert eventually(lambda: len(queues.receiver.seen) == 25)
    assert set(queues.receiver.seen.values()) == {1}
    assert max(queues.receiver.batches) == 10


def test_duplicated_notifications_are_delivered_twice(queues: Queues) -> None:
    queues.send("a", "b")
    queues.poll(Notifications.DUPLICATE)
    assert eventually(lambda: queues.receiver.seen == {"a": 2, "b": 2})


def test_dropped_notifications_are_gone(queues: Queues) -> None:
    queues.send("a", "b")
    queues.poll(Notifications.DROP)
    assert eventually(lambda: queues.left(queues.url) == 0)
    assert not queues.receiver.seen


def test_reordered_notifications_all_arrive_alone(queues: Queues) -> None:
    queues.mapping["EventSourceArn"] = queues.mapping["EventSourceArn"]
    queues.send(*"abcdef")
    queues.poll(Notifications.REORDER)
    assert eventually(lambda: set(queues.receiver.seen) == set("abcdef"))
    assert set(queues.receiver.batches) == {1}

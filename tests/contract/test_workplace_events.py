"""Notifications: MTurk's documents, to the queue of the HIT's type, at least once."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from crowdsight.workplace.events import EventType
from crowdsight.workplace.senders import PRINCIPAL, lets_mturk
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import REQUESTER, Rig, aws_client, mturk_policy

EVERYTHING = [kind.value for kind in EventType if kind is not EventType.PING]


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig(dynamodb=MemoryDynamoDB())


def hit_with_events(rig: Rig, *event_types: str, **given: Any) -> str:
    hit = rig.create_hit(**given)
    rig.notify(hit["HITTypeId"], *(event_types or EVERYTHING))
    return str(hit["HITId"])


def specification(rig: Rig, **changes: Any) -> dict[str, Any]:
    whole = {"Destination": rig.queue_url, "Transport": "SQS", "Version": "2014-08-15", "EventTypes": ["HITExpired"]}
    return whole | changes


def test_a_document_has_mturks_form(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentSubmitted", "HITReviewable")
    assignment_id = rig.submit(hit_id)
    submitted, reviewable = sorted(rig.documents(), key=lambda document: str(document["Events"][0]["EventType"]))
    assert set(submitted) == {"EventDocId", "EventDocVersion", "CustomerId", "Events"}
    assert (submitted["EventDocVersion"], submitted["CustomerId"]) == ("2014-08-15", REQUESTER)
    event = submitted["Events"][0]
    assert event.pop("EventTimestamp").endswith("Z")
    hit_type_id = rig.hit(hit_id)["HITTypeId"]
    whole = {"HITTypeId": hit_type_id, "HITId": hit_id}
    assert event == {"EventType": "AssignmentSubmitted", "AssignmentId": assignment_id} | whole
    assert "AssignmentId" not in reviewable["Events"][0]
    assert submitted["EventDocId"] != reviewable["EventDocId"]


def test_every_transition_has_its_event(rig: Rig) -> None:
    hit_id = hit_with_events(rig, MaxAssignments=3)
    rig.create_hit()
    first, second = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    rig.workplace.return_assignment(rig.accept(hit_id, "AW3").assignment_id, "AW3")
    rig.client.approve_assignment(AssignmentId=first)
    rig.client.reject_assignment(AssignmentId=second, RequesterFeedback="no")
    rig.client.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=1)
    rig.accept(hit_id, "AW4")
    rig.clock.move(3_600)
    rig.client.delete_hit(HITId=hit_id)
    happened = rig.events()
    assert set(happened) == set(EVERYTHING)
    assert happened.count("AssignmentAccepted") == 4


def test_only_the_events_asked_for_are_sent_and_none_while_inactive(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentReturned", MaxAssignments=9)
    hit_type_id = rig.hit(hit_id)["HITTypeId"]
    rig.workplace.return_assignment(rig.accept(hit_id, "AW1").assignment_id, "AW1")
    rig.client.update_notification_settings(HITTypeId=hit_type_id, Active=False)
    rig.workplace.return_assignment(rig.accept(hit_id, "AW2").assignment_id, "AW2")
    rig.client.update_notification_settings(HITTypeId=hit_type_id, Active=True)
    rig.workplace.return_assignment(rig.accept(hit_id, "AW3").assignment_id, "AW3")
    assert rig.events() == ["AssignmentReturned"] * 2


def test_a_destination_that_fails_fails_no_operation_and_gets_the_same_document_later(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentSubmitted")
    rig.sqs.is_down = True
    assignment_id = rig.submit(hit_id)
    assert rig.client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"] == "Submitted"
    rig.clock.move(60)
    assert rig.sweep()["events"] == 1
    rig.sqs.is_down = False
    assert rig.sweep()["events"] == 0  # not yet again
    rig.clock.move(120)
    assert rig.sweep()["events"] == 1
    rig.clock.move(3_600)
    assert rig.sweep()["events"] == 0
    assert [document["Events"][0]["AssignmentId"] for document in rig.documents()] == [assignment_id]


def test_an_event_sent_but_not_crossed_off_comes_again_under_the_same_id(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentSubmitted")
    rig.sqs.is_down = True
    rig.submit(hit_id)
    rig.sqs.is_down = False
    item = next(rig.wiring.workplace_table.query_all("event", index="due"))
    rig.clock.move(60)
    rig.sweep()
    rig.wiring.workplace_table.put(item)  # as if the process had ended between sending and deleting
    rig.sweep()
    first, second = rig.documents()
    assert first == second


def test_what_cannot_be_delivered_for_a_day_is_dropped(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentSubmitted")
    rig.sqs.is_down = True
    rig.submit(hit_id)
    rig.clock.move(86_399)
    assert rig.sweep()["events"] == 1
    rig.clock.move(3_600)
    assert rig.sweep()["events"] == 1
    rig.sqs.is_down = False
    rig.clock.move(3_600)
    assert rig.sweep()["events"] == 0
    assert rig.documents() == []


def test_a_test_event_of_any_type_is_sent_at_once(rig: Rig) -> None:
    for event_type in ("Ping", "AssignmentSubmitted", "HITReviewable"):
        rig.client.send_test_event_notification(Notification=specification(rig), TestEventType=event_type)
    assert sorted(rig.events()) == ["AssignmentSubmitted", "HITReviewable", "Ping"]


def test_a_test_event_that_cannot_be_sent_is_an_error(rig: Rig) -> None:
    rig.sqs.is_down = True
    with pytest.raises(rig.client.exceptions.RequestError) as failure:
        rig.client.send_test_event_notification(Notification=specification(rig), TestEventType="Ping")
    assert failure.value.response["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidTransportEndpoint"


def test_events_go_to_a_topic_too(rig: Rig) -> None:
    policy = {"Policy": mturk_policy("sns:Publish")}
    topic = aws_client("sns").create_topic(Name="notifications", Attributes=policy)["TopicArn"]
    queue = aws_client("sqs").get_queue_attributes(QueueUrl=rig.queue_url, AttributeNames=["QueueArn"])
    aws_client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    rig.client.send_test_event_notification(
        Notification=specification(rig, Transport="SNS", Destination=topic), TestEventType="Ping"
    )
    assert rig.events() == ["Ping"]


def test_a_destination_whose_owner_does_not_let_mturk_send_is_refused(rig: Rig) -> None:
    hit_type_id = rig.create_hit()["HITTypeId"]
    other = rig.plain_sqs.create_queue(QueueName="of-somebody-else")["QueueUrl"]
    topic = aws_client("sns").create_topic(Name="of-somebody-else")["TopicArn"]
    nowhere = f"{rig.queue_url}-that-is-not-there"
    for changes in (
        {"Destination": other},
        {"Transport": "SNS", "Destination": topic},
        {"Destination": nowhere},
        {"Transport": "SNS", "Destination": f"{topic}-that-is-not-there"},
    ):
        there = {"Notification": specification(rig, **changes)}
        for ask in (
            partial(rig.client.update_notification_settings, HITTypeId=hit_type_id, **there),
            partial(rig.client.send_test_event_notification, TestEventType="Ping", **there),
        ):
            with pytest.raises(rig.client.exceptions.RequestError) as failure:
                ask()
            assert failure.value.response["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidTransportEndpoint"
    assert "Messages" not in rig.plain_sqs.receive_message(QueueUrl=other)
    # Switched off it is only kept; and it is looked at when it is switched on.
    rig.client.update_notification_settings(
        HITTypeId=hit_type_id, Notification=specification(rig, Destination=other), Active=False
    )
    with pytest.raises(rig.client.exceptions.RequestError):
        rig.client.update_notification_settings(HITTypeId=hit_type_id, Active=True)


def test_nothing_more_is_sent_once_the_owner_takes_the_permission_back(rig: Rig) -> None:
    hit_id = hit_with_events(rig, "AssignmentSubmitted", MaxAssignments=3)
    rig.submit(hit_id)
    assert rig.events() == ["AssignmentSubmitted"]
    rig.plain_sqs.set_queue_attributes(QueueUrl=rig.queue_url, Attributes={"Policy": ""})
    rig.clock.move(61)
    rig.submit(hit_id, "AWORKER0000002")
    rig.sweep()
    assert rig.events() == []
    rig.plain_sqs.set_queue_attributes(QueueUrl=rig.queue_url, Attributes={"Policy": mturk_policy("sqs:SendMessage")})
    rig.clock.move(600)
    rig.sweep()
    assert rig.events() == ["AssignmentSubmitted"]


QUEUE = "arn:aws:sqs:us-east-1:123456789012:mine"
ALLOW = {"Effect": "Allow", "Principal": {"Service": PRINCIPAL}, "Action": "sqs:SendMessage", "Resource": QUEUE}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([ALLOW], True),
        (ALLOW, True),
        ([ALLOW | {"Principal": "*"}], True),
        ([ALLOW | {"Principal": {"AWS": "*"}}], True),
        ([ALLOW | {"Principal": {"Service": ["sns.amazonaws.com", PRINCIPAL]}}], True),
        ([ALLOW | {"Action": ["SQS:*"], "Resource": ["arn:aws:sqs:*:*:*"]}], True),
        ([ALLOW | {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}], True),
        ([ALLOW, ALLOW | {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], True),
        ([], False),
        ([ALLOW | {"Principal": {"Service": "sns.amazonaws.com"}}], False),
        ([ALLOW | {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}], False),
        ([ALLOW | {"Action": "sqs:ReceiveMessage"}], False),
        ([ALLOW | {"Resource": f"{QUEUE}-too"}], False),
        ([ALLOW | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}], False),
        ([ALLOW | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}], False),
        ([ALLOW, ALLOW | {"Effect": "Deny"}], False),
        ([ALLOW | {"Principal": None}], False),
        (["nonsense"], False),
        ([ALLOW | {"Action": 7}], False),
        ([ALLOW | {"Condition": "nonsense"}], False),
    ],
)
def test_whom_a_policy_lets_send(statements: Any, expected: bool) -> None:
    assert lets_mturk(json.dumps({"Statement": statements}), "sqs:SendMessage", QUEUE) is expected


@pytest.mark.parametrize("policy", ["", "{", "[]", "null", "7", '{"Statement": null}', "{}"])
def test_what_is_no_policy_lets_nobody_send(policy: str) -> None:
    assert not lets_mturk(policy, "sqs:SendMessage", QUEUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"Transport": "Email", "Destination": "me@example.org"},
        {"Transport": "SNS"},
        {"Version": "1999-01-01"},
        {"EventTypes": ["Ping"]},
        {"Destination": "notifications"},
        {"Destination": "https://example.org/a/b"},
        {"Destination": "file:///123456789012/q"},
        {"Destination": "https://[/123456789012/q"},
        {"Destination": "https://sqs.us-east-1.amazonaws.com/123456789012/q?Action=DeleteQueue"},
    ],
)
def test_a_destination_or_event_that_is_not_on_offer_is_refused(rig: Rig, changes: dict[str, Any]) -> None:
    hit_type_id = rig.create_hit()["HITTypeId"]
    with pytest.raises(ClientError) as failure:
        rig.client.update_notification_settings(
            HITTypeId=hit_type_id, Notification=specification(rig, **changes), Active=True
        )
    assert failure.value.response["Error"]["Code"] == "RequestError"


def test_settings_need_a_notification_or_a_switch_and_a_switch_needs_a_notification(rig: Rig) -> None:
    hit_type_id = rig.create_hit()["HITTypeId"]
    for given in ({}, {"Active": True}):
        with pytest.raises(rig.client.exceptions.RequestError):
            rig.client.update_notification_settings(HITTypeId=hit_type_id, **given)

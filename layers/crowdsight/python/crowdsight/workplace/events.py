"""Notifications: the documents a requester's program receives about its HITs, and where they go.

An event is written to the table with the change that caused it, sent after that, and deleted once sent; what could not
be sent is tried again by the sweep for a day and then dropped. So each arrives at least once while its destination
works, in no particular order, and a repeated one has the same EventDocId.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

EVENT_DOC_VERSION = "2014-08-15"
RETRY_AFTER_MS = 60_000
LONGEST_RETRY_MS = 3_600_000
DROP_AFTER_MS = 86_400_000


class EventType(StrEnum):
    ASSIGNMENT_ACCEPTED = "AssignmentAccepted"
    ASSIGNMENT_ABANDONED = "AssignmentAbandoned"
    ASSIGNMENT_RETURNED = "AssignmentReturned"
    ASSIGNMENT_SUBMITTED = "AssignmentSubmitted"
    ASSIGNMENT_REJECTED = "AssignmentRejected"
    ASSIGNMENT_APPROVED = "AssignmentApproved"
    HIT_CREATED = "HITCreated"
    HIT_EXPIRED = "HITExpired"
    HIT_REVIEWABLE = "HITReviewable"
    HIT_EXTENDED = "HITExtended"
    HIT_DISPOSED = "HITDisposed"
    PING = "Ping"


@dataclass(frozen=True)
class Event:
    """Something that happened to a HIT, at `at_ms`."""

    type: EventType
    at_ms: int
    assignment_id: str | None = None


@dataclass(frozen=True)
class Notification:
    """Where a HIT type's events go. `transport`: `SQS` (destination is a queue URL) or `SNS` (a topic's ARN)."""

    transport: str
    destination: str
    event_types: frozenset[str]
    active: bool = True

    def wants(self, event: Event) -> bool:
        return self.active and event.type in self.event_types


@dataclass(frozen=True)
class Delivery:
    """One document on its way; `event_doc_id` stays the same however often it is sent."""

    event_doc_id: str
    transport: str
    destination: str
    document: str
    created_at_ms: int
    attempts: int = 0


class DeliveryFailed(Exception):
    """The destination did not take the document; it may do so later."""


class Sender(Protocol):
    """How documents leave."""

    def check(self, transport: str, destination: str) -> None:
        """Raises DeliveryFailed, without sending anything, when the destination cannot be sent to."""

    def send(self, delivery: Delivery) -> None:
        """Sends one document. Raises DeliveryFailed."""


def event_document(
    event_doc_id: str, requester_id: str, event: Event, hit_type_id: str | None = None, hit_id: str | None = None
) -> str:
    """The JSON text of one event, in the form of MTurk's SQS and SNS notifications."""
    happened = datetime.fromtimestamp(event.at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    described = {
        "EventType": event.type.value,
        "EventTimestamp": happened,
        "HITTypeId": hit_type_id,
        "HITId": hit_id,
        "AssignmentId": event.assignment_id,
    }
    return json.dumps(
        {
            "EventDocId": event_doc_id,
            "EventDocVersion": EVENT_DOC_VERSION,
            "CustomerId": requester_id,
            "Events": [{name: value for name, value in described.items() if value is not None}],
        },
        separators=(",", ":"),
    )


def retry_at_ms(now_ms: int, attempts: int) -> int:
    """When a document that failed `attempts` times is tried again: a minute, doubling up to an hour."""
    return now_ms + min(RETRY_AFTER_MS * 2 ** max(attempts - 1, 0), LONGEST_RETRY_MS)

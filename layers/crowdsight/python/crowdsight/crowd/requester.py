"""The requester's side of the MTurk protocol: what the crowd functions ask of the workplace.

Speaks through an ordinary boto3 `mturk` client, so that the workplace may be ours or anything that speaks the
Requester API 2017-01-17. Every method may be called twice.

    RequesterError
    ├── InsufficientFunds       the account cannot pay for the HIT
    ├── AccountSetup            the account is refused: unknown key, not linked, suspended, no permission
    ├── WorkplaceUnavailable    try again later
    ├── Gone                    no such HIT or assignment (any more)
    └── Refused                 anything else the workplace does not accept
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from crowdsight.catalogue import CrowdFunction
from crowdsight.crowd.answers import read_form_value
from crowdsight.money import wire_dollars
from crowdsight.task_store import RecordedAnswer

ANNOTATION_PREFIX = "crowdsight:"
"""A HIT's RequesterAnnotation, which Workers never see, is this and its subject: what it is about."""

EVENTS = ("AssignmentSubmitted", "HITReviewable", "HITExpired")
TOKEN_LIFETIME_S = 86_400
"""How long the workplace knows a UniqueRequestToken, and so finds a HIT by it."""

NOTIFICATION_VERSION = "2006-05-05"

_FUNDS = re.compile(r"insufficient funds", re.IGNORECASE)
_HIT_ID = re.compile(r"\b[A-Z0-9]{30}\b")
_ACCOUNT_CODES = {
    "AccessDeniedException",
    "AWS.NotAuthorized",
    "AWS.MechanicalTurk.AWSAccountNotLinked",
    "AWS.MechanicalTurk.PermissionDenied",
    "AWS.MechanicalTurk.RequesterSuspended",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "UnrecognizedClientException",
}
_TRANSIENT_CODES = {"ServiceFault", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_GONE_CODES = {"AWS.MechanicalTurk.HITDoesNotExist", "AWS.MechanicalTurk.AssignmentDoesNotExist"}
_DISPOSED_CODES = {"AWS.MechanicalTurk.InvalidHITState"}
_DONE_CODES = {"AWS.MechanicalTurk.InvalidAssignmentState"}
_REPEATED_CODES = {"AWS.MechanicalTurk.HitAlreadyExists", "AWS.MechanicalTurk.DuplicateRequest"}
"""A UniqueRequestToken was used before: to create a HIT, and to extend one."""

_NOT_HELD_CODES = {
    "AWS.MechanicalTurk.QualificationDoesNotExist",
    "AWS.MechanicalTurk.InvalidQualificationState",
}
"""A Worker never had a qualification, or has it no more."""

_NAME_TAKEN = re.compile(r"already created a QualificationType with this name", re.IGNORECASE)
LISTED_AT_ONCE = 100


class RequesterError(Exception):
    """The workplace did not do what was asked. `code` is its TurkErrorCode, or else its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class InsufficientFunds(RequesterError):
    pass


class AccountSetup(RequesterError):
    pass


class WorkplaceUnavailable(RequesterError):
    pass


class Gone(RequesterError):
    pass


class Refused(RequesterError):
    pass


@dataclass(frozen=True)
class HitState:
    """`subject`: None for a HIT of another program. `reviewable`: nobody is working on it, and nobody can take it
    unless it is extended. `assignments`: in all; `available`: those of them that can be taken.
    """

    subject: str | None
    reviewable: bool
    expires_at_ms: int
    assignments: int
    available: int


@dataclass(frozen=True)
class Submission:
    """A submitted assignment. `paid`: approved already."""

    answer: RecordedAnswer
    paid: bool


class Requester:
    """One requester account. `connect` gives a boto3 client for `mturk`; `queue_url`: where notifications go."""

    def __init__(self, connect: Callable[[], Any], queue_url: str) -> None:
        self._connect = connect
        self._queue_url = queue_url
        self._hit_type_ids: dict[str, str] = {}
        self._gate_ids: dict[str, str] = {}

    def publish(
        self, function: CrowdFunction, subject: str, question_xml: str, lifetime_s: int, assignments: int, token: str
    ) -> tuple[str, int]:
        """Create a HIT that asks for so many answers; again with this token, within a day: the same HIT.

        Its id, and how many answers it asks for: an earlier run may have asked for another number.
        """
        with _errors():
            try:
                answer = self._connect().create_hit_with_hit_type(
                    HITTypeId=self._hit_type_id(function),
                    MaxAssignments=assignments,
                    LifetimeInSeconds=lifetime_s,
                    Question=question_xml,
                    RequesterAnnotation=annotation_of(subject),
                    UniqueRequestToken=token,
                )
            except ClientError as error:
                hit_id = _HIT_ID.search(error.response["Error"].get("Message", ""))
                if _code(error) not in _REPEATED_CODES or not hit_id:
                    raise
                answer = self._connect().get_hit(HITId=hit_id.group())
            return answer["HIT"]["HITId"], answer["HIT"]["MaxAssignments"]

    def extend(self, hit_id: str, more: int, token: str) -> None:
        """Ask for so many assignments more; again with this token, within a day: changes nothing."""
        with _errors():
            try:
                self._connect().create_additional_assignments_for_hit(
                    HITId=hit_id,
                    NumberOfAdditionalAssignments=more,
                    UniqueRequestToken=token,
                )
            except ClientError as error:
                if _code(error) not in _REPEATED_CODES:
                    raise

    def expire(self, hit_id: str) -> None:
        """Take the HIT from the list now; who has accepted it may still submit, and is paid. Again: changes nothing."""
        with _errors():
            try:
                self._connect().update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime(2000, 1, 1, tzinfo=UTC))
            except ClientError as error:
                if _code(error) not in _DISPOSED_CODES:
                    raise

    def offer_until(self, hit_id: str, expires_at_ms: int) -> None:
        """Let the HIT be found until then, also one that has expired; again: changes nothing. Raises Gone."""
        with _errors():
            try:
                expires_at = datetime.fromtimestamp(expires_at_ms / 1000, UTC)
                self._connect().update_expiration_for_hit(HITId=hit_id, ExpireAt=expires_at)
            except ClientError as error:
                if _code(error) in _DISPOSED_CODES:
                    raise Gone(_code(error), f"HIT {hit_id} is disposed of") from error
                raise

    def pay(self, assignment_id: str) -> None:
        """Approve a submitted assignment; again: changes nothing."""
        with _errors():
            try:
                self._connect().approve_assignment(AssignmentId=assignment_id)
            except ClientError as error:
                if _code(error) not in _DONE_CODES:
                    raise

    def submission(self, assignment_id: str) -> tuple[Submission, str | None]:
        """A submitted assignment and its HIT's subject, None for a HIT of another program. Raises Gone."""
        with _errors():
            answer = self._connect().get_assignment(AssignmentId=assignment_id)
            return _submission(answer["Assignment"]), _subject(answer["HIT"].get("RequesterAnnotation"))

    def submissions(self, hit_id: str, *, unpaid_only: bool = False) -> Iterator[Submission]:
        """Every assignment of the HIT that was submitted. Raises Gone."""
        statuses = {"AssignmentStatuses": ["Submitted"]} if unpaid_only else {}
        with _errors():
            pages = self._connect().get_paginator("list_assignments_for_hit").paginate(HITId=hit_id, **statuses)
            for page in pages:
                for assignment in page["Assignments"]:
                    yield _submission(assignment)

    def hit(self, hit_id: str) -> HitState:
        """Raises Gone."""
        with _errors():
            hit = self._connect().get_hit(HITId=hit_id)["HIT"]
        if hit["HITStatus"] == "Disposed":
            raise Gone("AWS.MechanicalTurk.HITDoesNotExist", f"HIT {hit_id} is disposed of")
        return HitState(
            subject=_subject(hit.get("RequesterAnnotation")),
            reviewable=hit["HITStatus"] in ("Reviewable", "Reviewing"),
            expires_at_ms=_milliseconds(hit["Expiration"]),
            assignments=hit["MaxAssignments"],
            available=hit["NumberOfAssignmentsAvailable"],
        )

    def dispose(self, hit_id: str) -> None:
        """Delete a reviewable HIT whose answers are all paid; again: changes nothing."""
        with _errors():
            try:
                self._connect().delete_hit(HITId=hit_id)
            except ClientError as error:
                if _code(error) not in _GONE_CODES:
                    raise

    def shut_out(self, function: CrowdFunction, worker_id: str) -> None:
        """Offer a Worker no more HITs of a function; again: changes nothing."""
        with _errors():
            self._connect().associate_qualification_with_worker(
                QualificationTypeId=self._gate_id(function), WorkerId=worker_id, IntegerValue=1, SendNotification=False
            )

    def let_in(self, function: CrowdFunction, worker_id: str, reason: str) -> None:
        """Offer a Worker HITs of a function again, and tell why; again: changes nothing."""
        with _errors():
            try:
                self._connect().disassociate_qualification_from_worker(
                    QualificationTypeId=self._gate_id(function), WorkerId=worker_id, Reason=reason
                )
            except ClientError as error:
                if _code(error) not in _NOT_HELD_CODES:
                    raise

    def tell(self, worker_id: str, subject: str, text: str) -> None:
        """Send a Worker a message. Raises Refused if it cannot be delivered."""
        with _errors():
            answer = self._connect().notify_workers(Subject=subject, MessageText=text, WorkerIds=[worker_id])
        for failure in answer.get("NotifyWorkersFailureStatuses", ()):
            kind = WorkplaceUnavailable if failure["NotifyWorkersFailureCode"] == "SoftFailure" else Refused
            raise kind(failure["NotifyWorkersFailureCode"], failure.get("NotifyWorkersFailureMessage", ""))

    def _gate_id(self, function: CrowdFunction) -> str:
        """The function's qualification type, whose holders get no more of its HITs; registered once a process."""
        if function.name not in self._gate_ids:
            name = f"Not for {function.name}"
            try:
                found = self._connect().create_qualification_type(
                    Name=name,
                    Description=f"Given to who is not offered more HITs like: {function.title}",
                    QualificationTypeStatus="Active",
                )["QualificationType"]
            except ClientError as error:
                if not _NAME_TAKEN.search(error.response["Error"].get("Message", "")):
                    raise
                found = self._own_qualification_type(name)
            self._gate_ids[function.name] = found["QualificationTypeId"]
        return self._gate_ids[function.name]

    def _own_qualification_type(self, name: str) -> Mapping[str, Any]:
        pages = (
            self._connect()
            .get_paginator("list_qualification_types")
            .paginate(Query=name, MustBeRequestable=False, MustBeOwnedByCaller=True, MaxResults=LISTED_AT_ONCE)
        )
        for page in pages:
            for found in page["QualificationTypes"]:
                if found["Name"] == name:
                    return found
        raise WorkplaceUnavailable("QualificationTypeNotListed", f"{name} exists and is not listed yet")

    def _hit_type_id(self, function: CrowdFunction) -> str:
        """The function's HIT type, with its notifications on; registered once a process."""
        if function.name not in self._hit_type_ids:
            hit_type_id = self._connect().create_hit_type(
                Title=function.title,
                Description=function.description,
                Keywords=function.keywords,
                Reward=wire_dollars(function.reward_cents),
                AssignmentDurationInSeconds=function.assignment_duration_s,
                QualificationRequirements=[
                    {
                        "QualificationTypeId": self._gate_id(function),
                        "Comparator": "DoesNotExist",
                        "ActionsGuarded": "DiscoverPreviewAndAccept",
                    }
                ],
            )["HITTypeId"]
            self._connect().update_notification_settings(
                HITTypeId=hit_type_id,
                Active=True,
                Notification={
                    "Destination": self._queue_url,
                    "Transport": "SQS",
                    "Version": NOTIFICATION_VERSION,
                    "EventTypes": list(EVENTS),
                },
            )
            self._hit_type_ids[function.name] = hit_type_id
        return self._hit_type_ids[function.name]


def annotation_of(subject: str) -> str:
    """What a HIT says of what it is about: a generation's id, or a known-answer question."""
    return ANNOTATION_PREFIX + subject


def _subject(annotation: str | None) -> str | None:
    if annotation and annotation.startswith(ANNOTATION_PREFIX):
        return annotation.removeprefix(ANNOTATION_PREFIX)
    return None


def _submission(assignment: Mapping[str, Any]) -> Submission:
    return Submission(
        answer=RecordedAnswer(
            assignment_id=assignment["AssignmentId"],
            worker_id=assignment["WorkerId"],
            form_value=read_form_value(assignment.get("Answer", "")),
            submitted_at_ms=_milliseconds(assignment["SubmitTime"]),
        ),
        paid=assignment["AssignmentStatus"] == "Approved",
    )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _code(error: ClientError) -> str:
    return str(error.response.get("TurkErrorCode") or error.response["Error"].get("Code", ""))


@contextmanager
def _errors() -> Iterator[None]:
    """Every error of the client as one of ours."""
    try:
        yield
    except ClientError as error:
        message = error.response["Error"].get("Message", "")
        codes = {_code(error), error.response["Error"].get("Code", "")}
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind: type[RequesterError] = Refused
        if _FUNDS.search(message) or "AWS.MechanicalTurk.InsufficientFunds" in codes:
            kind = InsufficientFunds
        elif codes & _ACCOUNT_CODES:
            kind = AccountSetup
        elif codes & _GONE_CODES:
            kind = Gone
        elif codes & _TRANSIENT_CODES or status >= 500 or status == 429:
            kind = WorkplaceUnavailable
        raise kind(_code(error), message) from error
    except (ConnectionError, HTTPClientError) as error:
        raise WorkplaceUnavailable(type(error).__name__, str(error)) from error

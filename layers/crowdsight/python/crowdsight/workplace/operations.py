"""Each operation of MTurk's Requester API: from its checked members to the requester's use case and back."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from crowdsight.money import wire_dollars
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.bonus_operations import BONUS_OPERATIONS
from crowdsight.workplace.calls import Answer, Call, page_size, read_cents, require_text, wire_time
from crowdsight.workplace.events import Event, EventType, Notification
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.hits import Hit, HitStatus, HitType
from crowdsight.workplace.qualification_operations import QUALIFICATION_OPERATIONS
from crowdsight.workplace.questions import Question, read_question
from crowdsight.workplace.requesters import OfferedHit, OfferedPage
from crowdsight.workplace.requirements import normal_requirements
from crowdsight.workplace.review_operations import REVIEW_OPERATIONS
from crowdsight.workplace.review_policies import ReviewPolicies, read_policies
from crowdsight.workplace.worker_operations import WORKER_OPERATIONS

DEFAULT_AUTO_APPROVAL_S = 30 * 86_400
LONGEST_LIFETIME_MS = 31_536_000_000
NOTIFICATION_VERSIONS = ("2006-05-05", "2014-08-15")

_TOPIC_ARN = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_QUEUE_PATH = re.compile(r"/[0-9]{12}/[A-Za-z0-9_-]{1,80}")


def create_hit_type(call: Call) -> Answer:
    """CreateHITType: a HIT type, the same one for the same values."""
    hit_type = _hit_type(call)
    _check_qualifications(call, hit_type)
    return {"HITTypeId": call.requesters.create_hit_type(hit_type).hit_type_id}


def create_hit(call: Call) -> Answer:
    """CreateHIT: a HIT with a type of its own values, and the money for it held."""
    # Everything is checked before the type is kept, so that a refused request leaves nothing.
    question, policies = _question(call), _policies(call)
    return _create_hit(call, question, policies, _hit_type(call), is_new_type=True)


def create_hit_with_hit_type(call: Call) -> Answer:
    """CreateHITWithHITType: a HIT of a type there is."""
    question, policies = _question(call), _policies(call)
    hit_type = call.requesters.get_hit_type(call.requester_id, call.given["HITTypeId"])
    return _create_hit(call, question, policies, hit_type, is_new_type=False)


def get_hit(call: Call) -> Answer:
    """GetHIT: a HIT as it is now, disposed or not."""
    return {"HIT": _hit(call.requesters.get_hit(call.requester_id, call.given["HITId"]))}


def list_hits(call: Call) -> Answer:
    """ListHITs: the requester's HITs by time of creation, without disposed ones."""
    start = call.next_tokens.take("hits", call.given.get("NextToken"))
    page = call.requesters.list_hits(call.requester_id, page_size(call), start)
    return _hits(call, "hits", page)


def list_reviewable_hits(call: Call) -> Answer:
    """ListReviewableHITs: those that wait for review or are under it."""
    status = HitStatus(call.given.get("Status", "Reviewable"))
    hit_type_id = call.given.get("HITTypeId")
    listing = f"reviewable {status} {hit_type_id}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    page = call.requesters.list_reviewable_hits(call.requester_id, status, hit_type_id, page_size(call), start)
    return _hits(call, listing, page)


def list_hits_for_qualification_type(call: Call) -> Answer:
    """ListHITsForQualificationType: the requester's HITs that require it, by time of creation."""
    type_id = call.given["QualificationTypeId"]
    listing = f"hits requiring {type_id}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    page = call.requesters.list_hits_requiring(call.requester_id, type_id, page_size(call), start)
    return _hits(call, listing, page)


def get_assignment(call: Call) -> Answer:
    """GetAssignment: what one Worker handed in, and the HIT it is for."""
    assignment = call.requesters.get_assignment(call.requester_id, call.given["AssignmentId"])
    offered = call.requesters.get_hit(call.requester_id, assignment.hit_id)
    return {"Assignment": _assignment(assignment), "HIT": _hit(offered)}


def get_file_upload_url(call: Call) -> Answer:
    """GetFileUploadURL: an error, because no question asks for a file since MTurk ended FileUploadAnswer in 2017."""
    call.requesters.get_assignment(call.requester_id, call.given["AssignmentId"])
    question_id = call.given["QuestionIdentifier"]
    raise RequestError("InvalidParameterValue", f"Question {question_id} of this assignment has no FileUploadAnswer.")


def list_assignments_for_hit(call: Call) -> Answer:
    """ListAssignmentsForHIT: what was handed in for a HIT, by time of acceptance."""
    statuses = sorted(set(call.given.get("AssignmentStatuses", ())))
    listing = f"assignments {call.given['HITId']} {statuses}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    page = call.requesters.list_assignments(call.requester_id, call.given["HITId"], statuses, page_size(call), start)
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.assignments),
        "Assignments": [_assignment(assignment) for assignment in page.assignments],
    }


def approve_assignment(call: Call) -> Answer:
    """ApproveAssignment: pay for a submitted assignment, or for a rejected one after all."""
    call.requesters.approve(
        call.requester_id,
        call.given["AssignmentId"],
        call.given.get("RequesterFeedback"),
        call.given.get("OverrideRejection", False),
    )
    return {}


def reject_assignment(call: Call) -> Answer:
    """RejectAssignment: do not pay for it; the Worker must be told why."""
    call.requesters.reject(call.requester_id, call.given["AssignmentId"], require_text(call, "RequesterFeedback"))
    return {}


def create_additional_assignments_for_hit(call: Call) -> Answer:
    """CreateAdditionalAssignmentsForHIT: more places in a HIT, and the money for them held."""
    call.requesters.extend(
        call.requester_id,
        call.given["HITId"],
        call.given["NumberOfAdditionalAssignments"],
        call.given.get("UniqueRequestToken"),
    )
    return {}


def update_expiration_for_hit(call: Call) -> Answer:
    """UpdateExpirationForHIT: another end of a HIT's time, at most a year from now; at once when it is past."""
    expires_at_ms = round(call.given["ExpireAt"].timestamp() * 1000)
    if expires_at_ms > call.now_ms + LONGEST_LIFETIME_MS:
        raise RequestError("ParameterValidationError", "ExpireAt must lie within a year from now.")
    call.requesters.change_expiration(call.requester_id, call.given["HITId"], expires_at_ms)
    return {}


def update_hit_review_status(call: Call) -> Answer:
    """UpdateHITReviewStatus: from Reviewable to Reviewing or, with `Revert`, back."""
    call.requesters.set_reviewing(call.requester_id, call.given["HITId"], not call.given.get("Revert", False))
    return {}


def update_hit_type_of_hit(call: Call) -> Answer:
    """UpdateHITTypeOfHIT: another type's values for a HIT that no Worker is at."""
    hit_type = call.requesters.get_hit_type(call.requester_id, call.given["HITTypeId"])
    _check_qualifications(call, hit_type)
    call.requesters.change_hit_type(call.requester_id, call.given["HITId"], hit_type.hit_type_id)
    return {}


def delete_hit(call: Call) -> Answer:
    """DeleteHIT: dispose of a HIT that has nothing left to judge."""
    call.requesters.dispose(call.requester_id, call.given["HITId"])
    return {}


def get_account_balance(call: Call) -> Answer:
    """GetAccountBalance: what is available and what is on hold, in dollars."""
    account = call.requesters.account(call.requester_id)
    return {
        "AvailableBalance": wire_dollars(account.available_cents),
        "OnHoldBalance": wire_dollars(account.held_cents),
    }


def update_notification_settings(call: Call) -> Answer:
    """UpdateNotificationSettings: where the events of a HIT type's HITs go, and whether they do."""
    given = call.given.get("Notification")
    notification = _notification(given) if given else None
    if notification and EventType.PING in notification.event_types:
        raise RequestError("InvalidParameterValue", "Ping is an event for SendTestEventNotification only.")
    call.requesters.set_notification(call.requester_id, call.given["HITTypeId"], notification, call.given.get("Active"))
    return {}


def send_test_event_notification(call: Call) -> Answer:
    """SendTestEventNotification: one event, sent at once and not tried again."""
    event = Event(EventType(call.given["TestEventType"]), call.now_ms)
    call.requesters.send_test_event(call.requester_id, _notification(call.given["Notification"]), event)
    return {}


OPERATIONS: Mapping[str, Callable[[Call], Answer]] = {
    "ApproveAssignment": approve_assignment,
    "CreateAdditionalAssignmentsForHIT": create_additional_assignments_for_hit,
    "CreateHIT": create_hit,
    "CreateHITType": create_hit_type,
    "CreateHITWithHITType": create_hit_with_hit_type,
    "DeleteHIT": delete_hit,
    "GetAccountBalance": get_account_balance,
    "GetAssignment": get_assignment,
    "GetFileUploadURL": get_file_upload_url,
    "GetHIT": get_hit,
    "ListAssignmentsForHIT": list_assignments_for_hit,
    "ListHITs": list_hits,
    "ListHITsForQualificationType": list_hits_for_qualification_type,
    "ListReviewableHITs": list_reviewable_hits,
    "RejectAssignment": reject_assignment,
    "SendTestEventNotification": send_test_event_notification,
    "UpdateExpirationForHIT": update_expiration_for_hit,
    "UpdateHITReviewStatus": update_hit_review_status,
    "UpdateHITTypeOfHIT": update_hit_type_of_hit,
    "UpdateNotificationSettings": update_notification_settings,
    **BONUS_OPERATIONS,
    **QUALIFICATION_OPERATIONS,
    **REVIEW_OPERATIONS,
    **WORKER_OPERATIONS,
}
"""Every operation, by MTurk's names."""


def _create_hit(
    call: Call, question: Question, policies: ReviewPolicies, hit_type: HitType, is_new_type: bool
) -> Answer:
    _check_qualifications(call, hit_type)
    offered = call.requesters.create_hit(
        call.requesters.create_hit_type(hit_type) if is_new_type else hit_type,
        question,
        lifetime_s=call.given["LifetimeInSeconds"],
        max_assignments=call.given.get("MaxAssignments", 1),
        annotation=call.given.get("RequesterAnnotation", ""),
        token=call.given.get("UniqueRequestToken"),
        policies=policies,
    )
    return {"HIT": _hit(offered)}


def _hit_type(call: Call) -> HitType:
    given = call.given
    return HitType(
        hit_type_id="",
        requester_id=call.requester_id,
        title=given["Title"],
        description=given["Description"],
        keywords=given.get("Keywords", ""),
        reward_cents=read_cents(call, "Reward"),
        assignment_duration_s=given["AssignmentDurationInSeconds"],
        auto_approval_delay_s=given.get("AutoApprovalDelayInSeconds", DEFAULT_AUTO_APPROVAL_S),
        qualification_requirements=normal_requirements(given.get("QualificationRequirements", ())),
    )


def _check_qualifications(call: Call, hit_type: HitType) -> None:
    call.requesters.qualification_types.check_required(hit_type.qualification_requirements)


def _question(call: Call) -> Question:
    if "HITLayoutId" in call.given:
        layout_id = call.given["HITLayoutId"]
        raise RequestError(
            "HITLayoutDoesNotExist",
            f"HITLayout {layout_id} does not exist. This workplace has no layouts: give the Question itself.",
        )
    if "HITLayoutParameters" in call.given:
        raise RequestError("InvalidParameterValue", "HITLayoutParameters is for a HITLayoutId, of which there is none.")
    if "Question" not in call.given:
        raise RequestError("InvalidParameterValue", "Question is required.")
    return read_question(call.given["Question"])


def _policies(call: Call) -> ReviewPolicies:
    return read_policies(call.given.get("AssignmentReviewPolicy"), call.given.get("HITReviewPolicy"))


def _notification(given: Mapping[str, Any]) -> Notification:
    transport, destination = given["Transport"], given["Destination"]
    if given["Version"] not in NOTIFICATION_VERSIONS:
        raise RequestError("InvalidParameterValue", f"Version must be one of {', '.join(NOTIFICATION_VERSIONS)}.")
    if transport == "Email":
        raise RequestError("InvalidParameterValue", "Transport Email is not offered by this workplace. Use SQS or SNS.")
    if not (_TOPIC_ARN.fullmatch(destination) if transport == "SNS" else _is_queue_url(destination)):
        what = "the ARN of an SNS topic" if transport == "SNS" else "the URL of an SQS queue"
        raise RequestError("InvalidTransportEndpoint", f"Destination must be {what}.")
    return Notification(transport, destination, frozenset(given["EventTypes"]))


def _is_queue_url(destination: str) -> bool:
    try:
        parts = urlsplit(destination)
    except ValueError:
        return False
    has_host = parts.scheme in ("https", "http") and bool(parts.hostname)
    return has_host and not parts.query and bool(_QUEUE_PATH.fullmatch(parts.path))


def _hits(call: Call, listing: str, page: OfferedPage) -> Answer:
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.hits),
        "HITs": [_hit(offered) for offered in page.hits],
    }


def _hit(offered: OfferedHit) -> Answer:
    hit: Hit = offered.hit
    return {
        "HITId": hit.hit_id,
        "HITTypeId": hit.hit_type_id,
        "HITGroupId": hit.hit_group_id,
        "CreationTime": wire_time(hit.created_at_ms),
        "Title": hit.title,
        "Description": hit.description,
        "Question": offered.question_xml,
        "Keywords": hit.keywords or None,
        "HITStatus": hit.status.value,
        "MaxAssignments": hit.max_assignments,
        "Reward": wire_dollars(hit.reward_cents),
        "AutoApprovalDelayInSeconds": hit.auto_approval_delay_s,
        "Expiration": wire_time(hit.expires_at_ms),
        "AssignmentDurationInSeconds": hit.assignment_duration_s,
        "RequesterAnnotation": hit.requester_annotation or None,
        "QualificationRequirements": list(hit.qualification_requirements),
        "HITReviewStatus": "ReviewedAppropriate" if hit.is_reviewed else "NotReviewed",
        "NumberOfAssignmentsPending": hit.pending,
        "NumberOfAssignmentsAvailable": hit.available,
        "NumberOfAssignmentsCompleted": hit.completed,
    }


def _assignment(assignment: Assignment) -> Answer:
    return {
        "AssignmentId": assignment.assignment_id,
        "WorkerId": assignment.worker_id,
        "HITId": assignment.hit_id,
        "AssignmentStatus": assignment.status.value,
        "AutoApprovalTime": wire_time(assignment.auto_approval_at_ms),
        "AcceptTime": wire_time(assignment.accepted_at_ms),
        "SubmitTime": wire_time(assignment.submitted_at_ms),
        "ApprovalTime": wire_time(assignment.approved_at_ms),
        "RejectionTime": wire_time(assignment.rejected_at_ms),
        "Deadline": wire_time(assignment.deadline_ms),
        "Answer": assignment.answer_xml,
        "RequesterFeedback": assignment.requester_feedback,
    }

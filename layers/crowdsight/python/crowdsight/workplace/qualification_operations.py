"""The operations of MTurk's Requester API that are about qualifications."""

from collections.abc import Callable, Mapping
from typing import Any

from crowdsight.workplace.answer_key import read_answer_key
from crowdsight.workplace.calls import Answer, Call, page_size, wire_time
from crowdsight.workplace.documents import read_document
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.qualification_grants import WaitingRequest
from crowdsight.workplace.qualification_types import OfferedType, TypeChanges
from crowdsight.workplace.qualifications import (
    DEFAULT_VALUE,
    Qualification,
    QualificationStatus,
    QualificationTest,
    QualificationType,
    TypeStatus,
)
from crowdsight.workplace.question_form import form_from


def create_qualification_type(call: Call) -> Answer:
    """CreateQualificationType: a type, its name unique among the requester's."""
    given = call.given
    for name in ("Name", "Description"):
        if not given[name].strip():
            raise RequestError("InvalidParameterValue", f"{name} must not be blank.")
    test = _test(given)
    if test and given.get("AutoGranted"):
        raise RequestError("InvalidParameterValue", "AutoGranted cannot be true when there is a Test.")
    kind = QualificationType(
        qualification_type_id="",
        requester_id=call.requester_id,
        name=given["Name"].strip(),
        description=given["Description"],
        keywords=given.get("Keywords", ""),
        status=TypeStatus(given["QualificationTypeStatus"]),
        created_at_ms=call.now_ms,
        retry_delay_s=given.get("RetryDelayInSeconds"),
        test_duration_s=given.get("TestDurationInSeconds"),
        auto_granted=given.get("AutoGranted", False),
        auto_granted_value=given.get("AutoGrantedValue", DEFAULT_VALUE),
    )
    return {"QualificationType": _type(call.requesters.qualification_types.create(kind, test))}


def get_qualification_type(call: Call) -> Answer:
    """GetQualificationType: anybody's type; its test and answer key only for its owner."""
    offered = call.requesters.qualification_types.get(call.requester_id, call.given["QualificationTypeId"])
    return {"QualificationType": _type(offered)}


def update_qualification_type(call: Call) -> Answer:
    """UpdateQualificationType: all but name and keywords can be another."""
    given = call.given
    changes = TypeChanges(
        description=given.get("Description"),
        status=TypeStatus(given["QualificationTypeStatus"]) if "QualificationTypeStatus" in given else None,
        retry_delay_s=given.get("RetryDelayInSeconds"),
        auto_granted=given.get("AutoGranted"),
        auto_granted_value=given.get("AutoGrantedValue"),
        test=_test(given),
        test_duration_s=given.get("TestDurationInSeconds"),
    )
    if changes.description is not None and not changes.description.strip():
        raise RequestError("InvalidParameterValue", "Description must not be blank.")
    types = call.requesters.qualification_types
    return {"QualificationType": _type(types.update(call.requester_id, given["QualificationTypeId"], changes))}


def delete_qualification_type(call: Call) -> Answer:
    """DeleteQualificationType: no more HITs of it, no more requests for it."""
    call.requesters.qualification_types.delete(call.requester_id, call.given["QualificationTypeId"])
    return {}


def list_qualification_types(call: Call) -> Answer:
    """ListQualificationTypes: the workplace's types, then requesters' by time of creation."""
    given = call.given
    query, requestable, own = (
        given.get("Query", ""),
        given["MustBeRequestable"],
        given.get("MustBeOwnedByCaller", False),
    )
    listing = f"qualification types {requestable} {own} {query}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    page = call.requesters.qualification_types.search(
        call.requester_id, query, requestable, own, page_size(call), start
    )
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.types),
        "QualificationTypes": [_type(offered) for offered in page.types],
    }


def associate_qualification_with_worker(call: Call) -> Answer:
    """AssociateQualificationWithWorker: give it, or give it another value."""
    call.requesters.qualification_grants.give(
        call.requester_id,
        call.given["QualificationTypeId"],
        call.given["WorkerId"],
        call.given.get("IntegerValue", DEFAULT_VALUE),
        call.given.get("SendNotification", True),
    )
    return {}


def disassociate_qualification_from_worker(call: Call) -> Answer:
    """DisassociateQualificationFromWorker: revoke it."""
    call.requesters.qualification_grants.take_back(
        call.requester_id, call.given["QualificationTypeId"], call.given["WorkerId"], call.given.get("Reason")
    )
    return {}


def get_qualification_score(call: Call) -> Answer:
    """GetQualificationScore: a Worker's qualification, unless it is revoked."""
    qualification = call.requesters.qualification_grants.get(
        call.requester_id, call.given["QualificationTypeId"], call.given["WorkerId"]
    )
    return {"Qualification": _qualification(qualification)}


def list_workers_with_qualification_type(call: Call) -> Answer:
    """ListWorkersWithQualificationType: who holds it, or of whom it was revoked."""
    type_id = call.given["QualificationTypeId"]
    status = QualificationStatus(call.given.get("Status", "Granted"))
    listing = f"qualified {type_id} {status}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    page = call.requesters.qualification_grants.list_holders(call.requester_id, type_id, status, page_size(call), start)
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.qualifications),
        "Qualifications": [_qualification(qualification) for qualification in page.qualifications],
    }


def list_qualification_requests(call: Call) -> Answer:
    """ListQualificationRequests: those that wait for a decision."""
    type_id = call.given.get("QualificationTypeId")
    listing = f"qualification requests {type_id}"
    start = call.next_tokens.take(listing, call.given.get("NextToken"))
    grants = call.requesters.qualification_grants
    page = grants.list_requests(call.requester_id, type_id, page_size(call), start)
    return {
        "NextToken": call.next_tokens.give(listing, page.next_start),
        "NumResults": len(page.requests),
        "QualificationRequests": [_request(waiting) for waiting in page.requests],
    }


def accept_qualification_request(call: Call) -> Answer:
    """AcceptQualificationRequest: grant what a Worker asked for."""
    call.requesters.qualification_grants.accept_request(
        call.requester_id, call.given["QualificationRequestId"], call.given.get("IntegerValue", DEFAULT_VALUE)
    )
    return {}


def reject_qualification_request(call: Call) -> Answer:
    """RejectQualificationRequest: do not grant it."""
    call.requesters.qualification_grants.reject_request(
        call.requester_id, call.given["QualificationRequestId"], call.given.get("Reason")
    )
    return {}


QUALIFICATION_OPERATIONS: Mapping[str, Callable[[Call], Answer]] = {
    "AcceptQualificationRequest": accept_qualification_request,
    "AssociateQualificationWithWorker": associate_qualification_with_worker,
    "CreateQualificationType": create_qualification_type,
    "DeleteQualificationType": delete_qualification_type,
    "DisassociateQualificationFromWorker": disassociate_qualification_from_worker,
    "GetQualificationScore": get_qualification_score,
    "GetQualificationType": get_qualification_type,
    "ListQualificationRequests": list_qualification_requests,
    "ListQualificationTypes": list_qualification_types,
    "ListWorkersWithQualificationType": list_workers_with_qualification_type,
    "RejectQualificationRequest": reject_qualification_request,
    "UpdateQualificationType": update_qualification_type,
}
"""By MTurk's names."""


def _test(given: Mapping[str, Any]) -> QualificationTest | None:
    if "Test" not in given:
        for name in ("AnswerKey", "TestDurationInSeconds"):
            if name in given:
                raise RequestError("InvalidParameterValue", f"{name} can only be given with a Test.")
        return None
    if "TestDurationInSeconds" not in given:
        raise RequestError("InvalidParameterValue", "TestDurationInSeconds must be given with a Test.")
    form_from(read_document(given["Test"], "Test"))
    if "AnswerKey" in given:
        read_answer_key(given["AnswerKey"])
    return QualificationTest(given["Test"], given.get("AnswerKey"))


def _type(offered: OfferedType) -> Answer:
    kind, test = offered.kind, offered.test
    return {
        "QualificationTypeId": kind.qualification_type_id,
        "CreationTime": None if kind.is_system else wire_time(kind.created_at_ms),
        "Name": kind.name,
        "Description": kind.description,
        "Keywords": kind.keywords or None,
        "QualificationTypeStatus": kind.status.value,
        "Test": test.test_xml if test else None,
        "TestDurationInSeconds": kind.test_duration_s,
        "AnswerKey": test.answer_key_xml if test else None,
        "RetryDelayInSeconds": kind.retry_delay_s,
        "IsRequestable": kind.is_requestable,
        "AutoGranted": kind.auto_granted,
        "AutoGrantedValue": kind.auto_granted_value if kind.auto_granted else None,
    }


def _qualification(qualification: Qualification) -> Answer:
    return {
        "QualificationTypeId": qualification.qualification_type_id,
        "WorkerId": qualification.worker_id,
        "GrantTime": wire_time(qualification.granted_at_ms),
        "IntegerValue": qualification.value,
        "Status": qualification.status.value,
    }


def _request(waiting: WaitingRequest) -> Answer:
    request = waiting.request
    return {
        "QualificationRequestId": request.request_id,
        "QualificationTypeId": request.qualification_type_id,
        "WorkerId": request.worker_id,
        "Test": waiting.test_xml,
        "Answer": request.answer_xml,
        "SubmitTime": wire_time(request.submitted_at_ms),
    }

"""Qualifications, as the requesters who own their types give them, take them back and decide on requests for them."""

from dataclasses import dataclass, replace

from crowdsight.dynamodb import Step, TransactionFailed
from crowdsight.workplace import qualification_records as lie
from crowdsight.workplace import records
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.messages import Message, Messages
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.qualification_types import QualificationTypes
from crowdsight.workplace.qualifications import (
    Qualification,
    QualificationRequest,
    QualificationStatus,
    QualificationType,
    RequestStatus,
)


@dataclass(frozen=True)
class QualificationPage:
    """Some qualifications, and where to go on (None at the end)."""

    qualifications: list[Qualification]
    next_start: str | None


@dataclass(frozen=True)
class WaitingRequest:
    """A request that waits for a decision, with the test that it answers, if there was one."""

    request: QualificationRequest
    test_xml: str | None


@dataclass(frozen=True)
class RequestPage:
    """Some requests that wait, and where to go on (None at the end)."""

    requests: list[WaitingRequest]
    next_start: str | None


class QualificationGrants:
    """Every operation is on behalf of the type's owner and raises RequestError when it cannot be done."""

    def __init__(
        self, store: QualificationStore, types: QualificationTypes, messages: Messages, max_page_bytes: int
    ) -> None:
        self._store = store
        self._types = types
        self._messages = messages
        self._max_page_bytes = max_page_bytes

    def give(
        self, requester_id: str, qualification_type_id: str, worker_id: str, value: int, send_message: bool
    ) -> Qualification:
        """Let the Worker hold a qualification of this value, whatever they held before; a request is not affected.

        Raises as `QualificationTypes.get_own`, and RequestError WorkerDoesNotExist.
        """

        def decide() -> tuple[Qualification, list[Step]]:
            kind = self._types.get_own(requester_id, qualification_type_id)
            held = self._store.find_qualification(qualification_type_id, worker_id)
            granted, steps = self._store.grant(kind, worker_id, value, held)
            pk = records.worker_pk(worker_id)
            steps.append(self._store.table.check_step("worker", pk, "worker", "attribute_exists(pk)"))
            if send_message:
                subject = f"You have the qualification {kind.name}"
                text = f"A requester gave you the qualification {kind.name}. Its value is {value}."
                steps += self._message(requester_id, worker_id, subject, text)
            return granted, steps

        try:
            return self._store.write(decide)
        except TransactionFailed as error:
            raise RequestError("WorkerDoesNotExist", f"Worker {worker_id} does not exist.") from error

    def take_back(self, requester_id: str, qualification_type_id: str, worker_id: str, reason: str | None) -> None:
        """Revoke what the Worker holds; `reason` is for them to read.

        Raises as `QualificationTypes.get_own`, and RequestError QualificationDoesNotExist, InvalidQualificationState.
        """

        def decide() -> tuple[None, list[Step]]:
            kind = self._types.get_own(requester_id, qualification_type_id)
            held = self._held(kind, worker_id)
            text = f"A requester revoked your qualification {kind.name}."
            if reason:
                text += f" The reason given: {reason}"
            subject = f"Your qualification {kind.name} was revoked"
            return None, [*self._store.revoke(held, reason), *self._message(requester_id, worker_id, subject, text)]

        self._store.write(decide)

    def get(self, requester_id: str, qualification_type_id: str, worker_id: str) -> Qualification:
        """What the Worker holds. Raises as `take_back`."""
        return self._held(self._types.get_own(requester_id, qualification_type_id), worker_id)

    def list_holders(
        self,
        requester_id: str,
        qualification_type_id: str,
        status: QualificationStatus,
        limit: int,
        start: str | None = None,
    ) -> QualificationPage:
        """Who holds the type, or of whom it was revoked, by Worker id. Raises as `QualificationTypes.get_own`."""
        self._types.get_own(requester_id, qualification_type_id)
        pk, prefix = lie.type_pk(qualification_type_id), lie.holders_prefix(status)
        key = {"pk": pk, "sk": f"{prefix}{start}"} if start else None
        page = self._store.table.query(pk, prefix, limit=limit, start_key=key)
        next_start = page.next_key["sk"].removeprefix(prefix) if page.next_key else None
        return QualificationPage([lie.qualification_from_item(item) for item in page.items], next_start)

    def list_requests(
        self, requester_id: str, qualification_type_id: str | None, limit: int, start: str | None = None
    ) -> RequestPage:
        """Requests that wait, of one type or of all the requester's, by type and then by time of submission.

        Raises as `QualificationTypes.get_own` if a type is given.
        """
        if qualification_type_id:
            self._types.get_own(requester_id, qualification_type_id)
        pk, prefix = records.requester_pk(requester_id), lie.waiting_prefix(qualification_type_id)
        key = {"pk": pk, "sk": f"{prefix}{start}"} if start else None
        page = self._store.table.query(pk, prefix, limit=limit, start_key=key)
        found: list[WaitingRequest] = []
        size_bytes = 0
        for item in page.items:
            waiting = self._waiting(lie.request_from_item(item))
            size_bytes += len(((waiting.request.answer_xml or "") + (waiting.test_xml or "")).encode())
            if found and size_bytes > self._max_page_bytes:
                return RequestPage(found, lie.waiting_sk(found[-1].request).removeprefix(prefix))
            found.append(waiting)
        return RequestPage(found, page.next_key["sk"].removeprefix(prefix) if page.next_key else None)

    def accept_request(self, requester_id: str, request_id: str, value: int) -> None:
        """Grant what was asked for, with this value.

        Raises RequestError QualificationRequestDoesNotExist, InvalidQualificationRequestState.
        """

        def decide() -> tuple[None, list[Step]]:
            before = self._submitted(requester_id, request_id)
            kind = self._types.get_own(requester_id, before.qualification_type_id)
            held = self._store.find_qualification(before.qualification_type_id, before.worker_id)
            _, steps = self._store.grant(kind, before.worker_id, value, held)
            after = replace(before, status=RequestStatus.GRANTED)
            subject = f"You have the qualification {kind.name}"
            text = f"Your request for the qualification {kind.name} was granted. Its value is {value}."
            steps += self._store.put_request(after, before)
            return None, steps + self._message(requester_id, before.worker_id, subject, text)

        self._store.write(decide)

    def reject_request(self, requester_id: str, request_id: str, reason: str | None) -> None:
        """Do not grant it; `reason` is for the Worker to read.

        Raises RequestError QualificationRequestDoesNotExist, InvalidQualificationRequestState.
        """

        def decide() -> tuple[None, list[Step]]:
            before = self._submitted(requester_id, request_id)
            after = replace(before, status=RequestStatus.REJECTED, reason=reason)
            text = f"Your request for the qualification {before.type_name} was rejected."
            if reason:
                text += f" The reason given: {reason}"
            subject = f"Your request for {before.type_name} was rejected"
            steps = self._store.put_request(after, before)
            return None, steps + self._message(requester_id, before.worker_id, subject, text)

        self._store.write(decide)

    def _held(self, kind: QualificationType, worker_id: str) -> Qualification:
        held = self._store.find_qualification(kind.qualification_type_id, worker_id)
        if held is None:
            raise RequestError(
                "QualificationDoesNotExist",
                f"Worker {worker_id} has no qualification of the type {kind.qualification_type_id}.",
            )
        if held.status is not QualificationStatus.GRANTED:
            raise RequestError("InvalidQualificationState", "This operation can be called with a status of: Granted")
        return held

    def _waiting(self, request: QualificationRequest) -> WaitingRequest:
        if request.test_version is None:
            return WaitingRequest(request, None)
        test = self._store.read_test(request.qualification_type_id, request.test_version)
        return WaitingRequest(request, test.test_xml)

    def _submitted(self, requester_id: str, request_id: str) -> QualificationRequest:
        request = self._store.find_request(request_id)
        if request is None or request.requester_id != requester_id or request.submitted_at_ms is None:
            raise RequestError("QualificationRequestDoesNotExist", f"QualificationRequest {request_id} does not exist.")
        if request.status is not RequestStatus.SUBMITTED:
            raise RequestError(
                "InvalidQualificationRequestState", "This operation can be called with a status of: Submitted"
            )
        return request

    def _message(self, requester_id: str, worker_id: str, subject: str, text: str) -> list[Step]:
        message = Message(self._store.new_id(), worker_id, requester_id, subject, text, self._store.clock())
        return list(self._messages.steps_to_worker(message))

"""How qualifications lie in the workplace's table; `records` has the list of its keys."""

import dataclasses
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from crowdsight.dynamodb import Item
from crowdsight.workplace import records
from crowdsight.workplace.qualifications import (
    Qualification,
    QualificationRequest,
    QualificationStatus,
    QualificationTest,
    QualificationType,
    RequestStatus,
    TypeStatus,
)
from crowdsight.workplace.requirements import Standing
from crowdsight.workplace.workers import Worker

ALL_TYPES = "qualtypes"
"""The `open` index's key for types that are not disposed."""

_QUALIFICATION, _REQUEST = f"{records.STANDING}#qualification#", f"{records.STANDING}#request#"


def type_pk(qualification_type_id: str) -> str:
    """Of a qualification type, its tests and who holds it."""
    return f"qualtype#{qualification_type_id}"


def types_of_pk(requester_id: str) -> str:
    """In the `requester` index, of a requester's types that are not disposed."""
    return f"{ALL_TYPES}#{requester_id}"


def type_start(kind: QualificationType) -> str:
    """Where a list of types goes on after this one."""
    return records.time_key(kind.created_at_ms, kind.qualification_type_id)


def type_name_sk(name: str) -> str:
    """Under a requester: that one of their types has this name."""
    return f"qualname#{name}"


def test_sk(version: int) -> str:
    """Under a type: one of its tests."""
    return f"test#{version:08d}"


def holders_prefix(status: QualificationStatus) -> str:
    """How the sort keys of those who hold or held a type begin."""
    return f"{status.value}#"


def qualification_sk(qualification_type_id: str) -> str:
    """Under a Worker: what they hold of a type."""
    return f"{_QUALIFICATION}{qualification_type_id}"


def request_sk(qualification_type_id: str) -> str:
    """Under a Worker: their latest request for a type."""
    return f"{_REQUEST}{qualification_type_id}"


def request_pk(request_id: str) -> str:
    """Of the item that says whose request it is."""
    return f"qualrequest#{request_id}"


def waiting_prefix(qualification_type_id: str | None = None) -> str:
    """How the sort keys of a requester's requests that wait begin, of one type or of all."""
    return f"qualrequest#{qualification_type_id}#" if qualification_type_id else "qualrequest#"


def waiting_sk(request: QualificationRequest) -> str:
    """Under a requester: a request that waits for them."""
    submitted = records.time_key(request.submitted_at_ms or 0, request.request_id)
    return waiting_prefix(request.qualification_type_id) + submitted


def type_to_item(kind: QualificationType) -> Item:
    """The type, in the indexes unless it is disposed."""
    item = _without_none(asdict(kind)) | {"pk": type_pk(kind.qualification_type_id), "sk": "qualtype"}
    if kind.status is not TypeStatus.DISPOSED:
        start = type_start(kind)
        item |= {"requester_pk": types_of_pk(kind.requester_id), "requester_sk": start}
        item |= {"open_pk": ALL_TYPES, "open_sk": start}
    return item


def type_from_item(item: Item) -> QualificationType:
    """The type that `type_to_item` wrote."""
    values = _fields(QualificationType, item)
    return QualificationType(**values | {"status": TypeStatus(values["status"])})


def test_to_item(qualification_type_id: str, version: int, test: QualificationTest) -> Item:
    """The test, under its type and version."""
    return _without_none(asdict(test)) | {"pk": type_pk(qualification_type_id), "sk": test_sk(version)}


def test_from_item(item: Item) -> QualificationTest:
    """The test that `test_to_item` wrote."""
    return QualificationTest(item["test_xml"], item.get("answer_key_xml"))


def qualification_to_item(qualification: Qualification) -> Item:
    """The qualification, as it lies with its Worker."""
    sk = qualification_sk(qualification.qualification_type_id)
    return _without_none(asdict(qualification)) | {"pk": records.worker_pk(qualification.worker_id), "sk": sk}


def holder_to_item(qualification: Qualification) -> Item:
    """The qualification, as it lies with its type."""
    sk = holders_prefix(qualification.status) + qualification.worker_id
    return _without_none(asdict(qualification)) | {"pk": type_pk(qualification.qualification_type_id), "sk": sk}


def qualification_from_item(item: Item) -> Qualification:
    """The qualification that either of the two wrote."""
    values = _fields(Qualification, item)
    return Qualification(**values | {"status": QualificationStatus(values["status"])})


def request_to_item(request: QualificationRequest) -> Item:
    """The request without its answers, as it lies with its Worker."""
    keys = {"pk": records.worker_pk(request.worker_id), "sk": request_sk(request.qualification_type_id)}
    return _without_none(asdict(request) | {"answer_xml": None}) | keys


def waiting_to_item(request: QualificationRequest) -> Item:
    """The request with its answers, as it waits with its requester."""
    return _without_none(asdict(request)) | {
        "pk": records.requester_pk(request.requester_id),
        "sk": waiting_sk(request),
    }


def request_from_item(item: Item) -> QualificationRequest:
    """The request that either of the two wrote."""
    values = _fields(QualificationRequest, item)
    return QualificationRequest(**values | {"status": RequestStatus(values["status"])})


def pointer_to_item(request: QualificationRequest) -> Item:
    """Whose request it is, to be found by its id alone."""
    whose = {"worker_id": request.worker_id, "qualification_type_id": request.qualification_type_id}
    return whose | {"pk": request_pk(request.request_id), "sk": "request"}


def standing_from_items(items: Iterable[Item]) -> Standing | None:
    """A Worker's standing, out of all items under them whose keys begin with `records.STANDING`; None without one."""
    worker: Worker | None = None
    qualifications: dict[str, Qualification] = {}
    requests: dict[str, QualificationRequest] = {}
    blocked_by: set[str] = set()
    for item in items:
        if item["sk"] == "worker":
            worker = records.worker_from_item(item)
        elif item["sk"].startswith(_QUALIFICATION):
            qualifications[item["qualification_type_id"]] = qualification_from_item(item)
        elif item["sk"].startswith(_REQUEST):
            requests[item["qualification_type_id"]] = request_from_item(item)
        elif item["sk"].startswith(records.BLOCKED_BY):
            blocked_by.add(item["sk"].removeprefix(records.BLOCKED_BY))
    return Standing(worker, qualifications, requests, frozenset(blocked_by)) if worker else None


def _fields(kind: type[Any], item: Item) -> dict[str, Any]:
    return {field.name: item[field.name] for field in dataclasses.fields(kind) if field.name in item}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""How the workplace's things lie in its table.

    pk                 sk                            what                               indexes
    hit#<id>           hit                           a HIT                              due, requester, open
    hit#<id>           question                      its question
    hit#<id>           assignment#<accepted>#<id>    an assignment, answer and all
    hit#<id>           worker#<worker>               a Worker has or did this HIT; makes that happen once
    assignment#<id>    assignment                    where the assignment lies
    hittype#<id>       hittype                       a HIT type
    hittype#<id>       notification                  where its events go
    requester#<id>     account                       balances
    requester#<id>     ledger#<key>                  a change of the balances
    requester#<id>     token#<operation>#<token>     what a UniqueRequestToken made; expires (ttl_s)
    worker#<id>        worker                        a Worker, with counts and earnings
    worker#<id>        assignment#<accepted>#<id>    the assignment as the Worker's lists show it
    worker#<id>        pay#<assignment>              what the Worker was paid for it; written once
    event#<id>         event                         a notification to be sent               due
    requesters         <id>                          every requester there is
    workers            <id>                          every Worker there is

Index `due`: `hit` or `event`, by the moment in ms. Index `requester`: `requester#<id>`, or `disposed#<id>` for disposed
HITs, by time of creation. Index `open`: `assignable`, `Reviewable#<requester>` or `Reviewing#<requester>`, by time of
creation; HITs in other states are not in it. Times in keys are milliseconds in 15 digits, so that they sort.
"""

from dataclasses import asdict
from typing import Any

from crowdsight.dynamodb import Item
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.events import Delivery, Notification
from crowdsight.workplace.hits import Hit, HitStatus, HitType
from crowdsight.workplace.ledger import Account, LedgerEntry
from crowdsight.workplace.questions import Question, QuestionKind
from crowdsight.workplace.workers import Worker

ASSIGNABLE = "assignable"
_KEYS = frozenset(("pk", "sk", "ttl_s", "due_pk", "due_sk", "requester_pk", "requester_sk", "open_pk", "open_sk"))


def hit_pk(hit_id: str) -> str:
    return f"hit#{hit_id}"


def requester_pk(requester_id: str) -> str:
    return f"requester#{requester_id}"


def disposed_pk(requester_id: str) -> str:
    return f"disposed#{requester_id}"


def worker_pk(worker_id: str) -> str:
    return f"worker#{worker_id}"


def time_key(at_ms: int, name: str) -> str:
    return f"{at_ms:015d}#{name}"


def assignment_sk(assignment: Assignment) -> str:
    return f"assignment#{time_key(assignment.accepted_at_ms, assignment.assignment_id)}"


def under_review_pk(requester_id: str, status: HitStatus) -> str:
    """The `open` index's key for a requester's Reviewable or Reviewing HITs."""
    return f"{status.value}#{requester_id}"


def hit_to_item(hit: Hit) -> Item:
    created = time_key(hit.created_at_ms, hit.hit_id)
    disposed = hit.status is HitStatus.DISPOSED
    keys: Item = {
        "pk": hit_pk(hit.hit_id),
        "sk": "hit",
        "requester_pk": disposed_pk(hit.requester_id) if disposed else requester_pk(hit.requester_id),
        "requester_sk": created,
    }
    if hit.next_due_at_ms is not None:
        keys |= {"due_pk": "hit", "due_sk": hit.next_due_at_ms}
    if hit.status is HitStatus.ASSIGNABLE:
        keys |= {"open_pk": ASSIGNABLE, "open_sk": created}
    elif hit.status in (HitStatus.REVIEWABLE, HitStatus.REVIEWING):
        keys |= {"open_pk": under_review_pk(hit.requester_id, hit.status), "open_sk": created}
    values = _without_none(asdict(hit))
    return values | keys | {"qualification_requirements": list(hit.qualification_requirements)}


def hit_from_item(item: Item) -> Hit:
    values = _values(item)
    values["status"] = HitStatus(values["status"])
    values["qualification_requirements"] = tuple(values["qualification_requirements"])
    return Hit(**values)


def hit_type_to_item(hit_type: HitType) -> Item:
    keys = {"pk": f"hittype#{hit_type.hit_type_id}", "sk": "hittype"}
    return asdict(hit_type) | keys | {"qualification_requirements": list(hit_type.qualification_requirements)}


def hit_type_from_item(item: Item) -> HitType:
    values = _values(item)
    values["qualification_requirements"] = tuple(values["qualification_requirements"])
    return HitType(**values)


def question_to_item(hit_id: str, question: Question) -> Item:
    # Content is read out of the XML again, so that a large question is stored once.
    return {
        "pk": hit_pk(hit_id),
        "sk": "question",
        "kind": question.kind.value,
        "xml": question.xml,
        "frame_height_px": question.frame_height_px,
    }


def question_kind(item: Item) -> QuestionKind:
    return QuestionKind(item["kind"])


def assignment_to_item(assignment: Assignment) -> Item:
    keys = {"pk": hit_pk(assignment.hit_id), "sk": assignment_sk(assignment)}
    return _without_none(asdict(assignment)) | keys


def assignment_to_worker_item(assignment: Assignment) -> Item:
    keys = {"pk": worker_pk(assignment.worker_id), "sk": assignment_sk(assignment)}
    return _without_none(asdict(assignment) | {"answer_xml": None}) | keys


def assignment_from_item(item: Item) -> Assignment:
    values = _values(item)
    values["status"] = AssignmentStatus(values["status"])
    return Assignment(**values)


def account_from_item(requester_id: str, item: Item | None) -> Account:
    return Account(**_values(item)) if item else Account(requester_id)


def entry_to_item(entry: LedgerEntry) -> Item:
    keys = {"pk": requester_pk(entry.requester_id), "sk": f"ledger#{entry.key}"}
    return _without_none(asdict(entry)) | keys


def entry_from_item(item: Item) -> LedgerEntry:
    return LedgerEntry(**_values(item))


def pay_to_item(entry: LedgerEntry) -> Item:
    """A `pay` entry as it lies with the Worker."""
    return {
        "pk": worker_pk(str(entry.worker_id)),
        "sk": f"pay#{entry.assignment_id}",
        "cents": entry.reward_cents,
        "at_ms": entry.at_ms,
        "hit_id": entry.hit_id,
    }


def worker_to_item(worker: Worker) -> Item:
    return asdict(worker) | {"pk": worker_pk(worker.worker_id), "sk": "worker"}


def worker_from_item(item: Item) -> Worker:
    return Worker(**_values(item))


def notification_to_item(hit_type_id: str, notification: Notification) -> Item:
    return {
        "pk": f"hittype#{hit_type_id}",
        "sk": "notification",
        "transport": notification.transport,
        "destination": notification.destination,
        "event_types": sorted(notification.event_types),
        "active": notification.active,
    }


def notification_from_item(item: Item) -> Notification:
    values = _values(item)
    return Notification(**values | {"event_types": frozenset(values["event_types"])})


def delivery_to_item(delivery: Delivery, due_at_ms: int) -> Item:
    keys = {"pk": f"event#{delivery.event_doc_id}", "sk": "event", "due_pk": "event", "due_sk": due_at_ms}
    return asdict(delivery) | keys


def delivery_from_item(item: Item) -> Delivery:
    return Delivery(**_values(item))


def _values(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _KEYS}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

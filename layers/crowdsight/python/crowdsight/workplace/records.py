"""How the workplace's things lie in its table.

    pk                 sk                            what                               indexes
    hit#<id>           hit                           a HIT                              due, requester, open
    hit#<id>           question                      its question
    hit#<id>           policies                      its review policies, if any
    hit#<id>           review#<level>#<time>#<id>    what a review policy found about it or an assignment, and did
    hit#<id>           review#<level>#<time>#<id>#<part>  more of what it found, if that is much
    hit#<id>           assignment#<accepted>#<id>    an assignment, answer and all
    hit#<id>           bonus#<assignment>#<time>#<id>  a bonus for an assignment
    hit#<id>           worker#<worker>               how often a Worker took this HIT, and which assignment they have or
                                                     did; makes that they have it once at a time, and do it once
    assignment#<id>    assignment                    where the assignment lies
    hittype#<id>       hittype                       a HIT type
    hittype#<id>       notification                  where its events go
    requester#<id>     account                       balances
    requester#<id>     ledger#<key>                  a change of the balances
    requester#<id>     qualname#<name>               which of their qualification types has this name
    requester#<id>     qualrequest#<type>#<submitted>#<id>  a qualification request that waits, answers and all
    requester#<id>     token#<operation>#<token>     what a UniqueRequestToken made; expires (ttl_s)
    worker#<id>        worker                        a Worker, with counts and earnings
    worker#<id>        worker#qualification#<type>   what the Worker holds or held of a qualification type
    worker#<id>        worker#request#<type>         the Worker's latest request for it
    worker#<id>        worker#hand#<assignment>      an assignment that the Worker has accepted and not handed in
    worker#<id>        worker#seen#<group>           that nothing in a group is left for the Worker; expires (ttl_s)
    worker#<id>        worker#month#<month>          what the Worker was paid on each day of a month (UTC)
    requester#<id>     payroll#<date>#<worker>       what the requester paid a Worker on a day (UTC)
    worker#<id>        assignment#<accepted>#<id>    the assignment as the Worker's lists show it
    worker#<id>        earning#<time>#<key>          an entry of the Worker's statement; written once
    worker#<id>        adjustment#<reference>        the same of an adjustment; makes that there is one a reference
    worker#<id>        worker#inbox                  how many messages the Worker has not seen
    worker#<id>        message#<time>#<id>           a message to the Worker
    worker#<id>        messagekey#<key>              that the message of this key was sent
    worker#<id>        worker#block#<requester>      the requester blocks the Worker
    requester#<id>     block#<worker>                the same, with its reason
    requester#<id>     worker#<worker>               how much of a Worker's work waits, was approved or rejected
    requester#<id>     message#<time>#<id>           a message to the requester
    staff#<id>         staff                         one of a requester's staff
    email#<address>    person                        who signs in by this e-mail address
    identity#<hash>    person                        who signs in as this subject of an OpenID provider
    link#<id>          link                          a link sent by e-mail was used; expires (ttl_s)
    rate#<what>#<who>  <window>                      how often somebody did something; expires (ttl_s)
    qualtype#<id>      qualtype                      a qualification type                requester, open
    qualtype#<id>      test#<version>                a test that it has or had
    qualtype#<id>      Granted#<worker>              what a Worker holds of it
    qualtype#<id>      Revoked#<worker>              what a Worker held of it
    qualrequest#<id>   request                       whose qualification request it is
    group#<id>         group                         a HIT group with the count of its open HITs     open
    event#<id>         event                         a notification to be sent               due
    requesters         <id>                          every requester there is
    workers            <id>                          every Worker there is

Index `due`: `hit` or `event`, by the moment in ms. Index `requester`: `requester#<id>`, or `disposed#<id>` for disposed
HITs, by time of creation. Index `open`: `groups`, by when a HIT of theirs was opened last; `group#<id>` for HITs that
can be taken, by their place on the group's ring; `Reviewable#<requester>` or `Reviewing#<requester>`, by time of
creation; HITs in other states are not in it. Qualification types that are not disposed are in both, under
`qualtypes#<requester>` and `qualtypes`, by time of creation. Times in keys are milliseconds in 15 digits, so that
they sort.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeGuard

from crowdsight.dynamodb import Item
from crowdsight.workplace.assignments import MAX_TAKES, Assignment, AssignmentStatus
from crowdsight.workplace.events import Delivery, Notification
from crowdsight.workplace.groups import group_pk, ring_key
from crowdsight.workplace.hits import Hit, HitStatus, HitType
from crowdsight.workplace.ledger import Account, Earning, LedgerEntry, PayDay
from crowdsight.workplace.review_policies import ReviewPolicies, read_policies
from crowdsight.workplace.reviews import Action, Result, Review, ReviewLevel
from crowdsight.workplace.sessions import Person, Role
from crowdsight.workplace.workers import Staff, Worker

ASSIGNMENTS, LEDGER, MESSAGES = "assignment#", "ledger#", "message#"
EARNINGS, ADJUSTMENTS, PAYROLL = "earning#", "adjustment#", "payroll#"
"""How the sort keys of assignments, of a requester's ledger, of messages and of a Worker's statement begin."""

BONUSES, REVIEWS = "bonus#", "review#"
RESULTS_IN_AN_ITEM = 100
"""Of a review: each takes at most some 1,200 bytes besides its question's id, and an item has room for 400 KB."""

"""How the sort keys of a HIT's bonuses and reviews begin."""

BLOCKS, BLOCKED_BY = "block#", "worker#block#"
"""How the sort keys of a requester's blocks, and of those of a Worker, begin."""

STANDING = "worker"
"""How the sort keys of all begin that decides what a Worker may do: one query finds it."""

INBOX = f"{STANDING}#inbox"
IN_HAND, SEEN, MONTHS = f"{STANDING}#hand#", f"{STANDING}#seen#", f"{STANDING}#month#"

_START = re.compile(r"[0-9]{15}#[0-9A-Z]{1,64}")

_KEYS = frozenset(("pk", "sk", "ttl_s", "due_pk", "due_sk", "requester_pk", "requester_sk", "open_pk", "open_sk"))


def hit_pk(hit_id: str) -> str:
    """Of a HIT, its question, its assignments and who has or did it."""
    return f"hit#{hit_id}"


def hit_id_of(pk: str) -> str:
    """Whose the key is that `hit_pk` made."""
    return pk.partition("#")[2]


def hit_type_pk(hit_type_id: str) -> str:
    """Of a HIT type and its notification."""
    return f"hittype#{hit_type_id}"


def requester_pk(requester_id: str) -> str:
    """Of a requester's account, ledger and tokens; in the `requester` index, of their HITs that are not disposed."""
    return f"requester#{requester_id}"


def disposed_pk(requester_id: str) -> str:
    """In the `requester` index, of a requester's disposed HITs."""
    return f"disposed#{requester_id}"


def worker_pk(worker_id: str) -> str:
    """Of a Worker, their assignments and their statement."""
    return f"worker#{worker_id}"


def holder_sk(worker_id: str) -> str:
    """Under a HIT: which assignment of it this Worker has or did, and how often they took it."""
    return f"worker#{worker_id}"


def pointer_pk(assignment_id: str) -> str:
    """Of the item that says where an assignment lies."""
    return f"assignment#{assignment_id}"


def event_pk(event_doc_id: str) -> str:
    """Of a notification to be sent."""
    return f"event#{event_doc_id}"


def token_sk(use: str) -> str:
    """Under a requester: one use of a UniqueRequestToken."""
    return f"token#{use}"


def time_key(at_ms: int, name: str) -> str:
    """A key that sorts by a time in ms since the epoch, then by name."""
    return f"{at_ms:015d}#{name}"


def is_start(start: str | None) -> TypeGuard[str]:
    """Whether this is a key as `time_key` makes it for an id, so that a list can go on after it."""
    return start is not None and _START.fullmatch(start) is not None


def assignment_start(assignment: Assignment) -> str:
    """Where a list of assignments goes on after this one."""
    return time_key(assignment.accepted_at_ms, assignment.assignment_id)


def assignment_sk(assignment: Assignment) -> str:
    """Of the assignment, under its HIT and under its Worker."""
    return f"{ASSIGNMENTS}{assignment_start(assignment)}"


def under_review_pk(requester_id: str, status: HitStatus) -> str:
    """The `open` index's key for a requester's Reviewable or Reviewing HITs."""
    return f"{status.value}#{requester_id}"


def hit_to_item(hit: Hit) -> Item:
    """The HIT, with the keys of those indexes in which its state puts it."""
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
        keys |= {"open_pk": group_pk(hit.hit_group_id), "open_sk": ring_key(hit.hit_id)}
    elif hit.status in (HitStatus.REVIEWABLE, HitStatus.REVIEWING):
        keys |= {"open_pk": under_review_pk(hit.requester_id, hit.status), "open_sk": created}
    values = _without_none(asdict(hit))
    return values | keys | {"qualification_requirements": list(hit.qualification_requirements)}


def hit_from_item(item: Item) -> Hit:
    """The HIT that `hit_to_item` wrote."""
    values = _values(item)
    values["status"] = HitStatus(values["status"])
    values["qualification_requirements"] = tuple(values["qualification_requirements"])
    return Hit(**values)


def hit_type_to_item(hit_type: HitType) -> Item:
    """The HIT type, under its id."""
    keys = {"pk": hit_type_pk(hit_type.hit_type_id), "sk": "hittype"}
    return asdict(hit_type) | keys | {"qualification_requirements": list(hit_type.qualification_requirements)}


def hit_type_from_item(item: Item) -> HitType:
    """The HIT type that `hit_type_to_item` wrote."""
    values = _values(item)
    values["qualification_requirements"] = tuple(values["qualification_requirements"])
    return HitType(**values)


def question_to_item(hit_id: str, question_xml: str) -> Item:
    """The HIT's question as XML, out of which everything else about it is read again."""
    return {"pk": hit_pk(hit_id), "sk": "question", "xml": question_xml}


def policies_to_item(hit_id: str, policies: ReviewPolicies) -> Item:
    """The HIT's review policies as its requester sent them."""
    return {"pk": hit_pk(hit_id), "sk": "policies"} | dict(policies.members)


def policies_from_item(item: Item) -> ReviewPolicies:
    """The policies that `policies_to_item` wrote."""
    return read_policies(item.get("assignment"), item.get("hit"))


def review_sk(level: ReviewLevel, at_ms: int, subject_id: str) -> str:
    """Of a review, under its HIT."""
    return f"{REVIEWS}{level.lower()}#{time_key(at_ms, subject_id)}"


def review_to_items(hit_id: str, review: Review) -> Iterator[Item]:
    """The review, as it lies with its HIT: what was done in the first item, and 100 results in each."""
    pk, sk = hit_pk(hit_id), review_sk(review.level, review.at_ms, review.subject_id)
    for part, first in enumerate(range(0, max(1, len(review.results)), RESULTS_IN_AN_ITEM)):
        lists = {
            "results": [_without_none(asdict(each)) for each in review.results[first : first + RESULTS_IN_AN_ITEM]],
            "actions": [] if part else [_without_none(asdict(action)) for action in review.actions],
        }
        yield asdict(review) | lists | {"pk": pk, "sk": f"{sk}#{part:03d}" if part else sk}


def review_from_item(item: Item) -> Review:
    """As much of the review as `review_to_items` wrote into this item."""
    results = (Result(**values | {"subject_type": ReviewLevel(values["subject_type"])}) for values in item["results"])
    actions = (Action(**values | {"target_type": ReviewLevel(values["target_type"])}) for values in item["actions"])
    return Review(ReviewLevel(item["level"]), item["subject_id"], item["at_ms"], tuple(results), tuple(actions))


def assignment_to_item(assignment: Assignment) -> Item:
    """The assignment, as it lies with its HIT."""
    keys = {"pk": hit_pk(assignment.hit_id), "sk": assignment_sk(assignment)}
    return _without_none(asdict(assignment)) | keys


def assignment_to_worker_item(assignment: Assignment) -> Item:
    """The assignment without its answer, as it lies with its Worker."""
    keys = {"pk": worker_pk(assignment.worker_id), "sk": assignment_sk(assignment)}
    return _without_none(asdict(assignment) | {"answer_xml": None}) | keys


def pointer_to_item(assignment: Assignment) -> Item:
    """Where the assignment lies, to be found by its id alone."""
    keys = {"pk": pointer_pk(assignment.assignment_id), "sk": "assignment"}
    return keys | {"hit_id": assignment.hit_id, "assignment_sk": assignment_sk(assignment)}


def date_of(at_ms: int) -> str:
    """The day (UTC) of a moment, as `2026-11-28`."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d}"


def month_sk(date: str) -> str:
    """Under a Worker: what they were paid in the month of a day."""
    return f"{MONTHS}{date[:7]}"


def day_sums(date: str) -> tuple[str, str]:
    """In a month: the attributes with a day's number of payments and their rewards."""
    return f"paid_{date[8:]}", f"reward_cents_{date[8:]}"


def payroll_sk(date: str, worker_id: str = "") -> str:
    """Under a requester: what a Worker was paid on a day; without a Worker, how the keys of that day begin."""
    return f"{PAYROLL}{date}#{worker_id}"


def day_in_month(month: Item, date: str) -> PayDay:
    """What was paid on a day, out of its month's item."""
    paid, reward_cents = day_sums(date)
    return PayDay(date, month.get(paid, 0), month.get(reward_cents, 0))


def days_in_month(month: Item) -> list[PayDay]:
    """The days of a month's item on which something was paid."""
    numbers = sorted(name.removeprefix("paid_") for name in month if name.startswith("paid_"))
    return [day_in_month(month, f"{month['sk'].removeprefix(MONTHS)}-{number}") for number in numbers]


def hand_sk(assignment_id: str) -> str:
    """Under a Worker: an assignment in hand."""
    return f"{IN_HAND}{assignment_id}"


def seen_sk(group_id: str) -> str:
    """Under a Worker: that nothing in this group is left for them."""
    return f"{SEEN}{group_id}"


def assignment_to_hand_item(assignment: Assignment) -> Item:
    """An accepted assignment, as it lies with its Worker while it is in hand."""
    keys = {"pk": worker_pk(assignment.worker_id), "sk": hand_sk(assignment.assignment_id)}
    return _without_none(asdict(assignment)) | keys


def held_sk(holder: Item | None) -> str | None:
    """Of the assignment that the Worker has or did, by what lies under `holder_sk`; None if there is none."""
    return holder.get("assignment_sk") if holder else None


def is_taken_too_often(holder: Item | None) -> bool:
    """Whether the Worker took the HIT as often as they may, by what lies under `holder_sk`."""
    return holder is not None and holder.get("times", 0) >= MAX_TAKES


def assignment_from_item(item: Item) -> Assignment:
    """The assignment that any of the three wrote."""
    values = _values(item)
    values["status"] = AssignmentStatus(values["status"])
    return Assignment(**values)


def account_from_item(requester_id: str, item: Item | None) -> Account:
    """The requester's balances; nothing anywhere if there is no item."""
    return Account(**_values(item)) if item else Account(requester_id)


def entry_to_item(entry: LedgerEntry) -> Item:
    """The entry, under its key in its requester's ledger."""
    keys = {"pk": requester_pk(entry.requester_id), "sk": f"{LEDGER}{entry.key}"}
    return _without_none(asdict(entry)) | keys


def entry_from_item(item: Item) -> LedgerEntry:
    """The entry that `entry_to_item` wrote."""
    return LedgerEntry(**_values(item))


def earning_to_item(earning: Earning) -> Item:
    """The entry, by its time in its Worker's statement."""
    keys = {"pk": worker_pk(earning.worker_id), "sk": f"{EARNINGS}{time_key(earning.at_ms, earning.key)}"}
    return _without_none(asdict(earning)) | keys


def adjustment_to_item(earning: Earning) -> Item:
    """An adjustment, under its reference."""
    return _without_none(asdict(earning)) | {"pk": worker_pk(earning.worker_id), "sk": adjustment_sk(earning)}


def adjustment_sk(earning: Earning) -> str:
    """Under a Worker: an adjustment with this reference, which its key ends with."""
    return earning.key


def earning_from_item(item: Item) -> Earning:
    """The entry that either of the two wrote."""
    return Earning(**_values(item))


def earnings_between(first_ms: int, end_ms: int) -> tuple[str, str]:
    """The first and last sort keys of entries from one moment on and before another."""
    return f"{EARNINGS}{first_ms:015d}", f"{EARNINGS}{end_ms:015d}"


def block_sk(worker_id: str) -> str:
    """Under a requester: that they block this Worker."""
    return f"{BLOCKS}{worker_id}"


def blocked_by_sk(requester_id: str) -> str:
    """Under a Worker: that this requester blocks them."""
    return f"{BLOCKED_BY}{requester_id}"


def worked_for_sk(worker_id: str) -> str:
    """Under a requester: the counts of this Worker's work for them."""
    return f"worker#{worker_id}"


def bonus_sk(assignment_id: str, granted_at_ms: int, bonus_id: str) -> str:
    """Of a bonus, under its HIT."""
    return f"{BONUSES}{assignment_id}#{time_key(granted_at_ms, bonus_id)}"


def message_sk(sent_at_ms: int, message_id: str) -> str:
    """Of a message, under the Worker or the requester who was written to."""
    return f"{MESSAGES}{time_key(sent_at_ms, message_id)}"


def message_key_sk(key: str) -> str:
    """Under a Worker: that the message of this key was sent."""
    return f"messagekey#{key}"


def worker_to_item(worker: Worker) -> Item:
    """The Worker, under their id."""
    return _without_none(asdict(worker)) | {"pk": worker_pk(worker.worker_id), "sk": "worker"}


def worker_from_item(item: Item) -> Worker:
    """The Worker that `worker_to_item` wrote, as counted up since."""
    return Worker(**_values(item))


def staff_pk(staff_id: str) -> str:
    """Of one of a requester's staff."""
    return f"staff#{staff_id}"


def staff_to_item(staff: Staff) -> Item:
    """One of a requester's staff, under their id."""
    return asdict(staff) | {"pk": staff_pk(staff.worker_id), "sk": "staff"}


def staff_from_item(item: Item) -> Staff:
    """Whom `staff_to_item` wrote."""
    return Staff(**_values(item))


def email_pk(email: str) -> str:
    """Of who signs in by an e-mail address."""
    return f"email#{email}"


def identity_pk(issuer: str, subject: str) -> str:
    """Of who signs in as a subject of an OpenID provider."""
    return f"identity#{hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()}"


def person_to_item(pk: str, person: Person) -> Item:
    """Who signs in by the address or as the subject that `pk` is of."""
    keys = {"pk": pk, "sk": "person", "worker_id": person.worker_id, "name": person.name}
    return keys | {"role": person.role.value, "requester_id": person.requester_id}


def person_from_item(item: Item) -> Person:
    """Whom `person_to_item` wrote."""
    values = _values(item)
    return Person(**values | {"role": Role(values["role"])})


def link_pk(link_id: str) -> str:
    """That a link sent by e-mail was used."""
    return f"link#{link_id}"


def rate_pk(what: str, who: str) -> str:
    """Of how often somebody did something, in windows of time."""
    return f"rate#{what}#{who}"


def notification_to_item(hit_type_id: str, notification: Notification) -> Item:
    """Where the events of a HIT type's HITs go."""
    return {
        "pk": hit_type_pk(hit_type_id),
        "sk": "notification",
        "transport": notification.transport,
        "destination": notification.destination,
        "event_types": sorted(notification.event_types),
        "active": notification.active,
    }


def notification_from_item(item: Item) -> Notification:
    """The notification that `notification_to_item` wrote."""
    values = _values(item)
    return Notification(**values | {"event_types": frozenset(values["event_types"])})


def delivery_to_item(delivery: Delivery, due_at_ms: int) -> Item:
    """A document to be sent, if it is still there by then, at `due_at_ms`."""
    keys = {"pk": event_pk(delivery.event_doc_id), "sk": "event", "due_pk": "event", "due_sk": due_at_ms}
    return asdict(delivery) | keys


def delivery_from_item(item: Item) -> Delivery:
    """The document that `delivery_to_item` wrote."""
    return Delivery(**_values(item))


def _values(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _KEYS}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

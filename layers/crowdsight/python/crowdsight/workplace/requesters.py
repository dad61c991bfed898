"""What requesters do: offer HITs, judge what is handed in, and look at both. Nobody sees another requester's things."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from crowdsight.dynamodb import Item, TransactionFailed
from crowdsight.money import FEE_SURCHARGE_FROM_ASSIGNMENTS, fee_cents
from crowdsight.workplace import lifecycle, records
from crowdsight.workplace.assignments import SEEN_BY_REQUESTERS, Assignment, AssignmentPage, AssignmentStatus
from crowdsight.workplace.blocks import Blocks
from crowdsight.workplace.bonuses import Bonuses
from crowdsight.workplace.events import DeliveryFailed, Event, Notification, event_document
from crowdsight.workplace.faults import RequestError, wrong_assignment_status
from crowdsight.workplace.hits import MS_PER_S, Hit, HitStatus, HitType
from crowdsight.workplace.identifiers import group_id_of, id_of
from crowdsight.workplace.ledger import Account
from crowdsight.workplace.lifecycle import UNDER_REVIEW, Change
from crowdsight.workplace.messages import Messages
from crowdsight.workplace.notices import Notices
from crowdsight.workplace.ownership import Ownership
from crowdsight.workplace.qualification_grants import QualificationGrants
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.qualification_types import QualificationTypes
from crowdsight.workplace.qualifications import canonical_type_id
from crowdsight.workplace.questions import Question
from crowdsight.workplace.review_policies import KNOWN_ANSWERS, NO_POLICIES, PLURALITY, ReviewPolicies
from crowdsight.workplace.review_reports import ReviewReports
from crowdsight.workplace.store import Store
from crowdsight.workplace.tokens import UniqueRequestTokens

MAX_ASSIGNMENTS = 1_000_000_000
OVERRIDE_WITHIN_MS = 30 * 86_400 * MS_PER_S
MAX_PAGE_BYTES = 1_400_000
"""Questions or answers in one page, which is shorter than asked for when they are large.

A Lambda answers with 6 MB, in which a quotation mark, being in JSON that is a string in JSON, is four bytes.
"""

HITS_LOOKED_AT_ONCE = 100
MAX_PAGES_LOOKED_THROUGH = 50
"""A listing that finds nothing in so many pages of a query goes on with the next token."""

NOT_DISPOSED = (HitStatus.ASSIGNABLE, HitStatus.UNASSIGNABLE, HitStatus.REVIEWABLE, HitStatus.REVIEWING)


@dataclass(frozen=True)
class OfferedHit:
    """A HIT with its question's XML, as its requester sees it."""

    hit: Hit
    question_xml: str


@dataclass(frozen=True)
class OfferedPage:
    """Some HITs of a requester, and where to go on (None at the end)."""

    hits: list[OfferedHit]
    next_start: str | None


class Requesters:
    """Every operation is on behalf of one requester and raises RequestError when it cannot be done.

    `blocks`, `bonuses` and `notices` are what they do about Workers, `qualification_types` and `qualification_grants`
    what they do about qualifications; `review_reports` tell what was done for them.
    """

    def __init__(self, store: Store, fee_percent: int, qualifications: QualificationStore, messages: Messages) -> None:
        self._store = store
        self._table = store.table
        self._clock = store.clock
        self._fee_percent = fee_percent
        self._own = Ownership(store)
        self._tokens = UniqueRequestTokens(store.table, store.clock)
        self.blocks = Blocks(store.table, store.clock)
        self.bonuses = Bonuses(store, fee_percent, self._tokens, messages)
        self.notices = Notices(store.table, messages)
        self.review_reports = ReviewReports(store)
        self.qualification_types = QualificationTypes(qualifications, MAX_PAGE_BYTES)
        self.qualification_grants = QualificationGrants(
            qualifications, self.qualification_types, messages, MAX_PAGE_BYTES
        )

    def account(self, requester_id: str) -> Account:
        """The requester's balances, in cents."""
        item = self._table.get(records.requester_pk(requester_id), "account")
        return records.account_from_item(requester_id, item)

    def create_hit_type(self, hit_type: HitType) -> HitType:
        """Keep a HIT type under the id that follows from its values; `hit_type_id` as given is ignored."""
        values = json.dumps(asdict(replace(hit_type, hit_type_id="")), sort_keys=True)
        named = replace(hit_type, hit_type_id=id_of(f"type {values}"))
        self._table.put(records.hit_type_to_item(named))
        return named

    def get_hit_type(self, requester_id: str, hit_type_id: str) -> HitType:
        """Raises RequestError HITTypeDoesNotExist."""
        item = self._table.get(records.hit_type_pk(hit_type_id), "hittype")
        if item is None or item["requester_id"] != requester_id:
            raise RequestError("HITTypeDoesNotExist", f"HITType {hit_type_id} does not exist.")
        return records.hit_type_from_item(item)

    def create_hit(
        self,
        hit_type: HitType,
        question: Question,
        *,
        lifetime_s: int,
        max_assignments: int = 1,
        annotation: str = "",
        token: str | None = None,
        policies: ReviewPolicies = NO_POLICIES,
    ) -> OfferedHit:
        """Offer a HIT and hold the money for it.

        A `token` used within the last 24 hours makes nothing new. Raises RequestError HitAlreadyExists, whose message
        holds the first one's id, and InsufficientFunds.
        """
        now_ms = self._clock()
        hit_id = self._store.new_id()
        hit = Hit(
            hit_id=hit_id,
            hit_type_id=hit_type.hit_type_id,
            hit_group_id=group_id_of(hit_type.hit_type_id),
            requester_id=hit_type.requester_id,
            title=hit_type.title,
            description=hit_type.description,
            keywords=hit_type.keywords,
            reward_cents=hit_type.reward_cents,
            fee_cents=fee_cents(hit_type.reward_cents, self._fee_percent, max_assignments),
            assignment_duration_s=hit_type.assignment_duration_s,
            auto_approval_delay_s=hit_type.auto_approval_delay_s,
            qualification_requirements=hit_type.qualification_requirements,
            requester_annotation=annotation,
            max_assignments=max_assignments,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + lifetime_s * MS_PER_S,
            assignment_policy=KNOWN_ANSWERS if policies.assignment else None,
            hit_policy=PLURALITY if policies.hit else None,
        )
        steps = [self._table.put_step("question", records.question_to_item(hit_id, question.xml))]
        if policies.members:
            steps.append(self._table.put_step("policies", records.policies_to_item(hit_id, policies)))
        change = lifecycle.create(hit)
        if token is None:
            self._store.add_hit(change, steps)
            return OfferedHit(change.after, question.xml)
        self._tokens.refuse_repeated_creation(hit.requester_id, token)
        try:
            self._store.add_hit(change, [*steps, self._tokens.creation(hit.requester_id, token, hit_id)])
        except TransactionFailed:
            self._tokens.refuse_repeated_creation(hit.requester_id, token)
            raise
        return OfferedHit(change.after, question.xml)

    def get_hit(self, requester_id: str, hit_id: str) -> OfferedHit:
        """The HIT at this moment, disposed or not. Raises RequestError HITDoesNotExist."""
        hit = self._own.hit(requester_id, hit_id)
        return OfferedHit(hit, self._store.question_xml(hit_id))

    def list_hits(self, requester_id: str, limit: int, start: str | None = None) -> OfferedPage:
        """The requester's HITs by time of creation, without disposed ones."""
        pk = records.requester_pk(requester_id)
        return self._list("requester", pk, NOT_DISPOSED, lambda hit: True, limit, start)

    def list_hits_requiring(
        self, requester_id: str, qualification_type_id: str, limit: int, start: str | None = None
    ) -> OfferedPage:
        """The requester's HITs that require a qualification of this type, by time of creation, without disposed ones.

        A page may be shorter than `limit`, or empty, and still have a next one. Raises RequestError
        QualificationTypeDoesNotExist.
        """
        self.qualification_types.check_known(qualification_type_id)
        type_id = canonical_type_id(qualification_type_id)

        def requires(hit: Hit) -> bool:
            required = (requirement["QualificationTypeId"] for requirement in hit.qualification_requirements)
            return type_id in map(canonical_type_id, required)

        pk = records.requester_pk(requester_id)
        return self._list("requester", pk, NOT_DISPOSED, requires, limit, start, HITS_LOOKED_AT_ONCE)

    def list_reviewable_hits(
        self, requester_id: str, status: HitStatus, hit_type_id: str | None, limit: int, start: str | None = None
    ) -> OfferedPage:
        """The requester's Reviewable (or Reviewing) HITs, perhaps of one type, by time of creation."""
        pk = records.under_review_pk(requester_id, status)
        return self._list("open", pk, (status,), lambda hit: hit_type_id in (None, hit.hit_type_id), limit, start)

    def look_through(
        self, requester_id: str, statuses: Collection[HitStatus], limit: int, start: str | None = None
    ) -> tuple[list[Hit], str | None]:
        """The requester's HITs without their questions, newest first, by one call; and where to go on.

        `statuses`: not Disposed. For those that are not kept apart, Assignable and Unassignable, 100 HITs are looked
        at, so that a page may be shorter than `limit`, or empty, and still have a next one. A `start` that was not
        given out gives the first page. What time alone has brought about since the last sweep is not written here.
        """
        index, pk, looked_at = "requester", records.requester_pk(requester_id), HITS_LOOKED_AT_ONCE
        if set(statuses) == set(NOT_DISPOSED):
            looked_at = limit
        elif len(statuses) == 1 and set(statuses) <= set(UNDER_REVIEW):
            (status,) = statuses
            index, pk, looked_at = "open", records.under_review_pk(requester_id, status), limit
        key: Item | None = None
        if records.is_start(start):
            key = {"pk": records.hit_pk(start.partition("#")[2]), "sk": "hit", f"{index}_pk": pk, f"{index}_sk": start}
        page = self._table.query(pk, index=index, limit=looked_at, newest_first=True, start_key=key)
        hits = [hit for hit in map(records.hit_from_item, page.items) if hit.status in statuses]
        if len(hits) > limit:
            return hits[:limit], records.time_key(hits[limit - 1].created_at_ms, hits[limit - 1].hit_id)
        return hits, str(page.next_key[f"{index}_sk"]) if page.next_key else None

    def look_into(
        self, requester_id: str, hit_id: str, limit: int, start: str | None = None
    ) -> tuple[Hit, AssignmentPage] | None:
        """A HIT with what was handed in for it, newest first, by one call for the first page; None if it is not theirs.

        The page may be shorter than `limit`: what was accepted and not handed in is left out.
        """
        pk = records.hit_pk(hit_id)
        if records.is_start(start):
            first, key = self._table.get(pk, "hit"), {"pk": pk, "sk": f"{records.ASSIGNMENTS}{start}"}
            page = self._table.query(pk, records.ASSIGNMENTS, limit=limit, newest_first=True, start_key=key)
            items = page.items
        else:
            # A HIT's own item sorts after its assignments.
            between = (records.ASSIGNMENTS, "hit")
            page = self._table.query(pk, sk_between=between, limit=limit + 1, newest_first=True)
            first, items = (page.items[0], page.items[1:]) if page.items else (None, [])
        if first is None or first["sk"] != "hit" or first["requester_id"] != requester_id:
            return None
        found = [records.assignment_from_item(item) for item in items]
        handed_in = [assignment for assignment in found if assignment.status in SEEN_BY_REQUESTERS]
        next_start = page.next_key["sk"].removeprefix(records.ASSIGNMENTS) if page.next_key else None
        return records.hit_from_item(first), AssignmentPage(handed_in, next_start)

    def extend(self, requester_id: str, hit_id: str, additional: int, token: str | None = None) -> Hit:
        """Add assignments and hold the money for them.

        Raises RequestError: HITDoesNotExist, InvalidHITState when disposed, InvalidMaximumAssignmentsIncrease from
        under ten assignments to ten or more, DuplicateRequest for a token used within 24 hours, InsufficientFunds.
        """

        def decide(hit: Hit, now_ms: int) -> Change:
            _require(hit, NOT_DISPOSED)
            total = hit.max_assignments + additional
            if hit.max_assignments < FEE_SURCHARGE_FROM_ASSIGNMENTS <= total:
                raise RequestError(
                    "InvalidMaximumAssignmentsIncrease",
                    f"HITs created with fewer than {FEE_SURCHARGE_FROM_ASSIGNMENTS} assignments cannot be extended to"
                    f" have {FEE_SURCHARGE_FROM_ASSIGNMENTS} or more assignments.",
                )
            if total > MAX_ASSIGNMENTS:
                raise RequestError(
                    "InvalidMaximumAssignmentsIncrease", f"A HIT has at most {MAX_ASSIGNMENTS} assignments."
                )
            return lifecycle.extend(hit, additional, now_ms)

        self._own.hit(requester_id, hit_id)
        if token is None:
            return self._store.change_hit(hit_id, decide).after
        self._tokens.refuse_repeated_extension(requester_id, hit_id, token)
        try:
            step = self._tokens.extension(requester_id, hit_id, token)
            return self._store.change_hit(hit_id, decide, [step]).after
        except TransactionFailed:
            self._tokens.refuse_repeated_extension(requester_id, hit_id, token)
            raise

    def change_expiration(self, requester_id: str, hit_id: str, expires_at_ms: int) -> Hit:
        """Another end of the HIT's time; at once when past. Raises RequestError HITDoesNotExist, InvalidHITState,
        InsufficientFunds when an expired HIT is opened again."""

        def decide(hit: Hit, now_ms: int) -> Change:
            _require(hit, NOT_DISPOSED)
            return lifecycle.change_expiration(hit, expires_at_ms, now_ms)

        self._own.hit(requester_id, hit_id)
        return self._store.change_hit(hit_id, decide).after

    def set_reviewing(self, requester_id: str, hit_id: str, reviewing: bool) -> Hit:
        """Between Reviewable and Reviewing. Raises RequestError HITDoesNotExist, InvalidHITState."""

        def decide(hit: Hit, now_ms: int) -> Change:
            _require(hit, (HitStatus.REVIEWABLE if reviewing else HitStatus.REVIEWING,))
            return lifecycle.set_reviewing(hit, reviewing, now_ms)

        self._own.hit(requester_id, hit_id)
        return self._store.change_hit(hit_id, decide).after

    def change_hit_type(self, requester_id: str, hit_id: str, hit_type_id: str) -> Hit:
        """Give the HIT another type's values. Not while a Worker is at it, who was promised the old ones.

        Raises RequestError HITDoesNotExist, HITTypeDoesNotExist, InvalidHITState, InsufficientFunds.
        """
        self._own.hit(requester_id, hit_id)
        hit_type = self.get_hit_type(requester_id, hit_type_id)

        def decide(hit: Hit, now_ms: int) -> Change:
            _require(hit, NOT_DISPOSED)
            if hit.pending:
                raise RequestError("InvalidHITState", "A Worker has accepted this HIT. Change its type after that.")
            fee = fee_cents(hit_type.reward_cents, self._fee_percent, hit.max_assignments)
            return lifecycle.change_hit_type(hit, hit_type, fee, now_ms)

        return self._store.change_hit(hit_id, decide).after

    def dispose(self, requester_id: str, hit_id: str) -> Hit:
        """Delete a HIT under review. Raises RequestError HITDoesNotExist, InvalidHITState."""

        def decide(hit: Hit, now_ms: int) -> Change:
            _require(hit, (HitStatus.REVIEWING, HitStatus.REVIEWABLE))
            if hit.submitted:
                raise RequestError(
                    "InvalidHITState",
                    f"This HIT has {hit.submitted} submitted assignments that are neither approved nor rejected.",
                )
            return lifecycle.dispose(hit, now_ms)

        self._own.hit(requester_id, hit_id)
        return self._store.change_hit(hit_id, decide).after

    def get_assignment(self, requester_id: str, assignment_id: str) -> Assignment:
        """A submitted assignment. Raises RequestError AssignmentDoesNotExist, InvalidAssignmentState."""
        assignment = self._own.assignment(requester_id, assignment_id)
        if assignment.status not in SEEN_BY_REQUESTERS:
            raise wrong_assignment_status(SEEN_BY_REQUESTERS)
        return assignment

    def list_assignments(
        self, requester_id: str, hit_id: str, statuses: Collection[str], limit: int, start: str | None = None
    ) -> AssignmentPage:
        """What was handed in for a HIT, by time of acceptance; `statuses` empty for all three that requesters see.

        A page may be shorter than `limit`, or empty, and still have a next one. Raises RequestError HITDoesNotExist.
        """
        self._own.hit(requester_id, hit_id)
        wanted = set(statuses) or {status.value for status in SEEN_BY_REQUESTERS}
        pk = records.hit_pk(hit_id)
        key = {"pk": pk, "sk": f"{records.ASSIGNMENTS}{start}"} if start else None
        found: list[Assignment] = []
        size_bytes = 0
        for _ in range(MAX_PAGES_LOOKED_THROUGH):
            page = self._table.query(pk, records.ASSIGNMENTS, limit=limit, start_key=key)
            for item in page.items:
                assignment = records.assignment_from_item(item)
                if assignment.status not in wanted:
                    continue
                size_bytes += len((assignment.answer_xml or "").encode())
                if len(found) == limit or (found and size_bytes > MAX_PAGE_BYTES):
                    return AssignmentPage(found, records.assignment_start(found[-1]))
                found.append(assignment)
            key = page.next_key
            if key is None:
                return AssignmentPage(found, None)
        return AssignmentPage(found, str(key["sk"]).removeprefix(records.ASSIGNMENTS) if key else None)

    def approve(
        self, requester_id: str, assignment_id: str, feedback: str | None = None, override_rejection: bool = False
    ) -> Assignment:
        """Pay for an assignment now. With `override_rejection` also a rejected one, within 30 days of its submission.

        Raises RequestError AssignmentDoesNotExist, InvalidAssignmentState, InsufficientFunds.
        """
        first = self._own.assignment(requester_id, assignment_id)
        allowed = [AssignmentStatus.SUBMITTED] + ([AssignmentStatus.REJECTED] if override_rejection else [])

        def decide(hit: Hit, now_ms: int) -> Change:
            assignment = self._judged(first, allowed)
            if assignment.status is AssignmentStatus.REJECTED:
                if now_ms - (assignment.submitted_at_ms or 0) > OVERRIDE_WITHIN_MS:
                    raise RequestError("InvalidAssignmentState", "This assignment was submitted over 30 days ago.")
                _require(hit, NOT_DISPOSED)
            return lifecycle.approve(hit, assignment, feedback, now_ms)

        return self._store.change_hit(first.hit_id, decide).assignments[0][1]

    def reject(self, requester_id: str, assignment_id: str, feedback: str) -> Assignment:
        """Do not pay for a submitted assignment. Raises RequestError AssignmentDoesNotExist, InvalidAssignmentState."""
        first = self._own.assignment(requester_id, assignment_id)

        def decide(hit: Hit, now_ms: int) -> Change:
            assignment = self._judged(first, [AssignmentStatus.SUBMITTED])
            return lifecycle.reject(hit, assignment, feedback, now_ms)

        return self._store.change_hit(first.hit_id, decide).assignments[0][1]

    def set_notification(
        self, requester_id: str, hit_type_id: str, notification: Notification | None, active: bool | None
    ) -> None:
        """Where the events of a HIT type's HITs go, and whether they do. Given neither, or only `active` before there
        is a notification, raises RequestError InvalidParameterValue; HITTypeDoesNotExist; InvalidTransportEndpoint when
        the destination does not let MTurk send to it."""
        self.get_hit_type(requester_id, hit_type_id)
        if notification is None and active is None:
            raise RequestError("InvalidParameterValue", "Either Notification or Active must be given.")
        kept = notification or self._store.notification(hit_type_id)
        if kept is None:
            raise RequestError("InvalidParameterValue", f"HITType {hit_type_id} has no notification specification yet.")
        kept = replace(kept, active=True if active is None else active)
        if kept.active:
            with _transport_errors():
                self._store.check_destination(kept.transport, kept.destination)
        self._table.put(records.notification_to_item(hit_type_id, kept))

    def send_test_event(self, requester_id: str, notification: Notification, event: Event) -> None:
        """Send one event of any type at once. Raises RequestError when the destination does not take it."""
        event_doc_id = self._store.new_id()
        event = replace(event, assignment_id=self._store.new_id() if "Assignment" in event.type else None)
        document = event_document(event_doc_id, requester_id, event, self._store.new_id(), self._store.new_id())
        with _transport_errors():
            self._store.check_destination(notification.transport, notification.destination)
            self._store.send_now(notification.transport, notification.destination, document, event_doc_id)

    def _judged(self, first: Assignment, allowed: list[AssignmentStatus]) -> Assignment:
        assignment = self._store.read_assignment(first.hit_id, records.assignment_sk(first))
        if assignment.status not in allowed:
            raise wrong_assignment_status(allowed)
        return assignment

    def _list(
        self,
        index: str,
        pk: str,
        statuses: Collection[HitStatus],
        is_wanted: Callable[[Hit], bool],
        limit: int,
        start: str | None,
        at_once: int | None = None,
    ) -> OfferedPage:
        key: Item | None = None
        if start:
            hit_id = start.partition("#")[2]
            key = {"pk": records.hit_pk(hit_id), "sk": "hit", f"{index}_pk": pk, f"{index}_sk": start}
        found: list[OfferedHit] = []
        size_bytes = 0
        for _ in range(MAX_PAGES_LOOKED_THROUGH):
            page = self._table.query(pk, index=index, limit=at_once or limit, start_key=key)
            for item in page.items:
                hit = records.hit_from_item(item)
                if hit.next_due_at_ms is not None and hit.next_due_at_ms <= self._clock():
                    hit = self._store.get_hit(hit.hit_id)
                if hit.status not in statuses or not is_wanted(hit):
                    continue
                question_xml = self._store.question_xml(hit.hit_id)
                size_bytes += len(question_xml.encode())
                if len(found) == limit or (found and size_bytes > MAX_PAGE_BYTES):
                    last = found[-1].hit
                    return OfferedPage(found, records.time_key(last.created_at_ms, last.hit_id))
                found.append(OfferedHit(hit, question_xml))
            key = page.next_key
            if key is None:
                return OfferedPage(found, None)
        return OfferedPage(found, str(key[f"{index}_sk"]) if key else None)


def _require(hit: Hit, statuses: Collection[HitStatus]) -> None:
    if hit.status not in statuses:
        allowed = ", ".join(status.value for status in statuses)
        raise RequestError(
            "InvalidHITState",
            f"This HIT is currently in the state '{hit.status.value}'.  This operation can be called with a status"
            f" of: {allowed}",
        )


@contextmanager
def _transport_errors() -> Iterator[None]:
    try:
        yield
    except DeliveryFailed as error:
        raise RequestError(
            "InvalidTransportEndpoint", f"A notification cannot be sent to its destination: {error}."
        ) from error

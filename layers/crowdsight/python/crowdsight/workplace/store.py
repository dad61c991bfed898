"""HITs and assignments in the table: reading them as they are now, and writing one transition at a time.

A HIT is the unit of consistency: every transition of it or of its assignments is computed from one version of the HIT
and written, with the money it moves and the events it causes, in one transaction that requires that version.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import zip_longest

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Step, Table, TransactionFailed
from crowdsight.workplace import records
from crowdsight.workplace.assignments import MAX_TAKES, Assignment, AssignmentStatus
from crowdsight.workplace.due import next_due_change
from crowdsight.workplace.events import (
    DROP_AFTER_MS,
    RETRY_AFTER_MS,
    Delivery,
    DeliveryFailed,
    Notification,
    Sender,
    event_document,
    retry_at_ms,
)
from crowdsight.workplace.faults import HitNotFound, InsufficientFunds, ServiceFault, TooManyAccepted
from crowdsight.workplace.groups import Groups, group_of
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.ledger import Earning, LedgerEntry
from crowdsight.workplace.lifecycle import Change
from crowdsight.workplace.review_policies import NO_POLICIES, ReviewPolicies

logger = logging.getLogger(__name__)

MAX_ACCEPTED = 25
"""Assignments that a Worker may hold at a time, as on MTurk."""

MAX_ATTEMPTS = 60
"""How often a transition is computed anew because others changed the same HIT meanwhile."""

PUT_OFF_MS = 300_000
"""When the sweep tries a HIT again that failed."""

_MADE_ANEW = frozenset(("hit", "holder", "qualification"))
"""Labels of steps that fail because others were faster."""

Decide = Callable[[Hit, int], Change]
"""Computes a change from the HIT and the moment (in ms) at which it is so; raises what the caller shall see."""


class Store:
    """HITs, assignments and events over one table."""

    def __init__(self, table: Table, clock: Clock, new_id: Callable[[], str], sender: Sender) -> None:
        self.table = table
        self.clock = clock
        self.new_id = new_id
        self._sender = sender
        self._groups = Groups(table)

    def find_hit(self, hit_id: str, now_ms: int | None = None) -> Hit | None:
        """The HIT at this moment: what time alone has brought about is written first."""
        now_ms = self.clock() if now_ms is None else now_ms
        for _ in range(MAX_ATTEMPTS):
            item = self.table.get(records.hit_pk(hit_id), "hit")
            if item is None:
                return None
            hit = self._bring_up_to_date(records.hit_from_item(item), now_ms)
            if hit is not None:
                return hit
        raise ServiceFault()

    def _bring_up_to_date(self, hit: Hit, now_ms: int) -> Hit | None:
        """The HIT with every change that is due, some assignments a transaction; None if others have changed it."""
        assignments: dict[str, Assignment] | None = None
        policies = NO_POLICIES
        while hit.next_due_at_ms is not None and hit.next_due_at_ms <= now_ms:
            if assignments is None:
                assignments = {assignment.assignment_id: assignment for assignment in self.all_assignments(hit.hit_id)}
                policies = self._policies(hit)
            change = next_due_change(hit, assignments.values(), now_ms, policies)
            if change is None:
                return hit
            try:
                is_written = self._write(change)
            except InsufficientFunds:
                # Only a review policy takes money by itself, for one more assignment. It does without.
                change = next_due_change(hit, assignments.values(), now_ms, policies, can_pay=False) or change
                is_written = self._write(change)
            if not is_written:
                return None
            hit = change.after
            assignments |= {after.assignment_id: after for _, after in change.assignments}
        return hit

    def get_hit(self, hit_id: str, now_ms: int | None = None) -> Hit:
        """The HIT at this moment. Raises HitNotFound."""
        hit = self.find_hit(hit_id, now_ms)
        if hit is None:
            raise HitNotFound("There is no such HIT.")
        return hit

    def question_xml(self, hit_id: str) -> str:
        """The HIT's question as its requester sent it. Raises HitNotFound."""
        item = self.table.get(records.hit_pk(hit_id), "question")
        if item is None:
            raise HitNotFound("There is no such HIT.")
        return str(item["xml"])

    def _policies(self, hit: Hit) -> ReviewPolicies:
        if hit.assignment_policy is None and hit.hit_policy is None:
            return NO_POLICIES
        item = self.table.get(records.hit_pk(hit.hit_id), "policies")
        if item is None:
            raise ServiceFault()
        return records.policies_from_item(item)

    def change_hit(self, hit_id: str, decide: Decide, more_steps: Sequence[Step] = ()) -> Change:
        """Bring one transition about and return it as written.

        `decide` may be called several times, each time with the HIT as it is then. `more_steps` are written with the
        change, as they are once `decide` has returned; one labelled `qualification` that fails makes it decide anew,
        and TransactionFailed is raised when only others of them failed.
        Raises HitNotFound, InsufficientFunds, TooManyAccepted, ServiceFault, and what `decide` raises.
        """
        for _ in range(MAX_ATTEMPTS):
            now_ms = self.clock()
            change = decide(self.get_hit(hit_id, now_ms), now_ms)
            if self._write(change, more_steps):
                return change
        raise ServiceFault()

    def add_hit(self, change: Change, more_steps: Sequence[Step]) -> None:
        """Write a new HIT. Raises InsufficientFunds, and TransactionFailed when one of `more_steps` failed."""
        self._write(change, more_steps)

    def find_assignment(self, assignment_id: str) -> Assignment | None:
        """The assignment at this moment, its HIT brought up to date first."""
        pointer = self.table.get(records.pointer_pk(assignment_id), "assignment")
        if pointer is None or self.find_hit(pointer["hit_id"]) is None:
            return None
        return self.read_assignment(pointer["hit_id"], pointer["assignment_sk"])

    def read_assignment(self, hit_id: str, sk: str) -> Assignment:
        """The assignment as last written. Its key is known from the item that points to it."""
        item = self.table.get(records.hit_pk(hit_id), sk)
        if item is None:
            raise ServiceFault()
        return records.assignment_from_item(item)

    def all_assignments(self, hit_id: str) -> Iterator[Assignment]:
        """Every assignment of the HIT that there ever was, by time of acceptance."""
        for item in self.table.query_all(records.hit_pk(hit_id), records.ASSIGNMENTS):
            yield records.assignment_from_item(item)

    def notification(self, hit_type_id: str) -> Notification | None:
        """Where the events of a HIT type's HITs go, None if nowhere."""
        item = self.table.get(records.hit_type_pk(hit_type_id), "notification")
        return records.notification_from_item(item) if item else None

    def sweep(self, is_time_up: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """Bring every overdue HIT up to date and send every event that is due, in turns; how many of each.

        `is_time_up` is asked between any two; what is left then waits for the next sweep. A HIT that fails waits for
        five minutes, so that it does not keep others waiting.
        """
        done = {"hits": 0, "events": 0}
        overdue = self.table.query_all("hit", index="due", sk_between=(0, self.clock()))
        waiting = self.table.query_all("event", index="due", sk_between=(0, self.clock()))
        for hit, event in zip_longest(overdue, waiting):
            if is_time_up():
                break
            if hit is not None:
                done["hits"] += self._find_or_put_off(hit["hit_id"])
            if event is not None:
                self._deliver_or_leave(records.delivery_from_item(event))
                done["events"] += 1
        return done

    def check_destination(self, transport: str, destination: str) -> None:
        """Raises DeliveryFailed when documents cannot be sent there."""
        self._sender.check(transport, destination)

    def send_now(self, transport: str, destination: str, document: str, event_doc_id: str) -> None:
        """Send one document without keeping it. Raises DeliveryFailed."""
        self._sender.send(Delivery(event_doc_id, transport, destination, document, self.clock()))

    def _write(self, change: Change, more_steps: Sequence[Step] = ()) -> bool:
        """Write a change and send its events; False if the HIT is not at the change's version any more."""
        deliveries = self._deliveries(change)
        group_before, group_after = group_of(change.before), group_of(change.after)
        steps = [*self._steps(change), *more_steps]
        due_at_ms = self.clock() + RETRY_AFTER_MS
        for delivery in deliveries:
            steps.append(self.table.put_step("event", records.delivery_to_item(delivery, due_at_ms)))
        if group_after and group_after != group_before:
            self._groups.open(change.after, self.clock())
        try:
            self.table.transact(steps)
        except TransactionFailed as error:
            if group_after and group_after != group_before:
                self._groups.close(group_after)
            if change.before is not None and _MADE_ANEW.intersection(error.failed):
                return False
            if "token" in error.failed:
                raise
            if "account" in error.failed:
                raise InsufficientFunds() from error
            if "worker" in error.failed:
                raise TooManyAccepted(
                    f"You have {MAX_ACCEPTED} HITs in hand. Submit or return one of them first."
                ) from error
            raise
        if group_before and group_before != group_after:
            self._close_or_leave(group_before)
        for delivery in deliveries:
            self._deliver_or_leave(delivery)
        return True

    def _steps(self, change: Change) -> list[Step]:
        hit, table = change.after, self.table
        if change.before is None:
            steps = [table.put_step("hit", records.hit_to_item(hit), "attribute_not_exists(pk)")]
        else:
            condition, values = "#version = :version", {"version": change.before.version}
            steps = [table.put_step("hit", records.hit_to_item(hit), condition, values, {"version": "version"})]
        for before, after in change.assignments:
            steps += self._assignment_steps(before, after, hit.hit_group_id)
        for entry in change.entries:
            steps.append(table.put_step("ledger", records.entry_to_item(entry), "attribute_not_exists(pk)"))
            if entry.kind == "pay":
                steps += self.day_steps(entry)
        for earning in _earnings(change):
            steps.append(table.put_step("earning", records.earning_to_item(earning), "attribute_not_exists(pk)"))
        for review in change.reviews:
            for item in records.review_to_items(hit.hit_id, review):
                steps.append(table.put_step("review", item, "attribute_not_exists(pk)"))
        return steps + self._account_steps(hit.requester_id, change.entries)

    def _assignment_steps(self, before: Assignment | None, after: Assignment, group_id: str) -> list[Step]:
        table = self.table
        holder = (records.hit_pk(after.hit_id), records.holder_sk(after.worker_id))
        steps = [
            table.put_step("assignment", records.assignment_to_item(after)),
            table.put_step("worker_list", records.assignment_to_worker_item(after)),
        ]
        if before is None:
            steps.append(table.put_step("pointer", records.pointer_to_item(after), "attribute_not_exists(pk)"))
            take = "SET assignment_sk = :sk ADD times :one"
            may_take = "attribute_not_exists(pk) OR times < :most AND attribute_not_exists(assignment_sk)"
            taken = {"sk": records.assignment_sk(after), "one": 1, "most": MAX_TAKES}
            steps.append(table.update_step("holder", *holder, take, may_take, taken))
            steps.append(table.put_step("hand", records.assignment_to_hand_item(after)))
        elif after.status in (AssignmentStatus.RETURNED, AssignmentStatus.ABANDONED):
            steps.append(table.update_step("holder", *holder, "REMOVE assignment_sk"))
            steps.append(table.delete_step("seen", records.worker_pk(after.worker_id), records.seen_sk(group_id)))
        if before is not None and before.status is AssignmentStatus.ACCEPTED:
            pk = records.worker_pk(after.worker_id)
            steps.append(table.delete_step("hand", pk, records.hand_sk(after.assignment_id)))
        deltas = _worker_deltas(before, after)
        if not deltas:
            return steps  # something was noted that the Worker's counts do not show
        condition = "accepted < :limit" if before is None else None
        expression = "ADD " + ", ".join(f"{name} :{name}" for name in deltas)
        values = deltas | ({"limit": MAX_ACCEPTED} if before is None else {})
        pk = records.worker_pk(after.worker_id)
        steps.append(table.update_step("worker", pk, "worker", expression, condition, values))
        counted: dict[str, int] = {name: deltas[name] for name in ("waiting", "approved", "rejected") if name in deltas}
        if counted:
            expression = "ADD " + ", ".join(f"{name} :{name}" for name in counted)
            pk, sk = records.requester_pk(after.requester_id), records.worked_for_sk(after.worker_id)
            steps.append(table.update_step("worked_for", pk, sk, expression, values=counted))
        return steps

    def day_steps(self, entry: LedgerEntry) -> list[Step]:
        """What a payment adds to its day, for the Worker and in the requester's payroll."""
        worker_id, requester_id, date = str(entry.worker_id), entry.requester_id, records.date_of(entry.at_ms)
        paid, reward_cents = records.day_sums(date)
        for_worker = {paid: 1, reward_cents: entry.reward_cents}
        sums = {"paid": 1, "reward_cents": entry.reward_cents, "fee_cents": entry.fee_cents}
        return [
            self._add("month", records.worker_pk(worker_id), records.month_sk(date), for_worker),
            self._add("payroll", records.requester_pk(requester_id), records.payroll_sk(date, worker_id), sums),
        ]

    def _add(self, label: str, pk: str, sk: str, amounts: Mapping[str, int]) -> Step:
        expression = "ADD " + ", ".join(f"{name} :{name}" for name in amounts)
        return self.table.update_step(label, pk, sk, expression, None, amounts)

    def _account_steps(self, requester_id: str, entries: tuple[LedgerEntry, ...]) -> list[Step]:
        sums = {
            name: sum(asdict(entry)[name] for entry in entries)
            for name in ("available_cents", "held_cents", "spent_cents")
        }
        if not any(sums.values()):
            return []
        needed = -sums["available_cents"]
        return [
            self.table.update_step(
                "account",
                records.requester_pk(requester_id),
                "account",
                "ADD " + ", ".join(f"{name} :{name}" for name in sums),
                "available_cents >= :needed" if needed > 0 else None,
                sums | ({"needed": needed} if needed > 0 else {}),
            )
        ]

    def _deliveries(self, change: Change) -> list[Delivery]:
        if not change.events:
            return []
        hit = change.after
        notification = self.notification(hit.hit_type_id)
        deliveries = []
        for event in change.events:
            if notification and notification.wants(event):
                event_doc_id = self.new_id()
                document = event_document(event_doc_id, hit.requester_id, event, hit.hit_type_id, hit.hit_id)
                deliveries.append(
                    Delivery(event_doc_id, notification.transport, notification.destination, document, self.clock())
                )
        return deliveries

    def _find_or_put_off(self, hit_id: str) -> bool:
        """Whether the HIT is up to date; if it is not, a sweep tries again later, and whoever looks at it meanwhile."""
        try:
            self.find_hit(hit_id)
        except Exception:
            # The edge of one HIT: whatever is wrong with it must not keep all others waiting.
            logger.exception("HIT %s could not be brought up to date", hit_id)
            with suppress(ConditionFailed):  # somebody else has brought it up to date
                now_ms = self.clock()
                values = {"now": now_ms, "later": now_ms + PUT_OFF_MS}
                self.table.update(records.hit_pk(hit_id), "hit", "SET due_sk = :later", "due_sk <= :now", values)
            return False
        return True

    def _close_or_leave(self, group_id: str) -> None:
        """The change is made, whatever happens here: a count that is too high is corrected when somebody notices."""
        try:
            self._groups.close(group_id)
        except (ClientError, BotoCoreError) as error:
            logger.warning("group %s counts a HIT too many: %s", group_id, error)

    def _deliver_or_leave(self, delivery: Delivery) -> None:
        """The change behind it is made, whatever happens here: its event lies in the table, and a sweep sends it."""
        try:
            self._deliver(delivery)
        except (ClientError, BotoCoreError) as error:
            logger.warning("event %s waits for the next sweep: %s", delivery.event_doc_id, error)

    def _deliver(self, delivery: Delivery) -> None:
        pk = records.event_pk(delivery.event_doc_id)
        try:
            self._sender.send(delivery)
        except DeliveryFailed as error:
            failed = replace(delivery, attempts=delivery.attempts + 1)
            if self.clock() - delivery.created_at_ms < DROP_AFTER_MS:
                logger.warning("event %s is not delivered yet: %s", delivery.event_doc_id, error)
                item = records.delivery_to_item(failed, retry_at_ms(self.clock(), failed.attempts))
                try:
                    self.table.put(item, "attribute_exists(pk)")
                except ConditionFailed:
                    pass  # another attempt has delivered it meanwhile
                return
            logger.error("event %s is dropped after a day: %s", delivery.event_doc_id, error)
        self.table.delete(pk, "event")


def _earnings(change: Change) -> list[Earning]:
    """What the change's `pay` entries give to Workers, as their statements say it."""
    titles = {after.assignment_id: after.title for _, after in change.assignments}
    return [
        Earning(
            worker_id=str(entry.worker_id),
            key=entry.key,
            kind=entry.kind,
            at_ms=entry.at_ms,
            cents=entry.reward_cents,
            text=titles[str(entry.assignment_id)],
            requester_id=entry.requester_id,
            hit_id=entry.hit_id,
            assignment_id=entry.assignment_id,
        )
        for entry in change.entries
        if entry.kind == "pay"
    ]


def _worker_deltas(before: Assignment | None, after: Assignment) -> dict[str, int]:
    """What a transition of an assignment adds to its Worker's counts and sums."""
    deltas: dict[str, int] = {}
    for assignment, sign in ((before, -1), (after, 1)):
        if assignment is None:
            continue
        for name, amount in _worker_share(assignment).items():
            deltas[name] = deltas.get(name, 0) + sign * amount
    return {name: amount for name, amount in deltas.items() if amount}


def _worker_share(assignment: Assignment) -> dict[str, int]:
    """What one assignment contributes to its Worker's counts and sums."""
    match assignment.status:
        case AssignmentStatus.ACCEPTED:
            return {"accepted": 1}
        case AssignmentStatus.SUBMITTED:
            return {"waiting": 1, "waiting_cents": assignment.reward_cents}
        case AssignmentStatus.APPROVED:
            return {"approved": 1, "earned_cents": assignment.reward_cents}
        case AssignmentStatus.REJECTED:
            return {"rejected": 1}
        case _:
            return {}

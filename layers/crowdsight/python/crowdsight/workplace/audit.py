"""Proof that no money is lost or made: every balance against the entries and assignments behind it.

Run it when nothing is going on. It reads item by item, so a transition in between can look like a discrepancy, and one
that is real shows again in a second run.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crowdsight.dynamodb import Table
from crowdsight.workplace import records
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.ledger import Account, LedgerEntry
from crowdsight.workplace.statement import ADJUSTMENT

_WORKED_FOR = (
    ("waiting", AssignmentStatus.SUBMITTED),
    ("approved", AssignmentStatus.APPROVED),
    ("rejected", AssignmentStatus.REJECTED),
)


@dataclass(frozen=True)
class Audit:
    """What there is, in numbers and cents, and what does not add up (nothing, one hopes)."""

    requesters: int
    workers: int
    hits: int
    assignments: int
    entries: int
    funded_cents: int
    available_cents: int
    held_cents: int
    rewards_paid_cents: int
    bonuses_paid_cents: int
    fees_cents: int
    adjusted_cents: int
    discrepancies: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return not self.discrepancies


@dataclass
class _Found:
    """What was read, as far as it is compared with other things later."""

    discrepancies: list[str] = field(default_factory=list)
    hits: int = 0
    assignments: int = 0
    entries: int = 0
    adjusted_cents: int = 0
    of_worker: dict[str, list[Assignment]] = field(default_factory=lambda: defaultdict(list))
    pay_entries: dict[str, LedgerEntry] = field(default_factory=dict)
    bonus_entries: dict[str, LedgerEntry] = field(default_factory=dict)

    def expect(self, what: str, actual: object, expected: object) -> None:
        if actual != expected:
            self.discrepancies.append(f"{what} is {actual}, not {expected}")


def audit(table: Table) -> Audit:
    """Read everything and compare.

    For each requester: the balances are the sums of the ledger's entries; what is held is the cost of the slots that
    may still be paid. For each HIT: its counts are those of its assignments. For each assignment: exactly one `pay`
    entry if approved, of its reward and fee, and none otherwise. For each Worker: counts and earnings are those of the
    assignments and of the statement's entries, bonuses those of the requesters' ledgers, and adjustments those of the
    entries under their references. What is summed up by day, for payroll and for Workers, is what the entries say.
    """
    found = _Found()
    accounts = []
    for item in table.query_all("requesters"):
        accounts.append(_audit_requester(table, item["sk"], found))
    workers = [item["sk"] for item in table.query_all("workers")]
    for worker_id in workers:
        _audit_worker(table, worker_id, found)
    for worker_id in found.of_worker.keys() - set(workers):
        found.discrepancies.append(f"Worker {worker_id} has assignments and is not registered")
    pay, extra = found.pay_entries.values(), found.bonus_entries.values()
    rewards, bonuses = sum(entry.reward_cents for entry in pay), sum(entry.reward_cents for entry in extra)
    fees = sum(entry.fee_cents for entry in (*pay, *extra))
    available, held = (
        sum(account.available_cents for account, _ in accounts),
        sum(account.held_cents for account, _ in accounts),
    )
    funded = sum(funded_cents for _, funded_cents in accounts)
    everything = available + held + rewards + bonuses + fees
    found.expect("what is available, held, paid and taken as fees", everything, funded)
    return Audit(
        requesters=len(accounts),
        workers=len(workers),
        hits=found.hits,
        assignments=found.assignments,
        entries=found.entries,
        funded_cents=funded,
        available_cents=available,
        held_cents=held,
        rewards_paid_cents=rewards,
        bonuses_paid_cents=bonuses,
        fees_cents=fees,
        adjusted_cents=found.adjusted_cents,
        discrepancies=found.discrepancies,
    )


def _audit_requester(table: Table, requester_id: str, found: _Found) -> tuple[Account, int]:
    pk = records.requester_pk(requester_id)
    account = records.account_from_item(requester_id, table.get(pk, "account"))
    entries = [records.entry_from_item(item) for item in table.query_all(pk, records.LEDGER)]
    found.entries += len(entries)
    for name in ("available_cents", "held_cents", "spent_cents"):
        total = sum(getattr(entry, name) for entry in entries)
        found.expect(f"requester {requester_id}: {name}", getattr(account, name), total)
        if getattr(account, name) < 0:
            found.discrepancies.append(f"requester {requester_id}: {name} is negative")
    pay = {str(entry.assignment_id): entry for entry in entries if entry.kind == "pay"}
    found.expect(f"requester {requester_id}: pay entries", len(pay), sum(entry.kind == "pay" for entry in entries))
    found.pay_entries |= pay
    for entry in entries:
        if entry.kind == "bonus":
            found.bonus_entries[entry.key.removeprefix("bonus#")] = entry
            spent = entry.reward_cents + entry.fee_cents
            found.expect(f"{entry.key}: spent", (entry.spent_cents, entry.available_cents), (spent, -spent))
    payments = ((records.payroll_sk(records.date_of(entry.at_ms), str(entry.worker_id)), entry) for entry in entries)
    owed = _sums((sk, (1, entry.reward_cents, entry.fee_cents)) for sk, entry in payments if entry.worker_id)
    kept = table.query_all(pk, records.PAYROLL)
    booked_by_day = {item["sk"]: (item["paid"], item["reward_cents"], item["fee_cents"]) for item in kept}
    found.expect(f"requester {requester_id}: payroll", booked_by_day, owed)
    held = 0
    of_hit: set[str] = set()
    work: dict[str, list[Assignment]] = defaultdict(list)
    for hit in _hits(table, requester_id):
        assignments = [
            records.assignment_from_item(item)
            for item in table.query_all(records.hit_pk(hit.hit_id), records.ASSIGNMENTS)
        ]
        held += _audit_hit(hit, assignments, pay, found)
        for assignment in assignments:
            work[assignment.worker_id].append(assignment)
        of_hit.update(item["bonus_id"] for item in table.query_all(records.hit_pk(hit.hit_id), records.BONUSES))
    found.expect(f"requester {requester_id}: held for open slots", account.held_cents, held)
    for worker_id, done in work.items():
        counts = _count(done)
        item = table.get(pk, records.worked_for_sk(worker_id)) or {}
        for name, status in _WORKED_FOR:
            found.expect(f"requester {requester_id}, Worker {worker_id}: {name}", item.get(name, 0), counts[status])
    booked = {entry.key.removeprefix("bonus#") for entry in entries if entry.kind == "bonus"}
    found.expect(f"requester {requester_id}: bonuses", of_hit, booked)
    for assignment_id in pay:
        found.discrepancies.append(f"requester {requester_id}: paid {assignment_id}, which is not approved")
    return account, sum(entry.available_cents for entry in entries if entry.kind == "fund")


def _hits(table: Table, requester_id: str) -> Iterator[Hit]:
    """Each once, also one that is disposed of in between."""
    met = set()
    for pk in (records.requester_pk(requester_id), records.disposed_pk(requester_id)):
        for item in table.query_all(pk, index="requester"):
            hit = records.hit_from_item(item)
            if hit.hit_id not in met:
                met.add(hit.hit_id)
                yield hit


def _audit_hit(hit: Hit, assignments: list[Assignment], pay: dict[str, LedgerEntry], found: _Found) -> int:
    """What should be held for the HIT; takes the entries that its approved assignments account for out of `pay`."""
    found.hits += 1
    found.assignments += len(assignments)
    counts = _count(assignments)
    for name, status in (
        ("pending", AssignmentStatus.ACCEPTED),
        ("submitted", AssignmentStatus.SUBMITTED),
        ("approved", AssignmentStatus.APPROVED),
        ("rejected", AssignmentStatus.REJECTED),
    ):
        found.expect(f"HIT {hit.hit_id}: {name}", getattr(hit, name), counts[status])
    if hit.unfilled < 0:
        found.discrepancies.append(f"HIT {hit.hit_id} was taken more often than it may be")
    held = hit.available * hit.cost_cents
    for assignment in assignments:
        found.of_worker[assignment.worker_id].append(assignment)
        if assignment.status in (AssignmentStatus.ACCEPTED, AssignmentStatus.SUBMITTED):
            held += assignment.cost_cents
        elif assignment.status is AssignmentStatus.APPROVED:
            entry = pay.pop(assignment.assignment_id, None)
            paid = entry and (entry.worker_id, entry.reward_cents, entry.fee_cents, entry.spent_cents)
            owed = (assignment.worker_id, assignment.reward_cents, assignment.fee_cents, assignment.cost_cents)
            found.expect(f"assignment {assignment.assignment_id}: pay", paid, owed)
    return held


def _audit_worker(table: Table, worker_id: str, found: _Found) -> None:
    item = table.get(records.worker_pk(worker_id), "worker")
    if item is None:
        return  # known by name only, between two writes of a registration
    worker = records.worker_from_item(item)
    assignments = found.of_worker.get(worker_id, [])
    counts = _count(assignments)
    for name, status in (("accepted", AssignmentStatus.ACCEPTED), *_WORKED_FOR):
        found.expect(f"Worker {worker_id}: {name}", getattr(worker, name), counts[status])
    waiting = sum(a.reward_cents for a in assignments if a.status is AssignmentStatus.SUBMITTED)
    found.expect(f"Worker {worker_id}: waiting_cents", worker.waiting_cents, waiting)
    approved = {a.assignment_id: a.reward_cents for a in assignments if a.status is AssignmentStatus.APPROVED}
    found.expect(f"Worker {worker_id}: earned_cents", worker.earned_cents, sum(approved.values()))
    pk = records.worker_pk(worker_id)
    earnings = [records.earning_from_item(item) for item in table.query_all(pk, records.EARNINGS)]
    paid = [(earning.assignment_id, earning.cents) for earning in earnings if earning.kind == "pay"]
    found.expect(f"Worker {worker_id}: pay", sorted(paid), sorted(approved.items()))
    earned_by_day = _sums((records.date_of(e.at_ms), (1, e.cents)) for e in earnings if e.kind != ADJUSTMENT)
    months = table.query_all(pk, records.MONTHS)
    listed_by_day = {day.date: (day.paid, day.reward_cents) for month in months for day in records.days_in_month(month)}
    found.expect(f"Worker {worker_id}: earnings by day", listed_by_day, earned_by_day)
    bonuses = {earning.key: earning.cents for earning in earnings if earning.kind == "bonus"}
    booked = {entry.key: entry.reward_cents for entry in found.bonus_entries.values() if entry.worker_id == worker_id}
    found.expect(f"Worker {worker_id}: bonuses", bonuses, booked)
    found.expect(f"Worker {worker_id}: bonus_cents", worker.bonus_cents, sum(booked.values()))
    adjusted = {earning.key: earning for earning in earnings if earning.kind == ADJUSTMENT}
    references = {item["sk"]: records.earning_from_item(item) for item in table.query_all(pk, records.ADJUSTMENTS)}
    found.expect(f"Worker {worker_id}: adjustments", adjusted, references)
    adjusted_cents = sum(earning.cents for earning in adjusted.values())
    found.expect(f"Worker {worker_id}: adjusted_cents", worker.adjusted_cents, adjusted_cents)
    found.adjusted_cents += adjusted_cents
    listed = {copy["assignment_id"]: copy["status"] for copy in table.query_all(pk, records.ASSIGNMENTS)}
    found.expect(f"Worker {worker_id}: listed", listed, {a.assignment_id: a.status.value for a in assignments})
    given_up = (AssignmentStatus.RETURNED, AssignmentStatus.ABANDONED)
    hit_ids = [a.hit_id for a in assignments if a.status not in given_up]
    found.expect(f"Worker {worker_id}: HITs had once", len(set(hit_ids)), len(hit_ids))


def _sums(amounts: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """The amounts of each key, added up place by place."""
    sums: dict[str, tuple[int, ...]] = {}
    for key, added in amounts:
        sums[key] = tuple(map(sum, zip(sums.get(key, (0,) * len(added)), added, strict=True)))
    return sums


def _count(assignments: Iterable[Assignment]) -> dict[AssignmentStatus, int]:
    counts = dict.fromkeys(AssignmentStatus, 0)
    for assignment in assignments:
        counts[assignment.status] += 1
    return counts

"""No money is lost, made or paid twice, whatever Workers, requesters and time do, in whatever order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crowdsight.dynamodb import Table, TransactionFailed
from crowdsight.workplace import lifecycle, records
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.audit import audit
from crowdsight.workplace.credentials import CredentialSecrets
from crowdsight.workplace.events import Delivery, DeliveryFailed, Notification
from crowdsight.workplace.faults import RequestError, WorkerError
from crowdsight.workplace.hits import Hit, HitStatus, HitType
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.operator import Operator
from crowdsight.workplace.questions import read_question
from crowdsight.workplace.store import Store
from crowdsight.workplace.workplace import Workplace
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.senders import UNHEARD, CallingSender
from tests.contract.workplace_rig import HTML_QUESTION, INDEXES, hit_id_in

REQUESTERS = ("A1FIRST", "A1SECOND")
WORKERS = ("AW1", "AW2", "AW3")
FUNDS_CENTS = 300
unused: Any = None
QUESTION = read_question(HTML_QUESTION)


ONE_OF = st.integers(0, 1_000)
"""Which of the things that a rule can be about."""


class Everything(RuleBasedStateMachine):
    """Workers, requesters, the sweep and the clock take turns; a refusal is as good as a success, a fault is not.

    A rule picks, three times of four, a HIT or assignment in a state where it can succeed, if there is one.
    """

    @initialize(fee_percent=st.sampled_from([0, 20, 33]))
    def open(self, fee_percent: int) -> None:
        self.clock = StoppedClock()
        self.table: Table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
        self.hit_ids: list[str] = []
        self.assignments: list[Assignment] = []
        self.is_queue_down = False
        self.workplace = Workplace(self.table, self.clock, new_id, fee_percent, CallingSender(self._send))
        self.operator = operator = Operator(self.table, self.clock, CredentialSecrets(None, "", self.clock), unused)
        for requester_id in REQUESTERS:
            operator.fund_requester(requester_id, FUNDS_CENTS, "first")
        for worker_id in WORKERS:
            self.workplace.register_worker(worker_id, worker_id)
        # Something of everything to start from: accepted, submitted, approved and rejected.
        self.create("A1FIRST", 7, 3, 600, None)
        self.create("A1SECOND", 30, 2, 86_400, None)
        for n, worker_id, submits in ((1, "AW1", True), (2, "AW1", True), (1, "AW2", True), (2, "AW3", False)):
            self.accept(n, worker_id, submits)
        self.approve(1)
        self.reject(1)

    @rule(
        requester_id=st.sampled_from(REQUESTERS),
        reward_cents=st.sampled_from([0, 1, 7, 30]),
        max_assignments=st.sampled_from([1, 2, 3, 10]),
        approval_delay_s=st.sampled_from([0, 600, 86_400]),
        token=st.sampled_from([None, None, "a"]),
    )
    def create(
        self, requester_id: str, reward_cents: int, max_assignments: int, approval_delay_s: int, token: str | None
    ) -> None:
        requesters = self.workplace.requesters
        hit_type = requesters.create_hit_type(
            HitType("", requester_id, "t", "d", "", reward_cents, 60, approval_delay_s, ())
        )
        wanted = Notification("SQS", "https://q", frozenset(("AssignmentSubmitted", "AssignmentApproved")))
        requesters.set_notification(requester_id, hit_type.hit_type_id, wanted, True)
        terms: Any = {"lifetime_s": 1_000, "max_assignments": max_assignments, "token": token}
        offered = self._try(requesters.create_hit, hit_type, QUESTION, **terms)
        if offered:
            self.hit_ids.append(offered.hit.hit_id)

    @rule(n=ONE_OF, worker_id=st.sampled_from(WORKERS), submits=st.booleans())
    def accept(self, n: int, worker_id: str, submits: bool) -> None:
        hit = self._hit(n, HitStatus.ASSIGNABLE)
        assignment = hit and self._try(self.workplace.accept, hit.hit_id, worker_id)
        if assignment:
            self.assignments.append(assignment)
            if submits:
                self.workplace.submit(assignment.assignment_id, [("answer", "yes")])

    @rule(n=ONE_OF)
    def submit(self, n: int) -> None:
        if assignment := self._assignment(n, AssignmentStatus.ACCEPTED):
            self._try(self.workplace.submit, assignment.assignment_id, [("answer", "yes")])

    @rule(n=ONE_OF)
    def give_back(self, n: int) -> None:
        if assignment := self._assignment(n, AssignmentStatus.ACCEPTED):
            self._try(self.workplace.return_assignment, assignment.assignment_id, assignment.worker_id)

    @rule(n=ONE_OF)
    def approve(self, n: int) -> None:
        if assignment := self._assignment(n, AssignmentStatus.SUBMITTED):
            self._try(self.workplace.requesters.approve, assignment.requester_id, assignment.assignment_id)

    @rule(n=ONE_OF)
    def reject(self, n: int) -> None:
        if assignment := self._assignment(n, AssignmentStatus.SUBMITTED):
            self._try(self.workplace.requesters.reject, assignment.requester_id, assignment.assignment_id, "no")

    @rule(n=ONE_OF)
    def override_rejection(self, n: int) -> None:
        if found := self._assignment(n, AssignmentStatus.REJECTED):
            self._try(self.workplace.requesters.approve, found.requester_id, found.assignment_id, None, True)

    @rule(n=ONE_OF, cents=st.sampled_from([1, 7, 300]), token=st.sampled_from([None, "a"]))
    def send_bonus(self, n: int, cents: int, token: str | None) -> None:
        if found := self._assignment(n, AssignmentStatus.APPROVED):
            send = self.workplace.requesters.bonuses.send
            self._try(send, found.requester_id, found.worker_id, found.assignment_id, cents, "thanks", token)

    @rule(n=ONE_OF, additional=st.sampled_from([1, 2, 9]), token=st.sampled_from([None, "a"]))
    def extend(self, n: int, additional: int, token: str | None) -> None:
        if hit := self._hit(n, HitStatus.ASSIGNABLE, HitStatus.REVIEWABLE):
            self._try(self.workplace.requesters.extend, hit.requester_id, hit.hit_id, additional, token)

    @rule(n=ONE_OF)
    def expire(self, n: int) -> None:
        if hit := self._hit(n, HitStatus.ASSIGNABLE):
            self._try(self.workplace.requesters.change_expiration, hit.requester_id, hit.hit_id, self.clock())

    @rule(n=ONE_OF, seconds=st.sampled_from([50, 5_000]))
    def open_again(self, n: int, seconds: int) -> None:
        if hit := self._hit(n, HitStatus.REVIEWABLE, HitStatus.UNASSIGNABLE):
            then_ms = self.clock() + seconds * 1_000
            self._try(self.workplace.requesters.change_expiration, hit.requester_id, hit.hit_id, then_ms)

    @rule(n=ONE_OF, reviewing=st.booleans())
    def set_reviewing(self, n: int, reviewing: bool) -> None:
        if hit := self._hit(n, HitStatus.REVIEWABLE if reviewing else HitStatus.REVIEWING):
            self._try(self.workplace.requesters.set_reviewing, hit.requester_id, hit.hit_id, reviewing)

    @rule(n=ONE_OF, m=ONE_OF)
    def change_type(self, n: int, m: int) -> None:
        hit, other = self._hit(n, HitStatus.ASSIGNABLE), self._hit(m)
        if hit and other:
            change = self.workplace.requesters.change_hit_type
            self._try(change, hit.requester_id, hit.hit_id, other.hit_type_id)

    @rule(n=ONE_OF)
    def delete(self, n: int) -> None:
        if hit := self._hit(n, HitStatus.REVIEWABLE):
            self._try(self.workplace.requesters.dispose, hit.requester_id, hit.hit_id)

    @rule(seconds=st.sampled_from([1, 1, 10, 10, 61, 61, 700, 1_001, 90_000, 121 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds)

    @rule(
        worker_id=st.sampled_from(WORKERS), cents=st.sampled_from([-9, 5]), reference=st.sampled_from(["a", "a", "b"])
    )
    def adjust(self, worker_id: str, cents: int, reference: str) -> None:
        try:
            self.operator.adjust_worker(worker_id, cents, reference, "put right")
        except ValueError:
            pass  # the reference is another adjustment's

    @rule()
    def sweep(self) -> None:
        self.workplace.sweep()

    @rule()
    def switch_queue(self) -> None:
        self.is_queue_down = not self.is_queue_down

    @precondition(lambda self: hasattr(self, "table"))
    @invariant()
    def it_adds_up(self) -> None:
        found = audit(self.table)
        assert found.discrepancies == []
        assert found.funded_cents == FUNDS_CENTS * len(REQUESTERS)

    def teardown(self) -> None:
        if not hasattr(self, "table"):
            return
        # In the end everything is over, nothing is held, and nobody waits for judgement or for an event.
        self.clock.move(2 * 365 * 86_400)
        self.is_queue_down = False
        for _ in range(2):
            self.workplace.sweep()
        found = audit(self.table)
        assert (found.discrepancies, found.held_cents) == ([], 0)
        assert list(self.table.query_all("event", index="due")) == []
        for worker_id in WORKERS:
            assert self.workplace.get_worker(worker_id).waiting == 0

    def _send(self, delivery: Delivery) -> None:
        if self.is_queue_down:
            raise DeliveryFailed("down")

    def _hit(self, n: int, *statuses: HitStatus) -> Hit | None:
        # As last written: looking through the workplace would bring them up to date, which the rules shall do.
        items = [self.table.get(f"hit#{hit_id}", "hit") for hit_id in self.hit_ids]
        hits = [records.hit_from_item(item) for item in items if item]
        fitting = [hit for hit in hits if hit.status in statuses] if n % 4 else []
        candidates = fitting or hits
        return candidates[n % len(candidates)] if candidates else None

    def _assignment(self, n: int, status: AssignmentStatus) -> Assignment | None:
        keys = [(f"hit#{found.hit_id}", records.assignment_sk(found)) for found in self.assignments]
        items = [self.table.get(*key) for key in keys]
        assignments = [records.assignment_from_item(item) for item in items if item]
        fitting = [found for found in assignments if found.status is status] if n % 4 else []
        candidates = fitting or assignments
        return candidates[n % len(candidates)] if candidates else None

    @staticmethod
    def _try(operation: Callable[..., Any], *arguments: Any, **terms: Any) -> Any:
        """What the operation returns; None if it is refused, which changes nothing, as the invariant sees."""
        try:
            return operation(*arguments, **terms)
        except (RequestError, WorkerError):
            return None


Everything.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestEverything = Everything.TestCase


def test_the_audit_sees_what_does_not_add_up() -> None:
    clock = StoppedClock()
    table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    workplace = Workplace(table, clock, new_id, 20, UNHEARD)
    operator = Operator(table, clock, CredentialSecrets(None, "", clock), unused)
    operator.fund_requester("A1", 1_000, "first")
    workplace.register_worker("AW1", "Ada")
    requesters = workplace.requesters
    kept = requesters.create_hit_type(HitType("", "A1", "t", "d", "", 5, 60, 600, ()))
    hit_id = requesters.create_hit(kept, QUESTION, lifetime_s=100).hit.hit_id
    assignment_id = workplace.accept(hit_id, "AW1").assignment_id
    workplace.submit(assignment_id, [])
    requesters.approve("A1", assignment_id)
    bonus = requesters.bonuses.send("A1", "AW1", assignment_id, 7, "thanks")
    operator.adjust_worker("AW1", -2, "a", "Paid by hand")
    assert operator.audit().adds_up
    today = records.date_of(clock())
    for pk, sk, change in (
        ("requester#A1", "account", "ADD available_cents :one"),
        ("requester#A1", "account", "ADD held_cents :one"),
        ("worker#AW1", "worker", "ADD earned_cents :one"),
        ("worker#AW1", "worker", "ADD adjusted_cents :one"),
        ("worker#AW1", f"earning#{clock():015d}#pay#{assignment_id}", "ADD cents :one"),
        ("worker#AW1", f"earning#{clock():015d}#adjustment#a", "ADD cents :one"),
        ("worker#AW1", "adjustment#a", "ADD cents :one"),
        ("requester#A1", f"ledger#pay#{assignment_id}", "ADD reward_cents :one"),
        ("requester#A1", f"ledger#bonus#{bonus.bonus_id}", "ADD reward_cents :one"),
        ("requester#A1", f"payroll#{today}#AW1", "ADD fee_cents :one"),
        ("worker#AW1", f"{records.MONTHS}{today[:7]}", f"ADD reward_cents_{today[8:]} :one"),
        ("requester#A1", "worker#AW1", "ADD approved :one"),
        ("worker#AW1", "worker", "ADD bonus_cents :one"),
        (f"hit#{hit_id}", "hit", "ADD pending :one"),
        (f"hit#{hit_id}", "hit", "ADD approved :one"),
    ):
        table.update(pk, sk, change, values={"one": 1})
        assert not operator.audit().adds_up, change
        table.update(pk, sk, change, values={"one": -1})
    assert operator.audit().adds_up


def test_a_hit_disposed_of_while_the_audit_reads_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock()
    table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    workplace = Workplace(table, clock, new_id, 20, UNHEARD)
    Operator(table, clock, CredentialSecrets(None, "", clock), unused).fund_requester("A1", 99, "x")
    workplace.register_worker("AW1", "Ada")
    requesters = workplace.requesters
    kept = requesters.create_hit_type(HitType("", "A1", "t", "d", "", 5, 60, 600, ()))
    hit_id = requesters.create_hit(kept, QUESTION, lifetime_s=100).hit.hit_id
    requesters.approve("A1", workplace.submit(workplace.accept(hit_id, "AW1").assignment_id, []).assignment_id)
    query_all = table.query_all

    def interrupted(pk: str, *args: Any, **options: Any) -> Any:
        if pk == records.disposed_pk("A1"):
            requesters.dispose("A1", hit_id)
        yield from query_all(pk, *args, **options)

    monkeypatch.setattr(table, "query_all", interrupted)
    found = audit(table)
    assert requesters.get_hit("A1", hit_id).hit.status is HitStatus.DISPOSED
    assert (found.hits, found.assignments, found.discrepancies) == (1, 1, [])


def test_a_ledger_entry_is_never_written_over() -> None:
    """Even if the rules went wrong and approved twice, the second payment could not be booked."""
    clock = StoppedClock()
    table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    workplace = Workplace(table, clock, new_id, 20, UNHEARD)
    Operator(table, clock, CredentialSecrets(None, "", clock), unused).fund_requester("A1", 99, "x")
    workplace.register_worker("AW1", "Ada")
    kept = workplace.requesters.create_hit_type(HitType("", "A1", "t", "d", "", 5, 60, 600, ()))
    hit_id = workplace.requesters.create_hit(kept, QUESTION, lifetime_s=100).hit.hit_id
    submitted = workplace.submit(workplace.accept(hit_id, "AW1").assignment_id, [])
    workplace.requesters.approve("A1", submitted.assignment_id)
    store = Store(table, clock, new_id, UNHEARD)
    with pytest.raises(TransactionFailed):
        store.change_hit(hit_id, lambda hit, now_ms: lifecycle.approve(hit, submitted, None, now_ms))
    assert audit(table).adds_up


def test_many_workers_at_once_get_each_assignment_once_and_all_are_paid_once() -> None:
    clock = StoppedClock()
    table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    workplace = Workplace(table, clock, new_id, 20, UNHEARD)
    Operator(table, clock, CredentialSecrets(None, "", clock), unused).fund_requester("A1", 10_000, "x")
    requesters = workplace.requesters
    kept = requesters.create_hit_type(HitType("", "A1", "t", "d", "", 5, 60, 600, ()))
    hit_ids = [requesters.create_hit(kept, QUESTION, lifetime_s=100, max_assignments=3).hit.hit_id for _ in range(3)]
    for number in range(8):
        workplace.register_worker(f"AW{number}", "Ada")

    def work(number: int) -> int:
        done = 0
        for hit_id in hit_ids:
            try:
                assignment_id = workplace.accept(hit_id, f"AW{number % 8}").assignment_id
                workplace.submit(assignment_id, [])
                requesters.approve("A1", assignment_id)
            except WorkerError:
                continue
            done += 1
        return done

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(16))) == 9
    found = audit(table)
    assert (found.discrepancies, found.rewards_paid_cents, found.held_cents) == ([], 45, 0)


def test_a_token_used_at_once_by_many_makes_one_hit() -> None:
    clock = StoppedClock()
    table = create_table(MemoryDynamoDB(), "workplace", INDEXES)
    requesters = Workplace(table, clock, new_id, 0, UNHEARD).requesters
    Operator(table, clock, CredentialSecrets(None, "", clock), unused).fund_requester("A1", 5, "x")
    kept = requesters.create_hit_type(HitType("", "A1", "t", "d", "", 5, 60, 600, ()))

    def create(_: int) -> str:
        try:
            return requesters.create_hit(kept, QUESTION, lifetime_s=100, token="once").hit.hit_id
        except RequestError as error:
            assert error.turk_error_code == "AWS.MechanicalTurk.HitAlreadyExists"
            return hit_id_in(error.message)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(create, range(16)))) == 1
    assert requesters.account("A1").held_cents == 5

"""What Workers were paid, month by month, and how an operator puts it right."""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from moto import mock_aws

from crowdsight.workplace.faults import WorkerNotFound
from crowdsight.workplace.ledger import Earning
from crowdsight.workplace.statement import Statements, csv_lines, month_of
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import Rig

ADA, GRACE = "AWORKER0000001", "AWORKER0000002"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        rig = Rig(fee_percent=20, dynamodb=MemoryDynamoDB())
        # The middle of a month, so that a test knows which month the next is.
        rig.clock.now_ms = int(datetime(2026, 11, 15, tzinfo=UTC).timestamp() * 1000)
        rig.workplace.register_worker(ADA, "Ada")
        rig.workplace.register_worker(GRACE, "Grace")
        yield rig


@pytest.fixture
def statements(rig: Rig) -> Statements:
    return Statements(rig.wiring.workplace_table, rig.clock)


def pay(rig: Rig, worker_id: str, reward: str = "0.05", title: str = "Look") -> str:
    """The id of an assignment that is paid."""
    hit_id = rig.create_hit(Reward=reward, Title=title, LifetimeInSeconds=86_400)["HITId"]
    assignment = rig.workplace.accept(hit_id, worker_id)
    rig.workplace.submit(assignment.assignment_id, [("answer", "yes")])
    rig.workplace.requesters.approve("A1CROWDSIGHT00", assignment.assignment_id)
    return assignment.assignment_id


def test_a_statement_has_what_one_worker_was_paid_in_one_month(rig: Rig, statements: Statements) -> None:
    first = pay(rig, ADA, "0.05", "Look")
    rig.clock.move(60)
    second = pay(rig, ADA, "0.10", "Listen")
    pay(rig, GRACE, "1.00")
    rig.clock.move(20 * 86_400)
    third = pay(rig, ADA, "0.01")

    november = statements.of_month(ADA, "2026-11")
    assert [(one.assignment_id, one.kind, one.cents, one.text) for one in november.earnings] == [
        (second, "pay", 10, "Listen"),
        (first, "pay", 5, "Look"),
    ]
    assert (november.total_cents, november.cents_by_kind) == (15, {"pay": 15})
    assert [one.assignment_id for one in statements.of_month(ADA, "2026-12").earnings] == [third]
    assert statements.of_month(ADA, "2026-10").earnings == ()
    assert rig.audit().adds_up


def test_months_go_from_now_back_to_a_moment(rig: Rig, statements: Statements) -> None:
    since_ms = rig.clock()
    assert statements.months(since_ms) == ["2026-11"]
    rig.clock.move(92 * 86_400)
    assert statements.months(since_ms) == ["2027-02", "2027-01", "2026-12", "2026-11"]


def test_an_entry_at_the_first_moment_of_a_month_is_in_that_month_only(rig: Rig, statements: Statements) -> None:
    rig.clock.now_ms = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
    rig.operator.adjust_worker(ADA, 1, "new", "at midnight")
    assert month_of(rig.clock()) == "2026-12"
    assert len(statements.of_month(ADA, "2026-12").earnings) == 1
    assert statements.of_month(ADA, "2026-11").earnings == ()


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "1999-01", "2026-1", "2026-11\n", "٢٠٢٦-11"])
def test_what_is_no_month_is_refused(statements: Statements, month: str) -> None:
    with pytest.raises(ValueError, match="month"):
        statements.of_month(ADA, month)


def test_an_adjustment_is_an_entry_of_its_own_and_adds_up(rig: Rig, statements: Statements) -> None:
    pay(rig, ADA)
    rig.clock.move(1)
    rig.operator.adjust_worker(ADA, -3, "ticket 7", "Paid twice by hand")
    rig.clock.move(1)
    rig.operator.adjust_worker(ADA, 250, "ticket 8", "Thank you")

    statement = statements.of_month(ADA, "2026-11")
    assert [(one.kind, one.cents, one.text) for one in statement.earnings] == [
        ("adjustment", 250, "Thank you"),
        ("adjustment", -3, "Paid twice by hand"),
        ("pay", 5, "Look"),
    ]
    assert statement.cents_by_kind == {"adjustment": 247, "pay": 5}
    worker = rig.workplace.get_worker(ADA)
    assert (worker.earned_cents, worker.adjusted_cents) == (5, 247)
    assert rig.workplace.get_worker(GRACE).adjusted_cents == 0
    audit = rig.audit()
    assert (audit.adds_up, audit.adjusted_cents) == (True, 247)


def test_an_adjustment_happens_once_a_reference(rig: Rig, statements: Statements) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: rig.operator.adjust_worker(ADA, 7, "once", "Why"), range(8)))
    rig.clock.move(86_400)
    made.append(rig.operator.adjust_worker(ADA, 7, "once", "Why"))
    assert len(set(made)) == 1
    assert statements.of_month(ADA, "2026-11").total_cents == 7
    for cents, reason in ((8, "Why"), (7, "Another")):
        with pytest.raises(ValueError, match="another adjustment"):
            rig.operator.adjust_worker(ADA, cents, "once", reason)
    rig.operator.adjust_worker(GRACE, 8, "once", "A reference is one Worker's")
    assert rig.audit().adds_up


@pytest.mark.parametrize(
    ("cents", "reference", "reason"),
    [(0, "a", "b"), (10_000_001, "a", "b"), (1, "", "b"), (1, "a", " "), (1, "x" * 201, "b"), (1, "a", "b\n")],
)
def test_what_is_no_adjustment_is_refused(rig: Rig, cents: int, reference: str, reason: str) -> None:
    with pytest.raises(ValueError, match="has 1 to|is of 1 to"):
        rig.operator.adjust_worker(ADA, cents, reference, reason)
    assert rig.workplace.get_worker(ADA).adjusted_cents == 0


def test_a_worker_that_is_not_there_is_not_adjusted(rig: Rig) -> None:
    with pytest.raises(WorkerNotFound):
        rig.operator.adjust_worker("ANOBODY0000000", 1, "a", "b")
    assert rig.workplace.find_worker("ANOBODY0000000") is None


def test_a_csv_says_the_same_and_holds_no_formula() -> None:
    at_ms = int(datetime(2026, 11, 15, 12, 30, tzinfo=UTC).timestamp() * 1000)
    earnings = [
        Earning(ADA, "pay#3ID", "pay", at_ms, 105, '=HYPERLINK("x"), "y"', "A1", "3HIT", "3ID"),
        Earning(ADA, "adjustment#@7", "adjustment", at_ms, -5, "Put, right"),
    ]
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(earnings)), newline="")))
    assert rows == [
        {
            "paid_at": "2026-11-15T12:30:00Z",
            "kind": "pay",
            "amount_usd": "1.05",
            "for": '\'=HYPERLINK("x"), "y"',
            "hit_id": "3HIT",
            "assignment_id": "3ID",
            "reference": "",
        },
        {
            "paid_at": "2026-11-15T12:30:00Z",
            "kind": "adjustment",
            "amount_usd": "-0.05",
            "for": "Put, right",
            "hit_id": "",
            "assignment_id": "",
            "reference": "'@7",
        },
    ]


def test_what_is_approved_by_itself_is_booked_when_it_is_written_not_when_it_was_due(
    rig: Rig, statements: Statements
) -> None:
    hit_id = rig.create_hit(AutoApprovalDelayInSeconds=86_400)["HITId"]
    assignment_id = rig.submit(hit_id, ADA)
    due_ms = rig.clock() + 86_400_000
    rig.clock.move(20 * 86_400)  # from 15 November
    payroll = rig.workplace.payroll
    assert payroll.lines("A1CROWDSIGHT00", "2026-11-01", "2026-11-30") == []
    rig.sweep()
    assert rig.workplace.get_assignment(assignment_id).approved_at_ms == due_ms
    assert payroll.lines("A1CROWDSIGHT00", "2026-11-01", "2026-11-30") == []
    (line,) = payroll.lines("A1CROWDSIGHT00", "2026-12-05", "2026-12-05")
    assert (line.worker_id, line.paid, line.reward_cents) == (ADA, 1, 5)
    assert [entry.at_ms for entry in statements.of_month(ADA, "2026-12").earnings] == [rig.clock()]
    assert rig.audit().discrepancies == []

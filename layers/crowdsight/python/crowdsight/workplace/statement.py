"""A Worker's statement: what they were paid and for what, and what was put right since. In integer cents.

An entry is written once and never changed or removed: what was wrong is put right by another entry, an adjustment.
"""

import calendar
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table, TransactionFailed
from crowdsight.money import wire_dollars
from crowdsight.workplace import records
from crowdsight.workplace.faults import WorkerNotFound
from crowdsight.workplace.ledger import Earning

ADJUSTMENT = "adjustment"
MAX_REFERENCE_LENGTH = 200
MAX_REASON_LENGTH = 500
MAX_ADJUSTMENT_CENTS = 10_000_000

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_COLUMNS = ("paid_at", "kind", "amount_usd", "for", "hit_id", "assignment_id", "reference")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Statement:
    """One month (UTC, as `2026-11`) of a Worker's entries, newest first, and their sums by kind."""

    month: str
    earnings: tuple[Earning, ...]

    @property
    def total_cents(self) -> int:
        return sum(earning.cents for earning in self.earnings)

    @property
    def cents_by_kind(self) -> dict[str, int]:
        """Only of kinds that there are, in the order of their names."""
        sums: dict[str, int] = {}
        for earning in self.earnings:
            sums[earning.kind] = sums.get(earning.kind, 0) + earning.cents
        return dict(sorted(sums.items()))


class Statements:
    """Statements of all Workers, over the workplace's table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def of_month(self, worker_id: str, month: str) -> Statement:
        """The Worker's entries of a month such as `2026-11`. Raises ValueError for what is no month."""
        first_ms, end_ms = _bounds(month)
        between = records.earnings_between(first_ms, end_ms)
        items = self._table.query_all(records.worker_pk(worker_id), sk_between=between)
        earnings = [records.earning_from_item(item) for item in items]
        return Statement(month, tuple(reversed(earnings)))

    def months(self, since_ms: int) -> list[str]:
        """Every month from that moment until now, newest first."""
        now, since = month_of(self._clock()), month_of(since_ms)
        found = []
        year, number = int(now[:4]), int(now[5:])
        while f"{year:04}-{number:02}" >= since:
            found.append(f"{year:04}-{number:02}")
            year, number = (year, number - 1) if number > 1 else (year - 1, 12)
        return found

    def adjust(self, worker_id: str, cents: int, reference: str, reason: str) -> Earning:
        """Put a Worker's earnings right, by more or (negative) less; once for each `reference` of that Worker.

        `reference` has 1 to 200 printable characters, `reason`, which the Worker reads, 1 to 500. Raises ValueError
        for others, for no cents or more than $100,000, and for a reference that stands for another adjustment;
        WorkerNotFound.
        """
        _require_text(reference, MAX_REFERENCE_LENGTH, "a reference")
        _require_text(reason, MAX_REASON_LENGTH, "a reason")
        if not 1 <= abs(cents) <= MAX_ADJUSTMENT_CENTS:
            raise ValueError(f"an adjustment is of 1 to {MAX_ADJUSTMENT_CENTS} cents, more or less")
        earning = Earning(worker_id, f"{ADJUSTMENT}#{reference}", ADJUSTMENT, self._clock(), cents, reason)
        pk = records.worker_pk(worker_id)
        try:
            self._table.transact(
                [
                    self._table.put_step("once", records.adjustment_to_item(earning), "attribute_not_exists(pk)"),
                    self._table.put_step("earning", records.earning_to_item(earning), "attribute_not_exists(pk)"),
                    self._table.update_step(
                        "worker", pk, "worker", "ADD adjusted_cents :cents", "attribute_exists(pk)", {"cents": cents}
                    ),
                ]
            )
        except TransactionFailed as error:
            if "worker" in error.failed:
                raise WorkerNotFound("There is no such Worker.") from error
            return self._made_before(earning)
        return earning

    def _made_before(self, earning: Earning) -> Earning:
        item = self._table.get(records.worker_pk(earning.worker_id), records.adjustment_sk(earning))
        made = records.earning_from_item(item) if item else None
        if made is None or (made.cents, made.text) != (earning.cents, earning.text):
            raise ValueError("this reference stands for another adjustment already")
        return made


def month_of(at_ms: int) -> str:
    """The month (UTC) of a moment, as `2026-11`."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m}"


def csv_lines(earnings: Iterable[Earning]) -> Iterator[str]:
    """A statement as CSV (RFC 4180) with a header, amounts in dollars, oldest first as given.

    Titles are requesters' own: what a spreadsheet would take for a formula gets an apostrophe before it.
    """
    yield csv_line(_COLUMNS)
    for earning in earnings:
        at = datetime.fromtimestamp(earning.at_ms // 1000, UTC)
        reference = earning.key.partition("#")[2] if earning.kind == ADJUSTMENT else ""
        yield csv_line(
            (
                f"{at:%Y-%m-%dT%H:%M:%SZ}",
                earning.kind,
                signed_dollars(earning.cents),
                harmless(earning.text),
                earning.hit_id or "",
                earning.assignment_id or "",
                harmless(reference),
            )
        )


def signed_dollars(cents: int) -> str:
    """Cents as programs read them, such as -0.05."""
    return f"{'-' if cents < 0 else ''}{wire_dollars(abs(cents))}"


def csv_line(values: Iterable[str]) -> str:
    """One line of CSV (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _bounds(month: str) -> tuple[int, int]:
    """The first moment of a month and that of the next, in ms."""
    found = _MONTH.fullmatch(month)
    if found is None:
        raise ValueError("a month is written as 2026-11")
    year, number = int(found[1]), int(found[2])
    first_s = calendar.timegm((year, number, 1, 0, 0, 0))
    return first_s * 1000, (first_s + calendar.monthrange(year, number)[1] * 86_400) * 1000


def _require_text(text: str, longest: int, what: str) -> None:
    if not 1 <= len(text.strip()) <= len(text) <= longest or not text.isprintable():
        raise ValueError(f"{what} has 1 to {longest} printable characters")

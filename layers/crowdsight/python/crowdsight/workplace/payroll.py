"""Payroll: what a requester paid to each Worker between two days, out of sums that payments kept as they were made."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from crowdsight.dynamodb import Table
from crowdsight.workplace import records
from crowdsight.workplace.statement import csv_line, harmless, signed_dollars

MAX_DAYS = 366
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_COLUMNS = ("worker_id", "name", "from", "to", "payments", "paid_usd", "fees_usd")


@dataclass(frozen=True)
class PayrollLine:
    """What one Worker was paid: so many payments, together `reward_cents`, and the fees on top."""

    worker_id: str
    name: str = ""
    paid: int = 0
    reward_cents: int = 0
    fee_cents: int = 0


class Payroll:
    """Every requester's, over the workplace's table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def check_period(self, first: str, last: str) -> None:
        """Raises ValueError unless these are two days in order, as `2026-11-28`, at most 366 of them."""
        if not _DAY.fullmatch(first) or not _DAY.fullmatch(last):
            raise ValueError("a day is written as 2026-11-28")
        if not 0 <= (date.fromisoformat(last) - date.fromisoformat(first)).days < MAX_DAYS:
            raise ValueError(f"a period has 1 to {MAX_DAYS} days")

    def lines(self, requester_id: str, first: str, last: str) -> list[PayrollLine]:
        """A line for each Worker who was paid from the one day to the other (UTC, both included), by name."""
        between = (records.payroll_sk(first), f"{records.payroll_sk(last)}~")
        lines: dict[str, PayrollLine] = {}
        for item in self._table.query_all(records.requester_pk(requester_id), sk_between=between):
            worker_id = item["sk"].rpartition("#")[2]
            line = lines.get(worker_id, PayrollLine(worker_id))
            lines[worker_id] = replace(
                line,
                paid=line.paid + item["paid"],
                reward_cents=line.reward_cents + item["reward_cents"],
                fee_cents=line.fee_cents + item["fee_cents"],
            )
        workers = self._table.get_many((records.worker_pk(worker_id), "worker") for worker_id in lines)
        names = {item["worker_id"]: item["name"] for item in workers}
        named = [replace(line, name=names.get(line.worker_id, "")) for line in lines.values()]
        return sorted(named, key=lambda line: (line.name.casefold(), line.worker_id))


def payroll_lines(lines: Sequence[PayrollLine], first: str, last: str) -> Iterator[str]:
    """As CSV (RFC 4180) with a header, amounts in dollars. A name that is a formula gets an apostrophe before it."""
    yield csv_line(_COLUMNS)
    for line in lines:
        money = (signed_dollars(line.reward_cents), signed_dollars(line.fee_cents))
        yield csv_line((line.worker_id, harmless(line.name), first, last, str(line.paid), *money))

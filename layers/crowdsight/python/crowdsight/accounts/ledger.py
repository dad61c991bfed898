"""The ledger of an account: an entry for all cents that came or went, written together with what they changed.

The balance is what the entries add up to, less what searches under way hold of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from crowdsight.accounts.store import Account, AccountStore, account_item
from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Step, Table, TransactionFailed
from crowdsight.errors import InvalidRequest

MAX_TOP_UP_CENTS = 100_000_000
AUDIT_ATTEMPTS = 10


class EntryKind(StrEnum):
    TOP_UP = "top-up"
    SEARCH = "search"


@dataclass(frozen=True)
class Entry:
    """Cents that came (or went, if negative). `reference`: the payment's, or the id that the search was held under.

    `request_id`: what a search's request is called in the logs, for information: callers can choose it.
    """

    account: str
    kind: EntryKind
    reference: str
    cents: int
    at_ms: int
    request_id: str | None = None


class Ledger:
    """All reads are strongly consistent. `store` reads the accounts that lie in `table`."""

    def __init__(self, table: Table, store: AccountStore, clock: Clock) -> None:
        self._table = table
        self._store = store
        self._clock = clock

    def top_up(self, account: str, cents: int, reference: str) -> None:
        """Add to a balance; the same reference again changes nothing. Raises NotFound, InvalidRequest."""
        if not 1 <= cents <= MAX_TOP_UP_CENTS:
            raise InvalidRequest(f"a top-up is of 1 to {MAX_TOP_UP_CENTS} cents")
        if not 1 <= len(reference) <= 200 or not reference.isprintable():
            raise InvalidRequest("a reference is 1 to 200 printable characters")
        self._store.account(account)
        entry = Entry(account, EntryKind.TOP_UP, reference, cents, self._clock())
        steps = [
            self._table.update_step(
                "balance", *account_item(account), "ADD balance_cents :cents", values={"cents": cents}
            ),
            entry_step(self._table, entry),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed as error:
            known = self.entry(account, EntryKind.TOP_UP, reference)
            if known is None or known.cents != cents:
                raise InvalidRequest("this reference was another amount's") from error

    def entry(self, account: str, kind: EntryKind, reference: str) -> Entry | None:
        item = self._table.get(f"ACCOUNT#{account}", _sk(kind, reference))
        return _entry(item) if item else None

    def entries(self, account: str) -> Iterator[Entry]:
        """All of an account, in no order that means anything."""
        return map(_entry, self._table.query_all(f"ACCOUNT#{account}", "LEDGER#"))

    def discrepancies(self, account: str) -> list[str]:
        """What does not add up in an account; nothing, if all is well. Raises NotFound.

        An account that changes all the while is read again until it holds still.
        """
        for _ in range(AUDIT_ATTEMPTS):
            before = self._store.account(account)
            recorded_cents = sum(entry.cents for entry in self.entries(account))
            if self._store.account(account) == before:
                return _discrepancies(before, recorded_cents)
        return [f"{account}: it was in use all the time; audit it again"]


def entry_step(table: Table, entry: Entry) -> Step:
    """Write an entry, once for all times. Its label is `entry`."""
    item: Item = {
        "pk": f"ACCOUNT#{entry.account}",
        "sk": _sk(entry.kind, entry.reference),
        "account": entry.account,
        "kind": entry.kind.value,
        "reference": entry.reference,
        "cents": entry.cents,
        "at_ms": entry.at_ms,
    }
    if entry.request_id is not None:
        item["request_id"] = entry.request_id
    return table.put_step("entry", item, "attribute_not_exists(pk)")


def _sk(kind: EntryKind, reference: str) -> str:
    return f"LEDGER#{kind}#{reference}"


def _entry(item: Item) -> Entry:
    return Entry(
        account=item["account"],
        kind=EntryKind(item["kind"]),
        reference=item["reference"],
        cents=item["cents"],
        at_ms=item["at_ms"],
        request_id=item.get("request_id"),
    )


def _discrepancies(account: Account, recorded_cents: int) -> list[str]:
    found = []
    held_cents = sum(held.cents for held in account.reservations.values())
    if account.balance_cents + held_cents != recorded_cents:
        found.append(
            f"{account.name}: the ledger says {recorded_cents} cents, the balance is {account.balance_cents} with "
            f"{held_cents} held"
        )
    if account.balance_cents < 0:
        found.append(f"{account.name}: the balance is {account.balance_cents} cents")
    if min(account.free_used, account.paid_used) < 0:
        found.append(f"{account.name}: {account.free_used} free and {account.paid_used} paid searches today")
    return found

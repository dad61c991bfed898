"""What an account may search for: so many free a day, and then as many as its balance pays for.

A search is reserved before its work and settled or released after it. Each is one conditional write, so that for any
interleaving no search counts twice, none is given away, and no balance is below zero. A search is free if the day's
free ones are not all used or under way when it starts. What nobody ended, because its Lambda was killed, expires: no
standing counts it any more, and the next search writes it back.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from crowdsight.accounts.ledger import Entry, EntryKind, Ledger, entry_step
from crowdsight.accounts.store import RESERVATION, Account, AccountStore, Reservation, account_item
from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table, TransactionFailed
from crowdsight.errors import AllowanceExhausted, InternalError, TooManyRequests

RESERVATION_S = 60
"""How long a search is held. No Lambda behind the gateway runs half as long."""

MAX_HELD = 1000
"""How many searches of an account may be under way at once. They are all in its one item: about 100 bytes each, of at
most 400 KB, and every write pays for the whole of it."""

ATTEMPTS = 50

DAY = "%Y-%m-%d"


@dataclass(frozen=True)
class Standing:
    """An account's searches today, settled or under way. `resets_at_s`: when the day ends, seconds since the epoch."""

    free_searches: int
    free_used: int
    paid_used: int
    balance_cents: int
    search_price_cents: int
    resets_at_s: int

    @property
    def free_left(self) -> int:
        return max(self.free_searches - self.free_used, 0)


class Allowance:
    """Counts searches. `store` reads the accounts that lie in `table`, and `ledger` their entries.

    `new_id`: random ids, under which searches are held and booked. A request's own id would not do: callers can
    choose it.
    """

    def __init__(
        self, table: Table, store: AccountStore, ledger: Ledger, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._table = table
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id

    def standing(self, account: str) -> Standing:
        """How it stands now; what has expired counts no more. Nothing is written. Raises NotFound."""
        return self._standing(self._store.account(account))

    def reserve(self, account: str) -> tuple[Reservation, Standing]:
        """Hold a search before it is made. The standing counts it already.

        Raises AllowanceExhausted, TooManyRequests, NotFound.
        """
        id = self._new_id()
        for _ in range(ATTEMPTS):
            found = self._present(account)
            if id in found.reservations:
                # The write was made and its answer lost, so that botocore sent it again.
                return found.reservations[id], self._standing(found)
            if len(found.reservations) >= MAX_HELD:
                break
            price_cents, free = found.terms.search_price_cents, found.terms.free_searches
            expires_at_ms = self._clock() + RESERVATION_S * 1000
            values: Item = {"day": found.day, "free": free, "one": 1}
            if found.free_used < free:
                held = Reservation(id, True, 0, found.day, expires_at_ms)
                change, condition = "ADD free_used :one", "free_used < :free"
            elif found.balance_cents >= price_cents:
                held = Reservation(id, False, price_cents, found.day, expires_at_ms)
                change = "ADD balance_cents :minus, paid_used :one"
                condition = "free_used >= :free AND balance_cents >= :price"
                values |= {"minus": -price_cents, "price": price_cents}
            else:
                raise AllowanceExhausted(_exhausted(found), headers=allowance_headers(self._standing(found)))
            try:
                item = self._change(
                    account,
                    f"SET #held = :held {change}",
                    f"attribute_not_exists(#held) AND #day = :day AND {condition}",
                    held,
                    values,
                )
            except ConditionFailed:
                continue  # another was quicker, the day is over, or it is held already: look again
            return held, self._standing(self._store.read(item))
        raise TooManyRequests(
            "too many searches of this account at the same moment; try again in a second",
            headers=allowance_headers(self._standing(found)),
        )

    def settle(self, account: str, held: Reservation, request_id: str) -> None:
        """The search was made: what was held for it is spent. Raises InternalError if it is not held any more."""
        try:
            if held.is_free:
                self._change(account, "REMOVE #held", "#held = :held", held)
            else:
                entry = Entry(account, EntryKind.SEARCH, held.id, -held.cents, self._clock(), request_id)
                spent = self._table.update_step(
                    "held",
                    *account_item(account),
                    "REMOVE #held",
                    "#held = :held",
                    {"held": _value(held)},
                    _names(held),
                )
                self._table.transact([spent, entry_step(self._table, entry)])
        except (ConditionFailed, TransactionFailed) as error:
            if not self._is_settled(account, held):
                raise InternalError("the search took too long") from error

    def release(self, account: str, held: Reservation) -> None:
        """The search failed, or nobody ended it: it costs nothing. Doing it again changes nothing."""
        used = "free_used" if held.is_free else "paid_used"
        back: Item = {"cents": held.cents}
        try:
            self._change(
                account,
                f"REMOVE #held ADD balance_cents :cents, {used} :minus",
                "#held = :held AND #day = :day",
                held,
                back | {"minus": -1, "day": held.day},
            )
            return
        except ConditionFailed:
            pass  # it is not held any more, or the day that it was counted in is over
        try:
            self._change(account, "REMOVE #held ADD balance_cents :cents", "#held = :held", held, back)
        except ConditionFailed:
            pass  # released or settled already

    def _is_settled(self, account: str, held: Reservation) -> bool:
        """Whether an attempt whose answer was lost has settled it."""
        if held.is_free:
            return self._clock() < held.expires_at_ms  # nobody else ends it before that
        return self._ledger.entry(account, EntryKind.SEARCH, held.id) is not None

    def _present(self, name: str) -> Account:
        """The account today, with nothing in it that has expired, as it is then stored. Raises NotFound."""
        account = self._store.account(name)
        expired = self._expired(account)
        for held in expired:
            self.release(name, held)
        today = self._today()
        if account.day < today:
            try:
                self._table.update(
                    *account_item(name),
                    "SET #day = :today, free_used = :none, paid_used = :none",
                    "#day = :before",
                    {"today": today, "none": 0, "before": account.day},
                    {"day": "day"},
                )
            except ConditionFailed:
                pass  # another was quicker
        return self._store.account(name) if expired or account.day < today else account

    def _standing(self, account: Account) -> Standing:
        """Without what has expired, and today's even if the account was last written on another day."""
        expired = self._expired(account)
        day = max(account.day, self._today())
        counted = [held for held in expired if held.day == day]
        free_used, paid_used = (account.free_used, account.paid_used) if account.day == day else (0, 0)
        midnight = datetime.strptime(day, DAY).replace(tzinfo=UTC) + timedelta(days=1)
        return Standing(
            free_searches=account.terms.free_searches,
            free_used=free_used - sum(held.is_free for held in counted),
            paid_used=paid_used - sum(not held.is_free for held in counted),
            balance_cents=account.balance_cents + sum(held.cents for held in expired),
            search_price_cents=account.terms.search_price_cents,
            resets_at_s=int(midnight.timestamp()),
        )

    def _expired(self, account: Account) -> list[Reservation]:
        now = self._clock()
        return [held for held in account.reservations.values() if held.expires_at_ms <= now]

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock() / 1000, UTC).strftime(DAY)

    def _change(
        self, account: str, expression: str, condition: str, held: Reservation, values: Item | None = None
    ) -> Item:
        values = (values or {}) | {"held": _value(held)}
        names = _names(held) | ({"day": "day"} if "#day" in condition else {})
        return self._table.update(*account_item(account), expression, condition, values, names)


def allowance_headers(standing: Standing) -> dict[str, str]:
    """What every answer to a search tells of the account's allowance."""
    return {
        "X-Allowance-Limit": str(standing.free_searches),
        "X-Allowance-Remaining": str(standing.free_left),
        "X-Allowance-Reset": str(standing.resets_at_s),
    }


def _exhausted(account: Account) -> str:
    return (
        f"today's {account.terms.free_searches} free searches are used and the balance of {account.balance_cents} "
        f"cents does not cover the price of {account.terms.search_price_cents}; ask the operator to top it up: "
        f"python -m client admin topup {account.name} CENTS --reference PAYMENT"
    )


def _names(held: Reservation) -> dict[str, str]:
    return {"held": f"{RESERVATION}{held.id}"}


def _value(held: Reservation) -> Item:
    return {name: value for name, value in asdict(held).items() if name != "id"}

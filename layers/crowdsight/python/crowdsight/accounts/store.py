"""Accounts and their keys in DynamoDB.

| pk              | sk         | what                                                                               |
|-----------------|------------|------------------------------------------------------------------------------------|
| ACCOUNT#account | ACCOUNT    | terms, balance, searches of today, and each under way as `reservation#its id`      |
| ACCOUNT#account | KEY#key id | a key of it, for lists                                                             |
| ACCOUNT#account | LEDGER#id  | cents that came or went                                                            |
| KEY#hash        | KEY        | whose key it is: the one read of a request                                         |
| ACCOUNTS        | account    | the names of all accounts                                                          |

What is counted for every search is in the account's own item, so that a search is one conditional write before it and
one after it, and no two of them can disagree.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crowdsight.accounts.gateway_keys import GatewayKeys
from crowdsight.accounts.keys import hash_of, id_of, is_key, new_key
from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Table, TransactionFailed
from crowdsight.errors import InvalidRequest, NotFound, TooManyKeys

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
RESERVATION = "reservation#"
"""What the names of attributes start with that hold searches under way."""

MAX_KEYS = 10
MAX_OVERLAP_S = 7 * 86_400
KEEP_ENDED_S = 30 * 86_400
"""How long a key that has ended waits for somebody to look at the account's keys and have the gateway forget it."""

TERMS = ("free_searches", "search_price_cents", "crowd_budget_cents")


@dataclass(frozen=True)
class Terms:
    """What a day's searches and a month's tasks may cost.

    `free_searches`: how many successful ones a UTC day has free. `search_price_cents`: of each further one.
    `crowd_budget_cents`: what tasks may cost in a calendar month (UTC) at the worst, 0 for no ceiling.
    """

    free_searches: int
    search_price_cents: int
    crowd_budget_cents: int


@dataclass(frozen=True)
class Reservation:
    """A search under way, of a day's free ones or for some cents, and until when it is held for it."""

    id: str
    is_free: bool
    cents: int
    day: str
    expires_at_ms: int


@dataclass(frozen=True)
class Account:
    """An account as it is now. `free_used` and `paid_used`: searches of `day`, yyyy-mm-dd in UTC, or under way then.

    `terms`: the deployment's, but for those of its own. `own_terms`: these alone.
    """

    name: str
    created_at_ms: int
    terms: Terms
    own_terms: Mapping[str, int]
    balance_cents: int
    day: str
    free_used: int
    paid_used: int
    reservations: Mapping[str, Reservation]


@dataclass(frozen=True)
class KeyRecord:
    """A key, without the key. `gateway_id`: the gateway's for it. `expires_at_ms`: when it ends, if it does."""

    id: str
    account: str
    hash: str
    gateway_id: str
    created_at_ms: int
    expires_at_ms: int | None


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: the only time that `key` is shown.

    `replaces_until_ms`: until when the key that it was made in place of works, if there is one.
    """

    key: str = field(repr=False)
    record: KeyRecord
    replaces_until_ms: int | None = None


class AccountStore:
    """All reads are strongly consistent.

    `terms`: the deployment's, for accounts that have none of their own. `gateway` is told of keys before they are
    stored, and again once they are gone.
    """

    def __init__(self, table: Table, clock: Clock, terms: Terms, gateway: GatewayKeys) -> None:
        self._table = table
        self._clock = clock
        self._terms = terms
        self._gateway = gateway

    # Accounts

    def create(self, name: str) -> bool:
        """Open an account; False if there is one of this name. Raises InvalidRequest for a name that cannot be."""
        check_account_name(name)
        now = self._clock()
        item: Item = {
            **_account_keys(name),
            "created_at_ms": now,
            "balance_cents": 0,
            "day": "",
            "free_used": 0,
            "paid_used": 0,
        }
        steps = [
            self._table.put_step("account", item, "attribute_not_exists(pk)"),
            self._table.put_step("name", {"pk": "ACCOUNTS", "sk": name}),
        ]
        try:
            self._table.transact(steps)
        except TransactionFailed:
            return False
        return True

    def account(self, name: str) -> Account:
        """Raises NotFound."""
        item = self._table.get(f"ACCOUNT#{name}", "ACCOUNT")
        if item is None:
            raise NotFound("no such account")
        return self.read(item)

    def read(self, item: Item) -> Account:
        """An account from its item."""
        return _account(item, self._terms)

    def names(self) -> Iterator[str]:
        """Of all accounts, in order."""
        return (item["sk"] for item in self._table.query_all("ACCOUNTS"))

    def set_terms(self, name: str, changes: Mapping[str, int | None]) -> Account:
        """Give an account terms of its own, or, by None, the deployment's. Raises NotFound, InvalidRequest."""
        for term, value in changes.items():
            if term not in TERMS or (value is not None and value < 0):
                raise InvalidRequest(f"{term} cannot be {value}")
        self.account(name)
        kept = [term for term, value in changes.items() if value is not None]
        dropped = [term for term, value in changes.items() if value is None]
        parts = []
        if kept:
            parts.append("SET " + ", ".join(f"#{term} = :{term}" for term in kept))
        if dropped:
            parts.append("REMOVE " + ", ".join(f"#{term}" for term in dropped))
        item = self._table.update(
            f"ACCOUNT#{name}",
            "ACCOUNT",
            " ".join(parts),
            "attribute_exists(pk)",
            {term: changes[term] for term in kept},
            {term: term for term in changes},
        )
        return self.read(item)

    # Keys

    def owner_of(self, key: str) -> KeyRecord | None:
        """The key's record if it is a key and may be used now, by one read."""
        if not is_key(key):
            return None
        item = self._table.get(f"KEY#{hash_of(key)}", "KEY")
        record = _key(item) if item else None
        return record if record and not self._is_over(record) else None

    def keys(self, account: str) -> list[KeyRecord]:
        """Those that may be used now; what has ended is forgotten on the way. Raises NotFound."""
        self.account(account)
        found = self._all_keys(account)
        over = [record for record in found if self._is_over(record)]
        for record in over:
            self._drop(record)
        return [record for record in found if record not in over]

    def create_key(self, account: str) -> NewKey:
        """Raises NotFound, TooManyKeys."""
        if len(self.keys(account)) >= MAX_KEYS:
            raise TooManyKeys(f"an account has at most {MAX_KEYS} keys; revoke one first")
        key, record = self._new_key(account)
        self._table.transact(self._key_steps(record, "attribute_not_exists(pk)"))
        return NewKey(key, record)

    def rotate_key(self, account: str, key_id: str, overlap_s: int) -> NewKey:
        """Make a key in place of another, which ends `overlap_s` seconds (at most 7 days) from now if not before.

        Raises NotFound, InvalidRequest, TooManyKeys.
        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise InvalidRequest(f"the overlap must be from 0 to {MAX_OVERLAP_S} seconds")
        keys = {record.id: record for record in self.keys(account)}
        if key_id not in keys:
            raise NotFound("no such key")
        if len(keys) > MAX_KEYS:
            raise TooManyKeys(f"an account has at most {MAX_KEYS} keys; revoke one first")
        old = keys[key_id]
        ends_ms = self._clock() + overlap_s * 1000
        if old.expires_at_ms is not None:
            ends_ms = min(ends_ms, old.expires_at_ms)
        key, record = self._new_key(account)
        ending = replace(old, expires_at_ms=ends_ms)
        try:
            self._table.transact(
                [
                    *self._key_steps(record, "attribute_not_exists(pk)"),
                    # Only if it is still there: a key that was just revoked does not come back.
                    *self._key_steps(ending, "attribute_exists(pk)"),
                ]
            )
        except TransactionFailed as error:
            raise NotFound("no such key") from error
        return NewKey(key, record, ends_ms)

    def revoke_key(self, account: str, key_id: str) -> None:
        """End a key at once. Raises NotFound."""
        for record in self._all_keys(account):
            if record.id == key_id:
                self._drop(record)
                return
        raise NotFound("no such key")

    def _drop(self, record: KeyRecord) -> None:
        """From the first step on nobody can use it; the last is for one that was killed before to do again."""
        self._table.delete(f"KEY#{record.hash}", "KEY")
        self._gateway.remove(record.gateway_id)
        self._table.delete(f"ACCOUNT#{record.account}", f"KEY#{record.id}")

    def _all_keys(self, account: str) -> list[KeyRecord]:
        return [_key(item) for item in self._table.query_all(f"ACCOUNT#{account}", "KEY#")]

    def _is_over(self, record: KeyRecord) -> bool:
        return record.expires_at_ms is not None and record.expires_at_ms <= self._clock()

    def _new_key(self, account: str) -> tuple[str, KeyRecord]:
        key = new_key()
        key_hash = hash_of(key)
        gateway_id = self._gateway.register(id_of(key_hash), key_hash)
        return key, KeyRecord(id_of(key_hash), account, key_hash, gateway_id, self._clock(), None)

    def _key_steps(self, record: KeyRecord, condition: str) -> list[Any]:
        values: Item = {
            "key_id": record.id,
            "account": record.account,
            "hash": record.hash,
            "gateway_id": record.gateway_id,
            "created_at_ms": record.created_at_ms,
        }
        if record.expires_at_ms is not None:
            values |= {"expires_at_ms": record.expires_at_ms, "ttl_s": record.expires_at_ms // 1000 + KEEP_ENDED_S}
        return [
            self._table.put_step("key", {"pk": f"KEY#{record.hash}", "sk": "KEY", **values}, condition),
            self._table.put_step(
                "listed", {"pk": f"ACCOUNT#{record.account}", "sk": f"KEY#{record.id}", **values}, condition
            ),
        ]


def check_account_name(name: str) -> None:
    """Raises InvalidRequest."""
    if not ACCOUNT_NAME.fullmatch(name):
        raise InvalidRequest("an account's name is 1 to 64 of A-Z a-z 0-9 _ -")


def _account(item: Item, terms: Terms) -> Account:
    own = {term: item[term] for term in TERMS if term in item}
    return Account(
        name=item["pk"].removeprefix("ACCOUNT#"),
        created_at_ms=item["created_at_ms"],
        terms=Terms(*(own.get(term, getattr(terms, term)) for term in TERMS)),
        own_terms=own,
        balance_cents=item["balance_cents"],
        day=item["day"],
        free_used=item["free_used"],
        paid_used=item["paid_used"],
        reservations={
            name.removeprefix(RESERVATION): Reservation(id=name.removeprefix(RESERVATION), **value)
            for name, value in item.items()
            if name.startswith(RESERVATION)
        },
    )


def _account_keys(name: str) -> Item:
    return {"pk": f"ACCOUNT#{name}", "sk": "ACCOUNT"}


def _key(item: Item) -> KeyRecord:
    return KeyRecord(
        id=item["key_id"],
        account=item["account"],
        hash=item["hash"],
        gateway_id=item["gateway_id"],
        created_at_ms=item["created_at_ms"],
        expires_at_ms=item.get("expires_at_ms"),
    )

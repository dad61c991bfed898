"""Accounts and their keys in DynamoDB.

| pk              | sk         | what                                                                               |
|-----------------|------------|------------------------------------------------------------------------------------|
| ACCOUNT#account | ACCOUNT    | terms, balance, searches of today, each under way as `reservation#its id`, and how |
|                 |            | often keys were added                                                              |
| ACCOUNT#account | KEY#key id | a key of it, for lists                                                             |
| ACCOUNT#account | LEDGER#id  | cents that came or went                                                            |
| KEY#hash        | KEY        | whose key it is: the one read of a request                                         |
| ACCOUNTS        | account    | the names of all accounts                                                          |

What is counted for every search is in the account's own item, so that a search is one conditional write before it and
one after it, and no two of them can disagree.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from crowdsight.accounts.gateway_keys import GatewayKeys
from crowdsight.accounts.keys import hash_of, id_of, is_key, new_key
from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Step, Table, TransactionFailed
from crowdsight.errors import InvalidRequest, KeyIsEnding, NotFound, TooManyKeys, TooManyRequests

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
RESERVATION = "reservation#"
"""What the names of attributes start with that hold searches under way."""

MAX_KEYS = 10
"""How many may be in use at once, those among them that have an end to come."""

DEFAULT_OVERLAP_S = 86_400
MAX_OVERLAP_S = 7 * 86_400
KEEP_ENDED_S = 30 * 86_400
"""How long a key that has ended waits for somebody to look at the account's keys and have the gateway forget it."""

ATTEMPTS = 10

MAX_TERM = 1_000_000_000
"""Of each term: ten million dollars, or more searches than a day has time for."""

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
    """A key that was just made: the only time that `key` is shown."""

    key: str = field(repr=False)
    record: KeyRecord


@dataclass(frozen=True)
class RotatedKey(NewKey):
    """`replaces_until_ms`: until when the key that it was made in place of works."""

    replaces_until_ms: int


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
        pk, sk = account_item(name)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "keys_version": 0,
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
        return self.read(self._item(name))

    def _item(self, name: str) -> Item:
        item = self._table.get(*account_item(name))
        if item is None:
            raise NotFound("no such account")
        return item

    def read(self, item: Item) -> Account:
        """An account from its item."""
        return _account(item, self._terms)

    def names(self) -> Iterator[str]:
        """Of all accounts, in order."""
        return (item["sk"] for item in self._table.query_all("ACCOUNTS"))

    def set_terms(self, name: str, changes: Mapping[str, int | None]) -> Account:
        """Give an account terms of its own, or, by None, the deployment's. Raises NotFound, InvalidRequest."""
        for term, value in changes.items():
            if term not in TERMS:
                raise InvalidRequest(f"there is no term {term}")
            if value is not None and not 0 <= value <= MAX_TERM:
                raise InvalidRequest(f"{term} must be from 0 to {MAX_TERM}")
        self.account(name)
        kept = [term for term, value in changes.items() if value is not None]
        dropped = [term for term, value in changes.items() if value is None]
        parts = []
        if kept:
            parts.append("SET " + ", ".join(f"#{term} = :{term}" for term in kept))
        if dropped:
            parts.append("REMOVE " + ", ".join(f"#{term}" for term in dropped))
        item = self._table.update(
            *account_item(name),
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
        """Raises NotFound, TooManyKeys, TooManyRequests; what the gateway raises."""
        key, record, _ = self._add_key(account, None, 0)
        return NewKey(key, record)

    def rotate_key(self, account: str, key_id: str, overlap_s: int) -> RotatedKey:
        """Make a key in place of another, which ends `overlap_s` seconds (at most 7 days) from now.

        A key that has an end already cannot be rotated: else whoever has got hold of it could outlast it. Raises
        NotFound, InvalidRequest, KeyIsEnding, TooManyKeys, TooManyRequests; what the gateway raises.
        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise InvalidRequest(f"the overlap must be from 0 to {MAX_OVERLAP_S} seconds")
        return RotatedKey(*self._add_key(account, key_id, overlap_s))

    def _add_key(self, account: str, replaced_id: str | None, overlap_s: int) -> tuple[str, KeyRecord, int]:
        """A new key, which ends another if it replaces one; and when that ends, in milliseconds.

        All changes that make keys count up `keys_version`, so that no two of them go by the same list of keys.
        """
        version, replaced = self._room_for_key(account, replaced_id, overlap_s)
        key, record = self._new_key(account)
        try:
            for _ in range(ATTEMPTS):
                ends_ms = self._clock() + overlap_s * 1000
                steps = [
                    self._table.update_step(
                        "version",
                        *account_item(account),
                        "SET keys_version = :next",
                        "keys_version = :version",
                        {"version": version, "next": version + 1},
                    ),
                    *self._key_steps(record),
                    *(self._ending_steps(replaced, ends_ms) if replaced else ()),
                ]
                try:
                    self._table.transact(steps)
                    return key, record, ends_ms
                except TransactionFailed as error:
                    if "version" not in error.failed:
                        raise NotFound("no such key") from error  # it is being revoked
                    version, replaced = self._room_for_key(account, replaced_id, overlap_s)
            raise TooManyRequests("the account's keys are being changed too often at the same moment; try again")
        except Exception:  # whatever it was, nobody will ever be told this key
            self._gateway.remove(record.gateway_id)
            raise

    def _room_for_key(self, account: str, replaced_id: str | None, overlap_s: int) -> tuple[int, KeyRecord | None]:
        """The version of the account's keys, and the one to be replaced, if one more may be made.

        Raises NotFound, KeyIsEnding, TooManyKeys.
        """
        version: int = self._item(account)["keys_version"]
        keys = {record.id: record for record in self.keys(account)}
        replaced = None
        if replaced_id is not None:
            if replaced_id not in keys:
                raise NotFound("no such key")
            replaced = keys[replaced_id]
            if replaced.expires_at_ms is not None:
                raise KeyIsEnding(
                    "this key has been rotated and ends soon: rotate the account's other key, or ask the operator"
                )
        makes_room = replaced is not None and overlap_s == 0
        if len(keys) - makes_room >= MAX_KEYS:
            raise TooManyKeys(f"an account has at most {MAX_KEYS} keys; revoke one, or rotate one without an overlap")
        return version, replaced

    def revoke_key(self, account: str, key_id: str) -> None:
        """End a key at once, whatever else is done to the account's keys. Raises NotFound."""
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

    def _key_steps(self, record: KeyRecord) -> list[Step]:
        values: Item = {
            "key_id": record.id,
            "account": record.account,
            "hash": record.hash,
            "gateway_id": record.gateway_id,
            "created_at_ms": record.created_at_ms,
        }
        return [
            self._table.put_step(label, {"pk": pk, "sk": sk, **values}, "attribute_not_exists(pk)")
            for label, (pk, sk) in _key_items(record).items()
        ]

    def _ending_steps(self, record: KeyRecord, ends_ms: int) -> list[Step]:
        """Only if it is still there and has no end yet: a key that was just revoked does not come back."""
        return [
            self._table.update_step(
                f"ending {label}",
                pk,
                sk,
                "SET expires_at_ms = :ends, ttl_s = :ttl",
                "attribute_exists(pk) AND attribute_not_exists(expires_at_ms)",
                {"ends": ends_ms, "ttl": ends_ms // 1000 + KEEP_ENDED_S},
            )
            for label, (pk, sk) in _key_items(record).items()
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


def account_item(name: str) -> tuple[str, str]:
    """The key of an account's own item: pk and sk."""
    return f"ACCOUNT#{name}", "ACCOUNT"


def _key_items(record: KeyRecord) -> dict[str, tuple[str, str]]:
    """A key's two items, by their labels in a transaction."""
    return {"key": (f"KEY#{record.hash}", "KEY"), "listed": (f"ACCOUNT#{record.account}", f"KEY#{record.id}")}


def _key(item: Item) -> KeyRecord:
    return KeyRecord(
        id=item["key_id"],
        account=item["account"],
        hash=item["hash"],
        gateway_id=item["gateway_id"],
        created_at_ms=item["created_at_ms"],
        expires_at_ms=item.get("expires_at_ms"),
    )

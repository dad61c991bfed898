"""Accounts, keys and the ledger, over moto and in memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from crowdsight.accounts.keys import KEY, PREFIX, new_key
from crowdsight.accounts.ledger import EntryKind
from crowdsight.accounts.store import MAX_KEYS, NewKey, Terms
from crowdsight.errors import InvalidRequest, KeyIsEnding, NotFound, TooManyKeys, TooManyRequests
from tests.conftest import StoppedClock
from tests.contract.account_world import TERMS, Accounts, AccountWorld
from tests.contract.interruptions import Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB


@pytest.fixture
def world(dynamodb: Any, clock: StoppedClock) -> AccountWorld:
    return AccountWorld(dynamodb, clock)


@pytest.fixture
def accounts(world: AccountWorld) -> Accounts:
    assert world.accounts.store.create("ann")
    assert world.accounts.store.create("bob")
    return world.accounts


def test_an_account_is_opened_once_with_nothing_in_it(accounts: Accounts) -> None:
    assert not accounts.store.create("ann")
    account = accounts.store.account("ann")
    assert (account.balance_cents, account.free_used, account.terms) == (0, 0, TERMS)
    assert list(accounts.store.names()) == ["ann", "bob"]
    with pytest.raises(NotFound):
        accounts.store.account("eve")


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a#b", "ä", "a/b"])
def test_a_name_that_could_mean_something_else_is_no_accounts(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidRequest):
        accounts.store.create(name)


def test_an_account_has_the_deployments_terms_but_for_its_own(accounts: Accounts) -> None:
    assert accounts.store.set_terms("ann", {"free_searches": 0, "crowd_budget_cents": 500}).terms == Terms(0, 2, 500)
    assert accounts.store.set_terms("ann", {"free_searches": None}).terms == Terms(3, 2, 500)
    assert accounts.store.account("bob").terms == TERMS
    for wrong in (
        {"free_searches": -1},
        {"balance_cents": 5},
        {"search_price_cents": 10**9 + 1},
        {"free_searches": 10**40},
    ):
        with pytest.raises(InvalidRequest):
            accounts.store.set_terms("ann", wrong)
    assert accounts.store.set_terms("ann", {"crowd_budget_cents": 10**9}).terms == Terms(3, 2, 10**9)
    with pytest.raises(NotFound):
        accounts.store.set_terms("eve", {"free_searches": 1})


# Keys


def test_a_key_has_256_random_bits_behind_a_prefix_that_tells_what_it_is() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(KEY.fullmatch(key) and key.startswith(PREFIX) and len(key) == len(PREFIX) + 43 for key in keys)


def test_a_key_is_known_by_one_read_and_nothing_but_its_hash_is_stored(
    world: AccountWorld, accounts: Accounts, dynamodb: Any
) -> None:
    made = accounts.store.create_key("ann")
    process = world.new_process()
    world.interruptions.arm(10**6, lambda: None)
    found = process.store.owner_of(made.key)
    assert found == made.record
    assert world.interruptions.calls == 1
    stored = repr([dynamodb.query(**query) for query in _everything_of(made.record.account, made.record.hash)])
    assert made.record.hash in stored
    assert made.key not in stored and made.key.removeprefix(PREFIX) not in stored


def _everything_of(account: str, key_hash: str) -> list[dict[str, Any]]:
    return [
        {
            "TableName": "accounts",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
            "ScanIndexForward": True,
        }
        for pk in (f"ACCOUNT#{account}", f"KEY#{key_hash}")
    ]


@pytest.mark.parametrize(
    "text", ["", "crowdsight_", "a" * 54, "crowdsight_" + "a" * 43, "crowdsight_" + "ä" * 43, "\x00"]
)
def test_what_is_no_key_is_nobodys(accounts: Accounts, text: str) -> None:
    accounts.store.create_key("ann")
    assert accounts.store.owner_of(text) is None


def test_a_key_is_only_its_accounts_to_list_to_rotate_and_to_revoke(accounts: Accounts) -> None:
    anns, bobs = accounts.store.create_key("ann"), accounts.store.create_key("bob")
    assert accounts.store.keys("ann") == [anns.record]
    with pytest.raises(NotFound):
        accounts.store.revoke_key("ann", bobs.record.id)
    with pytest.raises(NotFound):
        accounts.store.rotate_key("ann", bobs.record.id, 0)
    assert accounts.store.owner_of(bobs.key) == bobs.record
    with pytest.raises(NotFound):
        accounts.store.keys("eve")


def test_a_revoked_key_is_nobodys_at_once(accounts: Accounts) -> None:
    first, second = accounts.store.create_key("ann"), accounts.store.create_key("ann")
    accounts.store.revoke_key("ann", first.record.id)
    assert accounts.store.owner_of(first.key) is None
    assert accounts.store.owner_of(second.key) == second.record
    assert accounts.store.keys("ann") == [second.record]
    with pytest.raises(NotFound):
        accounts.store.revoke_key("ann", first.record.id)


@pytest.mark.parametrize("overlap_s", [0, 60])
def test_a_rotated_key_ends_when_the_overlap_does(world: AccountWorld, accounts: Accounts, overlap_s: int) -> None:
    old = accounts.store.create_key("ann")
    new = accounts.store.rotate_key("ann", old.record.id, overlap_s)
    assert accounts.store.owner_of(new.key) == new.record
    world.clock.move(overlap_s - 0.001 if overlap_s else 0)
    assert (accounts.store.owner_of(old.key) is not None) == (overlap_s > 0)
    world.clock.move(0.001)
    assert accounts.store.owner_of(old.key) is None
    assert accounts.store.owner_of(new.key) == new.record
    assert accounts.store.keys("ann") == [new.record]


def test_a_key_that_ends_cannot_make_one_that_outlasts_it(world: AccountWorld, accounts: Accounts) -> None:
    old = accounts.store.create_key("ann")
    new = accounts.store.rotate_key("ann", old.record.id, 60)
    for overlap_s in (0, 600):
        with pytest.raises(KeyIsEnding, match="operator"):
            accounts.store.rotate_key("ann", old.record.id, overlap_s)
    assert set(world.gateway.hashes.values()) == {old.record.hash, new.record.hash}
    world.clock.move(60)
    assert accounts.store.owner_of(old.key) is None
    assert accounts.store.keys("ann") == [new.record]
    accounts.store.rotate_key("ann", new.record.id, 0)


@pytest.mark.parametrize("at", range(6))
def test_of_two_rotations_of_a_key_at_once_one_is_made_and_nothing_is_prolonged(
    at: int, world: AccountWorld, accounts: Accounts
) -> None:
    old = accounts.store.create_key("ann")
    others: list[NewKey] = []
    world.interruptions.arm(at, lambda: others.append(accounts.store.rotate_key("ann", old.record.id, 0)))
    try:
        world.new_process().store.rotate_key("ann", old.record.id, 600)
    except (KeyIsEnding, NotFound):
        (made,) = others
    else:
        assert world.interruptions.disarm() and not others
        return
    assert accounts.store.owner_of(old.key) is None
    assert accounts.store.keys("ann") == [made.record]
    assert set(world.gateway.hashes.values()) == {made.record.hash}


@pytest.mark.parametrize("at", range(6))
def test_a_key_that_is_revoked_while_it_is_rotated_is_gone_and_so_is_what_was_to_replace_it(
    at: int, world: AccountWorld, accounts: Accounts
) -> None:
    old = accounts.store.create_key("ann")
    world.interruptions.arm(at, lambda: accounts.store.revoke_key("ann", old.record.id))
    try:
        made = [world.new_process().store.rotate_key("ann", old.record.id, 600)]
    except NotFound:
        made = []
        assert accounts.store.owner_of(old.key) is None
    assert (made == []) != world.interruptions.disarm()
    known = {key.record.hash for key in made} | ({old.record.hash} if made else set())
    assert set(world.gateway.hashes.values()) == known


def test_an_overlap_is_at_most_a_week(accounts: Accounts) -> None:
    old = accounts.store.create_key("ann")
    for overlap_s in (-1, 7 * 86_400 + 1):
        with pytest.raises(InvalidRequest):
            accounts.store.rotate_key("ann", old.record.id, overlap_s)


def test_an_account_has_so_many_keys_and_no_more(world: AccountWorld, accounts: Accounts) -> None:
    keys = [accounts.store.create_key("ann") for _ in range(MAX_KEYS)]
    for attempt in (
        lambda: accounts.store.create_key("ann"),
        lambda: accounts.store.rotate_key("ann", keys[0].record.id, 60),
    ):
        with pytest.raises(TooManyKeys):
            attempt()
    accounts.store.rotate_key("ann", keys[0].record.id, 0)
    accounts.store.revoke_key("ann", keys[1].record.id)
    accounts.store.rotate_key("ann", keys[2].record.id, 60)
    with pytest.raises(TooManyKeys):
        accounts.store.create_key("ann")
    assert len(accounts.store.keys("ann")) == len(world.gateway.hashes) == MAX_KEYS
    world.clock.move(60)
    accounts.store.create_key("ann")
    accounts.store.create_key("bob")


@pytest.mark.parametrize("at", range(6))
def test_keys_that_are_made_at_the_same_moment_are_not_more_than_there_may_be(
    at: int, world: AccountWorld, accounts: Accounts
) -> None:
    for _ in range(MAX_KEYS - 1):
        accounts.store.create_key("ann")
    world.interruptions.arm(at, lambda: accounts.store.create_key("ann"))
    try:
        world.new_process().store.create_key("ann")
        assert world.interruptions.disarm()
    except TooManyKeys:
        pass
    assert len(accounts.store.keys("ann")) == len(world.gateway.hashes) == MAX_KEYS


def test_keys_that_are_made_at_the_same_moment_are_all_made_while_there_is_room(clock: StoppedClock) -> None:
    world = AccountWorld(MemoryDynamoDB(), clock)
    world.accounts.store.create("ann")

    def create(_: int) -> str | None:
        try:
            return world.accounts.store.create_key("ann").record.id
        except (TooManyKeys, TooManyRequests):
            return None

    with ThreadPoolExecutor(8) as threads:
        made = {key_id for key_id in threads.map(create, range(24)) if key_id}
    assert {record.id for record in world.accounts.store.keys("ann")} == made
    assert 0 < len(made) == len(world.gateway.hashes) <= MAX_KEYS


def test_the_gateway_knows_the_keys_that_may_be_used_and_forgets_the_others(
    world: AccountWorld, accounts: Accounts
) -> None:
    first = accounts.store.create_key("ann")
    second = accounts.store.rotate_key("ann", first.record.id, 60)
    third = accounts.store.create_key("bob")
    assert set(world.gateway.hashes.values()) == {made.record.hash for made in (first, second, third)}
    accounts.store.revoke_key("bob", third.record.id)
    assert third.record.hash not in world.gateway.hashes.values()
    world.clock.move(60)
    assert accounts.store.keys("ann") == [second.record]
    assert set(world.gateway.hashes.values()) == {second.record.hash}


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_revoking_can_be_killed_at_any_call_and_done_again(after: bool, clock: StoppedClock) -> None:
    kills = 0
    finished = False
    while not finished:
        world = AccountWorld(MemoryDynamoDB(), clock)
        accounts = world.accounts
        accounts.store.create("ann")
        made = accounts.store.create_key("ann")
        process = world.new_process()
        world.interruptions.arm(kills, kill, after)
        try:
            process.store.revoke_key("ann", made.record.id)
        except Killed:
            pass
        finished = world.interruptions.disarm()
        try:
            accounts.store.revoke_key("ann", made.record.id)
        except NotFound:
            assert world.gateway.hashes == {}
        assert accounts.store.owner_of(made.key) is None
        assert (accounts.store.keys("ann"), world.gateway.hashes) == ([], {})
        kills += 1
    assert kills == 4


def test_a_key_whose_revocation_was_killed_cannot_be_rotated(world: AccountWorld, accounts: Accounts) -> None:
    made = accounts.store.create_key("ann")
    world.interruptions.arm(1, kill, after=True)
    with pytest.raises(Killed):
        world.new_process().store.revoke_key("ann", made.record.id)
    assert accounts.store.owner_of(made.key) is None
    with pytest.raises(NotFound):
        accounts.store.rotate_key("ann", made.record.id, 60)
    assert set(world.gateway.hashes.values()) == {made.record.hash}


def test_a_key_that_could_not_be_stored_is_not_left_at_the_gateway(world: AccountWorld, accounts: Accounts) -> None:
    made = accounts.store.create_key("ann")

    def fail() -> None:
        raise ConnectionError("no database")

    for at in range(4):
        world.interruptions.arm(at, fail)
        with pytest.raises(ConnectionError):
            world.new_process().store.rotate_key("ann", made.record.id, 60)
        assert list(world.gateway.hashes.values()) == [made.record.hash]


# Money


def test_a_payment_counts_once_however_often_it_is_told(accounts: Accounts) -> None:
    for _ in range(3):
        accounts.ledger.top_up("ann", 150, "invoice 1")
    accounts.ledger.top_up("ann", 50, "invoice 2")
    assert accounts.store.account("ann").balance_cents == 200
    assert sorted((entry.cents, entry.reference) for entry in accounts.ledger.entries("ann")) == [
        (50, "invoice 2"),
        (150, "invoice 1"),
    ]
    assert {entry.kind for entry in accounts.ledger.entries("ann")} == {EntryKind.TOP_UP}
    assert list(accounts.ledger.entries("bob")) == []
    assert accounts.ledger.discrepancies("ann") == []


def test_a_payment_that_is_told_with_another_amount_is_refused(accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 150, "invoice 1")
    with pytest.raises(InvalidRequest, match="another amount"):
        accounts.ledger.top_up("ann", 15, "invoice 1")
    accounts.ledger.top_up("bob", 15, "invoice 1")
    assert accounts.store.account("ann").balance_cents == 150


@pytest.mark.parametrize(
    ("cents", "reference"), [(0, "r"), (-1, "r"), (10**8 + 1, "r"), (1, ""), (1, "a" * 201), (1, "\n")]
)
def test_a_payment_that_can_be_none_is_refused(accounts: Accounts, cents: int, reference: str) -> None:
    with pytest.raises(InvalidRequest):
        accounts.ledger.top_up("ann", cents, reference)
    with pytest.raises(NotFound):
        accounts.ledger.top_up("eve", 1, "r")
    assert accounts.store.account("ann").balance_cents == 0


def test_an_audit_finds_cents_that_no_entry_explains(accounts: Accounts, dynamodb: Any) -> None:
    accounts.ledger.top_up("ann", 150, "r")
    dynamodb.update_item(
        TableName="accounts",
        Key={"pk": {"S": "ACCOUNT#ann"}, "sk": {"S": "ACCOUNT"}},
        UpdateExpression="ADD balance_cents :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    (found,) = accounts.ledger.discrepancies("ann")
    assert "ann" in found and "150" in found and "151" in found

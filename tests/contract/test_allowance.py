"""Searches are counted exactly: free ones, paid ones, failed ones and killed ones."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from crowdsight.accounts.allowance import MAX_HELD, RESERVATION_S, allowance_headers
from crowdsight.accounts.store import RESERVATION, Reservation, Terms, account_item
from crowdsight.dynamodb import Table
from crowdsight.errors import AllowanceExhausted, InternalError, TooManyRequests
from tests.conftest import StoppedClock
from tests.contract.account_world import TERMS, Accounts, AccountWorld
from tests.contract.interruptions import Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB

DAY_S = 86_400


@pytest.fixture
def world(dynamodb: Any, clock: StoppedClock) -> AccountWorld:
    world = AccountWorld(dynamodb, clock)
    world.accounts.store.create("ann")
    return world


@pytest.fixture
def accounts(world: AccountWorld) -> Accounts:
    return world.accounts


def search(accounts: Accounts, account: str = "ann") -> Reservation:
    held, _ = accounts.allowance.reserve(account)
    accounts.allowance.settle(account, held, "request")
    return held


def test_the_days_first_are_free_and_the_next_are_paid_for_until_the_balance_is_used(accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 5, "r")
    assert [search(accounts).cents for _ in range(5)] == [0, 0, 0, 2, 2]
    with pytest.raises(AllowanceExhausted) as refused:
        search(accounts)
    assert "admin topup ann" in refused.value.message
    assert refused.value.headers == allowance_headers(accounts.allowance.standing("ann"))
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.free_left, standing.paid_used, standing.balance_cents) == (3, 0, 2, 1)
    assert accounts.ledger.discrepancies("ann") == []
    assert sum(entry.cents for entry in accounts.ledger.entries("ann")) == 1


def test_a_day_in_utc_brings_new_free_ones(world: AccountWorld, accounts: Accounts) -> None:
    for _ in range(TERMS.free_searches):
        search(accounts)
    now_s = world.clock() / 1000
    resets_at_s = accounts.allowance.standing("ann").resets_at_s
    assert resets_at_s % DAY_S == 0 and 0 < resets_at_s - now_s <= DAY_S
    world.clock.move(resets_at_s - now_s - 0.001)
    with pytest.raises(AllowanceExhausted):
        search(accounts)
    world.clock.move(0.001)
    assert accounts.allowance.standing("ann").free_used == 0
    assert search(accounts).is_free
    assert accounts.allowance.standing("ann").free_used == 1


def test_a_search_that_fails_costs_nothing_and_releasing_it_twice_changes_nothing(accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 2, "r")
    before = accounts.store.account("ann")
    for _ in range(TERMS.free_searches):
        search(accounts)
    held, standing = accounts.allowance.reserve("ann")
    assert (held.cents, standing.balance_cents, standing.paid_used) == (2, 0, 1)
    for _ in range(2):
        accounts.allowance.release("ann", held)
    standing = accounts.allowance.standing("ann")
    assert (standing.balance_cents, standing.paid_used) == (before.balance_cents, 0)
    with pytest.raises(InternalError):
        accounts.allowance.settle("ann", held, "request")
    assert accounts.ledger.discrepancies("ann") == []


def test_a_free_one_that_fails_is_there_for_the_next(accounts: Accounts) -> None:
    held = [accounts.allowance.reserve("ann")[0] for _ in range(3)]
    with pytest.raises(AllowanceExhausted):
        search(accounts)
    accounts.allowance.release("ann", held[0])
    assert search(accounts).is_free


def test_what_is_held_over_midnight_is_counted_in_its_own_day(world: AccountWorld, accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 4, "r")
    now_s = world.clock() / 1000
    world.clock.move(accounts.allowance.standing("ann").resets_at_s - now_s - 1)
    held = [accounts.allowance.reserve("ann")[0] for _ in range(5)]
    world.clock.move(2)
    accounts.allowance.settle("ann", held[0], "request")
    accounts.allowance.release("ann", held[1])
    accounts.allowance.settle("ann", held[3], "request")
    accounts.allowance.release("ann", held[4])
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.paid_used, standing.balance_cents) == (0, 0, 2)
    assert accounts.ledger.discrepancies("ann") == []


def test_a_search_that_was_killed_is_given_back_when_its_time_is_over(world: AccountWorld, accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 2, "r")
    held = [accounts.allowance.reserve("ann")[0] for _ in range(4)]
    world.clock.move(RESERVATION_S - 0.001)
    with pytest.raises(AllowanceExhausted):
        search(accounts)
    world.clock.move(0.001)
    assert [search(accounts).cents for _ in range(4)] == [0, 0, 0, 2]
    for late in held:
        with pytest.raises(InternalError):
            accounts.allowance.settle("ann", late, "request")
    assert accounts.store.account("ann").reservations == {}
    assert accounts.ledger.discrepancies("ann") == []


def test_an_account_may_have_terms_of_its_own(accounts: Accounts) -> None:
    accounts.ledger.top_up("ann", 7, "r")
    accounts.store.set_terms("ann", {"free_searches": 0, "search_price_cents": 7})
    assert search(accounts).cents == 7
    accounts.store.set_terms("ann", {"search_price_cents": 0})
    held = search(accounts)
    assert (held.is_free, held.cents) == (False, 0)
    assert accounts.ledger.discrepancies("ann") == []


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
@pytest.mark.parametrize("is_free", [True, False], ids=["free", "paid"])
@pytest.mark.parametrize("is_made", [True, False], ids=["made", "failed"])
def test_killed_at_any_call_it_has_counted_or_is_given_back(
    after: bool, is_free: bool, is_made: bool, clock: StoppedClock
) -> None:
    kills = 0
    finished = False
    while not finished:
        world = AccountWorld(MemoryDynamoDB(), clock)
        accounts = world.accounts
        accounts.store.create("ann")
        accounts.ledger.top_up("ann", 2, "r")
        for _ in range(0 if is_free else TERMS.free_searches):
            search(accounts)
        process = world.new_process()
        world.interruptions.arm(kills, kill, after)
        done = False
        try:
            held, _ = process.allowance.reserve("ann")
            if is_made:
                process.allowance.settle("ann", held, "request")
                done = True
            else:
                process.allowance.release("ann", held)
        except Killed:
            pass
        finished = world.interruptions.disarm()
        clock.move(RESERVATION_S)
        standing = accounts.allowance.standing("ann")
        _give_back_what_has_expired(accounts)
        assert accounts.allowance.standing("ann") == standing
        counted = standing.free_used if is_free else standing.paid_used
        assert counted in ((1,) if done else (0, 1) if is_made else (0,))
        assert standing.balance_cents == (2 if is_free else 2 - 2 * counted)
        assert accounts.store.account("ann").reservations == {}
        assert accounts.ledger.discrepancies("ann") == []
        kills += 1
    assert kills > 2


def _give_back_what_has_expired(accounts: Accounts) -> None:
    """As any search does, were it only one that fails."""
    accounts.store.set_terms("ann", {"free_searches": 100})
    held, _ = accounts.allowance.reserve("ann")
    accounts.allowance.release("ann", held)
    accounts.store.set_terms("ann", {"free_searches": None})


@pytest.mark.parametrize("is_free", [True, False], ids=["free", "paid"])
def test_settling_again_after_an_answer_was_lost_changes_nothing(accounts: Accounts, is_free: bool) -> None:
    accounts.ledger.top_up("ann", 2, "r")
    for _ in range(0 if is_free else TERMS.free_searches):
        search(accounts)
    held, _ = accounts.allowance.reserve("ann")
    for _ in range(2):
        accounts.allowance.settle("ann", held, "request")
    accounts.allowance.release("ann", held)
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.balance_cents) == ((1, 2) if is_free else (3, 0))
    assert accounts.ledger.discrepancies("ann") == []


def test_a_standing_is_told_without_a_write(world: AccountWorld, accounts: Accounts) -> None:
    """An operator's clock may be wrong."""
    accounts.ledger.top_up("ann", 2, "r")
    for _ in range(TERMS.free_searches + 1):
        accounts.allowance.reserve("ann")
    before = accounts.store.account("ann")
    world.clock.move(RESERVATION_S)
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.paid_used, standing.balance_cents) == (0, 0, 2)
    world.clock.move(DAY_S)
    assert accounts.allowance.standing("ann") == replace(standing, resets_at_s=standing.resets_at_s + DAY_S)
    assert accounts.store.account("ann") == before
    assert search(accounts).is_free
    assert accounts.store.account("ann").reservations == {}


def test_so_many_searches_may_be_under_way_at_once_and_the_next_is_to_wait(clock: StoppedClock) -> None:
    dynamodb = MemoryDynamoDB()
    world = AccountWorld(dynamodb, clock, Terms(2 * MAX_HELD, 1, 0))
    allowance = world.accounts.allowance
    world.accounts.store.create("ann")
    held, _ = allowance.reserve("ann")
    table = Table(dynamodb, "accounts")
    item = table.get(*account_item("ann"))
    assert item
    more = {f"{RESERVATION}{number}": item[f"{RESERVATION}{held.id}"] for number in range(MAX_HELD - 1)}
    table.put(item | more)
    with pytest.raises(TooManyRequests) as refused:
        allowance.reserve("ann")
    assert refused.value.headers == {"Retry-After": "1"} | allowance_headers(allowance.standing("ann"))
    allowance.settle("ann", held, "request")
    allowance.reserve("ann")


class SentTwice:
    """A client whose writes of one item are made twice, as botocore makes them when an answer is lost."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        self._client.update_item(**request)
        return self._client.update_item(**request)


def test_a_write_that_is_sent_twice_holds_settles_and_releases_once(dynamodb: Any, clock: StoppedClock) -> None:
    world = AccountWorld(SentTwice(dynamodb), clock)
    accounts = world.accounts
    accounts.store.create("ann")
    accounts.ledger.top_up("ann", 4, "r")
    for is_free in (True, False):
        for _ in range(TERMS.free_searches - 1 if is_free else 1):
            search(accounts)
        held, standing = accounts.allowance.reserve("ann")
        assert (held.is_free, held.cents) == (is_free, 0 if is_free else 2)
        assert accounts.store.account("ann").reservations == {held.id: held}
        assert standing == accounts.allowance.standing("ann")
        accounts.allowance.release("ann", held)
        search(accounts)
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.paid_used, standing.balance_cents) == (3, 2, 0)
    assert accounts.ledger.discrepancies("ann") == []


@pytest.mark.parametrize("killed_every", [0, 10])
def test_of_500_at_once_exactly_as_many_are_made_as_are_free_or_paid_for(
    killed_every: int, clock: StoppedClock
) -> None:
    world = AccountWorld(MemoryDynamoDB(), clock, Terms(free_searches=100, search_price_cents=1, crowd_budget_cents=0))
    accounts = world.accounts
    accounts.store.create("ann")
    accounts.ledger.top_up("ann", 150, "r")

    def call(number: int) -> str:
        try:
            held, _ = accounts.allowance.reserve("ann")
        except AllowanceExhausted:
            return "402"
        if killed_every and number % killed_every == 0:
            return "killed"
        accounts.allowance.settle("ann", held, "request")
        return "200"

    with ThreadPoolExecutor(32) as threads:
        outcomes = Counter(threads.map(call, range(500)))
    assert outcomes["200"] + outcomes["killed"] == 250
    assert accounts.ledger.discrepancies("ann") == []
    world.clock.move(RESERVATION_S)
    with ThreadPoolExecutor(32) as threads:
        outcomes += Counter(threads.map(call, range(1001, 1500, 2)))
    assert outcomes["200"] == 250
    standing = accounts.allowance.standing("ann")
    assert (standing.free_used, standing.paid_used, standing.balance_cents) == (100, 150, 0)
    assert accounts.ledger.discrepancies("ann") == []
    assert sum(entry.cents for entry in accounts.ledger.entries("ann")) == 0


class Searching(RuleBasedStateMachine):
    """Any order of searches, failures, crashes, payments, changes of terms and hours passing."""

    held: Bundle[Reservation] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.world = AccountWorld(MemoryDynamoDB(), StoppedClock())
        self.accounts = self.world.accounts
        self.accounts.store.create("ann")
        self.paid_in = self.spent = self.payments = 0
        self.made_free: Counter[str] = Counter()

    @rule(cents=st.integers(1, 9))
    def pay(self, cents: int) -> None:
        self.payments += 1
        self.paid_in += cents
        self.accounts.ledger.top_up("ann", cents, f"payment {self.payments}")

    @rule(target=held)
    def start(self) -> Reservation | MultipleResults[Reservation]:
        before = self.accounts.allowance.standing("ann")
        try:
            held, _ = self.accounts.allowance.reserve("ann")
        except AllowanceExhausted:
            assert before.free_left == 0 and before.balance_cents < before.search_price_cents
            return multiple()
        assert held.is_free == (before.free_left > 0)
        return held

    @rule(held=consumes(held))
    def succeed(self, held: Reservation) -> None:
        try:
            self.accounts.allowance.settle("ann", held, "request")
        except InternalError:
            assert held.expires_at_ms <= self.world.clock()
        else:
            self.spent += held.cents
            self.made_free[held.day] += held.is_free

    @rule(held=consumes(held))
    def fail(self, held: Reservation) -> None:
        self.accounts.allowance.release("ann", held)

    @rule(seconds=st.sampled_from([1, 30, 59, 61, 3_600, DAY_S]))
    def wait(self, seconds: int) -> None:
        self.world.clock.move(seconds)

    @rule(free=st.integers(0, 4) | st.none(), price=st.integers(0, 3))
    def change_terms(self, free: int | None, price: int) -> None:
        self.accounts.store.set_terms("ann", {"free_searches": free, "search_price_cents": price})

    @invariant()
    def money_is_conserved(self) -> None:
        account = self.accounts.store.account("ann")
        held_cents = sum(held.cents for held in account.reservations.values())
        assert account.balance_cents >= 0
        assert account.balance_cents + held_cents == self.paid_in - self.spent
        assert self.accounts.ledger.discrepancies("ann") == []

    @invariant()
    def the_days_searches_are_those_made_and_those_under_way(self) -> None:
        account = self.accounts.store.account("ann")
        under_way = [held for held in account.reservations.values() if held.day == account.day and held.is_free]
        assert account.free_used == self.made_free[account.day] + len(under_way)


Searching.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSearching = Searching.TestCase

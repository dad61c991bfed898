"""Any order of what callers, operators, crashes and the clock can do to two accounts: nothing is lost or invented."""

from collections import Counter
from typing import Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from crowdsight.accounts.allowance import RESERVATION_S
from crowdsight.accounts.store import MAX_KEYS, NewKey, Terms
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.audit import BudgetAudit
from crowdsight.crowd.prices import worst_case_cents
from crowdsight.crowd.requests import DeleteTask, PutTask
from crowdsight.crowd.requests import Terms as TaskTerms
from crowdsight.dynamodb import Table
from crowdsight.errors import (
    AllowanceExhausted,
    AlreadyStored,
    BudgetExceeded,
    KeyIsEnding,
    NotFound,
    StillProcessing,
    TooManyKeys,
)
from crowdsight.task_store import TaskStore
from crowdsight.tasks import TaskKey
from infra.api import AUTHORIZER_TTL_S
from tests.conftest import StoppedClock
from tests.contract.account_world import AccountWorld
from tests.contract.conftest import create_table
from tests.contract.crowd_world import CONTAINS_INPUT
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.search_world import SearchWorld, picture

ACCOUNTS = ("ann", "bob")
DAY_S = 86_400
PRICE_CENTS = worst_case_cents(CATALOGUE["image-contains"], 0)

accounts = st.sampled_from(ACCOUNTS)
names = st.sampled_from(["first", "second"])
seeds = st.integers(0, 2)


class Gateway:
    """Asks whose key it is, and remembers what it was told for as long as the template says, a no as well as a yes."""

    def __init__(self, world: AccountWorld) -> None:
        self._world = world
        self._remembered: dict[str, tuple[int, str | None]] = {}

    def account_of(self, key: str) -> str | None:
        until_ms, account = self._remembered.get(key, (0, None))
        if until_ms <= self._world.clock():
            owner = self._world.accounts.store.owner_of(key)
            account = owner.account if owner else None
            self._remembered[key] = (self._world.clock() + AUTHORIZER_TTL_S * 1000, account)
        return account


class NoWorkflow:
    def start(self, generation: Any) -> None:
        """Tasks are ended by the machine itself."""


class Machine(RuleBasedStateMachine):
    keys: Bundle[NewKey] = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.clock = StoppedClock()
        dynamodb = MemoryDynamoDB()
        self.world = AccountWorld(dynamodb, self.clock, Terms(2, 1, 3 * PRICE_CENTS))
        self.store, self.allowance = self.world.accounts.store, self.world.accounts.allowance
        self.gateway = Gateway(self.world)
        create_table(dynamodb, "tasks", {"open": "N"})
        self.tasks = TaskStore(Table(dynamodb, "tasks"), self.clock)
        workflow: Any = NoWorkflow()
        terms = TaskTerms(DAY_S, lambda account: self.store.account(account).terms.crowd_budget_cents, 0)
        self.put_task = PutTask(self.tasks, workflow, terms, lambda: uuid4().hex)
        self.delete_task = DeleteTask(self.tasks)
        self.images = SearchWorld(dynamodb, MemoryS3(), self.clock)
        self.ends_ms: dict[str, int] = {}
        self.paid_in: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.made: Counter[tuple[str, str]] = Counter()
        self.crashed: Counter[tuple[str, str]] = Counter()
        self.saved: set[tuple[str, int]] = set()
        self.payments = 0

    @initialize(target=keys, account=accounts)
    def open_accounts(self, account: str) -> NewKey:
        for name in ACCOUNTS:
            self.store.create(name)
        return self.store.create_key(account)

    # Operators

    @rule(target=keys, account=accounts)
    def create_key(self, account: str) -> Any:
        try:
            return self.store.create_key(account)
        except TooManyKeys:
            assert len(self.store.keys(account)) == MAX_KEYS
            return multiple()

    @rule(key=keys)
    def revoke(self, key: NewKey) -> None:
        try:
            self.store.revoke_key(key.record.account, key.record.id)
        except NotFound:
            assert key.key in self.ends_ms or self.store.owner_of(key.key) is None
        self._ends(key, self.clock())

    @rule(account=accounts, cents=st.integers(1, 5))
    def top_up(self, account: str, cents: int) -> None:
        self.payments += 1
        for _ in range(2):  # it is told twice
            self.world.accounts.ledger.top_up(account, cents, f"payment {self.payments}")
        self.paid_in[account] += cents

    # Callers

    @rule(target=keys, key=keys, overlap_s=st.sampled_from([0, 30, 3_600]))
    def rotate(self, key: NewKey, overlap_s: int) -> Any:
        account = self._caller(key)
        if account is None:
            return multiple()
        try:
            made = self.store.rotate_key(account, key.record.id, overlap_s)
        except KeyIsEnding:
            assert key.key in self.ends_ms
            return multiple()
        except (NotFound, TooManyKeys):
            return multiple()
        self._ends(key, self.clock() + overlap_s * 1000)
        assert len(self.store.keys(account)) <= MAX_KEYS
        return made

    @rule(key=keys, crashes=st.booleans())
    def search(self, key: NewKey, crashes: bool) -> None:
        account = self._caller(key)
        if account is None:
            return
        before = self.allowance.standing(account)
        try:
            held, _ = self.allowance.reserve(account)
        except AllowanceExhausted:
            assert before.free_left == 0 and before.balance_cents == 0
            return
        assert held.is_free == (before.free_left > 0)
        if not crashes:
            self.allowance.settle(account, held, "request")
            self.spent[account] += held.cents
            self.made[account, held.day] += held.is_free

    @rule(key=keys, name=names)
    def put(self, key: NewKey, name: str) -> None:
        account = self._caller(key)
        if account is None:
            return
        before = self.tasks.committed_cents(account, self.tasks.month())
        try:
            _, is_new = self.put_task(TaskKey(account, "image-contains", name), CONTAINS_INPUT)
        except BudgetExceeded:
            assert before + PRICE_CENTS > 3 * PRICE_CENTS
            return
        after = self.tasks.committed_cents(account, self.tasks.month())
        assert after == before + (PRICE_CENTS if is_new else 0) <= 3 * PRICE_CENTS

    @rule(key=keys, name=names)
    def delete(self, key: NewKey, name: str) -> None:
        account = self._caller(key)
        if account is None:
            return
        task_key = TaskKey(account, "image-contains", name)
        try:
            self.delete_task(task_key)
        except StillProcessing:
            assert self.tasks.find(task_key)
            return
        except NotFound:
            pass
        assert self.tasks.find(task_key) is None

    @rule(key=keys, seed=seeds)
    def save(self, key: NewKey, seed: int) -> None:
        account = self._caller(key)
        if account is None:
            return
        url = self.images.put_on_web(picture(seed))
        found = self.images.search.find(account, url, 50)
        assert {hit.image.account for hit in found.results} <= {account}
        assert len(found.results) == len([1 for owner, _ in self.saved if owner == account])
        try:
            self.images.search.save(account, found.request_id)
        except AlreadyStored:
            assert (account, seed) in self.saved
        else:
            assert (account, seed) not in self.saved
            self.saved.add((account, seed))

    # Time

    @rule(answers=st.integers(0, 2))
    def end_a_task(self, answers: int) -> None:
        for generation in self.tasks.unsettled_generations():
            self.tasks.complete(generation, {"containsTarget": True})
            self.tasks.settle(self.tasks.load_generation(generation.id), answers)
            return

    @rule(seconds=st.sampled_from([1, 29, 31, RESERVATION_S, 3_600, DAY_S, 31 * DAY_S]))
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds)

    # What always holds

    @invariant()
    def money_is_conserved_and_no_balance_is_negative(self) -> None:
        for name in self.store.names():
            account = self.store.account(name)
            held_cents = sum(held.cents for held in account.reservations.values())
            assert account.balance_cents >= 0
            assert account.balance_cents + held_cents == self.paid_in[name] - self.spent[name]
            assert self.world.accounts.ledger.discrepancies(name) == []

    @invariant()
    def the_allowance_is_exact(self) -> None:
        for name in self.store.names():
            account = self.store.account(name)
            held = [held for held in account.reservations.values() if held.is_free and held.day == account.day]
            assert account.free_used == self.made[name, account.day] + len(held) <= 2

    @invariant()
    def every_month_has_taken_what_its_tasks_say(self) -> None:
        assert BudgetAudit(self.tasks, self.clock.move).discrepancies(self.store.names()) == []

    def _caller(self, key: NewKey) -> str | None:
        """The account that the gateway takes the key for; never once its end is a minute past, nor another's."""
        account = self.gateway.account_of(key.key)
        assert account in (None, key.record.account)
        ends_ms = self.ends_ms.get(key.key)
        if ends_ms is not None and ends_ms + AUTHORIZER_TTL_S * 1000 <= self.clock():
            assert account is None
        if ends_ms is None:
            assert account is not None
        return account

    def _ends(self, key: NewKey, at_ms: int) -> None:
        self.ends_ms[key.key] = min(at_ms, self.ends_ms.get(key.key, at_ms))


Machine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase

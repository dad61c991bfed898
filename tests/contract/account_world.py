"""Accounts as the wiring joins them."""

from typing import Any
from uuid import uuid4

from crowdsight.accounts.allowance import Allowance
from crowdsight.accounts.ledger import Ledger
from crowdsight.accounts.store import AccountStore, Terms
from crowdsight.dynamodb import Table
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions
from tests.contract.memory_gateway_keys import MemoryGatewayKeys

TERMS = Terms(free_searches=3, search_price_cents=2, crowd_budget_cents=0)


class Accounts:
    """One process: the use cases, and what they stand on."""

    def __init__(self, dynamodb: Any, clock: StoppedClock, terms: Terms, gateway: MemoryGatewayKeys) -> None:
        table = Table(dynamodb, "accounts")
        self.store = AccountStore(table, clock, terms, gateway)
        self.ledger = Ledger(table, self.store, clock)
        self.allowance = Allowance(table, self.store, self.ledger, clock, lambda: uuid4().hex)


class AccountWorld:
    """A table of accounts, and processes that use it."""

    def __init__(self, dynamodb: Any, clock: StoppedClock, terms: Terms = TERMS) -> None:
        self._dynamodb = dynamodb
        self._terms = terms
        self.clock = clock
        self.interruptions = Interruptions()
        create_table(dynamodb, "accounts", {})
        self.gateway = MemoryGatewayKeys()
        self.accounts = Accounts(dynamodb, clock, terms, self.gateway)

    def new_process(self) -> Accounts:
        """One whose calls can be interrupted."""
        return Accounts(self.interruptions.watch(self._dynamodb), self.clock, self._terms, self.gateway)

"""What an account is told of itself."""

from dataclasses import dataclass

from crowdsight.accounts.allowance import Allowance, Standing
from crowdsight.accounts.store import AccountStore
from crowdsight.task_store import TaskStore


@dataclass(frozen=True)
class AccountDescription:
    """An account's searches today, and its tasks of a month (`yyyy-mm`, UTC).

    `crowd_budget_cents`: what those may cost, 0 for no ceiling. `committed_cents`: what they have cost or may still.
    """

    name: str
    standing: Standing
    month: str
    crowd_budget_cents: int
    committed_cents: int


class DescribeAccount:
    """Tells how an account stands now."""

    def __init__(self, accounts: AccountStore, allowance: Allowance, tasks: TaskStore) -> None:
        self._accounts = accounts
        self._allowance = allowance
        self._tasks = tasks

    def __call__(self, name: str) -> AccountDescription:
        """Raises NotFound."""
        standing = self._allowance.standing(name)
        budget_cents = self._accounts.account(name).terms.crowd_budget_cents
        month = self._tasks.month()
        return AccountDescription(name, standing, month, budget_cents, self._tasks.committed_cents(name, month))

"""What must be in the index, what may be, and what must not be."""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass
class _Account:
    """Keys. `begun`: their put has begun; `there`: it has ended, and no removal has begun; `going`: a removal has
    begun; `gone`: it has ended."""

    begun: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Before:
    """What was there, and what was gone, when a search began."""

    account: str
    there: frozenset[str]
    gone: frozenset[str]


class Books:
    """Kept by writers, audited by readers. `wrong` counts what breaks a rule:

    `fewer`: keys that were there before a search began, whose removal had not begun when it ended, and that it did not
    find; `twice`: keys found more than once; `again`: found though removed before; `invented`: never put.
    """

    def __init__(self, accounts: Sequence[str]) -> None:
        self.wrong: Counter[str] = Counter()
        self._accounts = {account: _Account() for account in accounts}
        self._lock = threading.Lock()

    def begin_put(self, account: str, keys: Collection[str]) -> None:
        with self._lock:
            self._accounts[account].begun.update(keys)

    def end_put(self, account: str, keys: Collection[str]) -> None:
        with self._lock:
            kept = self._accounts[account]
            kept.there.update(set(keys) - kept.going)

    def begin_removal(self, account: str, keys: Collection[str]) -> None:
        with self._lock:
            self._accounts[account].going.update(keys)
            self._accounts[account].there.difference_update(keys)

    def end_removal(self, account: str, keys: Collection[str]) -> None:
        with self._lock:
            self._accounts[account].gone.update(keys)

    def before(self, account: str) -> Before:
        """To be asked before a search begins."""
        with self._lock:
            kept = self._accounts[account]
            return Before(account, frozenset(kept.there), frozenset(kept.gone))

    def check(self, before: Before, found: Sequence[str], asked: Collection[str] | None = None) -> None:
        """Audit what a search found of all keys, or of those that it asked for."""
        distinct = set(found)
        wanted = before.there if asked is None else before.there & set(asked)
        with self._lock:
            kept = self._accounts[before.account]
            self.wrong["fewer"] += len(wanted - distinct - kept.going)
            self.wrong["twice"] += len(found) - len(distinct)
            self.wrong["again"] += len(distinct & before.gone)
            self.wrong["invented"] += len(distinct - kept.begun)

    def unfinished_removals(self, account: str) -> list[str]:
        with self._lock:
            return sorted(self._accounts[account].going - self._accounts[account].gone)

"""What the service asks of a vector index, whichever engine stands behind it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True)
class Entry:
    """One thing to be found. `vectors`: for every space of the index one vector, [dimensions of the space]."""

    key: str
    vectors: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Match:
    """`score`: the cosine of the angle to the query, -1 to 1."""

    key: str
    score: float


@dataclass(frozen=True)
class IndexStats:
    """What an account has in the index.

    `vectors`: entries that can be found. `segments`: files that hold them. `log_length`: what was put or removed and
    is not folded into segments yet.
    """

    vectors: int
    segments: int
    log_length: int


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: accounts looked at, entries put into and dropped from segments, accounts that failed."""

    accounts: int = 0
    put: int = 0
    removed: int = 0
    failed: int = 0


class VectorIndex(Protocol):
    """Vectors of many accounts, each for itself; keys are unique for ever: one that was removed never comes back.

    Accounts are 1 to 64 of `A-Za-z0-9_-`, keys 1 to 128 of these and `.`; anything else is a ValueError.
    """

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """Add entries; they can be found at once, by everyone. Putting an entry again changes nothing."""

    def remove(self, account: str, keys: Sequence[str]) -> None:
        """Drop entries, at once and for good; dropping what is not there is no error."""

    def search(self, account: str, space: str, query: NDArray[np.float32], limit: int) -> list[Match]:
        """The entries nearest to a query vector [dimensions of the space], best first, at most `limit`, each once."""

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        """Tidy what was put and removed, in all accounts; it changes no answer.

        `is_over` is asked now and then; the rest then waits for the next refresh. It may be killed at any moment, and
        several may run at once.
        """

    def stats(self, account: str) -> IndexStats:
        """How much there is."""


def check_account(account: str) -> None:
    """Raises ValueError."""
    if not ACCOUNT.fullmatch(account):
        raise ValueError(f"not an account: {account!r}")


def check_keys(keys: Sequence[str]) -> None:
    """Raises ValueError."""
    for key in keys:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")

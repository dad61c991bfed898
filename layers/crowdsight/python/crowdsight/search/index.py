"""What the service asks of a vector index, whichever engine stands behind it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")
LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
MOST_LABELS = 32
LATEST_MS = 2**53 - 1


@dataclass(frozen=True)
class Entry:
    """One thing to be found. `vectors`: for every space of the index one vector, [dimensions of the space].

    `labels`: what was detected in it, with scores from 0 to 1; at most 32, each 1 to 64 characters, no control
    characters. `time_ms`: when it was saved, in milliseconds since 1970; 0 to 2^53 - 1.
    """

    key: str
    vectors: Mapping[str, NDArray[np.float32]]
    labels: Mapping[str, float] = field(default_factory=dict)
    time_ms: int = 0


@dataclass(frozen=True)
class Filter:
    """Which entries a search is about. What is None does not matter; what is not holds together with the others.

    `label`: the entry has it, with a score of `min_label_score` or more. `since_ms`, `before_ms`: since_ms <= time_ms <
    before_ms. `keys`: the entry is one of these.
    """

    label: str | None = None
    min_label_score: float = 0.0
    since_ms: int | None = None
    before_ms: int | None = None
    keys: Collection[str] | None = None

    def allows(self, key: str, labels: Mapping[str, float], time_ms: int) -> bool:
        """Whether an entry counts."""
        return (
            (self.label is None or labels.get(self.label, -1.0) >= self.min_label_score)
            and (self.since_ms is None or time_ms >= self.since_ms)
            and (self.before_ms is None or time_ms < self.before_ms)
            and (self.keys is None or key in self.keys)
        )


EVERYTHING = Filter()


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

    Accounts are 1 to 64 of `A-Za-z0-9_-`, keys 1 to 128 of these and `.`; anything else is a ValueError, and so are
    vectors, labels and times that are not as `Entry` says. A vector of zeros has a cosine of 0 to everything.
    """

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """Add entries; they can be found at once, by everyone. Putting an entry again changes nothing."""

    def remove(self, account: str, keys: Sequence[str]) -> None:
        """Drop entries, at once and for good; dropping what is not there is no error."""

    def search(
        self, account: str, space: str, queries: NDArray[np.float32], limit: int, where: Filter = EVERYTHING
    ) -> list[list[Match]]:
        """For each query vector [queries, dimensions of the space] the nearest of the entries that a filter allows.

        Best first, at most `limit`, each once.
        """

    def vectors(self, account: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
        """By key and space, the vectors of those of the keys that are there; of length 1, as near as they are kept."""

    def all_vectors(self, account: str, size: int) -> Iterator[Mapping[str, Mapping[str, NDArray[np.float32]]]]:
        """As `vectors`, of all that can be found, at most `size` at a time, in the order that is cheapest to read.

        What is put, removed or tidied meanwhile may be missing.
        """

    def keys(self, account: str) -> Iterator[str]:
        """Of all that can be found, each once, in no order; what is put or removed meanwhile may come or not."""

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


def check_entries(entries: Sequence[Entry]) -> None:
    """Raises ValueError for keys, labels and times; vectors are the index's own to check."""
    check_keys([entry.key for entry in entries])
    for entry in entries:
        if len(entry.labels) > MOST_LABELS:
            raise ValueError(f"{entry.key} has {len(entry.labels)} labels, and {MOST_LABELS} is the most")
        for label, score in entry.labels.items():
            if not LABEL.fullmatch(label) or not 0 <= score <= 1:
                raise ValueError(f"not a label: {label!r} with score {score!r}")
        if not 0 <= entry.time_ms <= LATEST_MS:
            raise ValueError(f"not a time: {entry.time_ms!r}")


def check_vectors(entry: Entry, spaces: Mapping[str, int]) -> None:
    """Raises ValueError unless an entry has one vector of finite numbers for every space."""
    if entry.vectors.keys() != spaces.keys():
        raise ValueError(f"{entry.key} has vectors in {sorted(entry.vectors)}, not {sorted(spaces)}")
    for space, dimensions in spaces.items():
        checked_vector(entry.vectors[space], dimensions)


def checked_vector(vector: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Raises ValueError unless it is finite and has these dimensions."""
    array = np.asarray(vector, np.float32)
    if array.shape != (dimensions,) or not np.isfinite(array).all():
        raise ValueError(f"a vector of {dimensions} finite numbers is needed, not one of shape {array.shape}")
    return array

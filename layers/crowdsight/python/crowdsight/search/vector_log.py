"""The log of a vector index, in DynamoDB: what was put and removed since the last refresh, visible to all at once.

| pk                 | sk           | what                                                                             |
|--------------------|--------------|----------------------------------------------------------------------------------|
| LOG#bundle#account | PUT#key      | an entry: its vectors, in half precision                                         |
| LOG#bundle#account | REMOVE#key   | an entry is to be dropped                                                        |
| LOG#bundle#account | GONE#key     | an entry was dropped: for a day no refresh puts it back, however late it was put |
| LOG#bundle#account | SEGMENT#name | a segment is being written: if its writer is killed, this tells of its objects   |
| DIRTY#bundle       | account      | there is something to tidy; `mark` changes whenever there is something new       |
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table
from crowdsight.search.index import Entry
from crowdsight.search.segments import Rows, gather, half_unit

PUT, REMOVE, GONE, SEGMENT = "PUT#", "REMOVE#", "GONE#", "SEGMENT#"
PUTS_AND_REMOVALS = (PUT, REMOVE.replace("#", "$"))
"""The range of sort keys that holds both and nothing else: `$` follows `#`."""

KEEP_GONE_S = 86_400


@dataclass(frozen=True)
class Log:
    """What was put and removed. `rows`: the entries put and not removed; `removed`: keys [n].

    `put_keys`: of all entries put. `is_whole`: nothing was left out because there was too much.
    """

    rows: Rows
    put_keys: tuple[str, ...]
    removed: NDArray[np.bytes_]
    is_whole: bool

    def __len__(self) -> int:
        return len(self.put_keys) + len(self.removed)


@dataclass(frozen=True)
class Writing:
    """A segment that somebody has begun to write, and when."""

    name: str
    at_ms: int


@dataclass(frozen=True)
class Dirty:
    account: str
    mark: str


class VectorLog:
    """The log of one bundle's vectors. `dimensions`: of each space. All reads are strongly consistent."""

    def __init__(
        self, table: Table, bundle_name: str, dimensions: Mapping[str, int], clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._table = table
        self._bundle_name = bundle_name
        self._dimensions = dimensions
        self._clock = clock
        self._new_id = new_id

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """Raises ValueError for vectors that do not fit the spaces."""
        pk = self._pk(account)
        self._table.put_many(
            [{"pk": pk, "sk": f"{PUT}{entry.key}", "vectors": self._to_bytes(entry)} for entry in entries]
        )
        self._mark_dirty(account)

    def remove(self, account: str, keys: Sequence[str]) -> None:
        pk = self._pk(account)
        ttl_s = self._clock() // 1000 + KEEP_GONE_S
        # What is gone is written first: a removal that was folded and forgotten has then always left its trace.
        self._table.put_many([{"pk": pk, "sk": f"{GONE}{key}", "ttl_s": ttl_s} for key in keys])
        self._table.put_many([{"pk": pk, "sk": f"{REMOVE}{key}"} for key in keys])
        self._mark_dirty(account)

    def read(self, account: str, limit: int | None = None) -> Log:
        """What was put and removed; `limit`: at most so many items, entries put first."""
        puts: list[Item] = []
        removed: dict[str, None] = {}
        items = self._table.query_all(self._pk(account), sk_between=PUTS_AND_REMOVALS)
        for item in islice(items, limit):
            if item["sk"].startswith(PUT):
                puts.append(item)
            else:
                removed[item["sk"].removeprefix(REMOVE)] = None
        is_whole = limit is None or len(puts) + len(removed) < limit
        put_keys = tuple(item["sk"].removeprefix(PUT) for item in puts)
        rows = self._rows([item for item, key in zip(puts, put_keys, strict=True) if key not in removed])
        return Log(rows, put_keys, as_keys(list(removed)), is_whole)

    def gone(self, account: str) -> NDArray[np.bytes_]:
        """The keys [n] that must not be put back."""
        return as_keys([item["sk"].removeprefix(GONE) for item in self._table.query_all(self._pk(account), GONE)])

    def drop(self, account: str, log: Log) -> None:
        """Forget what a manifest in force now holds."""
        pk = self._pk(account)
        # Entries put go first: else one that was removed would be there again, for as long as this is cut in between.
        self._table.delete_many((pk, f"{PUT}{key}") for key in log.put_keys)
        self._table.delete_many((pk, f"{REMOVE}{key.decode()}") for key in log.removed)

    # Segments being written

    def begin_segment(self, account: str, name: str) -> None:
        """Before anything of it is written.

        The account is dirty from then on, so that one more refresh sees that nothing was left behind, even if another
        refresh has just found all tidy.
        """
        self._table.put({"pk": self._pk(account), "sk": f"{SEGMENT}{name}", "at_ms": self._clock()})
        self._mark_dirty(account)

    def end_segments(self, account: str, names: Sequence[str]) -> None:
        """They are in a manifest, or deleted."""
        self._table.delete_many((self._pk(account), f"{SEGMENT}{name}") for name in names)

    def segments_being_written(self, account: str) -> list[Writing]:
        """By somebody who is at work, or was killed."""
        items = self._table.query_all(self._pk(account), SEGMENT)
        return [Writing(item["sk"].removeprefix(SEGMENT), item["at_ms"]) for item in items]

    # Accounts that have something to tidy

    def dirty_accounts(self) -> Iterator[Dirty]:
        return (Dirty(item["sk"], item["mark"]) for item in self._table.query_all(f"DIRTY#{self._bundle_name}"))

    def set_clean(self, dirty: Dirty) -> None:
        """All is tidied that there was when this account was found dirty; it stays so if there is something new."""
        try:
            self._table.delete(f"DIRTY#{self._bundle_name}", dirty.account, "mark = :mark", {"mark": dirty.mark})
        except ConditionFailed:
            pass  # there is something new, or another refresh was quicker

    def _mark_dirty(self, account: str) -> None:
        """After the log is written: the mark then never speaks of something that a refresh does not see."""
        self._table.put({"pk": f"DIRTY#{self._bundle_name}", "sk": account, "mark": self._new_id()})

    def _pk(self, account: str) -> str:
        return f"LOG#{self._bundle_name}#{account}"

    def _to_bytes(self, entry: Entry) -> dict[str, bytes]:
        if entry.vectors.keys() != self._dimensions.keys():
            raise ValueError(f"{entry.key} has vectors in {sorted(entry.vectors)}, not {sorted(self._dimensions)}")
        return {
            space: half_unit(checked_vector(entry.vectors[space], size)).tobytes()
            for space, size in self._dimensions.items()
        }

    def _rows(self, items: Sequence[Item]) -> Rows:
        keys = as_keys([item["sk"].removeprefix(PUT) for item in items])
        matrices = {
            space: np.frombuffer(b"".join(item["vectors"][space] for item in items), "<f2").reshape(-1, size)
            for space, size in self._dimensions.items()
        }
        return gather([Rows(keys, matrices)], self._dimensions)


def as_keys(keys: Sequence[str]) -> NDArray[np.bytes_]:
    """Keys as an array [n] of fixed-width bytes."""
    return np.array([key.encode() for key in keys], dtype="S") if keys else np.empty(0, "S1")


def checked_vector(vector: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Raises ValueError unless it is finite and has these dimensions."""
    array = np.asarray(vector, np.float32)
    if array.shape != (dimensions,) or not np.isfinite(array).all():
        raise ValueError(f"a vector of {dimensions} finite numbers is needed, not one of shape {array.shape}")
    return array

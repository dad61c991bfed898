"""The log of a vector index, in DynamoDB: what was put and removed since the last refresh, visible to all at once.

| pk                 | sk           | what                                                                             |
|--------------------|--------------|----------------------------------------------------------------------------------|
| LOG#bundle#account | PUT#id       | entries that were put at once: keys, half-precision vectors, labels and times    |
| LOG#bundle#account | REMOVE#key   | an entry is to be dropped                                                        |
| LOG#bundle#account | GONE#key     | an entry was dropped: for a day no put and no refresh brings it back             |
| LOG#bundle#account | SEGMENT#name | a segment is being written: if its writer is killed, this tells of its objects   |
| LOG#bundle#account | SEEN#        | the version of the manifest that a search must know, or a later one              |
| DIRTY#bundle       | account      | there is something to tidy; `mark` changes whenever there is something new       |
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table
from crowdsight.search.attributes import Attributes
from crowdsight.search.index import Entry, check_vectors
from crowdsight.search.rows import Rows, gather
from crowdsight.search.vectors import BLOCK_ROWS, half_unit

PUT, REMOVE, SEEN, GONE, SEGMENT = "PUT#", "REMOVE#", "SEEN#", "GONE#", "SEGMENT#"
PUTS_TO_SEEN = (PUT, SEEN)
"""The range of sort keys that a search reads. The version comes last: of a refresh that has dropped something before it
could be read, the version is then read."""

KEEP_GONE_S = 86_400

THREADS = 2
"""How many turn many vectors into half precision."""

ITEM_BYTES = 300_000
"""At most so much is put into an item; DynamoDB's own limit is 400 KB."""


@dataclass(frozen=True)
class Log:
    """What was put and removed. `rows`: the entries put and not removed; `removed`: keys [n].

    `put_keys`: by their ids the items read, each with the keys that were put in it; `length`: how much was put and
    removed, all in all. `manifest_version`: what was dropped is in the manifest of this version, and in later ones.
    """

    rows: Rows
    put_keys: Mapping[str, NDArray[np.bytes_]]
    removed: NDArray[np.bytes_]
    length: int
    manifest_version: int

    def __len__(self) -> int:
        return self.length

    @property
    def outdated(self) -> NDArray[np.bytes_]:
        """The keys [n] whose rows in segments do not count: they were removed, or are in the log itself."""
        return np.concatenate([self.removed, self.rows.keys])


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
        """Raises ValueError for vectors that do not fit the spaces. What is gone is not put."""
        gone = self._gone_of(account, [entry.key for entry in entries])
        entries = [entry for entry in entries if entry.key not in gone]
        self._table.put_many([self._item(account, chunk) for chunk in self._chunks(entries)])
        self._mark_dirty(account)
        if removed_meanwhile := self._gone_of(account, [entry.key for entry in entries]):
            self.remove(account, sorted(removed_meanwhile))  # a refresh may have forgotten their removal by now

    def remove(self, account: str, keys: Sequence[str]) -> None:
        pk = self._pk(account)
        ttl_s = self._clock() // 1000 + KEEP_GONE_S
        # What is gone is written first: a removal that was folded and forgotten has then always left its trace.
        self._table.put_many([{"pk": pk, "sk": f"{GONE}{key}", "ttl_s": ttl_s} for key in keys])
        self._table.put_many([{"pk": pk, "sk": f"{REMOVE}{key}"} for key in keys])
        self._mark_dirty(account)

    def read(self, account: str, limit: int | None = None) -> Log:
        """What was put and removed; `limit`: no more items are read when so much was, entries put first."""
        puts: list[Item] = []
        removed: list[str] = []
        length = version = pages = 0
        start_key: Item | None = None
        while pages == 0 or (start_key and (limit is None or length < limit)):
            page = self._table.query(self._pk(account), sk_between=PUTS_TO_SEEN, start_key=start_key)
            for item in page.items:
                if item["sk"] == SEEN:
                    version = item["version"]
                elif item["sk"].startswith(PUT):
                    puts.append(item)
                    length += item["count"]
                else:
                    removed.append(item["sk"].removeprefix(REMOVE))
                    length += 1
                if limit is not None and length >= limit:
                    break
            start_key = page.next_key
            pages += 1
        removed_keys = as_keys(removed)
        put = {item["sk"].removeprefix(PUT): self._rows(item) for item in puts}
        rows = gather(list(put.values()), self._dimensions).without(removed_keys)
        if pages > 1 and len(rows):
            # Between two pages a refresh may have dropped an entry that was read, and its removal that was not.
            rows = rows.without(self.gone(account))
        return Log(rows, {put_id: each.keys for put_id, each in put.items()}, removed_keys, length, version)

    def gone(self, account: str) -> NDArray[np.bytes_]:
        """The keys [n] that must not be put back."""
        return as_keys([item["sk"].removeprefix(GONE) for item in self._table.query_all(self._pk(account), GONE)])

    def seen_version(self, account: str) -> int:
        """That of the manifest which every search must know; 0 if there never was one."""
        item = self._table.get(self._pk(account), SEEN)
        return item["version"] if item else 0

    def _gone_of(self, account: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys that must not be put back."""
        pk = self._pk(account)
        items = self._table.get_many((pk, f"{GONE}{key}") for key in keys)
        return {item["sk"].removeprefix(GONE) for item in items}

    def see(self, account: str, version: int) -> None:
        """From here on every search knows the manifest of this version, or a later one."""
        try:
            self._table.update(
                self._pk(account),
                SEEN,
                "SET #version = :version",
                "attribute_not_exists(pk) OR #version < :version",
                {"version": version},
                {"version": "version"},
            )
        except ConditionFailed:
            pass  # another refresh was quicker

    def drop(self, account: str, put_ids: Sequence[str], removed: NDArray[np.bytes_]) -> None:
        """Forget what a manifest in force now holds: items that were put, and keys that were removed."""
        pk = self._pk(account)
        # Entries put go first: else one that was removed would be there again, for as long as this is cut in between.
        self._table.delete_many((pk, f"{PUT}{put_id}") for put_id in put_ids)
        self._table.delete_many((pk, f"{REMOVE}{key.decode()}") for key in removed)

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

    def _chunks(self, entries: Sequence[Entry]) -> list[list[Entry]]:
        """Entries in groups that an item has room for."""
        chunks: list[list[Entry]] = [[]]
        size_bytes = 0
        for entry in entries:
            entry_bytes = 2 * sum(self._dimensions.values()) + len(entry.key) + len(json.dumps(dict(entry.labels))) + 24
            if chunks[-1] and size_bytes + entry_bytes > ITEM_BYTES:
                chunks.append([])
                size_bytes = 0
            chunks[-1].append(entry)
            size_bytes += entry_bytes
        return [chunk for chunk in chunks if chunk]

    def _item(self, account: str, entries: Sequence[Entry]) -> Item:
        matrices = half_matrices(entries, self._dimensions)
        vectors = {space: matrix.tobytes() for space, matrix in matrices.items()}
        return {
            "pk": self._pk(account),
            "sk": f"{PUT}{self._new_id()}",
            "count": len(entries),
            "keys": json.dumps([entry.key for entry in entries]),
            "vectors": vectors,
            "labels": json.dumps([dict(entry.labels) for entry in entries]),
            "times_ms": json.dumps([entry.time_ms for entry in entries]),
        }

    def _rows(self, item: Item) -> Rows:
        matrices = {
            space: np.frombuffer(item["vectors"][space], "<f2").reshape(-1, size)
            for space, size in self._dimensions.items()
        }
        attributes = Attributes.of(json.loads(item["times_ms"]), json.loads(item["labels"]))
        return Rows(as_keys(json.loads(item["keys"])), matrices, attributes)


def as_keys(keys: Sequence[str]) -> NDArray[np.bytes_]:
    """Keys as an array [n] of fixed-width bytes."""
    return np.array([key.encode() for key in keys], dtype="S") if keys else np.empty(0, "S1")


def half_matrices(
    entries: Sequence[Entry], dimensions: Mapping[str, int], order: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.float16]]:
    """The vectors of entries as the index keeps them, for each space [entries, dimensions]; row r is that of entry
    `order[r]`, of entry r without an order.

    Raises ValueError unless each entry has one vector of finite numbers for every space.
    """
    matrices = {space: np.empty((len(entries), size), "<f2") for space, size in dimensions.items()}
    row_of = np.arange(len(entries))
    if order is not None:
        row_of[order] = np.arange(len(entries))

    def fill(start: int) -> None:
        some = entries[start : start + BLOCK_ROWS]
        for space in dimensions:
            try:
                block = np.stack([entry.vectors[space] for entry in some]).astype(np.float32, copy=False)
                matrices[space][row_of[start : start + BLOCK_ROWS]] = half_unit(block)
                is_good = bool(np.isfinite(block).all()) and block.shape[1:] == (dimensions[space],)
            except (KeyError, ValueError):
                is_good = False
            if not is_good or any(len(entry.vectors) != len(dimensions) for entry in some):
                for entry in some:
                    check_vectors(entry, dimensions)  # says which, and what is wrong

    starts = range(0, len(entries), BLOCK_ROWS)
    if len(starts) > 1:
        with ThreadPoolExecutor(THREADS, "halves") as threads:
            list(threads.map(fill, starts))
    else:
        list(map(fill, starts))
    return matrices

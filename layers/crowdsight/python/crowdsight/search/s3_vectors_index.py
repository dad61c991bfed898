"""A vector index in Amazon S3 Vectors, for collections that no single Lambda can hold.

Vectors lie in one S3 Vectors index for each space. What can be found is said by DynamoDB alone:

| pk                       | sk             | what                                                                     |
|--------------------------|----------------|--------------------------------------------------------------------------|
| S3VECTORS#digest#account | KEY#key        | `state` kept: an entry, all of whose vectors are there; its labels, time |
|                          |                | `state` gone: it was removed, and for a day no put brings it back        |
| S3VECTORS#digest#account | ZERO#space#key | an entry with a vector of zeros there, which S3 Vectors does not take    |

The digest is that of the indexes' ARNs: of an index that is made anew nothing is said.

A put writes the vectors first and the item last, unless it says `gone` by then; a removal writes the item first and
deletes the vectors last. So a search, which leaves out every vector whose entry is not `kept`, finds an entry by all of
its vectors or by none, and one that was removed never again, whoever is killed wherever. A killed put or removal may
leave vectors that nothing finds, until the same key is put or removed again.

S3 Vectors compares approximately, and shows at once what was written: so AWS says of ListVectors, and so it is relied
on here of queries. Filters lose no match in vector buckets that were made since 30 September 2026, whose indexes filter
before they search (https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-index-mode.html).
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Table, TransactionFailed
from crowdsight.search.index import (
    EVERYTHING,
    KEY,
    Entry,
    Filter,
    IndexStats,
    Match,
    Refreshed,
    check_account,
    check_entries,
    check_keys,
    check_vectors,
    checked_vector,
)
from crowdsight.search.vector_space import MOST_RESULTS, PUT_VECTORS, VectorSpace, batches, unit

KEPT, GONE = "kept", "gone"
KEEP_GONE_S = 86_400
TRANSACTION_STEPS = 100


class S3VectorsIndex:
    """The `VectorIndex` of one model bundle.

    `client`: boto3's `s3vectors`. `index_arns`: the S3 Vectors index of each space, with the metric `cosine`.
    `spaces`: the bundle's, with their dimensions. A search finds at most 100, unless its filter names keys. Raises
    ClientError for what the service refuses or goes on throttling (429 TooManyRequestsException) after the client's own
    retries.
    """

    def __init__(
        self, table: Table, client: Any, index_arns: Mapping[str, str], spaces: Mapping[str, int], clock: Clock
    ) -> None:
        if index_arns.keys() != spaces.keys():
            raise ValueError(f"indexes are needed for {sorted(spaces)}, not for {sorted(index_arns)}")
        self._table = table
        self._dimensions = spaces
        self._spaces = {space: VectorSpace(client, index_arns[space], space, size) for space, size in spaces.items()}
        self._clock = clock
        self._digest = hashlib.sha256(json.dumps(sorted(index_arns.items())).encode()).hexdigest()[:16]

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """See `VectorIndex.put`. Each 500 entries are there before the next are begun."""
        check_account(account)
        check_entries(entries)
        for entry in entries:
            check_vectors(entry, self._dimensions)
        known = self._items(account, [entry.key for entry in entries])
        new = {entry.key: entry for entry in reversed(entries) if entry.key not in known}
        for batch in batches(list(new.values()), PUT_VECTORS):
            self._put(account, batch)

    def remove(self, account: str, keys: Sequence[str]) -> None:
        """See `VectorIndex.remove`."""
        check_account(account)
        check_keys(keys)
        pk = self._pk(account)
        ttl_s = self._clock() // 1000 + KEEP_GONE_S
        self._table.put_many({"pk": pk, "sk": f"KEY#{key}", "state": GONE, "ttl_s": ttl_s} for key in keys)
        self._delete(account, list(dict.fromkeys(keys)))

    def search(
        self, account: str, space: str, queries: NDArray[np.float32], limit: int, where: Filter = EVERYTHING
    ) -> list[list[Match]]:
        """See `VectorIndex.search`: one query after another.

        Scores are S3 Vectors' own, in single precision; where the filter names keys, their vectors are read (100 at a
        time) and compared here.
        """
        check_account(account)
        found = []
        for query in queries:
            vector = unit(checked_vector(query, self._dimensions[space]))
            if limit < 1:
                matches = []
            elif not vector.any():
                matches = self._first(account, limit, where)
            elif where.keys is not None:
                matches = self._compared(account, space, vector, where, where.keys)
            else:
                matches = self._nearest(account, space, vector, limit, where)
            found.append(sorted(matches, key=lambda match: (-match.score, match.key))[:limit])
        return found

    def vectors(self, account: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
        """See `VectorIndex.vectors`."""
        check_account(account)
        check_keys(keys)
        kept = self._kept(account, keys)
        found = {space: self._vectors(account, space, kept) for space in self._spaces}
        return {
            key: {space: found[space][key] for space in found}
            for key in kept
            if all(key in each for each in found.values())
        }

    def all_vectors(self, account: str, size: int) -> Iterator[Mapping[str, Mapping[str, NDArray[np.float32]]]]:
        """See `VectorIndex.all_vectors`."""
        keys = self.keys(account)
        while some := list(islice(keys, size)):
            yield self.vectors(account, some)

    def keys(self, account: str) -> Iterator[str]:
        """See `VectorIndex.keys`."""
        check_account(account)
        return (key for key, _ in self._all_kept(account))

    def refresh(self, is_over: Callable[[], bool] = lambda: False) -> Refreshed:
        """There is nothing to tidy."""
        return Refreshed()

    def stats(self, account: str) -> IndexStats:
        """See `VectorIndex.stats`: counted by reading an item for each entry. There are no segments and no log."""
        check_account(account)
        return IndexStats(sum(1 for _ in self._all_kept(account)), 0, 0)

    def _put(self, account: str, entries: Sequence[Entry]) -> None:
        pk = self._pk(account)
        zeros = {entry.key: [space for space in self._spaces if not entry.vectors[space].any()] for entry in entries}
        self._table.put_many(
            {"pk": pk, "sk": f"ZERO#{space}#{key}"} for key, spaces in zeros.items() for space in spaces
        )
        for space, vectors in self._spaces.items():
            vectors.put(account, [entry for entry in entries if space not in zeros[entry.key]])
        gone: list[str] = []
        for batch in batches(entries, TRANSACTION_STEPS):
            gone += self._keep({entry.key: _item(pk, entry, zeros[entry.key]) for entry in batch})
        self._delete(account, gone)

    def _keep(self, items: dict[str, Item]) -> list[str]:
        """Make what was put known, at most 100; returns the keys that are gone by now."""
        gone: list[str] = []
        while items:
            try:
                self._table.transact(
                    [
                        self._table.put_step(
                            key, item, "attribute_not_exists(pk) OR #state = :kept", {"kept": KEPT}, {"state": "state"}
                        )
                        for key, item in items.items()
                    ]
                )
                break
            except TransactionFailed as error:
                gone += error.failed
                items = {key: item for key, item in items.items() if key not in error.failed}
        return gone

    def _delete(self, account: str, keys: Sequence[str]) -> None:
        pk = self._pk(account)
        for space, vectors in self._spaces.items():
            vectors.delete(account, keys)
            self._table.delete_many((pk, f"ZERO#{space}#{key}") for key in keys)

    def _nearest(self, account: str, space: str, vector: NDArray[np.float32], limit: int, where: Filter) -> list[Match]:
        """At least the `limit` best, if there are as many."""
        asked = limit
        while True:
            found = self._spaces[space].nearest(account, vector, min(asked, MOST_RESULTS), where)
            kept = self._kept(account, [match.key for match in found])
            matches = [match for match in found if match.key in kept]
            if len(matches) >= limit or len(found) < asked:
                break
            asked *= 2  # killed puts and removals have left vectors
        if len(matches) < limit or min(match.score for match in matches) < 0:
            zeros = self._table.query_all(self._pk(account), f"ZERO#{space}#")
            kept = self._kept(account, [item["sk"].rpartition("#")[2] for item in zeros])
            matches += [Match(key, 0.0) for key, item in kept.items() if _allows(where, key, item)]
        return matches

    def _compared(
        self, account: str, space: str, vector: NDArray[np.float32], where: Filter, keys: Collection[str]
    ) -> list[Match]:
        """Of these keys, all that are allowed."""
        kept = self._kept(account, [key for key in keys if KEY.fullmatch(key)])
        allowed = {key: item for key, item in kept.items() if _allows(where, key, item)}
        found = self._vectors(account, space, allowed)
        return [Match(key, float(np.clip(each @ vector, -1, 1))) for key, each in found.items()]

    def _first(self, account: str, limit: int, where: Filter) -> list[Match]:
        """What a query of zeros finds: all are alike to it."""
        matches: list[Match] = []
        for key, item in self._all_kept(account):
            if _allows(where, key, item):
                matches.append(Match(key, 0.0))
            if len(matches) == limit:
                break
        return matches

    def _vectors(self, account: str, space: str, kept: Mapping[str, Item]) -> dict[str, NDArray[np.float32]]:
        """The vectors of entries with these items."""
        zeros = [key for key, item in kept.items() if space in item["zeros"]]
        found = self._spaces[space].get(account, [key for key in kept if key not in zeros])
        return found | {key: np.zeros(self._dimensions[space], np.float32) for key in zeros}

    def _items(self, account: str, keys: Sequence[str]) -> dict[str, Item]:
        pk = self._pk(account)
        items = self._table.get_many((pk, f"KEY#{key}") for key in keys)
        return {item["sk"].removeprefix("KEY#"): item for item in items}

    def _kept(self, account: str, keys: Sequence[str]) -> dict[str, Item]:
        return {key: item for key, item in self._items(account, keys).items() if item["state"] == KEPT}

    def _all_kept(self, account: str) -> Iterator[tuple[str, Item]]:
        """In the order of the keys."""
        for item in self._table.query_all(self._pk(account), "KEY#"):
            if item["state"] == KEPT:
                yield item["sk"].removeprefix("KEY#"), item

    def _pk(self, account: str) -> str:
        return f"S3VECTORS#{self._digest}#{account}"


def _item(pk: str, entry: Entry, zeros: list[str]) -> Item:
    return {
        "pk": pk,
        "sk": f"KEY#{entry.key}",
        "state": KEPT,
        "labels": json.dumps({label: float(score) for label, score in entry.labels.items()}),
        "time_ms": entry.time_ms,
        "zeros": zeros,
    }


def _allows(where: Filter, key: str, item: Item) -> bool:
    return where.allows(key, json.loads(item["labels"]), item["time_ms"])

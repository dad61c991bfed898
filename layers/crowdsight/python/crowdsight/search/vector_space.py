"""One index of Amazon S3 Vectors: the vectors of one space, those of all accounts beside each other.

Each vector is kept under `account/key`, with length 1, and with metadata that queries filter by: `account`, `time_ms`,
and for each label its score, under a digest of the label: a label may be longer than a metadata key, and 32 of them
more than the 2 KB that may be filtered by. Limits are the service's own:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import Entry, Filter, Match

T = TypeVar("T")

PUT_VECTORS = 500
DELETE_VECTORS = 500
GET_VECTORS = 100
MOST_RESULTS = 100
"""Of one query: its greatest `topK`."""

REQUEST_BYTES = 20 * 2**20
NUMBER_BYTES = 26
"""A float32 in JSON, as the double that it is, with what separates it from the next."""

ENTRY_BYTES = 4_096
"""All else that is said of a vector."""


class VectorSpace:
    """The vectors in an index that has the metric `cosine`. `client`: boto3's `s3vectors`.

    The service takes no vector of zeros under this metric, and neither does this. What it throttles (429), the client
    tries again as it is configured to; after that, and for what else the service refuses, ClientError is raised.
    """

    def __init__(self, client: Any, index_arn: str, space: str, dimensions: int) -> None:
        self._client = client
        self._index_arn = index_arn
        self._space = space
        room = REQUEST_BYTES * 9 // 10 // (dimensions * NUMBER_BYTES + ENTRY_BYTES)
        self._put_vectors = min(PUT_VECTORS, room)

    def put(self, account: str, entries: Sequence[Entry]) -> None:
        """Add or replace the entries' vectors of this space; each batch whole, or not at all."""
        for batch in batches(entries, self._put_vectors):
            vectors = [
                {
                    "key": f"{account}/{entry.key}",
                    "data": {"float32": unit(entry.vectors[self._space]).tolist()},
                    "metadata": _metadata(account, entry),
                }
                for entry in batch
            ]
            self._client.put_vectors(indexArn=self._index_arn, vectors=vectors)

    def delete(self, account: str, keys: Sequence[str]) -> None:
        """Deleting what is not there is no error."""
        for batch in batches(keys, DELETE_VECTORS):
            self._client.delete_vectors(indexArn=self._index_arn, keys=[f"{account}/{key}" for key in batch])

    def get(self, account: str, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """By key, the vectors that there are."""
        found = {}
        for batch in batches(keys, GET_VECTORS):
            answer = self._client.get_vectors(
                indexArn=self._index_arn, keys=[f"{account}/{key}" for key in batch], returnData=True
            )
            for vector in answer["vectors"]:
                found[vector["key"].partition("/")[2]] = np.array(vector["data"]["float32"], np.float32)
        return found

    def nearest(self, account: str, query: NDArray[np.float32], limit: int, where: Filter) -> list[Match]:
        """The `limit` nearest (1 to 100) to a query of length 1, as the service finds and scores them.

        `where.keys` is not looked at.
        """
        request = {
            "indexArn": self._index_arn,
            "queryVector": {"float32": query.tolist()},
            "topK": limit,
            "filter": _conditions(account, where),
            "returnDistance": True,
        }
        matches = []
        while True:
            answer = self._client.query_vectors(**request)
            for vector in answer["vectors"]:
                score = min(1.0, max(-1.0, 1.0 - vector["distance"]))
                matches.append(Match(vector["key"].partition("/")[2], score))
            if "nextToken" not in answer:
                return matches
            request["nextToken"] = answer["nextToken"]


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector with length 1; zeros stay as they are."""
    exact = np.asarray(vector, np.float64)
    largest = np.abs(exact).max()
    if largest == 0:
        return np.asarray(vector, np.float32)
    exact = exact / largest  # else the squares of the smallest would be nothing
    return (exact / np.linalg.norm(exact)).astype(np.float32)


def batches(members: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """All of them, at most `size` at a time."""
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _metadata(account: str, entry: Entry) -> dict[str, Any]:
    labels = {_label_key(label): float(score) for label, score in entry.labels.items()}
    return {"account": account, "time_ms": entry.time_ms, **labels}


def _conditions(account: str, where: Filter) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = [{"account": {"$eq": account}}]
    if where.label is not None:
        conditions.append({_label_key(where.label): {"$gte": float(where.min_label_score)}})
    if where.since_ms is not None:
        conditions.append({"time_ms": {"$gte": where.since_ms}})
    if where.before_ms is not None:
        conditions.append({"time_ms": {"$lt": where.before_ms}})
    return {"$and": conditions}


def _label_key(label: str) -> str:
    return f"label.{hashlib.sha256(label.encode()).hexdigest()[:16]}"

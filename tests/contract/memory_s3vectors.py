"""An S3 Vectors in memory, for tests that make thousands of calls: the operations that `VectorSpace` uses.

It passes the same tests as moto's: those of the vector index run over both.
"""

import json
import threading
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from local.aws_s3vectors import passes

RESULTS_PAGE = 30


class MemoryS3Vectors:
    """As much of a boto3 `s3vectors` client as `crowdsight.search.vector_space.VectorSpace` calls; cosines only.

    `throttled`: how many calls from now on are answered 429.
    """

    def __init__(self) -> None:
        self.throttled = 0
        self._dimensions: dict[str, int] = {}
        self._vectors: dict[str, dict[str, tuple[np.ndarray, dict[str, Any]]]] = {}
        self._lock = threading.Lock()

    def create_vector_bucket(self, vectorBucketName: str) -> None:
        pass

    def create_index(self, vectorBucketName: str, indexName: str, dimension: int, **_: str) -> None:
        arn = self.get_index(vectorBucketName, indexName)["index"]["indexArn"]
        self._dimensions[arn] = dimension
        self._vectors[arn] = {}

    def get_index(self, vectorBucketName: str, indexName: str) -> dict[str, Any]:
        return {"index": {"indexArn": f"arn:aws:s3vectors:::bucket/{vectorBucketName}/index/{indexName}"}}

    def list_vectors(self, indexArn: str) -> dict[str, Any]:
        """For tests that ask what is there; at most what one page holds."""
        assert len(self._vectors[indexArn]) <= 500
        return {"vectors": [{"key": key} for key in self._vectors[indexArn]]}

    def put_vectors(self, indexArn: str, vectors: list[dict[str, Any]]) -> dict[str, Any]:
        index = self._index(indexArn, "PutVectors")
        self._require(1 <= len(vectors) <= 500, "PutVectors")
        rows = {}
        for vector in vectors:
            metadata = vector["metadata"]
            rows[vector["key"]] = (self._row(indexArn, vector["data"], "PutVectors"), metadata)
            self._require(len(metadata) <= 50 and len(json.dumps(metadata)) <= 2048, "PutVectors")
        self._require(len(rows) == len(vectors), "PutVectors")
        with self._lock:
            index.update(rows)
        return {}

    def get_vectors(self, indexArn: str, keys: list[str], returnData: bool) -> dict[str, Any]:
        index = self._index(indexArn, "GetVectors")
        self._require(1 <= len(keys) <= 100 and returnData, "GetVectors")
        return {
            "vectors": [
                {"key": key, "data": {"float32": index[key][0].tolist()}} for key in dict.fromkeys(keys) if key in index
            ]
        }

    def delete_vectors(self, indexArn: str, keys: list[str]) -> dict[str, Any]:
        index = self._index(indexArn, "DeleteVectors")
        self._require(1 <= len(keys) <= 500, "DeleteVectors")
        with self._lock:
            for key in keys:
                index.pop(key, None)
        return {}

    def query_vectors(
        self,
        indexArn: str,
        queryVector: dict[str, Any],
        topK: int,
        filter: dict[str, Any],
        returnDistance: bool,
        nextToken: str = "0",
    ) -> dict[str, Any]:
        index = self._index(indexArn, "QueryVectors")
        self._require(1 <= topK <= 100 and returnDistance, "QueryVectors")
        query = self._row(indexArn, queryVector, "QueryVectors").astype(float)
        with self._lock:
            rows = {key: row for key, (row, metadata) in index.items() if passes(metadata, filter)}
        found: list[dict[str, Any]] = []
        for key, row in rows.items():
            cosine = row @ query / (np.linalg.norm(row.astype(float)) * np.linalg.norm(query))
            found.append({"key": key, "distance": float(np.float32(1 - cosine))})
        found.sort(key=lambda each: each["distance"])
        start = int(nextToken)
        end = min(topK, start + RESULTS_PAGE)
        more = {"nextToken": str(end)} if end < min(topK, len(found)) else {}
        return {"vectors": found[start:end], "distanceMetric": "cosine", **more}

    def _index(self, arn: str, operation: str) -> dict[str, Any]:
        with self._lock:
            if self.throttled:
                self.throttled -= 1
                raise _error("TooManyRequestsException", 429, operation)
        if arn not in self._vectors:
            raise _error("NotFoundException", 404, operation)
        return self._vectors[arn]

    def _row(self, arn: str, data: dict[str, Any], operation: str) -> np.ndarray:
        row = np.array(data["float32"], np.float32)
        self._require(row.shape == (self._dimensions[arn],) and bool(np.isfinite(row).all() and row.any()), operation)
        return row

    def _require(self, holds: bool, operation: str) -> None:
        if not holds:
            raise _error("ValidationException", 400, operation)


def _error(code: str, status: int, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)

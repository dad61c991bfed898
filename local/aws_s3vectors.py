"""moto's S3 Vectors made whole: with QueryVectors, exact; with the service's limits; one request at a time.

moto 5.2 as it comes has no QueryVectors, takes batches of any size, vectors of zeros and any metadata, and goes through
dictionaries that other threads change. Limits are those of
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html, filters those of
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-metadata-filtering.html.
"""

import functools
import json
import operator
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from moto.core.responses import ActionResult
from moto.s3vectors import urls
from moto.s3vectors.exceptions import ValidationError
from moto.s3vectors.models import Index, S3VectorsBackend, Vector
from moto.s3vectors.responses import S3VectorsResponse

MOST_PUT = MOST_DELETED = 500
MOST_READ = 100
MOST_RESULTS = 100
RESULTS_PAGE = 30
REQUEST_BYTES = 20 * 2**20
FILTERABLE_BYTES = 2_048
METADATA_KEYS = 50

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}

_lock = threading.RLock()


@functools.cache
def install() -> None:
    """Change moto in this process, before it serves; again changes nothing."""
    urls.url_paths["{0}/QueryVectors$"] = S3VectorsResponse.dispatch
    S3VectorsResponse.query_vectors = query_vectors  # type: ignore[attr-defined]
    S3VectorsBackend.get_vectors = get_vectors  # type: ignore[assignment, method-assign]
    for name, check in (("put", check_put), ("get", check_get), ("delete", check_delete)):
        answer = getattr(S3VectorsResponse, f"{name}_vectors")
        setattr(S3VectorsResponse, f"{name}_vectors", _checked(answer, check))
    call_any_action = S3VectorsResponse.call_action

    def call_action(response: S3VectorsResponse) -> Any:
        with _lock:
            return call_any_action(response)

    S3VectorsResponse.call_action = call_action  # type: ignore[assignment, method-assign]


def query_vectors(response: S3VectorsResponse) -> ActionResult:
    """QueryVectors, for one vector: the nearest of all that pass the filter."""
    index = _index(response)
    top_k = response._get_param("topK")
    _require(1 <= top_k <= MOST_RESULTS, f"topK must be from 1 to {MOST_RESULTS}")
    query = _vector(index, response._get_param("queryVector"))
    conditions = response._get_param("filter")
    vectors = [each for each in index.vectors.values() if conditions is None or passes(each.metadata or {}, conditions)]
    distances = _distances(index, query, vectors)
    start = int(response._get_param("nextToken") or 0)
    end = min(top_k, start + RESULTS_PAGE)
    found = []
    for at in np.argsort(distances, kind="stable")[start:end]:
        result: dict[str, Any] = {"key": vectors[at].key}
        if response._get_param("returnDistance"):
            result["distance"] = float(distances[at])
        if response._get_param("returnMetadata"):
            result["metadata"] = vectors[at].metadata
        found.append(result)
    answer: dict[str, Any] = {"vectors": found, "distanceMetric": index.distance_metric}
    if end < min(top_k, len(vectors)):
        answer["nextToken"] = str(end)
    return ActionResult(answer)


def passes(metadata: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    """Whether a vector's metadata is as a filter wants it. Raises ValidationError for what is no filter."""
    _require(isinstance(conditions, Mapping) and len(conditions) > 0, "Invalid filter")
    return all(_passes_one(metadata, name, condition) for name, condition in conditions.items())


def _passes_one(metadata: Mapping[str, Any], name: str, condition: Any) -> bool:
    if name in ("$and", "$or"):
        _require(isinstance(condition, list) and len(condition) > 0, f"{name} takes a list that is not empty")
        # A list, so that every part is checked.
        parts = [passes(metadata, part) for part in condition]
        return all(parts) if name == "$and" else any(parts)
    if not isinstance(condition, Mapping):
        return _equals(metadata.get(name), condition)
    value = metadata.get(name)
    results = []
    for sign, wanted in condition.items():
        if sign == "$exists":
            results.append((name in metadata) == wanted)
        elif sign in ("$eq", "$ne"):
            results.append(_equals(value, wanted) == (sign == "$eq"))
        elif sign in ("$in", "$nin"):
            _require(isinstance(wanted, list) and len(wanted) > 0, f"{sign} takes a list that is not empty")
            results.append(any(_equals(value, each) for each in wanted) == (sign == "$in"))
        else:
            _require(sign in COMPARISONS and _is_number(wanted), f"Invalid filter: {sign}")
            results.append(_is_number(value) and COMPARISONS[sign](value, wanted))
    return all(results)


def get_vectors(
    backend: S3VectorsBackend, vector_bucket_name: str, index_name: str, index_arn: str, keys: Collection[str]
) -> list[Vector]:
    """The same as moto's, without going through all vectors."""
    vectors = backend.get_index(vector_bucket_name, index_name=index_name, index_arn=index_arn).vectors
    return [vectors[key] for key in keys if key in vectors]


def check_put(response: S3VectorsResponse) -> None:
    """Raises ValidationError for a batch that the service would not take."""
    index = _index(response)
    vectors = response._get_param("vectors")
    _require(1 <= len(vectors) <= MOST_PUT, f"vectors must have 1 to {MOST_PUT} members")
    _require(len(response.body) <= REQUEST_BYTES, "the request is too large")
    _check_keys([vector["key"] for vector in vectors])
    for vector in vectors:
        _vector(index, vector["data"])
        metadata = vector.get("metadata") or {}
        _require(len(metadata) <= METADATA_KEYS, f"metadata must have at most {METADATA_KEYS} keys")
        size_bytes = len(json.dumps(metadata, ensure_ascii=False).encode())
        _require(size_bytes <= FILTERABLE_BYTES, f"Filterable metadata must have at most {FILTERABLE_BYTES} bytes")


def check_get(response: S3VectorsResponse) -> None:
    """Raises ValidationError."""
    _require(1 <= len(response._get_param("keys")) <= MOST_READ, f"keys must have 1 to {MOST_READ} members")


def check_delete(response: S3VectorsResponse) -> None:
    """Raises ValidationError."""
    _require(1 <= len(response._get_param("keys")) <= MOST_DELETED, f"keys must have 1 to {MOST_DELETED} members")


def _checked(answer: Any, check: Callable[[S3VectorsResponse], None]) -> Any:
    @functools.wraps(answer)
    def answer_checked(response: S3VectorsResponse) -> Any:
        check(response)
        return answer(response)

    return answer_checked


def _index(response: S3VectorsResponse) -> Index:
    """Raises moto's error for one that is not there."""
    names = [response._get_param(name) for name in ("vectorBucketName", "indexName", "indexArn")]
    return response.s3vectors_backend.get_index(*names)


def _check_keys(keys: list[str]) -> None:
    _require(all(1 <= len(key) <= 1024 for key in keys), "a key has 1 to 1024 characters")
    _require(len(set(keys)) == len(keys), "a key may be there once")


def _vector(index: Index, data: Mapping[str, Any]) -> np.ndarray:
    vector = np.array(data["float32"], np.float32)
    _require(len(vector) == index.dimension, f"vector must have length {index.dimension}, but has length {len(vector)}")
    _require(bool(np.isfinite(vector).all()), "vector must contain finite numbers")
    if index.distance_metric == "cosine":
        _require(bool(vector.any()), "Zero vectors are not allowed with the cosine distance metric")
    return vector


def _distances(index: Index, query: np.ndarray, vectors: list[Vector]) -> np.ndarray:
    """[vectors], in double precision, rounded to single as the service answers them."""
    if not vectors:
        return np.empty(0, np.float32)
    rows = np.array([vector.data["float32"] for vector in vectors], np.float64)
    exact = query.astype(np.float64)
    if index.distance_metric == "cosine":
        cosines = rows @ exact / (np.linalg.norm(rows, axis=1) * np.linalg.norm(exact))
        return (1 - cosines).astype(np.float32)
    return np.square(rows - exact).sum(axis=1).astype(np.float32)


def _equals(value: Any, wanted: Any) -> bool:
    """A list has what one of its members is."""
    values = value if isinstance(value, list) else [value]
    return any(each == wanted and isinstance(each, bool) == isinstance(wanted, bool) for each in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ValidationError(rule)

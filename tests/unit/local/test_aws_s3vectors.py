"""The local S3 Vectors answers queries exactly, and refuses what the service refuses."""

from collections.abc import Iterator
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local import aws_s3vectors

FILMS: dict[str, Any] = {
    "a": {"genre": "drama", "year": 1990, "seen": True},
    "b": {"genre": ["drama", "comedy"], "year": 2000.5},
    "c": {"genre": "comedy", "year": 2010, "seen": False},
    "d": {},
}


@pytest.fixture
def client() -> Iterator[Any]:
    aws_s3vectors.install()
    with mock_aws():
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("s3vectors", region_name="us-east-1", **keys)
        client.create_vector_bucket(vectorBucketName="vectors")
        create_index(client, "cosines", "cosine")
        yield client


def create_index(client: Any, name: str, metric: str) -> None:
    client.create_index(
        vectorBucketName="vectors", indexName=name, dataType="float32", dimension=3, distanceMetric=metric
    )


def put(client: Any, vectors: dict[str, list[float]], index: str = "cosines", **metadata: Any) -> None:
    members = [
        {"key": key, "data": {"float32": data}, "metadata": metadata.get(key, {})} for key, data in vectors.items()
    ]
    client.put_vectors(vectorBucketName="vectors", indexName=index, vectors=members)


def query(client: Any, vector: list[float], index: str = "cosines", top: int = 9, **more: Any) -> Any:
    data = {"float32": vector}
    return client.query_vectors(vectorBucketName="vectors", indexName=index, topK=top, queryVector=data, **more)


def keys_of(answer: Any) -> list[str]:
    return [vector["key"] for vector in answer["vectors"]]


def test_a_cosine_distance_is_1_minus_the_cosine_and_the_nearest_come_first(client: Any) -> None:
    put(client, {"far": [-2, 0, 0], "near": [3, 0, 0], "between": [0, 1, 0]})
    answer = query(client, [1, 0, 0], returnDistance=True)
    assert answer["vectors"] == [
        {"key": "near", "distance": 0.0},
        {"key": "between", "distance": 1.0},
        {"key": "far", "distance": 2.0},
    ]
    assert answer["distanceMetric"] == "cosine"
    assert keys_of(query(client, [1, 0, 0], top=2)) == ["near", "between"]


def test_a_euclidean_distance_is_the_square_of_the_way(client: Any) -> None:
    create_index(client, "ways", "euclidean")
    put(client, {"near": [0, 0, 0], "far": [0, 3, 4]}, "ways")
    answer = query(client, [0, 0, 0], "ways", returnDistance=True)
    assert [vector["distance"] for vector in answer["vectors"]] == [0.0, 25.0]


def test_metadata_is_told_only_to_who_asks(client: Any) -> None:
    put(client, {"a": [1, 0, 0]}, a={"year": 1990})
    assert query(client, [1, 0, 0])["vectors"] == [{"key": "a"}]
    assert query(client, [1, 0, 0], returnMetadata=True)["vectors"] == [{"key": "a", "metadata": {"year": 1990}}]


def test_results_come_in_pages(client: Any) -> None:
    put(client, {f"{number:03}": [1, number / 1000, 0] for number in range(250)})
    pages = list(
        client.get_paginator("query_vectors").paginate(
            vectorBucketName="vectors", indexName="cosines", topK=80, queryVector={"float32": [1, 0, 0]}
        )
    )
    assert [len(page["vectors"]) for page in pages] == [30, 30, 20]
    assert [key for page in pages for key in keys_of(page)] == [f"{number:03}" for number in range(80)]


@pytest.mark.parametrize(
    ("conditions", "keys"),
    [
        ({"genre": "drama"}, "ab"),
        ({"genre": {"$eq": "comedy"}}, "bc"),
        ({"genre": {"$ne": "drama"}}, "cd"),
        ({"genre": {"$in": ["comedy", "western"]}}, "bc"),
        ({"genre": {"$nin": ["comedy", "western"]}}, "ad"),
        ({"year": {"$gt": 2000.5}}, "c"),
        ({"year": {"$gte": 2000.5}}, "bc"),
        ({"year": {"$lt": 2000}}, "a"),
        ({"year": {"$lte": 2010}}, "abc"),
        ({"year": {"$gte": 1995, "$lt": 2005}}, "b"),
        ({"seen": {"$exists": True}}, "ac"),
        ({"seen": {"$exists": False}}, "bd"),
        ({"seen": {"$eq": True}}, "a"),
        ({"genre": "drama", "year": 1990}, "a"),
        ({"$and": [{"genre": "drama"}, {"year": {"$gt": 1995}}]}, "b"),
        ({"$or": [{"genre": "comedy"}, {"year": {"$lt": 1995}}]}, "abc"),
        ({"genre": {"$gt": 3}}, ""),
    ],
)
def test_a_filter_passes_what_it_says(client: Any, conditions: dict[str, Any], keys: str) -> None:
    put(client, {key: [1, number, 0] for number, key in enumerate(FILMS)}, "cosines", **FILMS)
    assert keys_of(query(client, [1, 0, 0], filter=conditions)) == list(keys)


@pytest.mark.parametrize(
    "conditions", [{}, {"$and": []}, {"year": {"$gt": "x"}}, {"year": {"$near": 3}}, {"year": {"$in": []}}]
)
def test_what_is_no_filter_is_refused(client: Any, conditions: dict[str, Any]) -> None:
    put(client, {"a": [1, 0, 0]})
    with pytest.raises(ClientError, match="ValidationException"):
        query(client, [1, 0, 0], filter=conditions)


def test_what_the_service_refuses_is_refused_and_nothing_of_it_is_written(client: Any) -> None:
    unit = [1.0, 0.0, 0.0]
    place = {"vectorBucketName": "vectors", "indexName": "cosines"}
    for attempt in (
        lambda: query(client, unit, top=101),
        lambda: query(client, [0, 0, 0]),
        lambda: query(client, [1, 0]),
        lambda: put(client, {"a": unit, "b": [0, 0, 0]}),
        lambda: put(client, {"a": unit, "b": [0, 1]}),
        lambda: put(client, {"a": unit, "b": [float(np.float32(np.inf)), 0, 0]}),
        lambda: put(client, {str(number): unit for number in range(501)}),
        lambda: put(client, {"a": unit}, a={str(number): 0 for number in range(51)}),
        lambda: put(client, {"a": unit}, a={"text": "x" * 2048}),
        lambda: client.put_vectors(vectors=2 * [{"key": "a", "data": {"float32": unit}}], **place),
        lambda: client.get_vectors(keys=[str(number) for number in range(101)], **place),
        lambda: client.delete_vectors(keys=[str(number) for number in range(501)], **place),
    ):
        with pytest.raises(ClientError, match="ValidationException"):
            attempt()
    assert client.list_vectors(**place)["vectors"] == []


def test_an_index_that_is_not_there_is_not_found(client: Any) -> None:
    for attempt in (lambda: query(client, [1, 0, 0], "other"), lambda: put(client, {"a": [1, 0, 0]}, "other")):
        with pytest.raises(ClientError, match="NotFoundException"):
            attempt()

"""Real adapters over moto: a DynamoDB, an S3 and an S3 Vectors that are empty at the start of every test.

moto's are the local stack's: as they come, writers in many threads undo and break each other's work, and S3 Vectors
cannot be asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from moto import mock_aws

from crowdsight.dynamodb import Table
from crowdsight.search.objects import Objects
from local import aws_dynamodb, aws_s3, aws_s3vectors
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.memory_s3vectors import MemoryS3Vectors

REGION = "us-east-1"


@pytest.fixture(scope="session", autouse=True)
def _the_local_stacks_moto() -> None:
    """Also for tests that turn moto on by themselves."""
    aws_dynamodb.install()
    aws_s3.install()
    aws_s3vectors.install()


@pytest.fixture(scope="session")
def clients() -> dict[str, Any]:
    """Clients that reach moto while `aws` is on; made once, because that takes longer than a test."""
    names = ("apigateway", "dynamodb", "s3", "s3vectors", "secretsmanager", "stepfunctions")
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return {name: boto3.client(name, region_name=REGION, **keys) for name in names}


@pytest.fixture
def aws(clients: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An AWS account with nothing in it."""
    with mock_aws():
        yield clients


def create_table(dynamodb: Any, name: str, indexes: dict[str, str]) -> Table:
    """A table as all of ours are; `indexes`: the type of each index's sort key."""
    attributes = {"pk": "S", "sk": "S"}
    for index, sort_type in indexes.items():
        attributes |= {f"{index}_pk": "S", f"{index}_sk": sort_type}
    more: dict[str, Any] = {}
    if indexes:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": f"{index}_pk", "KeyType": "HASH"},
                    {"AttributeName": f"{index}_sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in indexes
        ]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        **more,
    )
    return Table(dynamodb, name)


def create_indexes(s3vectors: Any, spaces: Mapping[str, int]) -> dict[str, str]:
    """An S3 Vectors index for each space, in a bucket for them; their ARNs."""
    s3vectors.create_vector_bucket(vectorBucketName="vectors")
    arns = {}
    for space, dimensions in spaces.items():
        name = f"test-{space}"
        s3vectors.create_index(
            vectorBucketName="vectors",
            indexName=name,
            dataType="float32",
            dimension=dimensions,
            distanceMetric="cosine",
        )
        arns[space] = s3vectors.get_index(vectorBucketName="vectors", indexName=name)["index"]["indexArn"]
    return arns


@pytest.fixture(params=["moto", "memory"])
def dynamodb(request: pytest.FixtureRequest) -> Any:
    """An empty DynamoDB: moto's, and the one in memory, which has to behave alike."""
    return request.getfixturevalue("aws")["dynamodb"] if request.param == "moto" else MemoryDynamoDB()


@pytest.fixture
def tasks_table(dynamodb: Any) -> Table:
    return create_table(dynamodb, "tasks", {"open": "N"})


@pytest.fixture
def skills_table(dynamodb: Any) -> Table:
    return create_table(dynamodb, "skills", {})


@pytest.fixture
def images_table(dynamodb: Any) -> Table:
    return create_table(dynamodb, "images", {"due": "N"})


@pytest.fixture
def s3(request: pytest.FixtureRequest, dynamodb: Any) -> Any:
    """An empty S3: moto's or the one in memory, whichever `dynamodb` is."""
    return MemoryS3() if isinstance(dynamodb, MemoryDynamoDB) else request.getfixturevalue("aws")["s3"]


@pytest.fixture
def s3vectors(request: pytest.FixtureRequest, dynamodb: Any) -> Any:
    """An empty S3 Vectors: moto's or the one in memory, whichever `dynamodb` is."""
    return MemoryS3Vectors() if isinstance(dynamodb, MemoryDynamoDB) else request.getfixturevalue("aws")["s3vectors"]


@pytest.fixture
def objects(s3: Any) -> Objects:
    s3.create_bucket(Bucket="images")
    return Objects(s3, "images")

"""An S3 and a DynamoDB in this process, by moto, and an account of what is read from them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from moto import mock_aws

from crowdsight.dynamodb import Table
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import S3VectorIndex
from local import aws_dynamodb, aws_s3

ACCOUNT = "benchmark"
SPACE = "vectors"
BUCKET = TABLE = "benchmark"
CACHE_BYTES = 64 * 1024**3
"""As if there were no limit: what does not fit a Lambda's memory is not what is measured here."""


class CountingS3:
    """A boto3 `s3` client that counts what it reads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes_read = 0

    def get_object(self, **parameters: Any) -> Any:
        answer = self._client.get_object(**parameters)
        with self._lock:
            self.requests += 1
            self.bytes_read += answer["ContentLength"]
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Store:
    """Where the index is. All clients are moto's, within `open_store`."""

    def __init__(self) -> None:
        aws_dynamodb.install()
        aws_s3.install()
        self._dynamodb = self._client("dynamodb")
        self._dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        self._client("s3").create_bucket(Bucket=BUCKET)

    def new_index(self, dimensions: int, recall: float) -> tuple[S3VectorIndex, CountingS3]:
        """An index as a cold Lambda has it: it knows nothing yet."""
        s3 = CountingS3(self._client("s3"))
        index = S3VectorIndex(
            Table(self._dynamodb, TABLE),
            Objects(s3, BUCKET),
            "benchmark-1",
            {SPACE: dimensions},
            lambda: time.time_ns() // 1_000_000,
            lambda: uuid4().hex,
            recall,
            CACHE_BYTES,
        )
        return index, s3

    @staticmethod
    def _client(service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        config = Config(max_pool_connections=32, request_checksum_calculation="when_required")
        return boto3.client(service, region_name="us-east-1", config=config, **keys)


@contextmanager
def open_store() -> Iterator[Store]:
    """Everything in it is gone at the end."""
    with mock_aws():
        yield Store()

"""Several parts of one process may ask for the same changes of moto."""

import gzip
import hashlib
import io

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from moto import mock_aws

from local import aws_dynamodb, aws_s3, aws_s3vectors


def test_moto_answers_after_it_was_changed_several_times() -> None:
    for _ in range(3):
        for service in (aws_dynamodb, aws_s3, aws_s3vectors):
            service.install()
    with mock_aws():
        table = boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
        table.put_item(Item={"pk": "a"})
        assert table.query(KeyConditionExpression=Key("pk").eq("a"))["Items"] == [{"pk": "a"}]
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=b"0123456789")
        assert s3.get_object(Bucket="bucket", Key="k", Range="bytes=2-4")["Body"].read() == b"234"


@pytest.mark.parametrize("body", [b"", b"0123456789", bytes(range(256)) * 4096], ids=["empty", "short", "long"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_what_is_put_is_kept_as_it_came(body: bytes, encoding: str | None) -> None:
    aws_s3.install()
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        data = gzip.compress(body) if encoding else body
        how = {"ContentEncoding": encoding} if encoding else {}
        assert s3.put_object(Bucket="bucket", Key="k", Body=data, **how)["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == data
        begun = io.BytesIO(b"before" + data)
        begun.seek(6)
        s3.put_object(Bucket="bucket", Key="k", Body=begun, **how)
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == data

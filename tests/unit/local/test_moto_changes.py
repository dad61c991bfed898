"""Several parts of one process may ask for the same changes of moto."""

import boto3
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

"""A DynamoDB table as all of ours are."""

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.settings import Settings


class Table(dynamodb.Table):
    """Keys `pk` and `sk`, both strings, and expiry of items at `ttl_s`, in seconds since the epoch.

    `indexes` names the global secondary indexes, each with the type of its sort key: index `due` has the keys
    `due_pk`, a string, and `due_sk`.
    """

    def __init__(
        self, scope: Construct, id: str, *, indexes: dict[str, dynamodb.AttributeType], settings: Settings
    ) -> None:
        super().__init__(
            scope,
            id,
            partition_key=_attribute("pk"),
            sort_key=_attribute("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="ttl_s",
            deletion_protection=settings.retain_data,
            removal_policy=settings.removal_policy,
        )
        for index, sort_type in indexes.items():
            self.add_global_secondary_index(
                index_name=index,
                partition_key=_attribute(f"{index}_pk"),
                sort_key=_attribute(f"{index}_sk", sort_type),
                projection_type=dynamodb.ProjectionType.ALL,
            )

    def index_arn(self, index: str) -> str:
        """What a permission to query that index, and only that, names."""
        return f"{self.table_arn}/index/{index}"


def _attribute(name: str, type: dynamodb.AttributeType = dynamodb.AttributeType.STRING) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=type)

"""What a deployment tells the operator."""

from aws_cdk import CfnOutput
from constructs import Construct


def add_output(scope: Construct, id: str, value: str, description: str) -> None:
    """An output of exactly this name; CDK's own would not let it have the name of a construct."""
    CfnOutput(scope, f"{id}Output", value=value, description=description).override_logical_id(id)

"""A REST API as both of ours are: one stage, throttled, with an access log."""

import json
from collections.abc import Sequence

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.operation import ImageOperation, Operation

ACCESS_LOG = json.dumps(
    {
        "request_id": "$context.requestId",
        "time": "$context.requestTime",
        "ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "resource": "$context.resourcePath",  # not the path itself: an invitation's is a secret
        "status": "$context.status",
        "response_bytes": "$context.responseLength",
        "latency_ms": "$context.responseLatency",
        "error": "$context.error.responseType",
    }
)


class RestApi(apigateway.RestApi):
    """`name`: what it is called in the account. `rate`, `burst`: requests a second and at once, before 429.

    `binary_media_types`: which bodies pass as they are, requests' and answers'. `api_key_source`: where the keys of
    its usage plan come from, if it has one.
    `url` is the base address of its one stage, `prod`, ending in `/`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        title: str,
        rate: int,
        burst: int,
        binary_media_types: Sequence[str] = (),
        api_key_source: apigateway.ApiKeySourceType | None = None,
    ) -> None:
        access_log = logs.LogGroup(
            scope, f"{id}AccessLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        super().__init__(
            scope,
            id,
            rest_api_name=name,
            description=title,
            binary_media_types=list(binary_media_types) or None,
            api_key_source_type=api_key_source,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            deploy_options=apigateway.StageOptions(
                stage_name="prod",
                throttling_rate_limit=rate,
                throttling_burst_limit=burst,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(ACCESS_LOG),
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
            ),
        )
        self._counts_keys = api_key_source is not None
        self.node.try_remove_child("Endpoint")  # CDK's own output, under a name that nobody can guess
        self._acknowledge()

    def route(
        self,
        verb: str,
        path: str,
        function: Operation | ImageOperation,
        *,
        authorizer: apigateway.IAuthorizer | None = None,
        why_open: str = "",
    ) -> None:
        """Answer a verb on a path, such as `/functions/{function}`, by a Lambda.

        `why_open`: why the route needs no authorizer, if it has none.
        """
        method = self.root.resource_for_path(path).add_method(
            verb,
            apigateway.LambdaIntegration(function, allow_test_invoke=False),
            authorizer=authorizer,
            api_key_required=bool(authorizer and self._counts_keys),
        )
        accept_method(method, why_open=why_open)

    def _acknowledge(self) -> None:
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG2",
                reason="The Lambdas validate every request, by the models that make the OpenAPI document or by "
                "botocore's, and say what is wrong with it.",
            )
        )
        Validations.of(self.node.find_child("CloudWatchRole")).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AmazonAPIGatewayPushToCloudWatchLogs]",
                reason="The account's one role for API Gateway's logs, with the policy that AWS keeps for it.",
            )
        )
        Validations.of(self.deployment_stage).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG3",
                reason="A web ACL costs a fixed sum each month and is the operator's choice; the stage is throttled.",
            )
        )


def accept_method(method: apigateway.Method, *, why_open: str = "") -> None:
    """Say why a method has no Cognito authorizer and, if it has none at all, why it is open."""
    reason = why_open or "Callers are programs with an API key, which a Lambda authorizer checks, not a pool of users."
    Validations.of(method).acknowledge(Acknowledgment(id="AwsSolutions-COG4", reason=reason))
    if why_open:
        Validations.of(method).acknowledge(Acknowledgment(id="AwsSolutions-APIG4", reason=why_open))

"""One Lambda for each folder of `functions/`."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import packaging
from infra.settings import Settings

RUNTIME = lambda_.Runtime(f"python{packaging.PYTHON}", lambda_.RuntimeFamily.PYTHON)
FUNCTIONS = packaging.ROOT / "functions"


class Layers(Construct):
    """A stack's layers: the product's own code, and third-party packages."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        architecture = settings.lambda_architecture
        self.versions = [
            self._version("Crowdsight", packaging.own_code_layer(), architecture),
            self._version("Dependencies", packaging.dependencies_layer(architecture), architecture),
        ]

    def _version(self, id: str, layer: packaging.Layer, architecture: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            id,
            code=lambda_.Code.from_asset(str(layer.path), asset_hash=layer.key),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[lambda_.Architecture.custom(architecture)],
        )


class Operation(lambda_.Function):
    """The Lambda whose code is `functions/<name>`, which may write its own log and otherwise only what it is allowed.

    `timeout_s`: at most 29 behind an API, which waits no longer. `memory_mb` is its share of a processor as well.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        layers: Layers,
        settings: Settings,
        environment: dict[str, str],
        timeout_s: int,
        memory_mb: int = 512,
    ) -> None:
        id = _camel_case(name)
        log_group = logs.LogGroup(
            scope, f"{id}Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        super().__init__(
            scope,
            id,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.custom(settings.lambda_architecture),
            code=lambda_.Code.from_asset(str(FUNCTIONS / name), exclude=list(packaging.CACHES)),
            handler="handler.handler",
            layers=layers.versions,
            environment={**environment, "POWERTOOLS_SERVICE_NAME": name, "POWERTOOLS_LOG_LEVEL": settings.log_level},
            timeout=Duration.seconds(timeout_s),
            memory_size=memory_mb,
            log_group=log_group,
            role=role,
        )
        self.execution_role = role
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-L1",
                reason=f"Lambda supports Python {packaging.PYTHON}, the version that built the layers' bytecode; "
                "synthesizing with a newer Python deploys a newer runtime.",
            )
        )

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let the Lambda do these actions on these resources."""
        self.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))

    def run_each_minute(self) -> None:
        """Call it with EventBridge's event. A run that fails is not kept: the next one does its work as well."""
        events.Rule(
            self,
            "EachMinute",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(self)],
        )


def _camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))

"""A Lambda for each folder of `functions/`, and several that run the container image of `functions/search`."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Acknowledgment, Duration, IgnoreMode, RemovalPolicy, Validations
from aws_cdk import aws_ecr_assets as ecr_assets
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
PLATFORMS = {"x86_64": ecr_assets.Platform.LINUX_AMD64, "arm64": ecr_assets.Platform.LINUX_ARM64}


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


class Permitted:
    """What all our Lambdas have: a log and a role of their own, in which only what is allowed is allowed."""

    execution_role: iam.Role

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let the Lambda do these actions on these resources."""
        statement = iam.PolicyStatement(actions=list(actions), resources=list(resources))
        self.add_to_role_policy(statement)  # type: ignore[attr-defined]

    def run_every(self, minutes: int) -> None:
        """Call it with EventBridge's event. A run that fails is not kept: the next one does its work as well."""
        events.Rule(
            self,
            "Schedule",
            schedule=events.Schedule.rate(Duration.minutes(minutes)),
            targets=[targets.LambdaFunction(self)],
        )

    def _own(self, role: iam.Role, log_group: logs.LogGroup) -> None:
        self.execution_role = role
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])


class Operation(Permitted, lambda_.Function):
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
        role, log_group = _role_and_log(scope, name)
        super().__init__(
            scope,
            camel_case(name),
            runtime=RUNTIME,
            architecture=lambda_.Architecture.custom(settings.lambda_architecture),
            code=lambda_.Code.from_asset(str(FUNCTIONS / name), exclude=list(packaging.CACHES)),
            handler="handler.handler",
            layers=layers.versions,
            environment=_environment(name, environment, settings),
            timeout=Duration.seconds(timeout_s),
            memory_size=memory_mb,
            log_group=log_group,
            role=role,
        )
        self._own(role, log_group)
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-L1",
                reason=f"Lambda supports Python {packaging.PYTHON}, the version that built the layers' bytecode; "
                "synthesizing with a newer Python deploys a newer runtime.",
            )
        )


class ImageOperation(Permitted, lambda_.DockerImageFunction):
    """A Lambda that runs `functions/search/<module>.py` in the container image which that folder's Dockerfile makes.

    All of them have one image. `timeout_s`, `memory_mb`: as for an Operation.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        module: str,
        settings: Settings,
        environment: dict[str, str],
        timeout_s: int,
        memory_mb: int,
    ) -> None:
        role, log_group = _role_and_log(scope, name)
        super().__init__(
            scope,
            camel_case(name),
            architecture=lambda_.Architecture.custom(settings.lambda_architecture),
            code=_search_image(module, settings),
            environment=_environment(name, environment, settings),
            timeout=Duration.seconds(timeout_s),
            memory_size=memory_mb,
            log_group=log_group,
            role=role,
        )
        self._own(role, log_group)


def _search_image(module: str, settings: Settings) -> lambda_.DockerImageCode:
    options: dict[str, Any] = {}
    if settings.search_base_image:
        options["build_args"] = {"BASE_IMAGE": settings.search_base_image}
    return lambda_.DockerImageCode.from_image_asset(
        str(packaging.search_context()),
        file=packaging.SEARCH_DOCKERFILE,
        cmd=[f"{module}.handler"],
        platform=PLATFORMS[settings.lambda_architecture],
        ignore_mode=IgnoreMode.GLOB,
        exclude=[],
        **options,
    )


def _role_and_log(scope: Construct, name: str) -> tuple[iam.Role, logs.LogGroup]:
    id = camel_case(name)
    log_group = logs.LogGroup(
        scope, f"{id}Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
    )
    return iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")), log_group


def _environment(name: str, environment: dict[str, str], settings: Settings) -> dict[str, str]:
    return {**environment, "POWERTOOLS_SERVICE_NAME": name, "POWERTOOLS_LOG_LEVEL": settings.log_level}


def camel_case(name: str) -> str:
    """A construct's id from a name with underscores: `put_task` or `PUT_TASK` is `PutTask`."""
    return "".join(word.capitalize() for word in name.split("_"))

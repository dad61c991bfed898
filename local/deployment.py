"""The synthesized stacks, deployed: what moto carries is made there, the rest is described for those who serve it."""

import json
import re
import secrets
import string
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.config import Config

from local.identity_provider import StandInProvider
from local.template import ACCOUNT_ID, REGION, USER_POOL_CLIENT, Resource, Template

EXECUTE_API_URL = re.compile(r"https://([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:/([A-Za-z0-9_-]+))?")

SERVED_FUNCTION = (
    *("Architectures", "Code", "Description", "Environment", "FunctionName", "Handler", "ImageConfig", "Layers"),
    *("LoggingConfig", "MemorySize", "PackageType", "Role", "Runtime", "Tags", "Timeout", "TracingConfig"),
)

SERVED_USER_POOL_CLIENT = (
    *("AllowedOAuthFlows", "AllowedOAuthFlowsUserPoolClient", "AllowedOAuthScopes", "CallbackURLs", "ClientName"),
    *("GenerateSecret", "PreventUserExistenceErrors", "SupportedIdentityProviders", "UserPoolId"),
)

MakeImage = Callable[[Path, str], Path]
"""Makes the container image of a folder and its Dockerfile; returns the folder that stands for its task root."""


class DeploymentError(Exception):
    """The template cannot be run here; the message says why."""


def refuse(resource: Resource, what: str) -> NoReturn:
    """Raise DeploymentError for something that a resource asks for and that is not served."""
    raise DeploymentError(f"{resource.stack}/{resource.logical_id}: the local stack does not serve {what}")


def check_served(resource: Resource, properties: Mapping[str, Any], served: Collection[str]) -> None:
    """Raise DeploymentError for properties, of a resource or within it, that are not among those served."""
    unserved = sorted(set(properties) - set(served))
    if unserved:
        refuse(resource, ", ".join(unserved))


def function_of(uri: str) -> str:
    """The ARN of the function in the URI of an integration or an authorizer. Raises DeploymentError."""
    found = re.search(r"/functions/(arn:[^/]+)/invocations$", uri)
    if found is None:
        raise DeploymentError(f"not a Lambda integration: {uri}")
    return found[1]


@dataclass(frozen=True)
class Function:
    """A Lambda function as its template describes it. `name` is physical; `operation` is for people: `put_task`."""

    name: str
    operation: str
    code_path: Path
    layer_paths: tuple[Path, ...]
    handler: str
    environment: Mapping[str, str]
    timeout_s: int = 3
    memory_mb: int = 128

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.name}"


@dataclass
class Deployed:
    """Everything that was deployed, of all stacks."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)

    def of_type(self, type: str) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.type == type)


class Clients:
    """boto3 clients of the local services; `config` leaves out what only slows a local call down."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        with self._lock:  # sessions are not safe to share between threads; clients are
            return self._session.client(
                service,
                endpoint_url=self.endpoint_url,
                config=Config(retries={"max_attempts": 2}, read_timeout=60, max_pool_connections=32),
            )


def read_templates(assembly: Path) -> list[Template]:
    """The templates of a cloud assembly (`cdk.out`), each after those that it depends on."""
    artifacts = json.loads((assembly / "manifest.json").read_bytes())["artifacts"]
    stacks = {id: artifact for id, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"}
    ordered: list[str] = []

    def add(id: str) -> None:
        for dependency in artifacts[id].get("dependencies", []):
            if dependency in stacks:
                add(dependency)
        if id not in ordered:
            ordered.append(id)

    for id in stacks:
        add(id)
    return [
        Template.read(
            stacks[id]["properties"].get("stackName", id), assembly / stacks[id]["properties"]["templateFile"]
        )
        for id in ordered
    ]


def deploy(assembly: Path, clients: Clients, make_image: MakeImage, identity_provider: StandInProvider) -> Deployed:
    """Deploy a cloud assembly. Raises DeploymentError, and what `make_image` raises."""
    deployed = Deployed()
    cloudformation = clients.client("cloudformation")
    for template in read_templates(assembly):
        if unknown := template.unknown_types():
            raise DeploymentError(f"{template.stack}: the local stack does not serve {', '.join(unknown)}")
        _make_user_pools(template, identity_provider)
        _make_secrets(template, clients)
        _make_usage_plans(template, clients)
        _make_vector_indexes(template, clients)
        cloudformation.create_stack(StackName=template.stack, TemplateBody=json.dumps(template.for_moto()))
        [stack] = cloudformation.describe_stacks(StackName=template.stack)["Stacks"]
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise DeploymentError(f"stack {template.stack}: {stack['StackStatus']}")
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        made = cloudformation.describe_stack_resources(StackName=template.stack)["StackResources"]
        physical_ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in made}
        deployed.outputs[template.stack] = outputs
        resources = list(template.resources(outputs, physical_ids))
        _set_queue_policies(resources, clients)
        deployed.resources += resources
    deployed.functions = list(_functions(assembly, deployed, make_image))
    return deployed


def _set_queue_policies(resources: list[Resource], clients: Clients) -> None:
    """moto enforces none, but the workplace reads those of the queues that it sends to."""
    for policy in (resource for resource in resources if resource.type == "AWS::SQS::QueuePolicy"):
        check_served(policy, policy.properties, ("PolicyDocument", "Queues"))
        for url in policy.properties["Queues"]:
            attributes = {"Policy": json.dumps(policy.properties["PolicyDocument"])}
            clients.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)


def secret_string(properties: Mapping[str, Any]) -> str:
    """The value that Secrets Manager gives a new secret, truly random where it is to be generated.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html; the option to exclude
    single characters is honoured, that to require each kind of character is not.
    """
    generate = properties.get("GenerateSecretString")
    if generate is None:
        return str(properties.get("SecretString", "{}"))
    alphabet = "".join(
        characters
        for option, characters in (
            ("ExcludeLowercase", string.ascii_lowercase),
            ("ExcludeUppercase", string.ascii_uppercase),
            ("ExcludeNumbers", string.digits),
            ("ExcludePunctuation", string.punctuation),
        )
        if not generate.get(option)
    )
    usable = [character for character in alphabet if character not in generate.get("ExcludeCharacters", "")]
    generated = "".join(secrets.choice(usable) for _ in range(int(generate.get("PasswordLength", 32))))
    if "GenerateStringKey" not in generate:
        return generated
    return json.dumps({**json.loads(generate["SecretStringTemplate"]), generate["GenerateStringKey"]: generated})


def _make_secrets(template: Template, clients: Clients) -> None:
    secrets_manager = None
    for logical_id, name, properties in template.secrets():
        secrets_manager = secrets_manager or clients.client("secretsmanager")
        secret = secrets_manager.create_secret(Name=name, SecretString=secret_string(properties))
        template.made(logical_id, secret["ARN"])


def _make_user_pools(template: Template, provider: StandInProvider) -> None:
    for logical_id in template.user_pools():
        template.made(logical_id, f"{REGION}_{logical_id[-9:]}", {"ProviderURL": provider.issuer})
    for logical_id in template.user_pool_clients():
        secret = secrets.token_urlsafe(24)
        template.made(logical_id, logical_id.lower(), {"ClientSecret": secret})
        provider.register(logical_id.lower(), secret, ())  # where it may send people is known once APIs are served


def _make_usage_plans(template: Template, clients: Clients) -> None:
    """They hold the keys; the gateway of ours does the throttling."""
    for logical_id, name in template.usage_plans():
        template.made(logical_id, clients.client("apigateway").create_usage_plan(name=name)["id"])


def _make_vector_indexes(template: Template, clients: Clients) -> None:
    for logical_id, name in template.vector_buckets():
        s3vectors = clients.client("s3vectors")
        s3vectors.create_vector_bucket(vectorBucketName=name)
        bucket = s3vectors.get_vector_bucket(vectorBucketName=name)["vectorBucket"]
        template.made(logical_id, bucket["vectorBucketArn"])
    for logical_id, name, properties in template.vector_indexes():
        s3vectors = clients.client("s3vectors")
        place = {"vectorBucketName": properties["VectorBucketArn"].rpartition("/")[2], "indexName": name}
        s3vectors.create_index(
            **place,
            dataType=properties["DataType"],
            dimension=int(properties["Dimension"]),
            distanceMetric=properties["DistanceMetric"],
        )
        template.made(logical_id, s3vectors.get_index(**place)["index"]["indexArn"])


def with_local_urls(function: Function, urls: Mapping[str, str]) -> Function:
    """The function with each API's address in its environment replaced, as DNS would lead to it.

    `urls`: local address by REST API ID. A stage is left out, as under a custom domain.
    """

    environment = {name: local_text(value, urls) for name, value in function.environment.items()}
    return replace(function, environment=environment)


def local_text(text: str, urls: Mapping[str, str]) -> str:
    """The text with each API's address in it replaced, as in `with_local_urls`."""
    return EXECUTE_API_URL.sub(lambda found: urls.get(found[1], found[0]), text)


def allow_redirects(deployed: Deployed, provider: StandInProvider, urls: Mapping[str, str]) -> None:
    """Let the provider send people back where the user pools' clients say, `urls` being those of the APIs."""
    for client in deployed.of_type(USER_POOL_CLIENT):
        check_served(client, client.properties, SERVED_USER_POOL_CLIENT)
        callbacks = [local_text(each, urls) for each in client.properties.get("CallbackURLs", [])]
        provider.allow_redirects(client.physical_id, callbacks)


def start_workflows(deployed: Deployed, clients: Clients) -> None:
    """Create the state machines.

    By API, because moto does not show those that CloudFormation makes to its interpreter.
    """
    states = None
    for machine in deployed.of_type("AWS::StepFunctions::StateMachine"):
        states = states or clients.client("stepfunctions")
        definition = machine.properties.get("DefinitionString") or json.dumps(machine.properties["Definition"])
        for name, value in machine.properties.get("DefinitionSubstitutions", {}).items():
            definition = definition.replace("${" + name + "}", value)
        states.create_state_machine(
            name=machine.physical_id.rsplit(":", 1)[-1],
            definition=definition,
            roleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/{machine.logical_id}",
            type=machine.properties.get("StateMachineType", "STANDARD"),
        )


def make_images(assembly: Path, make_image: MakeImage) -> None:
    """Make every container image of a cloud assembly. Raises what `make_image` raises."""
    for template in read_templates(assembly):
        for context, dockerfile in template.container_images():
            make_image(assembly / context, dockerfile)


def _functions(assembly: Path, deployed: Deployed, make_image: MakeImage) -> Iterator[Function]:
    layers = {layer.physical_id: _asset(assembly, layer) for layer in deployed.of_type("AWS::Lambda::LayerVersion")}
    for resource in deployed.of_type("AWS::Lambda::Function"):
        properties = resource.properties
        check_served(resource, properties, SERVED_FUNCTION)
        check_served(resource, properties.get("LoggingConfig", {}), ("LogGroup",))
        code_path = _asset(assembly, resource)
        if properties.get("PackageType") == "Image":
            check_served(resource, properties.get("ImageConfig", {}), ("Command",))
            [handler] = properties["ImageConfig"]["Command"]
            code_path = make_image(code_path, resource.metadata["aws:asset:dockerfile-path"])
        elif properties.get("Runtime", "").startswith("python"):
            handler = properties["Handler"]
        else:
            refuse(resource, f"the runtime {properties.get('Runtime')}")
        yield Function(
            name=resource.physical_id,
            operation=_snake_case(resource.construct),
            code_path=code_path,
            layer_paths=tuple(layers[arn] for arn in properties.get("Layers", [])),
            handler=handler,
            environment={
                name: str(value) for name, value in properties.get("Environment", {}).get("Variables", {}).items()
            },
            timeout_s=int(properties.get("Timeout", 3)),
            memory_mb=int(properties.get("MemorySize", 128)),
        )


def _asset(assembly: Path, resource: Resource) -> Path:
    """The folder of a resource's code. Raises DeploymentError."""
    path = resource.metadata.get("aws:asset:path")
    if path is None:
        raise DeploymentError(
            f"{resource.stack}/{resource.logical_id} has no asset path: synthesize with aws:cdk:enable-asset-metadata"
        )
    return (assembly / path).resolve()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()

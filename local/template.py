"""A synthesized CloudFormation template, split between moto and ourselves.

moto carries what holds state: tables, queues, secrets, buckets, topics. The functions are known to it, so that others
can name and invoke them. All else (APIs, event source mappings, schedules, workflows, permissions) is served by the
local stack itself or has no meaning here: it is taken out, and what refers to it is told a physical name of our choice.

What the taken-out resources say in terms of the others (`Fn::GetAtt`, `Fn::ImportValue`, `Fn::Join`…) is left to moto
to work out: each such expression becomes an output of the template, read back after deployment.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"

CARRIED_BY_MOTO = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SSM::Parameter",
    }
)

SERVED_HERE = frozenset(
    {
        "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::ApiGateway::UsagePlan",
        "AWS::Cognito::UserPoolClient",
        "AWS::Events::Rule",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::SQS::QueuePolicy",
        "AWS::StepFunctions::StateMachine",
    }
)

WITHOUT_MEANING_HERE = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::Deployment",
        "AWS::CDK::Metadata",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Cognito::UserPoolDomain",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::S3::BucketPolicy",
    }
)
"""Permissions, which moto does not enforce, and what only describes or watches the rest."""

SECRET = "AWS::SecretsManager::Secret"
"""moto's CloudFormation does not know it; it is made by API, before the stack."""

USER_POOL, USER_POOL_CLIENT = "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"
"""A provider of ours stands in for all user pools; made before the stack too."""

VECTOR_BUCKET, VECTOR_INDEX = "AWS::S3Vectors::VectorBucket", "AWS::S3Vectors::Index"
"""Made by API before the stack, for the same reason."""

FUNCTION_ROLE = "LocalFunctionRole"
"""A role that is added for the functions, because moto insists that theirs exists."""

PLACEHOLDER_CODE = "# The code runs from its asset, under the Lambda runtime interface client."


@dataclass(frozen=True)
class Resource:
    """One resource of a deployed stack, its properties resolved: no `Ref` and no function is left in them."""

    stack: str
    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def construct(self) -> str:
        """The CDK construct's own name, such as `PutTask`; the logical ID where the template does not say."""
        path = str(self.metadata.get("aws:cdk:path", self.logical_id))
        return path.removesuffix("/Resource").rsplit("/", 1)[-1]


class Template:
    """One stack's template."""

    def __init__(self, stack: str, body: dict[str, Any]) -> None:
        self.stack = stack
        self._body = body
        self._resources: dict[str, dict[str, Any]] = body.get("Resources", {})
        self._questions: dict[str, Any] = {}
        self._made: dict[str, str] = {}
        self._attributes: dict[str, Mapping[str, str]] = {}
        self._taken_out = {
            logical_id: resource
            for logical_id, resource in self._resources.items()
            if resource["Type"] not in CARRIED_BY_MOTO
        }
        self._properties: dict[str, Any] = {}

    @classmethod
    def read(cls, stack: str, path: Path) -> "Template":
        return cls(stack, json.loads(path.read_bytes()))

    def unknown_types(self) -> list[str]:
        """The resource types that nothing here knows what to do with."""
        known = CARRIED_BY_MOTO | SERVED_HERE | WITHOUT_MEANING_HERE | {SECRET, USER_POOL, VECTOR_BUCKET, VECTOR_INDEX}
        return sorted({resource["Type"] for resource in self._resources.values()} - known)

    def container_images(self) -> set[tuple[str, str]]:
        """The container images of functions: the folder that each is made from, and its Dockerfile in that folder."""
        functions = [each for each in self._resources.values() if each["Type"] == "AWS::Lambda::Function"]
        return {
            (function["Metadata"]["aws:asset:path"], function["Metadata"]["aws:asset:dockerfile-path"])
            for function in functions
            if "ImageUri" in function["Properties"]["Code"]
        }

    def secrets(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The secrets to make before the stack: logical ID, name, properties."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == SECRET:
                properties = self._localized(resource.get("Properties", {}))
                yield logical_id, properties.get("Name", f"{self.stack}-{logical_id}"), _joined(properties)

    def user_pools(self) -> Iterator[str]:
        """The logical IDs of the user pools."""
        yield from (id for id, each in self._resources.items() if each["Type"] == USER_POOL)

    def user_pool_clients(self) -> Iterator[str]:
        """The logical IDs of their clients."""
        yield from (id for id, each in self._resources.items() if each["Type"] == USER_POOL_CLIENT)

    def usage_plans(self) -> Iterator[tuple[str, str]]:
        """The usage plans to make before the stack: logical ID and name."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == "AWS::ApiGateway::UsagePlan":
                yield logical_id, str(resource["Properties"].get("UsagePlanName", f"{self.stack}-{logical_id}"))

    def vector_buckets(self) -> Iterator[tuple[str, str]]:
        """The vector buckets to make before the stack: logical ID and name."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == VECTOR_BUCKET:
                name = resource.get("Properties", {}).get("VectorBucketName", f"{self.stack}-{logical_id}")
                yield logical_id, str(name).lower()[:63]

    def vector_indexes(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The vector indexes to make after the vector buckets: logical ID, name, properties."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == VECTOR_INDEX:
                properties = self._localized(resource["Properties"])
                yield logical_id, str(properties.get("IndexName", logical_id)).lower()[:63], properties

    def made(self, logical_id: str, physical_id: str, attributes: Mapping[str, str] | None = None) -> None:
        """Say what `Ref`, and for `attributes` `Fn::GetAtt`, is to give for something that was made before the stack.

        Other attributes give what `Ref` does: they are ARNs.
        """
        self._made[logical_id] = physical_id
        self._attributes[logical_id] = attributes or {}

    def for_moto(self) -> dict[str, Any]:
        """What moto is to deploy. Everything is `made` by then."""
        self._properties = {
            logical_id: self._ask(self._localized(resource.get("Properties", {})))
            for logical_id, resource in self._resources.items()
            if resource["Type"] in SERVED_HERE
        }
        resources: dict[str, Any] = {
            FUNCTION_ROLE: {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
        }
        for logical_id, resource in self._resources.items():
            if logical_id in self._taken_out:
                continue
            properties = self._localized(resource.get("Properties", {}))
            if resource["Type"] == "AWS::Lambda::Function":
                # moto gets no role and no layer: it never runs the code.
                properties = {
                    name: properties[name] for name in ("FunctionName", "Environment", "Timeout") if name in properties
                } | {
                    "Code": {"ZipFile": PLACEHOLDER_CODE},
                    "Role": {"Fn::GetAtt": [FUNCTION_ROLE, "Arn"]},
                    "Runtime": resource["Properties"].get("Runtime", "python3.11"),
                    "Handler": resource["Properties"].get("Handler", "handler.handler"),
                }
            resources[logical_id] = {"Type": resource["Type"], "Properties": properties}
        outputs = {name: self._localized(output) for name, output in self._body.get("Outputs", {}).items()}
        outputs |= {name: {"Value": expression} for name, expression in self._questions.items()}
        body = {"Resources": resources, "Outputs": outputs}
        for section in ("Mappings", "Conditions"):
            if section in self._body:
                body[section] = self._body[section]
        return body

    def resources(self, outputs: Mapping[str, str], physical_ids: Mapping[str, str]) -> Iterator[Resource]:
        """The resources served here, once moto has deployed the rest.

        `outputs`: the stack's. `physical_ids`: of what moto made, by logical ID.
        """
        for logical_id, properties in self._properties.items():
            resource = self._resources[logical_id]
            taken_out = logical_id in self._taken_out
            yield Resource(
                stack=self.stack,
                logical_id=logical_id,
                type=resource["Type"],
                physical_id=self._physical_id(logical_id) if taken_out else physical_ids[logical_id],
                properties=_replaced(properties, lambda value: _answered(value, outputs)),
                metadata=resource.get("Metadata", {}),
            )

    def _ask(self, properties: Any) -> Any:
        """The properties with each expression replaced by the question that stands for it."""

        def ask(value: Any) -> Any:
            if not _is_expression(value):
                return None
            name = "Local" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
            self._questions[name] = value
            return {"Question": name}

        return _replaced(properties, ask)

    def _localized(self, value: Any) -> Any:
        """The value with references to what was taken out replaced by what they would say."""

        def localize(value: Any) -> Any:
            if not isinstance(value, dict) or len(value) != 1:
                return None
            [(function, argument)] = value.items()
            if function == "Ref" and argument in self._taken_out:
                return self._physical_id(argument)
            if function == "Fn::GetAtt" and argument[0] in self._taken_out:
                return self._attribute(argument[0], argument[1])
            if function == "Fn::Sub" and isinstance(argument, str):
                return {"Fn::Sub": re.sub(r"\$\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}", self._substituted, argument)}
            return None

        return _replaced(value, localize)

    def _substituted(self, found: re.Match[str]) -> str:
        logical_id, attribute = found[1], found[2]
        if logical_id not in self._taken_out:
            return found[0]
        return self._attribute(logical_id, attribute) if attribute else self._physical_id(logical_id)

    def _physical_id(self, logical_id: str) -> str:
        """What `Ref` gives for something that was taken out."""
        if logical_id in self._made:
            return self._made[logical_id]
        resource = self._taken_out[logical_id]
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::ApiGateway::RestApi":
                return hashlib.sha256(f"{self.stack}/{logical_id}".encode()).hexdigest()[:10]
            case "AWS::ApiGateway::Stage":
                return str(properties.get("StageName", "prod"))
            case "AWS::StepFunctions::StateMachine":
                return f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{self._name(logical_id)}"
            case "AWS::Lambda::LayerVersion":
                return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:layer:{logical_id}:1"
            case _:
                return self._name(logical_id)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        """What `Fn::GetAtt` gives for something that was taken out."""
        kind = self._taken_out[logical_id]["Type"]
        name = self._name(logical_id)
        if attribute == "RootResourceId":
            return f"{self._physical_id(logical_id)}-root"
        if attribute == "Name":
            return name
        if attribute in self._attributes.get(logical_id, {}):
            return self._attributes[logical_id][attribute]
        if logical_id in self._made:  # an ARN is all that one asks of it
            return self._made[logical_id]
        if attribute == "Arn":
            return {
                "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT_ID}:role/{name}",
                "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{name}",
                "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{name}:*",
                "AWS::StepFunctions::StateMachine": self._physical_id(logical_id),
            }.get(kind, f"arn:aws:local:{REGION}:{ACCOUNT_ID}:{name}")
        return f"{name}-{attribute}"

    def _name(self, logical_id: str) -> str:
        properties = self._taken_out[logical_id].get("Properties", {})
        for key in ("StateMachineName", "RoleName", "LogGroupName", "Name"):
            if isinstance(properties.get(key), str):
                return str(properties[key])
        return f"{self.stack}-{logical_id}"


def _is_expression(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _joined(value: Any) -> Any:
    """The value with each `Fn::Join` of nothing but texts carried out."""

    def join(value: Any) -> str | None:
        if not isinstance(value, dict) or set(value) != {"Fn::Join"}:
            return None
        separator, parts = value["Fn::Join"]
        return str(separator).join(parts) if all(isinstance(part, str) for part in parts) else None

    return _replaced(value, join)


def _answered(value: Any, outputs: Mapping[str, str]) -> str | None:
    if isinstance(value, dict) and len(value) == 1 and "Question" in value:
        return outputs[value["Question"]]
    return None


def _replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """A copy of a JSON value in which each part for which `replace` gives something else than None is that."""
    replacement = replace(value)
    if replacement is not None:
        return replacement
    if isinstance(value, dict):
        return {name: _replaced(member, replace) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, replace) for member in value]
    return value

"""Reading a synthesized app: its templates, Lambdas and what each may do."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Resource = dict[str, Any]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. `resources`: each as text, tokens as they stand in the template."""

    owner: str
    effect: str
    actions: list[str]
    resources: list[str]


class Template:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.document = json.loads(path.read_text())
        self.resources: dict[str, Resource] = self.document["Resources"]

    def of_type(self, type: str) -> dict[str, Resource]:
        """The resources of a type, by logical id."""
        return {id: resource for id, resource in self.resources.items() if resource["Type"] == type}

    def lambdas(self) -> dict[str, Resource]:
        """The Lambdas, by the name of their operation."""
        return {
            resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: resource
            for resource in self.of_type("AWS::Lambda::Function").values()
        }

    def statements(self) -> Iterator[Statement]:
        """Every statement that gives an identity of ours a permission; `owner` is its role's logical id."""
        for id, role in self.of_type("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", []):
                yield from _statements(id, policy["PolicyDocument"])
        for policy in self.of_type("AWS::IAM::Policy").values():
            for role in policy["Properties"]["Roles"]:
                yield from _statements(role["Ref"], policy["Properties"]["PolicyDocument"])

    def allowed(self, operation: str) -> dict[str, set[str]]:
        """What a Lambda may do: each action, with the resources, but for its own log."""
        role = self.lambdas()[operation]["Properties"]["Role"]["Fn::GetAtt"][0]
        allowed: dict[str, set[str]] = {}
        for statement in self.statements():
            if statement.owner == role and statement.actions != ["logs:CreateLogStream", "logs:PutLogEvents"]:
                for action in statement.actions:
                    allowed.setdefault(action, set()).update(statement.resources)
        return allowed


class Assembly:
    """What `app.py` wrote into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def templates(self) -> dict[str, Template]:
        """By the name of the stack."""
        return {
            path.name.removesuffix(".template.json"): Template(path)
            for path in sorted(self.folder.glob("*.template.json"))
        }

    @property
    def service(self) -> Template:
        return self.templates["crowdsight"]

    @property
    def workplace(self) -> Template:
        return self.templates["crowdsight-workplace"]

    @property
    def report(self) -> dict[str, Any]:
        """What the checks at synthesis found."""
        report: dict[str, Any] = json.loads((self.folder / "validation-report.json").read_text())
        return report


Synthesize = Callable[..., Assembly]
"""Synthesizes the app with the settings that it is given by name."""


def text_of(value: Any) -> str:
    """A value with CloudFormation's functions as readable text, references as `<LogicalId>`."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text_of(part) for part in parts)
    raise ValueError(f"cannot read {value}")


def _statements(owner: str, document: dict[str, Any]) -> Iterator[Statement]:
    for statement in document["Statement"]:
        resources = _listed(statement["Resource"])
        yield Statement(
            owner, statement["Effect"], _listed(statement["Action"]), [text_of(resource) for resource in resources]
        )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

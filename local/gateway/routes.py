"""Which method of a REST API a request is for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass
class Node:
    """One resource: a place in the tree of paths, with its methods by verb."""

    id: str
    path: str
    part: str
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def method(self, verb: str) -> dict[str, Any] | None:
        """The method for a verb: its own before `ANY`; None if there is neither."""
        return self.methods.get(verb) or self.methods.get("ANY")


@dataclass(frozen=True)
class Match:
    """The resource that a path leads to, with the values of its parameters as they were sent, percent-encoded."""

    node: Node
    parameters: dict[str, str]


def build_tree(
    root_id: str, resources: Iterable[tuple[str, str, str]], methods: Iterable[tuple[str, dict[str, Any]]]
) -> Node:
    """The tree of a REST API. `resources`: (id, parent's id, path part). `methods`: (resource's id, properties)."""
    nodes = {root_id: Node(root_id, "/", "")}
    pending = list(resources)
    while pending:
        placed = [entry for entry in pending if entry[1] in nodes]
        if not placed:
            raise ValueError(f"resources without a parent: {[part for _, _, part in pending]}")
        for id, parent_id, part in placed:
            parent = nodes[parent_id]
            nodes[id] = Node(id, f"{parent.path.rstrip('/')}/{part}", part)
            parent.children.append(nodes[id])
        pending = [entry for entry in pending if entry not in placed]
    for node in nodes.values():
        node.children.sort(key=lambda child: _generality(child.part))
    for resource_id, method in methods:
        nodes[resource_id].methods[method["HttpMethod"]] = method
    return nodes[root_id]


def find(root: Node, path: str) -> Match | None:
    """Follow a raw path. As API Gateway has it: the most specific resource wins; `%2F` separates nothing; a slash at
    the end does not count; a parameter is never empty."""
    segments = path.removeprefix("/").split("/")
    if segments[-1] == "":
        segments.pop()
    return _follow(root, segments, {})


def _follow(node: Node, segments: list[str], parameters: dict[str, str]) -> Match | None:
    if not segments:
        return Match(node, parameters)
    first, rest = segments[0], segments[1:]
    for child in node.children:
        name = child.part.strip("{}")
        if not child.part.startswith("{"):
            found = _follow(child, rest, parameters) if unquote(first) == child.part else None
        elif name.endswith("+"):
            greedy = "/".join(segments)
            found = Match(child, {**parameters, name[:-1]: greedy}) if greedy.strip("/") else None
        else:
            found = _follow(child, rest, {**parameters, name: first}) if first else None
        # A resource without methods is only a step on the way.
        if found is not None and found.node.methods:
            return found
    return None


def _generality(part: str) -> int:
    """Sorts literal parts first, then parameters, then greedy ones."""
    if not part.startswith("{"):
        return 0
    return 2 if part.endswith("+}") else 1

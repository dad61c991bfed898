"""Paths lead where API Gateway would lead them."""

import pytest

from local.gateway.routes import Node, build_tree, find

PATHS = {
    "functions": ("root", "functions"),
    "function": ("functions", "{function}"),
    "tasks": ("function", "tasks"),
    "task": ("tasks", "{task}"),
    "account": ("root", "{account}"),
    "account-functions": ("account", "functions"),
    "account-function": ("account-functions", "{function}"),
    "files": ("root", "files"),
    "file": ("files", "{path+}"),
    "special": ("files", "special"),
}


@pytest.fixture
def root() -> Node:
    return build_tree(
        "root",
        [(id, parent, part) for id, (parent, part) in reversed(PATHS.items())],
        [
            ("root", {"HttpMethod": "GET"}),
            ("tasks", {"HttpMethod": "ANY"}),
            ("task", {"HttpMethod": "GET"}),
            ("task", {"HttpMethod": "ANY"}),
            ("account-function", {"HttpMethod": "GET"}),
            ("file", {"HttpMethod": "GET"}),
            ("special", {"HttpMethod": "GET"}),
        ],
    )


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("/functions/f/tasks/t", "/functions/{function}/tasks/{task}", {"function": "f", "task": "t"}),
        ("/functions/f/tasks/t/", "/functions/{function}/tasks/{task}", {"function": "f", "task": "t"}),
        ("/functions/f/tasks/a%2Fb", "/functions/{function}/tasks/{task}", {"function": "f", "task": "a%2Fb"}),
        ("/functions/f/tasks/%C3%A4", "/functions/{function}/tasks/{task}", {"function": "f", "task": "%C3%A4"}),
        ("/functions/f/tasks/..", "/functions/{function}/tasks/{task}", {"function": "f", "task": ".."}),
        ("/%66unctions/f/tasks/t", "/functions/{function}/tasks/{task}", {"function": "f", "task": "t"}),
        ("/functions/f/tasks", "/functions/{function}/tasks", {"function": "f"}),
        ("/functions/f/tasks/", "/functions/{function}/tasks", {"function": "f"}),
        ("/functions/functions/f", "/{account}/functions/{function}", {"account": "functions", "function": "f"}),
        ("/123/functions/f", "/{account}/functions/{function}", {"account": "123", "function": "f"}),
        ("/files/special", "/files/special", {}),
        ("/files/a/b//c", "/files/{path+}", {"path": "a/b//c"}),
    ],
)
def test_the_most_specific_resource_wins_and_parameters_stay_as_they_were_sent(
    root: Node, path: str, resource: str, parameters: dict[str, str]
) -> None:
    found = find(root, path)
    assert found is not None
    assert (found.node.path, found.parameters) == (resource, parameters)


@pytest.mark.parametrize(
    "path",
    ["//", "/functions", "/functions/f", "/functions//tasks/t", "/functions/f/tasks/t/more", "/files", "/files/", "/x"],
)
def test_a_path_without_a_method_leads_nowhere(root: Node, path: str) -> None:
    found = find(root, path)
    assert found is None or not found.node.methods


def test_a_verb_of_its_own_goes_before_any(root: Node) -> None:
    found = find(root, "/functions/f/tasks/t")
    assert found is not None
    assert found.node.method("GET") == {"HttpMethod": "GET"}
    assert found.node.method("PATCH") == {"HttpMethod": "ANY"}


def test_a_verb_without_a_method_has_none(root: Node) -> None:
    found = find(root, "/")
    assert found is not None and found.node.method("POST") is None

"""Authorizers' policies mean what they mean in API Gateway."""

from typing import Any

import pytest

from local.gateway.policies import InvalidPolicy, allows

METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/functions/f/tasks/t"


def statement(effect: str, resource: Any, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


@pytest.mark.parametrize(
    "resource",
    ["*", METHOD, "arn:aws:execute-api:*:*:abc/prod/*", "arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/*/t"],
)
def test_a_matching_statement_allows(resource: str) -> None:
    assert allows({"Statement": statement("Allow", resource)}, METHOD)
    assert allows({"Statement": [statement("Allow", ["x", resource], ["execute-api:*"])]}, METHOD)


@pytest.mark.parametrize("resource", ["", "abc", METHOD[:-1], METHOD.replace("GET", "PUT"), METHOD + "/*"])
def test_nothing_is_allowed_that_no_statement_names(resource: str) -> None:
    assert not allows({"Statement": [statement("Allow", resource)]}, METHOD)


def test_a_question_mark_is_one_character_and_a_dot_is_a_dot() -> None:
    assert allows({"Statement": [statement("Allow", METHOD[:-1] + "?")]}, METHOD)
    assert not allows({"Statement": [statement("Allow", METHOD.replace("/", "."))]}, METHOD)


def test_a_denial_goes_before_any_permission() -> None:
    assert not allows({"Statement": [statement("Allow", "*"), statement("Deny", METHOD)]}, METHOD)


def test_another_action_allows_nothing() -> None:
    assert not allows({"Statement": [statement("Allow", "*", "execute-api:ManageConnections")]}, METHOD)


@pytest.mark.parametrize(
    "policy",
    [None, {}, "Allow", {"Statement": [{"Effect": "Perhaps"}]}, {"Statement": [statement("Allow", 3)]}],
)
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(InvalidPolicy):
        allows(policy, METHOD)


def test_a_condition_is_refused_and_not_ignored() -> None:
    conditional = statement("Allow", "*") | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    with pytest.raises(InvalidPolicy):
        allows({"Statement": [conditional]}, METHOD)

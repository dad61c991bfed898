"""What an authorizer's policy says of a method."""

import re
from typing import Any

INVOKE = "execute-api:Invoke"


class InvalidPolicy(Exception):
    """An authorizer's answer that is not a policy, or one with conditions, which are not evaluated here."""


def allows(policy: Any, method_arn: str) -> bool:
    """Whether the policy lets a method be invoked: some statement allows it and none denies it.

    `method_arn`: `arn:aws:execute-api:region:account:api/stage/VERB/path`. `*` and `?` in a statement's resource match
    any and one character. Raises InvalidPolicy.
    """
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise InvalidPolicy("no statement")
    effects = set()
    for statement in _as_list(policy["Statement"]):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise InvalidPolicy("a statement's effect is neither Allow nor Deny")
        if statement.get("Condition"):
            raise InvalidPolicy("conditions are not evaluated by the local stack")
        actions, resources = _as_list(statement.get("Action")), _as_list(statement.get("Resource"))
        if any(_matches(action, INVOKE, re.IGNORECASE) for action in actions) and any(
            _matches(resource, method_arn) for resource in resources
        ):
            effects.add(statement["Effect"])
    return effects == {"Allow"}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: Any, text: str, flags: int = 0) -> bool:
    if not isinstance(pattern, str):
        raise InvalidPolicy("an action or a resource is not text")
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, flags | re.DOTALL) is not None

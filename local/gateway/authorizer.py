"""The Lambda that says who may call, and the gateway's memory of what it said."""

import json
import threading
import time
from typing import Any

from local.children import Stopping
from local.deployment import check_served, function_of, refuse
from local.gateway import policies
from local.gateway.calls import Call, Refusal
from local.gateway.proxy import as_text, proxy_event
from local.lambdas.invocations import FunctionNotFound
from local.lambdas.service import Lambda
from local.log import log
from local.template import Resource

SERVED = ("AuthorizerResultTtlInSeconds", "AuthorizerUri", "IdentitySource", "Name", "RestApiId", "Type")
HEADER = "method.request.header."
DEFAULT_TTL_S = 300
UNSEEN = ("body", "isBase64Encoded")
"""What an authorizer is not shown of a request."""


class Authorizer:
    """A REQUEST authorizer. Raises DeploymentError."""

    def __init__(self, resource: Resource, functions: Lambda) -> None:
        properties = resource.properties
        if properties["Type"] != "REQUEST":
            refuse(resource, f"a {properties['Type']} authorizer")
        check_served(resource, properties, SERVED)
        self._function = function_of(properties["AuthorizerUri"])
        self._functions = functions
        sources = [source.strip() for source in properties.get("IdentitySource", "").split(",") if source.strip()]
        if not all(source.startswith(HEADER) for source in sources):
            refuse(resource, f"the identity source {properties['IdentitySource']}")
        self._identity_headers = [source.removeprefix(HEADER) for source in sources]
        self._ttl_s = int(properties.get("AuthorizerResultTtlInSeconds", DEFAULT_TTL_S))
        self._remembered: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def authorize(self, call: Call) -> dict[str, str]:
        """The context that the authorizer gives to the integration; the call is told its usage key. Raises Refusal."""
        identity = tuple(call.request.header(name) for name in self._identity_headers)
        if not all(identity):
            raise Refusal("UNAUTHORIZED")
        answer = self._recall(identity) or self._ask(identity, call)
        try:
            is_allowed = policies.allows(answer.get("policyDocument"), call.method_arn)
        except policies.InvalidPolicy as error:
            log.error("%s: %s", self._function, error)
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR") from None
        if not is_allowed:
            raise Refusal("ACCESS_DENIED")
        context = answer.get("context") or {}
        if any(isinstance(value, dict | list) for value in context.values()):
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR")
        call.usage_key = str(answer.get("usageIdentifierKey") or "")
        return {
            "principalId": str(answer.get("principalId", "")),
            **{name: as_text(value) for name, value in context.items()},
        }

    def _recall(self, identity: tuple[str, ...]) -> dict[str, Any] | None:
        with self._lock:
            until, answer = self._remembered.get(identity, (0.0, {}))
            return answer if until > time.monotonic() else None

    def _ask(self, identity: tuple[str, ...], call: Call) -> dict[str, Any]:
        event = proxy_event(call, is_binary=False)
        question = {name: value for name, value in event.items() if name not in UNSEEN}
        question |= {"type": "REQUEST", "methodArn": call.method_arn}
        try:
            outcome = self._functions.invoke(self._function, json.dumps(question).encode())
            answer = json.loads(outcome.payload)
        except (FunctionNotFound, Stopping, ValueError):
            raise Refusal("AUTHORIZER_FAILURE") from None
        if outcome.error:
            if isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized":
                raise Refusal("UNAUTHORIZED")
            log.error("authorizer %s failed: %s", self._function, outcome.payload[:2000])
            raise Refusal("AUTHORIZER_FAILURE")
        if not isinstance(answer, dict):
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR")
        if self._ttl_s and self._identity_headers:
            with self._lock:
                self._remembered[identity] = (time.monotonic() + self._ttl_s, answer)
        return answer

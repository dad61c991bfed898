"""One REST API of the templates: from a request to a response."""

import base64
import concurrent.futures
import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from local.children import Stopping
from local.deployment import Deployed, check_served, function_of, refuse
from local.gateway import routes
from local.gateway.authorizer import Authorizer
from local.gateway.calls import Call, Refusal, media_type
from local.gateway.mocks import Mock
from local.gateway.parameters import fill_in
from local.gateway.proxy import proxy_event, proxy_response
from local.gateway.responses import GatewayResponses
from local.gateway.throttle import UsagePlan, stage_throttle
from local.http_server import Request, Response
from local.lambdas.invocations import PAYLOAD_LIMIT_BYTES, FunctionNotFound
from local.lambdas.service import Lambda
from local.log import log
from local.template import Resource

INTEGRATION_TIMEOUT_MS = 29_000
CONCURRENT_INTEGRATIONS = 512

SERVED = ("ApiKeySourceType", "BinaryMediaTypes", "Description", "EndpointConfiguration", "Name", "Tags")
SERVED_METHOD = (
    *("ApiKeyRequired", "AuthorizationType", "AuthorizerId", "HttpMethod", "Integration", "MethodResponses"),
    *("OperationName", "ResourceId", "RestApiId"),
)
SERVED_PROXY = ("IntegrationHttpMethod", "TimeoutInMillis", "Type", "Uri")
SERVED_STAGE = (
    *("AccessLogSetting", "DeploymentId", "Description", "MethodSettings", "RestApiId", "StageName", "Tags"),
    "TracingEnabled",
)


ReadPlanKeys = Callable[[str], Iterable[str]]
"""The values of the keys in a usage plan, by its id."""


class RestApi:
    """One REST API; `answer` takes a request to a response. Raises DeploymentError for what is not served."""

    def __init__(self, api: Resource, deployed: Deployed, functions: Lambda, read_plan_keys: ReadPlanKeys) -> None:
        check_served(api, api.properties, SERVED)
        self.id = api.physical_id
        self.name = str(api.properties.get("Name", api.logical_id))
        self.stack = api.stack
        self.log_access: Callable[[str], None] = lambda line: None
        self._functions = functions
        self._binary_types = [str(type) for type in api.properties.get("BinaryMediaTypes", [])]
        stage = self._only_stage(api, deployed)
        self.stage = str(stage.properties.get("StageName", "prod"))
        self._access_log_format = str(stage.properties.get("AccessLogSetting", {}).get("Format", ""))
        self._throttle = stage_throttle(stage)
        self._usage_plan = self._only_usage_plan(api, deployed, read_plan_keys)
        self._authorizers = {
            resource.physical_id: Authorizer(resource, functions)
            for resource in self._parts(deployed, "AWS::ApiGateway::Authorizer")
        }
        self._mocks: dict[tuple[str, str], Mock] = {}
        self._root = routes.build_tree(
            f"{self.id}-root",
            [
                (resource.physical_id, resource.properties["ParentId"], resource.properties["PathPart"])
                for resource in self._parts(deployed, "AWS::ApiGateway::Resource")
            ],
            [
                (method.properties["ResourceId"], self._checked(method))
                for method in self._parts(deployed, "AWS::ApiGateway::Method")
            ],
        )
        self._responses = GatewayResponses(self._parts(deployed, "AWS::ApiGateway::GatewayResponse"))
        self._integrations = concurrent.futures.ThreadPoolExecutor(CONCURRENT_INTEGRATIONS, f"api-{self.name}")

    def answer(self, request: Request) -> Response:
        """Route, authorize and integrate one request."""
        call = Call(request, self.id, self.stage)
        try:
            response = self._route(call)
        except Refusal as refusal:
            call.refusal = refusal
            response = self._responses.answer(call, refusal)
        response.headers += [
            ("x-amzn-RequestId", call.id),
            ("x-amz-apigw-id", base64.b64encode(uuid.UUID(call.id).bytes[:10]).decode()),
        ]
        if self._access_log_format:
            known = {
                "status": str(response.status),
                "responseLength": str(len(response.body)),
                "responseLatency": str(round((time.time() - call.at) * 1000)),
            }
            self.log_access(fill_in(self._access_log_format, {**call.context(), **known}))
        return response

    def _parts(self, deployed: Deployed, type: str) -> Iterable[Resource]:
        return (part for part in deployed.of_type(type) if part.properties.get("RestApiId") == self.id)

    def _only_stage(self, api: Resource, deployed: Deployed) -> Resource:
        stages = list(self._parts(deployed, "AWS::ApiGateway::Stage"))
        if len(stages) != 1:
            refuse(api, f"an API with {len(stages)} stages")
        check_served(stages[0], stages[0].properties, SERVED_STAGE)
        return stages[0]

    def _only_usage_plan(self, api: Resource, deployed: Deployed, read_keys: ReadPlanKeys) -> UsagePlan | None:
        """Keys come from the authorizer alone. Raises DeploymentError."""
        plans = [
            plan
            for plan in deployed.of_type("AWS::ApiGateway::UsagePlan")
            for each in plan.properties.get("ApiStages", [])
            if (each["ApiId"], each["Stage"]) == (self.id, self.stage)
        ]
        source = api.properties.get("ApiKeySourceType")
        if source not in (None, "AUTHORIZER"):
            refuse(api, f"keys from {source}")
        if len(plans) > 1:
            refuse(api, f"an API with {len(plans)} usage plans")
        if not plans:
            return None
        return UsagePlan(plans[0], lambda: read_keys(plans[0].physical_id))

    def _checked(self, method: Resource) -> dict[str, Any]:
        """A method's properties. Raises DeploymentError."""
        properties = method.properties
        check_served(method, properties, SERVED_METHOD)
        authorization = properties.get("AuthorizationType", "NONE")
        if authorization not in ("NONE", "CUSTOM"):
            refuse(method, f"{authorization} authorization")
        if properties.get("ApiKeyRequired") and (self._usage_plan is None or authorization != "CUSTOM"):
            refuse(method, "a key that no authorizer tells of, or without a usage plan")
        integration = properties.get("Integration", {})
        match integration.get("Type"):
            case "AWS_PROXY":
                check_served(method, integration, SERVED_PROXY)
                function_of(integration["Uri"])
            case "MOCK":
                self._mocks[properties["ResourceId"], properties["HttpMethod"]] = Mock(method, integration)
            case other:
                refuse(method, f"the integration {other}")
        return properties

    def _route(self, call: Call) -> Response:
        call.match = routes.find(self._root, call.path)
        method = call.match.node.method(call.verb) if call.match else None
        if call.match is None or method is None:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        if call.request.body_is_too_large:
            raise Refusal("REQUEST_TOO_LARGE")
        if self._throttle is not None and not self._throttle.take():
            raise Refusal("THROTTLED")
        if method.get("AuthorizationType") == "CUSTOM":
            call.authorizer = self._authorizers[method["AuthorizerId"]].authorize(call)
        if method.get("ApiKeyRequired"):
            self._count_key(call)
        mock = self._mocks.get((method["ResourceId"], method["HttpMethod"]))
        return mock.answer(call) if mock else self._answer_by_lambda(method["Integration"], call)

    def _count_key(self, call: Call) -> None:
        """Raises Refusal for a key that is not the usage plan's, or that has used too much of it."""
        is_let_through = self._usage_plan.take(call.usage_key) if self._usage_plan else None
        if is_let_through is None:
            raise Refusal("INVALID_API_KEY")
        if not is_let_through:
            raise Refusal("THROTTLED")

    def _answer_by_lambda(self, integration: dict[str, Any], call: Call) -> Response:
        type = media_type(call.request.header("Content-Type"))
        event = proxy_event(call, is_binary=bool(call.request.body) and self._is_binary(type))
        payload = json.dumps(event).encode()
        if len(payload) > PAYLOAD_LIMIT_BYTES:
            raise Refusal("REQUEST_TOO_LARGE")
        running = self._integrations.submit(self._functions.invoke, function_of(integration["Uri"]), payload)
        try:
            outcome = running.result(integration.get("TimeoutInMillis", INTEGRATION_TIMEOUT_MS) / 1000)
        except concurrent.futures.TimeoutError:
            raise Refusal("INTEGRATION_TIMEOUT") from None
        except FunctionNotFound:
            raise Refusal("DEFAULT_5XX", 500) from None
        except Stopping:
            raise Refusal("DEFAULT_5XX") from None
        # A response in base64 is decoded for a caller whose first choice is a binary type.
        first_choice = call.request.header("Accept", "application/json").split(",")[0]
        response = proxy_response(outcome, decode=self._is_binary(media_type(first_choice)))
        if response is None:
            log.error("%s %s: malformed Lambda proxy response: %s", call.verb, call.path, outcome.payload[:2000])
            raise Refusal("DEFAULT_5XX")
        return response

    def _is_binary(self, media_type: str) -> bool:
        return any(_matches(pattern.lower().replace("~1", "/"), media_type) for pattern in self._binary_types)


def _matches(pattern: str, media_type: str) -> bool:
    main, _, sub = pattern.partition("/")
    return pattern in ("*/*", media_type) or (sub == "*" and media_type.startswith(f"{main}/"))

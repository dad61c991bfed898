"""API Gateway on this machine: the REST APIs of the templates, each on a port of its own.

Served as the template has it: resources and methods, Lambda proxy and mock integrations, REQUEST and TOKEN authorizers,
API keys and usage plans, gateway responses, binary media types, required parameters, the stage's throttling and its
access log. The stage is not part of the path, as under a custom domain.

Not served, because no template of ours has it: other integrations, mapping templates beyond `$context` values, models'
JSON schemas, Cognito and IAM authorizers, resource policies, caching. An API that asks for such a thing is refused.
"""

import base64
import binascii
import concurrent.futures
import datetime
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from local import policies, routes
from local.children import Stopping
from local.deployment import Deployed, DeploymentError
from local.http_server import Request, Response, Server, is_sendable
from local.lambdas import PAYLOAD_LIMIT_BYTES, FunctionNotFound, Lambda, Outcome, TooManyRequests
from local.log import log
from local.template import ACCOUNT_ID, REGION, Resource
from local.throttle import TokenBucket

BODY_LIMIT_BYTES = 10 * 1024 * 1024
INTEGRATION_TIMEOUT_MS = 29_000
DEFAULT_AUTHORIZER_TTL_S = 300
CONCURRENT_INTEGRATIONS = 512

DEFAULT_ANSWERS = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "Internal server error"),
    "AUTHORIZER_FAILURE": (500, "Internal server error"),
    "BAD_REQUEST_PARAMETERS": (400, "Missing required request parameters"),
    "INTEGRATION_FAILURE": (504, "Internal server error"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out"),
    "INVALID_API_KEY": (403, "Forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "QUOTA_EXCEEDED": (429, "Limit Exceeded"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "THROTTLED": (429, "Too Many Requests"),
    "UNAUTHORIZED": (401, "Unauthorized"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type"),
    "DEFAULT_4XX": (400, "Bad Request"),
    "DEFAULT_5XX": (502, "Internal server error"),
}
"""Status and message of the gateway's own answers,
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html."""

REMAPPED_HEADERS = {"authorization", "connection", "content-md5", "date", "server", "upgrade", "www-authenticate"}
"""A Lambda's headers that API Gateway renames, to `x-amzn-Remapped-…`."""

DROPPED_HEADERS = {"content-length", "transfer-encoding"}


class Refusal(Exception):
    """The gateway answers by itself; `type` is one of its response types."""

    def __init__(self, type: str, status: int | None = None) -> None:
        super().__init__(type)
        self.type = type
        self.status = status or DEFAULT_ANSWERS[type][0]
        self.message = DEFAULT_ANSWERS[type][1]


@dataclass
class Call:
    """One request on its way through an API."""

    request: Request
    verb: str
    path: str
    match: routes.Match | None = None
    authorizer: dict[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None
    api_key: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: float = field(default_factory=time.time)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.query, keep_blank_values=True, errors="replace")


class RestApi:
    """One REST API of the templates; `answer` takes a request to a response."""

    def __init__(self, api: Resource, deployed: Deployed, functions: Lambda) -> None:
        self.id = api.physical_id
        self.name = str(api.properties.get("Name", api.logical_id))
        self.stack = api.stack
        self._functions = functions
        self._binary_types = [str(type) for type in api.properties.get("BinaryMediaTypes", [])]
        self._root = routes.build_tree(
            f"{self.id}-root",
            [
                (resource.physical_id, resource.properties["ParentId"], resource.properties["PathPart"])
                for resource in self._parts(deployed, "AWS::ApiGateway::Resource")
            ],
            [
                (method.properties["ResourceId"], _checked(method))
                for method in self._parts(deployed, "AWS::ApiGateway::Method")
            ],
        )
        self._authorizers = {
            resource.physical_id: Authorizer(resource, functions)
            for resource in self._parts(deployed, "AWS::ApiGateway::Authorizer")
        }
        self._gateway_responses = {
            response.properties["ResponseType"]: response.properties
            for response in self._parts(deployed, "AWS::ApiGateway::GatewayResponse")
        }
        self._validators = {
            resource.physical_id: resource.properties
            for resource in self._parts(deployed, "AWS::ApiGateway::RequestValidator")
        }
        stages = list(self._parts(deployed, "AWS::ApiGateway::Stage"))
        stage = stages[0].properties if stages else {}
        self.stage = str(stage.get("StageName", "prod"))
        self._variables: dict[str, str] | None = stage.get("Variables")
        self._access_log_format = str(stage.get("AccessLogSetting", {}).get("Format", ""))
        self._throttles = {
            (setting.get("ResourcePath", "/*"), setting.get("HttpMethod", "*")): TokenBucket(
                float(setting["ThrottlingRateLimit"]), int(setting["ThrottlingBurstLimit"])
            )
            for setting in stage.get("MethodSettings", [])
            if "ThrottlingRateLimit" in setting
        }
        self._plans = UsagePlans(self.id, deployed)
        self._integrations = concurrent.futures.ThreadPoolExecutor(CONCURRENT_INTEGRATIONS, f"api-{self.name}")
        self.log_access: Callable[[str], None] = lambda line: None

    def _parts(self, deployed: Deployed, type: str) -> Iterable[Resource]:
        return (part for part in deployed.of_type(type) if part.properties.get("RestApiId") == self.id)

    def answer(self, request: Request) -> Response:
        """Route, authorize and integrate one request."""
        call = Call(request, request.method.upper(), _origin_form(request.path))
        try:
            response = self._route(call)
        except Refusal as refusal:
            call.refusal = refusal
            response = self._refused(call, refusal)
        response.headers += [
            ("x-amzn-RequestId", call.id),
            ("x-amz-apigw-id", base64.b64encode(uuid.UUID(call.id).bytes[:10]).decode()),
        ]
        if self._access_log_format:
            latency_ms = round((time.time() - call.at) * 1000)
            known = {
                "status": str(response.status),
                "responseLength": str(len(response.body)),
                "responseLatency": str(latency_ms),
            }
            self.log_access(self._filled_in(self._access_log_format, call, known))
        return response

    def _route(self, call: Call) -> Response:
        call.match = routes.find(self._root, call.path)
        method = call.match.node.method(call.verb) if call.match else None
        if call.match is None or method is None:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        if call.request.body_is_too_large:
            raise Refusal("REQUEST_TOO_LARGE")
        self._throttle(call.match.node.path, call.verb)
        if method.get("ApiKeyRequired"):
            self._plans.admit(call.request.header("x-api-key"))
        if method.get("AuthorizationType", "NONE") == "CUSTOM":
            call.authorizer = self._authorizers[method["AuthorizerId"]].authorize(
                self._event(call), self._method_arn(call)
            )
        self._validate(method, call)
        integration = method.get("Integration", {})
        if integration.get("Type") == "MOCK":
            return self._answer_mock(integration, call)
        return self._answer_by_lambda(integration, call)

    def _throttle(self, path: str, verb: str) -> None:
        """The most specific setting counts."""
        for key in ((path, verb), (path, "*"), ("/*", verb), ("/*", "*")):
            if key in self._throttles:
                if not self._throttles[key].take():
                    raise Refusal("THROTTLED")
                return

    def _validate(self, method: dict[str, Any], call: Call) -> None:
        if not self._validators.get(method.get("RequestValidatorId", ""), {}).get("ValidateRequestParameters"):
            return
        query = dict(call.query)
        for source, is_required in method.get("RequestParameters", {}).items():
            _, _, place, name = source.split(".", 3)
            value = {"header": call.request.header(name), "querystring": query.get(name, "")}.get(place, "given")
            if is_required and not value:
                raise Refusal("BAD_REQUEST_PARAMETERS")

    # Lambda

    def _answer_by_lambda(self, integration: dict[str, Any], call: Call) -> Response:
        name = function_of(integration["Uri"])
        payload = json.dumps(self._event(call)).encode()
        if len(payload) > PAYLOAD_LIMIT_BYTES:
            raise Refusal("REQUEST_TOO_LARGE")
        running = self._integrations.submit(self._functions.invoke, name, payload)
        try:
            outcome = running.result(integration.get("TimeoutInMillis", INTEGRATION_TIMEOUT_MS) / 1000)
        except concurrent.futures.TimeoutError:
            raise Refusal("INTEGRATION_TIMEOUT") from None
        except (FunctionNotFound, TooManyRequests):
            raise Refusal("DEFAULT_5XX", 500) from None
        except Stopping:
            raise Refusal("DEFAULT_5XX") from None
        response = proxy_response(outcome, self._wants_binary(call))
        if response is None:
            log.error("%s %s: malformed Lambda proxy response: %s", call.verb, call.path, outcome.payload[:2000])
            raise Refusal("DEFAULT_5XX")
        return response

    def _wants_binary(self, call: Call) -> bool:
        """Whether a response in base64 is decoded: the caller's first choice is a binary type."""
        accepted = call.request.header("Accept", "application/json").split(",")[0].split(";")[0].strip()
        return self._is_binary(accepted)

    def _is_binary(self, media_type: str) -> bool:
        return any(_media_type_matches(pattern, media_type) for pattern in self._binary_types)

    def _event(self, call: Call) -> dict[str, Any]:
        """The proxy event, version 1.0,
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html."""
        assert call.match is not None
        request = call.request
        headers = [
            (name, value)
            for name, value in request.headers
            if name.lower() not in ("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "connection")
        ]
        forwarded = [value for name, value in request.headers if name.lower() == "x-forwarded-for"]
        host = request.header("Host", "127.0.0.1")
        headers += [
            ("X-Amzn-Trace-Id", f"Root=1-{int(call.at):08x}-{call.id.replace('-', '')[:24]}"),
            ("X-Forwarded-For", ", ".join([*forwarded, request.peer])),
            ("X-Forwarded-Port", host.partition(":")[2] or "80"),
            ("X-Forwarded-Proto", "http"),
        ]
        is_binary = bool(request.body) and self._is_binary(_media_type(request.header("Content-Type")))
        body = base64.b64encode(request.body).decode() if is_binary else request.body.decode("utf-8", "replace")
        query = call.query
        return {
            "resource": call.match.node.path,
            "path": call.path,
            "httpMethod": call.verb,
            "headers": dict(headers),
            "multiValueHeaders": _grouped(headers),
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": _grouped(query) or None,
            "pathParameters": call.match.parameters or None,
            "stageVariables": self._variables,
            "requestContext": {
                "accountId": ACCOUNT_ID,
                "apiId": self.id,
                "authorizer": call.authorizer or None,
                "domainName": host,
                "domainPrefix": self.id,
                "extendedRequestId": call.id,
                "httpMethod": call.verb,
                "identity": {
                    "sourceIp": request.peer,
                    "userAgent": request.header("User-Agent") or None,
                    "apiKey": call.api_key or None,
                },
                "path": call.path,
                "protocol": "HTTP/1.1",
                "requestId": call.id,
                "requestTime": _common_log_time(call.at),
                "requestTimeEpoch": int(call.at * 1000),
                "resourceId": call.match.node.id,
                "resourcePath": call.match.node.path,
                "stage": self.stage,
            },
            "body": body or None,
            "isBase64Encoded": is_binary,
        }

    def _method_arn(self, call: Call) -> str:
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{self.id}/{self.stage}/{call.verb}{call.path}"

    # Mock

    def _answer_mock(self, integration: dict[str, Any], call: Call) -> Response:
        status = self._mocked_status(integration, call)
        responses = integration.get("IntegrationResponses", [])
        chosen = next(
            (each for each in responses if re.fullmatch(each.get("SelectionPattern") or r"(?!)", str(status))),
            next((each for each in responses if not each.get("SelectionPattern")), None),
        )
        if chosen is None:
            raise Refusal("API_CONFIGURATION_ERROR")
        type, template = _accepted(chosen.get("ResponseTemplates") or {}, call.request.header("Accept"))
        headers = [
            (target.removeprefix("method.response.header."), self._value(source, call))
            for target, source in (chosen.get("ResponseParameters") or {}).items()
        ]
        return Response(
            int(chosen["StatusCode"]), self._filled_in(template, call).encode(), [("Content-Type", type), *headers]
        )

    def _mocked_status(self, integration: dict[str, Any], call: Call) -> int:
        """The status that the request template, or without one the body itself, asks for."""
        templates = integration.get("RequestTemplates") or {}
        type = _media_type(call.request.header("Content-Type")) or "application/json"
        passthrough = integration.get("PassthroughBehavior", "WHEN_NO_MATCH")
        template = next((text for name, text in templates.items() if name.lower() == type), None)
        if template is None and (passthrough == "NEVER" or (passthrough == "WHEN_NO_TEMPLATES" and templates)):
            raise Refusal("UNSUPPORTED_MEDIA_TYPE")
        text = call.request.body.decode("utf-8", "replace") if template is None else self._filled_in(template, call)
        try:
            return int(json.loads(text)["statusCode"])
        except (ValueError, KeyError, TypeError):
            raise Refusal("API_CONFIGURATION_ERROR") from None

    # The gateway's own answers

    def _refused(self, call: Call, refusal: Refusal) -> Response:
        response = self._gateway_responses.get(refusal.type)
        if response is None:
            response = self._gateway_responses.get("DEFAULT_4XX" if refusal.status < 500 else "DEFAULT_5XX", {})
        type, template = _accepted(
            response.get("ResponseTemplates") or {"application/json": '{"message":$context.error.messageString}'},
            call.request.header("Accept"),
        )
        headers = [
            (target.removeprefix("gatewayresponse.header."), self._value(source, call))
            for target, source in (response.get("ResponseParameters") or {}).items()
        ]
        return Response(
            int(response.get("StatusCode") or refusal.status),
            self._filled_in(template, call).encode(),
            [("Content-Type", type), ("x-amzn-ErrorType", _exception_name(refusal)), *headers],
        )

    def _value(self, source: str, call: Call) -> str:
        """What a parameter mapping gives: text in quotes, or a value of the context or the request."""
        if source.startswith("'"):
            return source.strip("'")
        if source.startswith("context."):
            return self._context(call).get(source.removeprefix("context."), "")
        if source.startswith("method.request.header."):
            return call.request.header(source.removeprefix("method.request.header."))
        if source.startswith("method.request.querystring."):
            return dict(call.query).get(source.removeprefix("method.request.querystring."), "")
        return ""

    def _filled_in(self, template: str, call: Call, known: dict[str, str] | None = None) -> str:
        """A template with its `$context` values."""
        values = {**self._context(call), **(known or {})}
        return re.sub(r"\$context\.([A-Za-z0-9_.]*[A-Za-z0-9_])", lambda found: values.get(found[1], "-"), template)

    def _context(self, call: Call) -> dict[str, str]:
        message = call.refusal.message if call.refusal else ""
        return {
            "accountId": ACCOUNT_ID,
            "apiId": self.id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": call.refusal.type if call.refusal else "-",
            "extendedRequestId": call.id,
            "httpMethod": call.verb,
            "identity.sourceIp": call.request.peer,
            "identity.userAgent": call.request.header("User-Agent"),
            "path": call.path,
            "protocol": "HTTP/1.1",
            "requestId": call.id,
            "requestTime": _common_log_time(call.at),
            "requestTimeEpoch": str(int(call.at * 1000)),
            "resourcePath": call.match.node.path if call.match else "-",
            "stage": self.stage,
            **{f"authorizer.{name}": value for name, value in call.authorizer.items()},
        }


class Authorizer:
    """A Lambda that says who may call, and the gateway's memory of what it said."""

    def __init__(self, resource: Resource, functions: Lambda) -> None:
        properties = resource.properties
        if properties["Type"] not in ("REQUEST", "TOKEN"):
            raise DeploymentError(f"{resource.logical_id}: {properties['Type']} authorizers are not served locally")
        self._type = properties["Type"]
        self._function = function_of(properties["AuthorizerUri"])
        self._functions = functions
        self._sources = [source.strip() for source in properties.get("IdentitySource", "").split(",") if source.strip()]
        self._pattern = properties.get("IdentityValidationExpression")
        self._ttl_s = int(properties.get("AuthorizerResultTtlInSeconds", DEFAULT_AUTHORIZER_TTL_S))
        self._remembered: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def authorize(self, event: dict[str, Any], method_arn: str) -> dict[str, str]:
        """The context that the authorizer gives to the integration. Raises Refusal."""
        identity = tuple(_identity(source, event) for source in self._sources)
        if not all(identity) or (self._pattern and not re.fullmatch(self._pattern, identity[0])):
            raise Refusal("UNAUTHORIZED")
        answer = self._recall(identity) or self._ask(identity, event, method_arn)
        try:
            is_allowed = policies.allows(answer.get("policyDocument"), method_arn)
        except policies.InvalidPolicy as error:
            log.error("%s: %s", self._function, error)
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR") from None
        if not is_allowed:
            raise Refusal("ACCESS_DENIED")
        context = answer.get("context") or {}
        if any(isinstance(value, dict | list) for value in context.values()):
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR")
        return {
            "principalId": str(answer.get("principalId", "")),
            **{name: _text(value) for name, value in context.items()},
        }

    def _recall(self, identity: tuple[str, ...]) -> dict[str, Any] | None:
        with self._lock:
            until, answer = self._remembered.get(identity, (0.0, {}))
            return answer if until > time.monotonic() else None

    def _ask(self, identity: tuple[str, ...], event: dict[str, Any], method_arn: str) -> dict[str, Any]:
        if self._type == "TOKEN":
            question: dict[str, Any] = {"type": "TOKEN", "authorizationToken": identity[0], "methodArn": method_arn}
        else:
            # An authorizer is not shown the body.
            question = {name: value for name, value in event.items() if name not in ("body", "isBase64Encoded")}
            question |= {"type": "REQUEST", "methodArn": method_arn}
        try:
            outcome = self._functions.invoke(self._function, json.dumps(question).encode())
            answer = json.loads(outcome.payload)
        except (FunctionNotFound, TooManyRequests, Stopping, ValueError):
            raise Refusal("AUTHORIZER_FAILURE") from None
        if outcome.error:
            if isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized":
                raise Refusal("UNAUTHORIZED")
            log.error("authorizer %s failed: %s", self._function, outcome.payload[:2000])
            raise Refusal("AUTHORIZER_FAILURE")
        if not isinstance(answer, dict):
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR")
        if self._ttl_s and self._sources:
            with self._lock:
                self._remembered[identity] = (time.monotonic() + self._ttl_s, answer)
        return answer


class UsagePlans:
    """API keys, with the throttling and the quota of their plans. A quota's period is the life of the stack."""

    def __init__(self, api_id: str, deployed: Deployed) -> None:
        plans = {
            plan.physical_id: plan.properties
            for plan in deployed.of_type("AWS::ApiGateway::UsagePlan")
            if any(stage.get("ApiId") == api_id for stage in plan.properties.get("ApiStages", []))
        }
        self._keys: dict[str, tuple[TokenBucket | None, list[int]]] = {}
        for link in deployed.of_type("AWS::ApiGateway::UsagePlanKey"):
            plan = plans.get(link.properties["UsagePlanId"])
            if plan is None:
                continue
            for key in deployed.of_type("AWS::ApiGateway::ApiKey"):
                if key.physical_id == link.properties["KeyId"] and key.properties.get("Enabled"):
                    throttle = plan.get("Throttle")
                    bucket = (
                        TokenBucket(float(throttle["RateLimit"]), int(throttle["BurstLimit"])) if throttle else None
                    )
                    quota = [int(plan["Quota"]["Limit"])] if "Quota" in plan else []
                    self._keys[key.properties["Value"]] = (bucket, quota)
        self._lock = threading.Lock()

    def admit(self, key: str) -> None:
        """Count one request of a key. Raises Refusal."""
        if key not in self._keys:
            raise Refusal("INVALID_API_KEY")
        bucket, quota = self._keys[key]
        if bucket is not None and not bucket.take():
            raise Refusal("THROTTLED")
        with self._lock:
            if quota:
                if quota[0] <= 0:
                    raise Refusal("QUOTA_EXCEEDED")
                quota[0] -= 1


class Gateway:
    """All REST APIs of a deployment, listening."""

    def __init__(self) -> None:
        self.servers: dict[str, Server] = {}
        """By the API's ID."""

    def serve(self, api: RestApi, port: int) -> str:
        """Serve an API and give its address. Raises OSError when the port is taken."""
        self.servers[api.id] = server = Server(api.answer, port, body_limit_bytes=BODY_LIMIT_BYTES)
        return server.url

    def close(self) -> None:
        for server in self.servers.values():
            server.close()


def function_of(uri: str) -> str:
    """The ARN of the function in an integration's URI. Raises DeploymentError."""
    found = re.search(r"/functions/(arn:[^/]+)/invocations$", uri)
    if found is None:
        raise DeploymentError(f"not a Lambda integration: {uri}")
    return found[1]


def proxy_response(outcome: Outcome, decode: bool) -> Response | None:
    """A function's answer as a response; None when it is not one, or the function failed.

    `decode`: whether a body in base64 is decoded.
    """
    if outcome.error:
        return None
    try:
        answer = json.loads(outcome.payload)
        status = int(answer["statusCode"])
        body = answer.get("body")
        single, multiple = ({} if answer.get(key) is None else answer[key] for key in ("headers", "multiValueHeaders"))
        headers = {name.lower(): [(name, _text(value))] for name, value in single.items()}
        headers |= {name.lower(): [(name, _text(value)) for value in values] for name, values in multiple.items()}
        if not isinstance(body, str | None) or not 100 <= status <= 599:
            return None
        content = (body or "").encode("utf-8", "replace")
        if answer.get("isBase64Encoded") and decode:
            content = base64.b64decode(content, validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None
    headers.setdefault("content-type", [("Content-Type", "application/json")])
    sent = [
        (f"x-amzn-Remapped-{name}" if key in REMAPPED_HEADERS else name, value)
        for key, values in headers.items()
        if key not in DROPPED_HEADERS
        for name, value in values
    ]
    response = Response(status, content, sent)
    return response if is_sendable(response) else None


def _checked(method: Resource) -> dict[str, Any]:
    """A method's properties. Raises DeploymentError for what is not served here."""
    properties = method.properties
    integration = properties.get("Integration", {}).get("Type")
    if integration not in ("AWS_PROXY", "MOCK"):
        _unsupported(method, f"{integration} integrations")
    if properties.get("AuthorizationType", "NONE") not in ("NONE", "CUSTOM"):
        _unsupported(method, f"{properties['AuthorizationType']} authorization")
    return properties


def _unsupported(resource: Resource, what: str) -> NoReturn:
    raise DeploymentError(f"{resource.stack}/{resource.logical_id}: {what} are not served by the local stack")


def _origin_form(path: str) -> str:
    """The path alone, also of a request that was sent as to a proxy."""
    if path.startswith("/"):
        return path
    found = re.match(r"https?://[^/]*(/.*)?$", path)
    return (found[1] or "/") if found else "/"


def _identity(source: str, event: dict[str, Any]) -> str:
    place, _, name = source.rpartition(".")
    match place:
        case "method.request.header":
            return next((v for n, v in reversed(event["headers"].items()) if n.lower() == name.lower()), "")
        case "method.request.querystring":
            return (event["queryStringParameters"] or {}).get(name, "")
        case "stageVariables":
            return (event["stageVariables"] or {}).get(name, "")
    value: Any = event["requestContext"]
    for part in source.removeprefix("context.").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return _text(value) if value is not None else ""


def _accepted(templates: dict[str, str], accept: str) -> tuple[str, str]:
    """The media type and template that suit the caller best; the first one where none does."""
    for wanted in accept.split(","):
        for type, template in templates.items():
            if type == _media_type(wanted):
                return type, template
    return next(iter(templates.items()), ("application/json", ""))


def _media_type(header: str) -> str:
    return header.split(";")[0].strip().lower()


def _media_type_matches(pattern: str, media_type: str) -> bool:
    main, _, sub = pattern.lower().replace("~1", "/").partition("/")
    return pattern == "*/*" or pattern.lower() == media_type or (sub == "*" and media_type.startswith(f"{main}/"))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _text(value: Any) -> str:
    """A JSON value in a header or a context."""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _exception_name(refusal: Refusal) -> str:
    words = "InternalServerError" if refusal.status >= 500 else refusal.type.title().replace("_", "")
    return f"{words}Exception"


def _common_log_time(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")

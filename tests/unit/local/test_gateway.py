"""The gateway answers as API Gateway would, in front of a function written by hand."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from local.deployment import Deployed, DeploymentError
from local.gateway.proxy import proxy_response
from local.gateway.rest_api import RestApi
from local.http_server import Request, Response
from local.lambdas.invocations import PAYLOAD_LIMIT_BYTES, Outcome
from local.lambdas.service import Lambda
from local.template import Resource

API = "abcdefghij"
AUTHORIZE = "arn:aws:lambda:us-east-1:123456789012:function:authorize"
ECHO = "arn:aws:lambda:us-east-1:123456789012:function:echo"
LAMBDA_PATH = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"


class HandWrittenLambda:
    """Functions that are methods of the test's choice; counts what is invoked."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.functions: dict[str, Callable[[dict[str, Any]], Any]] = {
            "authorize": self.authorize,
            "echo": lambda event: {"statusCode": 200, "body": json.dumps(event)},
        }

    def invoke(self, name: str, payload: bytes) -> Outcome:
        function = name.rsplit(":", 1)[-1]
        event = json.loads(payload)
        self.events.append((function, event))
        result = self.functions[function](event)
        return result if isinstance(result, Outcome) else Outcome(json.dumps(result).encode())

    def authorize(self, event: dict[str, Any]) -> Any:
        headers = {name.lower(): value for name, value in event["headers"].items()}
        effect = "Allow" if headers["x-api-key"].split()[0] == "good" else "Deny"
        resource = event["methodArn"].split("/", 1)[0] + "/*"
        return {
            "principalId": "default",
            "policyDocument": {"Statement": [{"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}]},
            "context": {"account": "default", "is_admin": True},
            "usageIdentifierKey": headers.get("x-counts-for"),
        }


PLAN_KEYS = {"plan-1": ["first", "second"]}


def resource(type: str, id: str, **properties: Any) -> Resource:
    return Resource("stack", id, f"AWS::ApiGateway::{type}", id, {"RestApiId": API, **properties}, {})


def proxy(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS_PROXY", "Uri": f"{LAMBDA_PATH}/{ECHO}/invocations", **more}


MOCK: dict[str, Any] = {
    "Type": "MOCK",
    "PassthroughBehavior": "NEVER",
    "RequestTemplates": {"application/json": '{"statusCode": 405}'},
    "IntegrationResponses": [
        {
            "StatusCode": "405",
            "ResponseTemplates": {"application/json": '{"error": "$context.httpMethod"}'},
            "ResponseParameters": {"method.response.header.Allow": "'GET, PUT'"},
        }
    ],
}


def mock(**changes: Any) -> dict[str, Any]:
    [answer] = MOCK["IntegrationResponses"]
    return MOCK | {"IntegrationResponses": [answer | changes]}


def deployed(*more: Resource, stage: dict[str, Any] | None = None, **api: Any) -> Deployed:
    return Deployed(
        [
            resource("Stage", "prod", StageName="prod", **(stage or {})),
            Resource("stack", "Api", "AWS::ApiGateway::RestApi", API, {"Name": "api", **api}, {}),
            resource("Resource", "things", ParentId=f"{API}-root", PathPart="things"),
            resource("Resource", "thing", ParentId="things", PathPart="{thing}"),
            resource("Resource", "open", ParentId=f"{API}-root", PathPart="open"),
            resource(
                "Method",
                "GetThing",
                ResourceId="thing",
                HttpMethod="GET",
                AuthorizationType="CUSTOM",
                AuthorizerId="authorizer",
                Integration=proxy(),
            ),
            resource("Method", "AnyThing", ResourceId="thing", HttpMethod="ANY", Integration=MOCK),
            resource("Method", "AnyOpen", ResourceId="open", HttpMethod="ANY", Integration=proxy()),
            resource(
                "Authorizer",
                "authorizer",
                Type="REQUEST",
                IdentitySource="method.request.header.x-api-key",
                AuthorizerUri=f"{LAMBDA_PATH}/{AUTHORIZE}/invocations",
                AuthorizerResultTtlInSeconds=60,
            ),
            *more,
        ]
    )


@pytest.fixture
def functions() -> HandWrittenLambda:
    return HandWrittenLambda()


Call = Callable[..., Response]


@pytest.fixture
def make_api(functions: HandWrittenLambda) -> Callable[..., Call]:
    def make(*more: Resource, **api: Any) -> Call:
        parts = deployed(*more, **api)
        rest_api = RestApi(
            next(parts.of_type("AWS::ApiGateway::RestApi")),
            parts,
            cast(Lambda, functions),
            lambda plan_id: PLAN_KEYS[plan_id],
        )

        def call(
            verb: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"", **kind: Any
        ) -> Response:
            sent = [("Host", "127.0.0.1:8080"), *(headers or {}).items()]
            return rest_api.answer(Request(verb, target, sent, body, **kind))

        return call

    return make


@pytest.fixture
def call(make_api: Callable[..., Call]) -> Call:
    return make_api()


def body(response: Response) -> Any:
    return json.loads(response.body)


def header(response: Response, name: str) -> str | None:
    return next((value for other, value in response.headers if other.lower() == name.lower()), None)


def test_a_function_is_told_the_whole_request_as_it_was_sent(call: Call) -> None:
    event = body(
        call(
            "GET",
            "/things/a%2Fb%20c?x=1&x=2&y=%C3%A4&z",
            {"X-API-Key": "good", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "User-Agent": "test"},
        )
    )
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/things/{thing}", "/things/a%2Fb%20c", "GET")
    assert event["pathParameters"] == {"thing": "a%2Fb%20c"}
    assert event["queryStringParameters"] == {"x": "2", "y": "ä", "z": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["ä"], "z": [""]}
    assert event["headers"]["X-API-Key"] == "good"
    assert event["headers"]["X-Forwarded-For"] == "1.2.3.4, 127.0.0.1"
    assert event["multiValueHeaders"]["X-Forwarded-Proto"] == ["http"]
    assert (event["body"], event["isBase64Encoded"], event["stageVariables"]) == (None, False, None)
    context = event["requestContext"]
    assert context["authorizer"] == {"principalId": "default", "account": "default", "is_admin": "true"}
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert (context["stage"], context["resourcePath"], context["path"]) == (
        "prod",
        "/things/{thing}",
        "/things/a%2Fb%20c",
    )
    assert (context["accountId"], context["domainName"]) == ("123456789012", "127.0.0.1:8080")


def test_without_parameters_the_event_has_null_and_not_an_empty_object(call: Call) -> None:
    event = body(call("GET", "/open"))
    assert event["queryStringParameters"] is event["pathParameters"] is event["requestContext"]["authorizer"] is None


def test_a_body_that_is_not_utf_8_still_arrives(call: Call) -> None:
    assert body(call("POST", "/open", body=b"\xff{"))["body"] == "\ufffd{"


def test_binary_media_types_travel_in_base64(make_api: Callable[..., Call], functions: HandWrittenLambda) -> None:
    call = make_api(BinaryMediaTypes=["image/*"])
    event = body(call("POST", "/open", {"Content-Type": "image/png"}, b"\x89PNG"))
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\x89PNG").decode(), True)
    functions.functions["echo"] = lambda event: {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png"},
        "body": base64.b64encode(b"\x89PNG").decode(),
        "isBase64Encoded": True,
    }
    assert call("GET", "/open", {"Accept": "image/png"}).body == b"\x89PNG"
    assert call("GET", "/open", {"Accept": "text/html"}).body == base64.b64encode(b"\x89PNG")


def test_an_unknown_path_or_verb_lacks_an_authentication_token(call: Call) -> None:
    for verb, path in (("GET", "/nowhere"), ("GET", "/things"), ("GET", "/things//"), ("GET", "/")):
        response = call(verb, path)
        assert (response.status, body(response)) == (403, {"message": "Missing Authentication Token"})


def test_a_missing_key_never_reaches_the_authorizer(call: Call, functions: HandWrittenLambda) -> None:
    for headers in ({}, {"x-api-key": ""}):
        response = call("GET", "/things/a", headers)
        assert (response.status, body(response)) == (401, {"message": "Unauthorized"})
        assert header(response, "x-amzn-ErrorType") == "UnauthorizedException"
    assert functions.events == []


def test_a_denied_key_never_reaches_the_integration(call: Call, functions: HandWrittenLambda) -> None:
    assert call("GET", "/things/a", {"x-api-key": "bad"}).status == 403
    assert [function for function, _ in functions.events] == ["authorize"]


def test_what_the_authorizer_said_of_a_key_is_remembered_for_every_path(
    call: Call, functions: HandWrittenLambda
) -> None:
    for key in ("good", "good", "bad", "bad"):
        call("GET", f"/things/{key}", {"x-api-key": key})
    assert [function for function, _ in functions.events].count("authorize") == 2


def test_an_authorizer_sees_the_request_but_not_its_body(call: Call, functions: HandWrittenLambda) -> None:
    call("GET", "/things/a?b=c", {"x-api-key": "good"}, b"secret")
    event = functions.events[0][1]
    assert event["type"] == "REQUEST" and "body" not in event
    assert event["methodArn"] == f"arn:aws:execute-api:us-east-1:123456789012:{API}/prod/GET/things/a"
    assert event["queryStringParameters"] == {"b": "c"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Outcome(b'{"errorType": "Exception", "errorMessage": "Unauthorized"}', "Unhandled"), 401),
        (Outcome(b'{"errorType": "Exception", "errorMessage": "no"}', "Unhandled"), 500),
        (Outcome(b"not json"), 500),
        ({"principalId": "x"}, 500),
        ("Allow", 500),
    ],
)
def test_an_authorizer_that_fails_lets_nobody_in(
    call: Call, functions: HandWrittenLambda, answer: Any, status: int
) -> None:
    functions.functions["authorize"] = lambda event: answer
    assert call("GET", "/things/a", {"x-api-key": "good"}).status == status


def test_a_mock_answers_by_its_templates(call: Call, functions: HandWrittenLambda) -> None:
    response = call("PATCH", "/things/a")
    assert (response.status, body(response)) == (405, {"error": "PATCH"})
    assert (header(response, "Allow"), header(response, "Content-Type")) == ("GET, PUT", "application/json")
    assert functions.events == []


def test_a_mock_without_a_template_for_the_media_type_refuses_it(call: Call) -> None:
    assert call("PATCH", "/things/a", {"Content-Type": "Application/JSON; charset=utf-8"}, b"x").status == 405
    assert call("PATCH", "/things/a", {"Content-Type": "text/csv"}, b"x").status == 415


def test_gateway_responses_replace_the_gateway_s_own(make_api: Callable[..., Call]) -> None:
    call = make_api(
        resource(
            "GatewayResponse",
            "NotFound",
            ResponseType="MISSING_AUTHENTICATION_TOKEN",
            StatusCode="404",
            ResponseTemplates={"application/json": '{"error": "NotFound", "message": "no such path"}'},
            ResponseParameters={"gatewayresponse.header.Retry-After": "'1'"},
        ),
        resource(
            "GatewayResponse",
            "Any4xx",
            ResponseType="DEFAULT_4XX",
            ResponseTemplates={
                "application/json": '{"m": $context.error.messageString, "t": "$context.error.responseType"}'
            },
        ),
    )
    unknown, anonymous = call("GET", "/nowhere"), call("GET", "/things/a")
    assert (unknown.status, body(unknown)["error"], header(unknown, "Retry-After")) == (404, "NotFound", "1")
    assert (anonymous.status, body(anonymous)) == (401, {"m": "Unauthorized", "t": "UNAUTHORIZED"})


def test_the_stage_s_throttle_refuses_what_is_too_much(make_api: Callable[..., Call]) -> None:
    settings = [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2}]
    call = make_api(stage={"MethodSettings": settings})
    assert [call("GET", "/open").status for _ in range(3)] == [200, 200, 429]


def counted(*methods: Resource, **plan: Any) -> tuple[Resource, ...]:
    """An API whose GET of /counted needs a key of the usage plan."""
    properties = {
        "UsagePlanName": "plan",
        "ApiStages": [{"ApiId": API, "Stage": "prod"}],
        "Throttle": {"RateLimit": 0.001, "BurstLimit": 2},
        **plan,
    }
    method = resource(
        "Method",
        "GetCounted",
        ResourceId="counted",
        HttpMethod="GET",
        AuthorizationType="CUSTOM",
        AuthorizerId="authorizer",
        ApiKeyRequired=True,
        Integration=proxy(),
    )
    return (
        Resource("stack", "Plan", "AWS::ApiGateway::UsagePlan", "plan-1", properties, {}),
        resource("Resource", "counted", ParentId=f"{API}-root", PathPart="counted"),
        method,
        *methods,
    )


def test_the_usage_plan_throttles_each_key_by_itself(make_api: Callable[..., Call]) -> None:
    call = make_api(*counted(), ApiKeySourceType="AUTHORIZER")

    def ask(key: str) -> int:
        return call("GET", "/counted", {"x-api-key": f"good {key}", "x-counts-for": key}).status

    assert [ask("first") for _ in range(3)] == [200, 200, 429]
    assert [ask("second") for _ in range(3)] == [200, 200, 429]
    assert call("GET", "/things/a", {"x-api-key": "good"}).status == 200


@pytest.mark.parametrize("key", ["", "somebody-elses"])
def test_a_key_that_is_not_in_the_usage_plan_is_refused(make_api: Callable[..., Call], key: str) -> None:
    call = make_api(*counted(), ApiKeySourceType="AUTHORIZER")
    response = call("GET", "/counted", {"x-api-key": "good", "x-counts-for": key})
    assert (response.status, body(response)) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("plan", "api"),
    [
        ({"Quota": {"Limit": 5, "Period": "DAY"}}, {"ApiKeySourceType": "AUTHORIZER"}),
        (
            {"ApiStages": [{"ApiId": API, "Stage": "prod", "Throttle": {"/a/GET": {}}}]},
            {"ApiKeySourceType": "AUTHORIZER"},
        ),
        ({"ApiStages": []}, {"ApiKeySourceType": "AUTHORIZER"}),
        ({}, {"ApiKeySourceType": "HEADER"}),
    ],
)
def test_a_usage_plan_that_asks_for_what_is_not_served_is_refused_at_once(
    make_api: Callable[..., Call], plan: dict[str, Any], api: dict[str, Any]
) -> None:
    with pytest.raises(DeploymentError):
        make_api(*counted(**plan), **api)


def test_a_body_over_ten_megabytes_or_an_event_over_six_is_413(call: Call, functions: HandWrittenLambda) -> None:
    assert call("POST", "/open", body_is_too_large=True).status == 413
    assert call("POST", "/open", body=b"x" * PAYLOAD_LIMIT_BYTES).status == 413
    assert functions.events == []


def test_an_integration_that_takes_too_long_is_504(make_api: Callable[..., Call], functions: HandWrittenLambda) -> None:
    functions.functions["echo"] = lambda event: time.sleep(0.5)
    call = make_api(
        resource("Resource", "slow", ParentId=f"{API}-root", PathPart="slow"),
        resource("Method", "Slow", ResourceId="slow", HttpMethod="GET", Integration=proxy(TimeoutInMillis=50)),
    )
    response = call("GET", "/slow")
    assert (response.status, body(response)) == (504, {"message": "Endpoint request timed out"})


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "text",
        [],
        {},
        {"statusCode": "two hundred"},
        {"statusCode": 42},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"bad name": "x"}},
        {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: b"}},
        {"statusCode": 200, "headers": {"X": "🙂"}},
        Outcome(b'{"errorType": "X", "errorMessage": "y"}', "Unhandled"),
    ],
)
def test_a_malformed_answer_of_a_function_is_502(call: Call, functions: HandWrittenLambda, answer: Any) -> None:
    functions.functions["echo"] = lambda event: answer
    response = call("GET", "/open")
    assert (response.status, body(response)) == (502, {"message": "Internal server error"})


def test_a_function_s_headers_are_joined_and_some_renamed() -> None:
    answer = {
        "statusCode": "201",
        "headers": {"x-one": "1", "Set-Cookie": "lost", "Server": "mine", "Content-Length": "9", "X-Number": 5},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": "é",
    }
    response = proxy_response(Outcome(json.dumps(answer).encode()), decode=False)
    assert response is not None
    assert (response.status, response.body) == (201, "é".encode())
    assert sorted(response.headers) == [
        ("Content-Type", "application/json"),
        ("X-Number", "5"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-amzn-Remapped-Server", "mine"),
        ("x-one", "1"),
    ]


def test_a_cors_preflight_is_answered_by_its_mock(make_api: Callable[..., Call]) -> None:
    """As CDK's `add_cors_preflight` synthesizes it."""
    preflight = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": "{ statusCode: 204 }"},
        "IntegrationResponses": [
            {
                "StatusCode": "204",
                "ResponseParameters": {
                    "method.response.header.Access-Control-Allow-Origin": "'*'",
                    "method.response.header.Access-Control-Allow-Methods": "'GET,PUT'",
                },
            }
        ],
    }
    call = make_api(
        resource("Method", "Preflight", ResourceId="open", HttpMethod="OPTIONS", Integration=preflight),
    )
    response = call("OPTIONS", "/open", {"Origin": "https://example.com"})
    assert (response.status, response.body) == (204, b"")
    assert header(response, "Access-Control-Allow-Origin") == "*"
    assert header(response, "Access-Control-Allow-Methods") == "GET,PUT"


@pytest.mark.parametrize(
    "method",
    [
        {"Integration": {"Type": "HTTP_PROXY"}},
        {"Integration": proxy(RequestParameters={"integration.request.header.x": "'1'"})},
        {"Integration": MOCK, "AuthorizationType": "AWS_IAM"},
        {"Integration": MOCK, "ApiKeyRequired": True},
        {"Integration": MOCK, "RequestValidatorId": "validator", "RequestParameters": {}},
        {"Integration": MOCK | {"IntegrationResponses": []}},
        {"Integration": mock(SelectionPattern="4..")},
        {"Integration": mock(ResponseTemplates={"application/json": "$input.json('$')"})},
        {"Integration": mock(ResponseTemplates={"text/plain": "#set($x = 1)"})},
        {"Integration": mock(ResponseParameters={"method.response.header.X": "integration.response.header.Y"})},
    ],
)
def test_a_method_that_asks_for_what_is_not_served_is_refused_at_once(
    make_api: Callable[..., Call], method: dict[str, Any]
) -> None:
    with pytest.raises(DeploymentError, match="stack/Odd: the local stack does not serve"):
        make_api(resource("Method", "Odd", ResourceId="things", HttpMethod="GET", **method))


@pytest.mark.parametrize(
    "odd",
    [
        resource("Authorizer", "Odd", Type="TOKEN", IdentitySource="method.request.header.Authorization"),
        resource(
            "Authorizer",
            "Odd",
            Type="REQUEST",
            IdentitySource="method.request.querystring.key",
            AuthorizerUri=f"{LAMBDA_PATH}/{AUTHORIZE}/invocations",
        ),
        resource("GatewayResponse", "Odd", ResponseType="THROTTLED", ResponseTemplates={"text/plain": "$util.x"}),
        resource("Stage", "second", StageName="second"),
    ],
)
def test_an_api_with_a_part_that_is_not_served_is_refused_at_once(make_api: Callable[..., Call], odd: Resource) -> None:
    with pytest.raises(DeploymentError):
        make_api(odd)


@pytest.mark.parametrize(
    "stage",
    [
        {"Variables": {"a": "b"}},
        {"CacheClusterEnabled": True},
        {"MethodSettings": [{"ResourcePath": "/open", "HttpMethod": "GET", "ThrottlingRateLimit": 1}]},
    ],
)
def test_a_stage_that_asks_for_what_is_not_served_is_refused_at_once(
    make_api: Callable[..., Call], stage: dict[str, Any]
) -> None:
    with pytest.raises(DeploymentError):
        make_api(stage=stage)


def test_an_api_that_asks_for_what_is_not_served_is_refused_at_once(make_api: Callable[..., Call]) -> None:
    with pytest.raises(DeploymentError, match="Policy"):
        make_api(Policy={})

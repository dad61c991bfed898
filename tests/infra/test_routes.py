"""The APIs' routes, who may use them, and what the gateway answers by itself."""

import json
import re
from typing import Any

import pytest

from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR
from crowdsight.openapi import describe_api
from crowdsight.search_http import CORS
from tests.infra.template import Assembly, Template, text_of

PUBLIC, KEY = "NONE", "CUSTOM"

TASK_PATHS = ("/functions/{function}/tasks/{task}", "/{account}/functions/{function}/tasks/{task}")
TASKS_PATHS = ("/functions/{function}/tasks", "/{account}/functions/{function}/tasks")

SERVICE_ROUTES = {
    **{("PUT", path): ("put_task", KEY) for path in TASK_PATHS},
    **{("GET", path): ("get_task", KEY) for path in TASK_PATHS},
    **{("DELETE", path): ("delete_task", KEY) for path in TASK_PATHS},
    **{("ANY", path): (405, PUBLIC) for path in TASK_PATHS},
    **{("ANY", path): (400, PUBLIC) for path in TASKS_PATHS},
    **{("GET", f"{path}/audit"): ("get_task_audit", KEY) for path in TASK_PATHS},
    **{("ANY", f"{path}/audit"): (405, PUBLIC) for path in TASK_PATHS},
    ("GET", "/openapi.json"): ("get_openapi", PUBLIC),
    ("ANY", "/openapi.json"): (405, PUBLIC),
    ("POST", "/"): ("find_similar", KEY),
    ("OPTIONS", "/"): (200, PUBLIC),
    ("ANY", "/"): (405, PUBLIC),
    ("GET", "/image/find"): ("find_images", KEY),
    ("ANY", "/account"): (405, PUBLIC),
    ("GET", "/account"): ("get_account", KEY),
    ("ANY", "/account/key"): (405, PUBLIC),
    ("POST", "/account/key"): ("rotate_key", KEY),
    ("ANY", "/image/find"): (405, PUBLIC),
    ("POST", "/image/save"): ("save_image", KEY),
    ("ANY", "/image/save"): (405, PUBLIC),
    ("GET", "/image/{file}"): ("get_image", PUBLIC),
    ("ANY", "/image/{file}"): (405, PUBLIC),
    ("GET", "/thumbnail/{file}"): ("get_image", PUBLIC),
    ("ANY", "/thumbnail/{file}"): (405, PUBLIC),
}
WORKPLACE_ROUTES = {
    ("POST", "/"): ("mturk_api", PUBLIC),
    ("GET", "/"): ("worker_site", PUBLIC),
    ("ANY", "/{proxy+}"): ("worker_site", PUBLIC),
}

GATEWAY_STATUSES = {
    "MISSING_AUTHENTICATION_TOKEN": ("404", "NotFound"),
    "THROTTLED": ("429", "TooManyRequests"),
    "QUOTA_EXCEEDED": ("429", "TooManyRequests"),
    "REQUEST_TOO_LARGE": ("413", "RequestTooLarge"),
    "UNSUPPORTED_MEDIA_TYPE": ("415", "UnsupportedMediaType"),
    "DEFAULT_4XX": (None, "InvalidRequest"),
    "DEFAULT_5XX": (None, "InternalError"),
}


KEY_ERRORS = {
    "UNAUTHORIZED": (401, "Missing an API key"),
    "ACCESS_DENIED": (403, "Invalid API key"),
    "INVALID_API_KEY": (403, "Invalid API key"),
}


def routes_of(template: Template) -> dict[tuple[str, str], tuple[str | int, str]]:
    """Verb and path, and what answers there: an operation's name, or the status that a mock always has."""
    resources = template.of_type("AWS::ApiGateway::Resource")
    names = {
        id: function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for id, function in template.of_type("AWS::Lambda::Function").items()
    }

    def path_of(resource_id: dict[str, Any]) -> str:
        if "Ref" not in resource_id:
            return ""
        properties = resources[resource_id["Ref"]]["Properties"]
        return f"{path_of(properties['ParentId'])}/{properties['PathPart']}"

    routes: dict[tuple[str, str], tuple[str | int, str]] = {}
    for method in template.of_type("AWS::ApiGateway::Method").values():
        properties = method["Properties"]
        integration = properties["Integration"]
        answer: str | int
        if integration["Type"] == "MOCK":
            answer = int(integration["IntegrationResponses"][0]["StatusCode"])
        else:
            assert integration["Type"] == "AWS_PROXY"
            (answer,) = {name for id, name in names.items() if f"<{id}.Arn>" in text_of(integration["Uri"])}
        path = path_of(properties["ResourceId"]) or "/"
        routes[properties["HttpMethod"], path] = (answer, properties["AuthorizationType"])
    return routes


def test_the_services_routes(assembly: Assembly) -> None:
    assert routes_of(assembly.service) == SERVICE_ROUTES


def test_pictures_pass_as_they_are_and_mocks_can_still_read_what_they_are_sent(assembly: Assembly) -> None:
    (api,) = assembly.service.of_type("AWS::ApiGateway::RestApi").values()
    assert api["Properties"]["BinaryMediaTypes"] == ["*/*"]
    for method in assembly.service.of_type("AWS::ApiGateway::Method").values():
        integration = method["Properties"]["Integration"]
        if integration["Type"] == "MOCK":
            assert integration["ContentHandling"] == "CONVERT_TO_TEXT"
            assert integration["IntegrationResponses"][0]["ContentHandling"] == "CONVERT_TO_TEXT"


def test_a_page_of_any_origin_may_post_with_a_key(assembly: Assembly) -> None:
    (preflight,) = [
        method["Properties"]["Integration"]["IntegrationResponses"][0]["ResponseParameters"]
        for method in assembly.service.of_type("AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] == "OPTIONS"
    ]
    allowed = {name.removeprefix("method.response.header."): value.strip("'") for name, value in preflight.items()}
    assert allowed["Access-Control-Allow-Origin"] == "*"
    assert allowed["Access-Control-Allow-Methods"] == "OPTIONS,POST"
    assert "x-api-key" in allowed["Access-Control-Allow-Headers"]


def test_the_openapi_document_describes_every_route_that_is_of_use_and_no_other(assembly: Assembly) -> None:
    described = set()
    for path, item in describe_api("/")["paths"].items():
        route = re.sub("/functions/[^/]+/", "/functions/{function}/", path)
        described |= {(verb.upper(), route) for verb in item.keys() - {"parameters"}}
    answered = {route for route, (answer, _) in routes_of(assembly.service).items() if answer not in (400, 405)}
    assert described == answered


def test_the_workplaces_routes(assembly: Assembly) -> None:
    assert routes_of(assembly.workplace) == WORKPLACE_ROUTES


def test_the_route_for_any_other_verb_comes_first_as_sam_needs_it(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        verbs: dict[str, list[str]] = {}
        for verb, path in routes_of(template):
            verbs.setdefault(path, []).append(verb)
        assert all("ANY" not in others for _, *others in verbs.values())


def test_callers_are_known_by_their_key_for_a_minute(assembly: Assembly) -> None:
    (authorizer,) = assembly.service.of_type("AWS::ApiGateway::Authorizer").values()
    assert authorizer["Properties"]["Type"] == "REQUEST"
    assert authorizer["Properties"]["IdentitySource"] == "method.request.header.x-api-key"
    assert authorizer["Properties"]["AuthorizerResultTtlInSeconds"] == 60


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("{task}", "'DELETE, GET, PUT'"),
        ("openapi.json", "'GET'"),
        ("Default", "'OPTIONS, POST'"),
        ("find", "'GET'"),
        ("save", "'POST'"),
        ("{file}", "'GET'"),
    ],
)
def test_a_wrong_verb_is_told_the_right_ones(assembly: Assembly, path: str, allow: str) -> None:
    told = [
        method["Properties"]["Integration"]["IntegrationResponses"][0]["ResponseParameters"]
        for method in assembly.service.of_type("AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] == "ANY"
        and method["Metadata"]["aws:cdk:path"].removesuffix("/ANY/Resource").endswith(f"/{path}")
    ]
    assert told
    assert all(parameters["method.response.header.Allow"] == allow for parameters in told)


def test_a_wrong_verb_for_similar_images_is_refused_in_their_envelope(assembly: Assembly) -> None:
    (answer,) = [
        method["Properties"]["Integration"]["IntegrationResponses"][0]
        for method in assembly.service.of_type("AWS::ApiGateway::Method").values()
        if method["Metadata"]["aws:cdk:path"].endswith("/Default/ANY/Resource")
    ]
    body = json.loads(answer["ResponseTemplates"]["application/json"])
    assert (body.keys(), body["statusCode"]) == ({"statusCode", "error", "headers"}, 405)
    sent = {name.removeprefix("method.response.header."): value for name, value in answer["ResponseParameters"].items()}
    assert all(sent[name] == f"'{value}'" for name, value in body["headers"].items())
    assert body["headers"] == CORS


def test_the_gateways_own_answers(assembly: Assembly) -> None:
    found = {}
    for response in assembly.service.of_type("AWS::ApiGateway::GatewayResponse").values():
        properties = response["Properties"]
        body = json.loads(properties["ResponseTemplates"]["application/json"])
        if properties["ResponseType"] in KEY_ERRORS:
            expected = KEY_ERRORS[properties["ResponseType"]]
            assert (properties["StatusCode"], body["statusCode"], body["error"]) == (str(expected[0]), *expected)
            assert body.keys() == {"statusCode", "error", "message", "headers"} and body["headers"] == CORS
            continue
        assert set(body) == {"error", "message"}
        assert properties["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        found[properties["ResponseType"]] = (properties.get("StatusCode"), body["error"])
        retry_after = properties["ResponseParameters"].get("gatewayresponse.header.Retry-After")
        assert (retry_after == "'1'") == (properties.get("StatusCode") == "429")
    assert found == GATEWAY_STATUSES


def test_the_gateways_errors_have_codes_that_the_api_describes() -> None:
    described = {code: str(int(status)) for code, status in (GATEWAY_CODES | STATUS_OF_ERROR).items()}
    for status, code in GATEWAY_STATUSES.values():
        assert described[code] == (status or described[code])


def test_each_key_is_throttled_by_itself(other_assembly: Assembly) -> None:
    (plan,) = other_assembly.service.of_type("AWS::ApiGateway::UsagePlan").values()
    assert plan["Properties"]["Throttle"] == {"RateLimit": 3, "BurstLimit": 4}
    (api_id,) = other_assembly.service.of_type("AWS::ApiGateway::RestApi")
    (stage_id,) = other_assembly.service.of_type("AWS::ApiGateway::Stage")
    assert plan["Properties"]["ApiStages"] == [{"ApiId": {"Ref": api_id}, "Stage": {"Ref": stage_id}, "Throttle": {}}]
    assert other_assembly.service.of_type("AWS::ApiGateway::RestApi")[api_id]["Properties"]["ApiKeySourceType"] == (
        "AUTHORIZER"
    )
    for method in other_assembly.service.of_type("AWS::ApiGateway::Method").values():
        properties = method["Properties"]
        assert properties.get("ApiKeyRequired", False) == (properties["AuthorizationType"] == KEY)
    for method in other_assembly.workplace.of_type("AWS::ApiGateway::Method").values():
        assert not method["Properties"].get("ApiKeyRequired")


def test_stages_are_throttled_logged_and_named_prod(other_assembly: Assembly) -> None:
    limits = {"crowdsight": (7, 9), "crowdsight-workplace": (70, 90)}
    for name, template in other_assembly.templates.items():
        (stage,) = template.of_type("AWS::ApiGateway::Stage").values()
        (settings,) = stage["Properties"]["MethodSettings"]
        assert stage["Properties"]["StageName"] == "prod"
        assert "AccessLogSetting" in stage["Properties"]
        assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == limits[name]
        assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
        assert settings["DataTraceEnabled"] is False

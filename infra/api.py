"""The callers' REST API: its routes, who may use them, and what the gateway answers by itself."""

import json

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from infra.accounts import USAGE_PLAN, Accounts
from infra.crowd import Crowd
from infra.operation import Operation, camel_case
from infra.rest_api import RestApi, accept_method
from infra.search import Search
from infra.settings import Settings

TASKS_PATHS = ("/functions/{function}/tasks", "/{account}/functions/{function}/tasks")

ANY_ORIGIN = {"Access-Control-Allow-Origin": "'*'"}
"""As the Lambda of `POST /` answers, so that a page of any origin can read what went wrong."""

PICTURE_PATHS = ("/image/{file}", "/thumbnail/{file}")

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "OPTIONS,POST"}
"""What `POST /` says in its envelope and its headers, whoever answers."""

PREFLIGHT = CORS | {
    "Access-Control-Allow-Headers": "content-type,x-api-key",
    "Access-Control-Max-Age": "86400",
}
"""What a page of any origin is allowed, https://fetch.spec.whatwg.org/#http-cors-protocol."""

ALWAYS_THE_SAME_ERROR = "It always gives the same error, whoever asks."

AUTHORIZER_TTL_S = 60
"""How long the gateway goes on with what the authorizer said of a key."""

MOCKED_MEDIA_TYPES = (
    "application/json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data",
    "text/plain",
)
"""Bodies, whatever they hold, that a mocked method takes and ignores; others are answered 415."""


class Api(RestApi):
    """Each operation's Lambda on its routes, behind the authorizer; errors of the gateway's own look like theirs.

    Bodies of any type pass as they are, in base64, because pictures are among the answers.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        accounts: Accounts,
        get_openapi: Operation,
        crowd: Crowd,
        search: Search,
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            id,
            name="crowdsight",
            title="Crowd tasks and image search",
            rate=settings.throttle_rate,
            burst=settings.throttle_burst,
            binary_media_types=["*/*"],
            api_key_source=apigateway.ApiKeySourceType.AUTHORIZER,
        )
        self.add_usage_plan(
            "UsagePlan",
            name=USAGE_PLAN,
            description="Throttles each key by itself",
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.key_throttle_rate, burst_limit=settings.key_throttle_burst
            ),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self, stage=self.deployment_stage)],
        )
        self._authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=accounts.authorize,
            identity_sources=[apigateway.IdentitySource.header("x-api-key")],
            results_cache_ttl=Duration.seconds(AUTHORIZER_TTL_S),
        )
        # On each path the mocks come first: `sam local start-api` takes the last route that fits a verb.
        self._add_crowd(crowd)
        self._add_search(search)
        self._add_account(accounts)
        self._refuse_verbs("/openapi.json", allowed="GET")
        self.route("GET", "/openapi.json", get_openapi, why_open="What the API takes and answers is public.")
        self._gateway_responses()

    def _add_crowd(self, crowd: Crowd) -> None:
        for tasks in TASKS_PATHS:
            self._refuse_verbs(f"{tasks}/{{task}}", allowed="DELETE, GET, PUT")
            self.route("PUT", f"{tasks}/{{task}}", crowd.put_task, authorizer=self._authorizer)
            self.route("GET", f"{tasks}/{{task}}", crowd.get_task, authorizer=self._authorizer)
            self.route("DELETE", f"{tasks}/{{task}}", crowd.delete_task, authorizer=self._authorizer)
            self._refuse_verbs(f"{tasks}/{{task}}/audit", allowed="GET")
            self.route("GET", f"{tasks}/{{task}}/audit", crowd.get_task_audit, authorizer=self._authorizer)
            self._mock(
                "ANY",
                tasks,
                status=400,
                body=error_body("InvalidRequest", "a task name has 1 to 64 of A-Z a-z 0-9 . _ -"),
                why_open=ALWAYS_THE_SAME_ERROR,
            )

    def _add_account(self, accounts: Accounts) -> None:
        self._refuse_verbs("/account", allowed="GET")
        self.route("GET", "/account", accounts.get_account, authorizer=self._authorizer)
        self._refuse_verbs("/account/key", allowed="POST")
        self.route("POST", "/account/key", accounts.rotate_key, authorizer=self._authorizer)

    def _add_search(self, search: Search) -> None:
        self._mock(
            "ANY",
            "/",
            status=405,
            body=json.dumps({"statusCode": 405, "error": "this path takes only OPTIONS, POST", "headers": CORS}),
            headers={"Allow": "OPTIONS, POST"} | CORS,
            why_open=ALWAYS_THE_SAME_ERROR,
        )
        self._mock("OPTIONS", "/", status=200, body="", headers=PREFLIGHT, why_open="Browsers ask it without a key.")
        self.route("POST", "/", search.find_similar, authorizer=self._authorizer)
        self._refuse_verbs("/image/find", allowed="GET")
        self.route("GET", "/image/find", search.find_images, authorizer=self._authorizer)
        self._refuse_verbs("/image/save", allowed="POST")
        self.route("POST", "/image/save", search.save_image, authorizer=self._authorizer)
        for path in PICTURE_PATHS:
            self._refuse_verbs(path, allowed="GET")
            self.route("GET", path, search.get_image, why_open="Whoever has a picture's address may see it.")

    def _refuse_verbs(self, path: str, *, allowed: str) -> None:
        body = error_body("MethodNotAllowed", f"this path takes only {allowed}")
        self._mock("ANY", path, status=405, body=body, headers={"Allow": allowed}, why_open=ALWAYS_THE_SAME_ERROR)

    def _mock(
        self, verb: str, path: str, *, status: int, body: str, why_open: str, headers: dict[str, str] | None = None
    ) -> None:
        """Answer a verb, or `ANY` that has no route of its own, always alike and without a Lambda or a key."""
        names = {name: f"method.response.header.{name}" for name in headers or {}}
        method = self.root.resource_for_path(path).add_method(
            verb,
            apigateway.MockIntegration(
                # A mock cannot read a body that passes as it is, and would answer 500.
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                request_templates=dict.fromkeys(MOCKED_MEDIA_TYPES, json.dumps({"statusCode": status})),
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code=str(status),
                        content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                        response_parameters={names[name]: f"'{value}'" for name, value in (headers or {}).items()},
                        response_templates={"application/json": body},
                    )
                ],
            ),
            method_responses=[
                apigateway.MethodResponse(
                    status_code=str(status),
                    response_parameters=dict.fromkeys(names.values(), True),
                    response_models={"application/json": apigateway.Model.EMPTY_MODEL},
                )
            ],
        )
        accept_method(method, why_open=why_open)

    def _gateway_responses(self) -> None:
        """What is answered where no method of ours is reached; a default stands for all that have no line."""
        response = apigateway.ResponseType
        slower = error_body("TooManyRequests", "too many requests; try again in a second")
        for type, status, body, headers in (
            (response.MISSING_AUTHENTICATION_TOKEN, "404", error_body("NotFound", "no such path"), None),
            (response.UNAUTHORIZED, "401", key_error_body(401, "Missing an API key", "send it as x-api-key"), None),
            (response.ACCESS_DENIED, "403", key_error_body(403, "Invalid API key", "it is wrong or revoked"), None),
            (response.INVALID_API_KEY, "403", key_error_body(403, "Invalid API key", "it is not known yet"), None),
            (response.THROTTLED, "429", slower, {"Retry-After": "'1'"}),
            (response.QUOTA_EXCEEDED, "429", slower, {"Retry-After": "'1'"}),
            (response.REQUEST_TOO_LARGE, "413", error_body("RequestTooLarge", "the body is too large"), None),
            (
                response.UNSUPPORTED_MEDIA_TYPE,
                "415",
                error_body("UnsupportedMediaType", "send JSON, with Content-Type: application/json"),
                None,
            ),
            (response.DEFAULT_4_XX, None, error_body("InvalidRequest", "the request is not valid"), None),
            (
                response.DEFAULT_5_XX,
                None,
                error_body("InternalError", "the service failed; if it goes on, tell us request $context.requestId"),
                None,
            ),
        ):
            self.add_gateway_response(
                camel_case(type.response_type),
                type=type,
                status_code=status,
                response_headers=ANY_ORIGIN | (headers or {}),
                templates={"application/json": body},
            )


def key_error_body(status: int, error: str, message: str) -> str:
    """An error of keys. A gateway response is one for the whole API, so that this has the form of `POST /`'s errors,
    which says what `error` must be, and a message as the other paths' errors have."""
    return json.dumps({"statusCode": status, "error": error, "message": message, "headers": CORS})


def error_body(code: str, message: str) -> str:
    """An error as the Lambdas answer it."""
    return json.dumps({"error": code, "message": message})

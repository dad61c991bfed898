"""The crowd's REST API: its routes, who may use them, and what the gateway answers by itself."""

import json

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from infra.operation import Operation
from infra.rest_api import RestApi, accept_method
from infra.settings import Settings

TASKS_PATHS = ("/functions/{function}/tasks", "/{account}/functions/{function}/tasks")

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


class CrowdApi(RestApi):
    """Each operation's Lambda on its routes, behind the authorizer; errors of the gateway's own look like theirs."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        authorize: Operation,
        put_task: Operation,
        get_task: Operation,
        delete_task: Operation,
        get_openapi: Operation,
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            id,
            name="crowdsight",
            title="Crowd tasks",
            rate=settings.throttle_rate,
            burst=settings.throttle_burst,
        )
        authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=authorize,
            identity_sources=[apigateway.IdentitySource.header("x-api-key")],
            results_cache_ttl=Duration.seconds(AUTHORIZER_TTL_S),
        )
        for tasks in TASKS_PATHS:  # the mocks first: `sam local start-api` takes the last route that fits a verb
            self._refuse_verbs(f"{tasks}/{{task}}", allowed="DELETE, GET, PUT")
            self.route("PUT", f"{tasks}/{{task}}", put_task, authorizer=authorizer)
            self.route("GET", f"{tasks}/{{task}}", get_task, authorizer=authorizer)
            self.route("DELETE", f"{tasks}/{{task}}", delete_task, authorizer=authorizer)
            self._mock(
                tasks, status=400, body=error_body("InvalidRequest", "a task name has 1 to 64 of A-Z a-z 0-9 . _ -")
            )
        self._refuse_verbs("/openapi.json", allowed="GET")
        self.route("GET", "/openapi.json", get_openapi, why_open="What the API takes and answers is public.")
        self._gateway_responses()

    def _refuse_verbs(self, path: str, *, allowed: str) -> None:
        body = error_body("MethodNotAllowed", f"this path takes only {allowed}")
        self._mock(path, status=405, body=body, headers={"Allow": allowed})

    def _mock(self, path: str, *, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        """Answer every verb that has no route of its own, always alike and without a Lambda or a key."""
        names = {name: f"method.response.header.{name}" for name in headers or {}}
        method = self.root.resource_for_path(path).add_method(
            "ANY",
            apigateway.MockIntegration(
                request_templates=dict.fromkeys(MOCKED_MEDIA_TYPES, json.dumps({"statusCode": status})),
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code=str(status),
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
        accept_method(method, why_open="It always gives the same error, whoever asks.")

    def _gateway_responses(self) -> None:
        """What is answered where no method of ours is reached; a default stands for all that have no line."""
        response = apigateway.ResponseType
        again_in_a_second = {"Retry-After": "'1'"}
        slower = error_body("TooManyRequests", "too many requests; try again in a second")
        for type, status, body, headers in (
            (response.MISSING_AUTHENTICATION_TOKEN, "404", error_body("NotFound", "no such path"), None),
            (response.UNAUTHORIZED, "401", error_body("Unauthorized", "Missing an API key"), None),
            (response.ACCESS_DENIED, "403", error_body("Forbidden", "Invalid API key"), None),
            (response.THROTTLED, "429", slower, again_in_a_second),
            (response.QUOTA_EXCEEDED, "429", slower, again_in_a_second),
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
                _camel_case(type.response_type),
                type=type,
                status_code=status,
                response_headers=headers,
                templates={"application/json": body},
            )


def error_body(code: str, message: str) -> str:
    """An error as the Lambdas answer it."""
    return json.dumps({"error": code, "message": message})


def _camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))

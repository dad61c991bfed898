"""The gateway's own answers, as the template's gateway responses have them."""

from collections.abc import Iterable

from local.deployment import check_served
from local.gateway.calls import Call, Refusal
from local.gateway.parameters import check_headers, check_templates, choose_template, fill_in, read_source
from local.http_server import Response
from local.template import Resource

SERVED = ("ResponseParameters", "ResponseTemplates", "ResponseType", "RestApiId", "StatusCode")
USUAL_TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}


class GatewayResponse:
    """How refusals of one type are answered; without a resource, as API Gateway does. Raises DeploymentError."""

    def __init__(self, resource: Resource | None = None) -> None:
        self._status: int | None = None
        self._templates: dict[str, str] = USUAL_TEMPLATES
        self._headers: list[tuple[str, str]] = []
        if resource is not None:
            properties = resource.properties
            check_served(resource, properties, SERVED)
            self._status = int(properties["StatusCode"]) if "StatusCode" in properties else None
            self._templates = check_templates(resource, properties.get("ResponseTemplates") or USUAL_TEMPLATES)
            self._headers = check_headers(resource, properties.get("ResponseParameters", {}), "gatewayresponse.header.")

    def answer(self, call: Call, refusal: Refusal) -> Response:
        values = call.context()
        type, template = choose_template(self._templates, call.request.header("Accept"))
        headers = [(name, read_source(source, values)) for name, source in self._headers]
        return Response(
            self._status or refusal.status,
            fill_in(template, values).encode(),
            [("Content-Type", type), ("x-amzn-ErrorType", _exception_name(refusal)), *headers],
        )


class GatewayResponses:
    """All gateway responses of an API."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_type = {resource.properties["ResponseType"]: GatewayResponse(resource) for resource in resources}

    def answer(self, call: Call, refusal: Refusal) -> Response:
        """By the response of the refusal's own type, or else of its class."""
        family = "DEFAULT_4XX" if refusal.status < 500 else "DEFAULT_5XX"
        response = self._by_type.get(refusal.type) or self._by_type.get(family) or GatewayResponse()
        return response.answer(call, refusal)


def _exception_name(refusal: Refusal) -> str:
    words = "InternalServerError" if refusal.status >= 500 else refusal.type.title().replace("_", "")
    return f"{words}Exception"

"""Mock integrations: the gateway answers by itself, always the same."""

from typing import Any

from local.deployment import check_served, refuse
from local.gateway.calls import Call, Refusal, media_type
from local.gateway.parameters import check_headers, check_templates, choose_template, fill_in, read_source
from local.http_server import Response
from local.template import Resource

SERVED = ("ContentHandling", "IntegrationResponses", "PassthroughBehavior", "RequestTemplates", "Type")
SERVED_ANSWER = ("ContentHandling", "ResponseParameters", "ResponseTemplates", "StatusCode")


class Mock:
    """One answer to every request whose media type has a request template. Raises DeploymentError."""

    def __init__(self, method: Resource, integration: dict[str, Any]) -> None:
        check_served(method, integration, SERVED)
        answers = integration.get("IntegrationResponses", [])
        if len(answers) != 1:
            refuse(method, "a mock with any number of answers but one")
        check_served(method, answers[0], SERVED_ANSWER)
        for part in (integration, answers[0]):
            if part.get("ContentHandling", "CONVERT_TO_TEXT") != "CONVERT_TO_TEXT":
                refuse(method, f"the content handling {part['ContentHandling']}")
        self._types = {type.lower() for type in integration.get("RequestTemplates", {})}
        self._status = int(answers[0]["StatusCode"])
        self._templates = check_templates(method, answers[0].get("ResponseTemplates", {}))
        self._headers = check_headers(method, answers[0].get("ResponseParameters", {}), "method.response.header.")

    def answer(self, call: Call) -> Response:
        """Raises Refusal."""
        if (media_type(call.request.header("Content-Type")) or "application/json") not in self._types:
            raise Refusal("UNSUPPORTED_MEDIA_TYPE")
        values = call.context()
        type, template = choose_template(self._templates, call.request.header("Accept"))
        headers = [(name, read_source(source, values)) for name, source in self._headers]
        return Response(self._status, fill_in(template, values).encode(), [("Content-Type", type), *headers])

"""The real worker site over the workplace in memory, reached by httpx as if over a network."""

import base64
from collections.abc import Callable
from typing import Any

import httpx

from crowdsight.catalogue import CATALOGUE
from crowdsight.clock import Clock
from crowdsight.crowd.questions import render_page
from crowdsight.workplace.sessions import Sessions
from tests.proxy_event import proxy_event
from tests.unit.workplace_site.workplace_in_memory import WorkplaceInMemory, site_of

SITE_URL = "http://127.0.0.1:8081"


class SiteInMemory:
    """`transport` serves the site, and pictures where `picture` says so (None: nothing answers there)."""

    def __init__(self, clock: Clock) -> None:
        self.workplace = WorkplaceInMemory(clock)
        self.sessions = Sessions(lambda: ["a key for tests"], clock)
        self._site = site_of(self.workplace, self.workplace.table, self.sessions, clock)
        self.transport = httpx.MockTransport(self._answer)
        self.requests: list[str] = []
        self.answers: list[int] = []
        self.broken: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.picture: Callable[[str], httpx.Response] = lambda path: httpx.Response(404)

    def ask(self, function: str, task_input: dict[str, Any], **terms: Any) -> str:
        """Offer a HIT with that function's own question; its id."""
        entry = CATALOGUE[function]
        page = render_page(entry, entry.input_model.model_validate(task_input))
        return self.workplace.offer(page, title=entry.title, **terms)

    def invite(self, name: str) -> str:
        return f"{SITE_URL}/join/{self.sessions.invite_worker(name)}"

    def submitted(self, hit_id: str) -> list[str | None]:
        """The answers' XML, in order of acceptance."""
        return [one.answer_xml for one in self.workplace.assignments(hit_id) if one.status.value == "Submitted"]

    def statuses(self, hit_id: str) -> list[str]:
        return [one.status.value for one in self.workplace.assignments(hit_id)]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if request.url.port != 8081:
            return self.picture(path)
        self.requests.append(f"{request.method} {path}")
        response = self.broken(request) or self._serve(request)
        self.answers.append(response.status_code)
        return response

    def _serve(self, request: httpx.Request) -> httpx.Response:
        body = base64.b64encode(request.content).decode()
        address = request.url.raw_path.decode()
        event = proxy_event(request.method, address, headers=dict(request.headers), body=body, is_base64=True)
        answer = self._site.respond(event)
        headers = [*answer["headers"].items()]
        headers += [("Set-Cookie", cookie) for cookie in answer.get("multiValueHeaders", {}).get("Set-Cookie", [])]
        return httpx.Response(answer["statusCode"], headers=headers, text=answer["body"])

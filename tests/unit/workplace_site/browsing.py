"""A small browser: turns clicks into API Gateway events and keeps cookies, as a Worker's browser does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tests.proxy_event import proxy_event

Respond = Callable[[dict[str, Any]], dict[str, Any]]
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    def with_field(self, name: str, value: str) -> Form:
        kept = [pair for pair in self.fields if pair[0] != name]
        return Form(self.action, self.method, [*kept, (name, value)])


class Page(HTMLParser):
    """One response, and what a person finds on it."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__()
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.cookies: list[str] = answer.get("multiValueHeaders", {}).get("Set-Cookie", [])
        self.html: str = answer["body"]
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.frame: dict[str, str | None] = {}
        self.text = ""
        self.feed(self.html)

    @property
    def location(self) -> str:
        return self.headers["Location"]

    def form(self, action_ending: str) -> Form:
        """The first form whose address ends so."""
        return next(form for form in self.forms if form.action.endswith(action_ending))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "form":
            self.forms.append(Form(str(attributes["action"]), str(attributes["method"]).upper()))
        elif tag == "input" and attributes.get("type") in ("checkbox", "radio") and "checked" not in attributes:
            pass  # not sent
        elif tag == "input" and self.forms:
            self.forms[-1].fields.append((str(attributes["name"]), str(attributes["value"])))
        elif tag == "a":
            self.links.append(str(attributes["href"]))
        elif tag == "iframe":
            self.frame = attributes

    def handle_data(self, data: str) -> None:
        self.text = " ".join(f"{self.text} {data}".split())


class Browser:
    """`prefix`: the stage that the gateway serves under, "" for a domain of its own."""

    def __init__(self, respond: Respond, prefix: str = "", scheme: str = "https", source_ip: str = "192.0.2.1") -> None:
        self._respond = respond
        self.prefix = prefix
        self.scheme = scheme
        self.source_ip = source_ip
        self.cookies: dict[str, str] = {}

    def get(self, address: str, **options: Any) -> Page:
        return self.send("GET", address, **options)

    def post(self, address: str, fields: Sequence[tuple[str, str]], **options: Any) -> Page:
        return self.send("POST", address, body=urlencode(fields), content_type=FORM_TYPE, **options)

    def press(self, form: Form) -> Page:
        """Submit a form as it is."""
        return self.post(form.action, form.fields)

    def follow(self, page: Page) -> Page:
        assert page.status == 303
        return self.get(page.location)

    def sign_in(self, token: str) -> Page:
        return self.press(self.get(f"{self.prefix}/join/{token}").form(token))

    def accept(self, hit_id: str) -> str:
        """Accept a HIT from its preview; the assignment's id."""
        page = self.press(self.get(f"{self.prefix}/hits/{hit_id}").form("/accept"))
        assert page.status == 303
        return page.location.rpartition("/")[2]

    def answer(self, assignment_id: str, **fields: str) -> Page:
        """Send what the question's form sends: from an origin of its own, so without cookies."""
        address = f"{self.prefix}/mturk/externalSubmit"
        return self.post(address, [("assignmentId", assignment_id), *fields.items()], is_from_frame=True)

    def send(
        self,
        method: str,
        address: str,
        *,
        body: str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        is_base64: bool = False,
        is_from_frame: bool = False,
    ) -> Page:
        sent = {"Host": "workplace.example", "X-Forwarded-Proto": self.scheme, **(headers or {})}
        if content_type:
            sent["Content-Type"] = content_type
        if self.cookies and not is_from_frame:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        event = proxy_event(
            method,
            address,
            prefix=self.prefix,
            headers=sent,
            body=body,
            is_base64=is_base64,
            source_ip=self.source_ip,
        )
        page = Page(self._respond(event))
        for cookie in page.cookies:
            for name, morsel in SimpleCookie(cookie).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return page

"""The worker site's requests and responses, and the fields of submitted forms."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email import policy
from email.message import Message
from email.parser import Parser
from typing import Any
from urllib.parse import parse_qsl

from crowdsight.proxy_request import ProxyRequest
from crowdsight.workplace.site_errors import BadForm, FormTooLarge

MAX_FORM_BYTES = 256 * 1024
"""As much as an answer of 64 KiB takes when each of its bytes is written as three."""

MAX_FORM_FIELDS = 500

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")

Fields = list[tuple[str, str]]
"""A form's fields in the order sent; a name may come more than once."""


@dataclass(frozen=True)
class Request(ProxyRequest):
    """One HTTP request of a Worker's browser.

    `memo`: what was found out of it already.
    """

    memo: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def prefix(self) -> str:
        """As every request's; "" unless it is made of plain characters, for it is written into pages."""
        prefix = super().prefix
        return prefix if _PREFIX.fullmatch(prefix) else ""

    @property
    def is_secure(self) -> bool:
        """Whether the browser spoke https to the gateway."""
        return self.headers.get("x-forwarded-proto", "http").split(",")[0].strip() == "https"

    @property
    def address(self) -> str:
        """The site's own address as the browser has it, such as `https://abc.execute-api.us-east-1.amazonaws.com/prod`."""
        host = self.headers.get("host", "")
        scheme = "https" if self.is_secure else "http"
        return f"{scheme}://{host}{self.prefix}" if _HOST.fullmatch(host) else self.prefix

    def cookie(self, name: str) -> str | None:
        """A cookie's value as sent, or None if there is none. Other cookies may be anything: a domain can be shared."""
        for pair in self.headers.get("cookie", "").split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value
        return None

    def form(self) -> Fields:
        """The submitted fields, urlencoded or multipart text.

        At most 256 KiB and 500 fields. Raises FormTooLarge; BadForm for another type, a file, or what is not UTF-8.
        """
        if len(self.body) > MAX_FORM_BYTES:
            raise FormTooLarge(f"A form may have at most {MAX_FORM_BYTES // 1024} KiB.")
        if self.media_type == "application/x-www-form-urlencoded":
            fields = _read_urlencoded(self.body)
        elif self.media_type == "multipart/form-data":
            fields = _read_multipart(self.headers["content-type"], self.body)
        else:
            raise BadForm("A form comes as application/x-www-form-urlencoded or multipart/form-data.")
        if len(fields) > MAX_FORM_FIELDS:
            raise FormTooLarge(f"A form may have at most {MAX_FORM_FIELDS} fields.")
        return fields


@dataclass(frozen=True)
class Response:
    """One HTTP response of text. `cookies`: values of `Set-Cookie`."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()

    def to_event(self) -> dict[str, Any]:
        """What a REST API's Lambda proxy integration expects."""
        answer: dict[str, Any] = {
            "statusCode": self.status,
            "headers": dict(self.headers),
            "body": self.body,
            "isBase64Encoded": False,
        }
        if self.cookies:
            answer["multiValueHeaders"] = {"Set-Cookie": list(self.cookies)}
        return answer


def _read_urlencoded(body: bytes) -> Fields:
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except UnicodeDecodeError as error:
        raise BadForm("A form's text is UTF-8.") from error
    except ValueError as error:
        raise FormTooLarge(f"A form may have at most {MAX_FORM_FIELDS} fields.") from error


def _read_multipart(content_type: str, body: bytes) -> Fields:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadForm("A form's text is UTF-8.") from error
    try:
        message = Parser(policy=policy.compat32).parsestr(f"Content-Type: {content_type}\r\n\r\n{text}")
        parts = message.get_payload()
        if not isinstance(parts, list) or message.defects:
            raise BadForm("The form's parts cannot be read.")
        return [_read_part(part) for part in parts if isinstance(part, Message)]
    except (ValueError, LookupError, RecursionError) as error:  # charsets that are none, parts within parts
        raise BadForm("The form's parts cannot be read.") from error


def _read_part(part: Message) -> tuple[str, str]:
    name = part.get_param("name", header="content-disposition")
    content = part.get_payload()
    if not isinstance(name, str) or not isinstance(content, str) or part.get_filename() is not None:
        raise BadForm("A form holds named text fields and no files.")
    return name, content


def values_by_name(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What a form sent, each name with its values in order."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found

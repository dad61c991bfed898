"""What an image's URL says (RFC 3986), read strictly: what two readers could understand differently is refused."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import idna

from crowdsight.errors import InvalidRequest

MAX_URL_LENGTH = 2_000
DEFAULT_PORTS = {"http": 80, "https": 443}
FIRST_UNPRIVILEGED_PORT = 1_024
MAX_HOST_LENGTH = 253
HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
LEFT_AS_THEY_ARE = "%/:@!$&'()*+,;=~-._?[]|"
"""Characters that go out in a path or query as they came; all others are percent-encoded as UTF-8."""


@dataclass(frozen=True)
class ImageUrl:
    """A URL that may be looked up.

    `scheme`: http or https. `host`: a name in ASCII, or a number; IPv6 without brackets. `target`: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """HOST:PORT, with the port always there."""
        return f"{self._bracketed}:{self.port}"

    @property
    def host_header(self) -> str:
        return self._bracketed if self.port == DEFAULT_PORTS[self.scheme] else self.authority

    def join(self, reference: str) -> "ImageUrl":
        """Where a redirect from here leads. Raises InvalidRequest, as `parse_url`."""
        try:
            return parse_url(urljoin(f"{self.scheme}://{self.authority}{self.target}", reference))
        except ValueError as error:
            raise InvalidRequest("url: it is not a valid URL") from error

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_url(text: str) -> ImageUrl:
    """A URL's parts, its fragment left out. Raises InvalidRequest, whose message says what is wrong."""
    if not text:
        raise InvalidRequest("url: it is empty")
    if len(text) > MAX_URL_LENGTH:
        raise InvalidRequest(f"url: it must be at most {MAX_URL_LENGTH} characters long")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise InvalidRequest("url: it must not contain spaces, line breaks or control characters")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise InvalidRequest("url: it is not a valid URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidRequest("url: it must begin with http:// or https://")
    if "@" in parts.netloc:
        raise InvalidRequest("url: it must not contain a user name or a password")
    host, port = _split_authority(parts.netloc)
    target = quote(parts.path or "/", safe=LEFT_AS_THEY_ARE)
    if not target.startswith("/"):
        raise InvalidRequest("url: it is not a valid URL")
    if parts.query:
        target += "?" + quote(parts.query, safe=LEFT_AS_THEY_ARE)
    return ImageUrl(parts.scheme, host, _port(port, parts.scheme), target)


def _split_authority(authority: str) -> tuple[str, str]:
    """The host, in the form in which it is looked up, and the text after its colon."""
    if authority.startswith("["):
        literal, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise InvalidRequest("url: its host is not valid")
        return _ipv6(literal), rest[1:]
    host, _, port = authority.partition(":")
    return _host(host), port


def _ipv6(literal: str) -> str:
    try:
        address = IPv6Address(literal)
    except ValueError as error:
        raise InvalidRequest("url: its host is not valid") from error
    if address.scope_id is not None:
        raise InvalidRequest("url: its host must not have a zone")
    return str(address)


def _host(text: str) -> str:
    """A name or an IPv4 number in lower case, in ASCII by UTS #46, without the dot that may end it."""
    if not text:
        raise InvalidRequest("url: it has no host")
    if text.isascii():
        host = text.lower()
    elif len(text) > MAX_HOST_LENGTH:
        raise InvalidRequest("url: its host is not valid")
    else:
        try:
            host = idna.encode(text, uts46=True).decode("ascii")
        except UnicodeError as error:  # what all of idna's errors are
            raise InvalidRequest("url: its host is not valid") from error
    host = host.removesuffix(".")
    if len(host) > MAX_HOST_LENGTH or not HOST.fullmatch(host):
        raise InvalidRequest("url: its host is not valid")
    return host


def _port(text: str, scheme: str) -> int:
    if not text:
        return DEFAULT_PORTS[scheme]
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= 65_535):
        raise InvalidRequest("url: its port is not valid")
    port = int(text)
    if port < FIRST_UNPRIVILEGED_PORT and port not in DEFAULT_PORTS.values():
        raise InvalidRequest("url: its port must be 80, 443, or 1024 and above")
    return port

"""An image's bytes from a stranger's URL, without being led anywhere else than to the public internet."""

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import certifi
from httpcore import URL, HTTPConnection, NetworkError, Origin, ProtocolError, Response, TimeoutException

from crowdsight.errors import InvalidRequest, UnfetchableImage
from crowdsight.images.addresses import Address, is_public
from crowdsight.images.connections import Allowance, CheckedBackend, Deadline, Resolver, system_resolver
from crowdsight.images.urls import ImageUrl, parse_url

OK = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FRAMING_FACTOR = 2
"""How many times its own size a body may take on the wire, which is generous to small chunks."""
HEADERS = (
    (b"User-Agent", b"crowdsight"),
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),  # what is compressed once more could grow without bounds
    (b"Connection", b"close"),
)
TOO_MUCH_HEAD = "the URL's host sends too many headers"


@dataclass(frozen=True)
class FetchLimits:
    """What one fetch may take. `timeout_s` is for all of it: look-ups, redirects, and the last byte of the body."""

    timeout_s: float = 10.0
    max_size_bytes: int = 20 * 1024 * 1024
    max_head_bytes: int = 64 * 1024
    max_redirects: int = 5


class ImageFetcher:
    """Fetches by http and https, from public addresses, following redirects, each of which is checked anew.

    `allowed_hosts`: "HOST:PORT" of loopback addresses that are let through, as URLs name them; nothing else is.
    `tls_context`: certifi's roots if left out. Proxies of the environment are not used.
    """

    def __init__(
        self,
        allowed_hosts: Collection[str] = (),
        limits: FetchLimits = FetchLimits(),  # noqa: B008 - frozen
        resolve: Resolver = system_resolver,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._limits = limits
        self._resolve = resolve
        self._given_tls_context = tls_context

    def fetch(self, url: str) -> bytes:
        """The body of a 200, whatever its media type says: at least one byte, at most `max_size_bytes`.

        Raises InvalidRequest for a URL that breaks a rule by itself, UnfetchableImage for everything else.
        """
        deadline = Deadline(self._limits.timeout_s)
        source = parse_url(url)
        for _ in range(self._limits.max_redirects + 1):
            found = self._get(source, deadline)
            if isinstance(found, bytes):
                return found
            source = found
        raise UnfetchableImage(f"the URL redirects more than {self._limits.max_redirects} times")

    def _get(self, source: ImageUrl, deadline: Deadline) -> bytes | ImageUrl:
        """The body, or where to go on."""
        allowance = Allowance(self._limits.max_head_bytes, TOO_MUCH_HEAD)
        is_allowed = source.authority in self._allowed_hosts

        def may_connect_to(address: Address) -> bool:
            return address.is_loopback if is_allowed else is_public(address)

        connection = HTTPConnection(
            Origin(source.scheme.encode(), source.host.encode(), source.port),
            ssl_context=self._tls_context if source.scheme == "https" else None,
            network_backend=CheckedBackend(self._resolve, may_connect_to, deadline, allowance),
        )
        wanted = URL(scheme=source.scheme, host=source.host, port=source.port, target=source.target)
        headers = [(b"Host", source.host_header.encode()), *HEADERS]
        try:
            with connection.stream("GET", wanted, headers=headers) as response:
                named = _headers_of(response)
                if response.status in REDIRECTS:
                    return _redirected(source, named)
                self._check_head(response.status, named)
                allowance.extend(FRAMING_FACTOR * self._limits.max_size_bytes, self._too_large)
                return self._read(response, deadline)
        except (NetworkError, ProtocolError, TimeoutException) as error:
            raise UnfetchableImage("the URL's host broke off, or did not answer as HTTP asks") from error
        finally:
            connection.close()

    def _check_head(self, status: int, headers: Mapping[str, str]) -> None:
        if status != OK:
            raise UnfetchableImage(f"the URL's host answered with status {status}")
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise UnfetchableImage("the image is sent with a Content-Encoding, which is not supported")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.max_size_bytes:
            raise UnfetchableImage(self._too_large)

    def _read(self, response: Response, deadline: Deadline) -> bytes:
        body = bytearray()
        for part in response.iter_stream():
            deadline.left_s()  # many small chunks in one read cost time, too
            body += part
            if len(body) > self._limits.max_size_bytes:
                raise UnfetchableImage(self._too_large)
        if not body:
            raise UnfetchableImage("the URL's host sent nothing")
        return bytes(body)

    @property
    def _too_large(self) -> str:
        return f"the image is larger than {self._limits.max_size_bytes} bytes"

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        if self._given_tls_context:
            return self._given_tls_context
        # Not `create_default_context`: that one also obeys the environment.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certifi.where())
        return context


def _headers_of(response: Response) -> dict[str, str]:
    """By name in lower case; one that comes twice is joined with a comma (RFC 9110, 5.2)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _redirected(source: ImageUrl, headers: Mapping[str, str]) -> ImageUrl:
    location = headers.get("location")
    if not location:
        raise UnfetchableImage("the URL redirects to nowhere")
    try:
        return source.join(location)
    except InvalidRequest as error:
        raise UnfetchableImage(f"the URL redirects to one that is refused; {error.message}") from error

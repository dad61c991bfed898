"""A small HTTP/1.1 server on h11: one thread a connection, keep-alive, bodies of any framing.

Everything that listens in the local stack uses it: the REST APIs, the Lambda APIs and the AWS services. It keeps what
they need and most servers lose: the request target as it was sent, and header names in their own case.
"""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11

from local.log import log

IDLE_TIMEOUT_S = 120
READ_TIMEOUT_S = 30
DRAIN_LIMIT_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request as it was sent.

    `target`: the raw path and query. `headers`: in order, names in their own case. `body`: empty when
    `body_is_too_large`, which says that it was longer than the server's limit.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    peer: str = "127.0.0.1"
    body_is_too_large: bool = False

    @property
    def path(self) -> str:
        """The path, percent-encoded as it was sent."""
        return self.target.split("?", 1)[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str, default: str = "") -> str:
        """The last value of a header, by its name in any case."""
        wanted = name.lower()
        for other, value in reversed(self.headers):
            if other.lower() == wanted:
                return value
        return default


@dataclass
class Response:
    """A response; the server adds the length and the date."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of_json(cls, status: int, value: Any, headers: list[tuple[str, str]] | None = None) -> "Response":
        return cls(status, json.dumps(value).encode(), [("Content-Type", "application/json"), *(headers or [])])


def is_sendable(response: Response) -> bool:
    """Whether HTTP can carry this status and these headers."""
    try:
        h11.Response(status_code=response.status, headers=_encoded(response.headers))
    except (h11.LocalProtocolError, UnicodeEncodeError):
        return False
    return True


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


class Server:
    """Serves `answer` on 127.0.0.1 until it is closed; `port` 0 takes a free one.

    Raises OSError when the port is taken. A body over `body_limit_bytes` is read and thrown away, so that the client
    gets to see its answer.
    """

    def __init__(
        self, answer: Callable[[Request], Response], port: int = 0, body_limit_bytes: int = 256 * 1024 * 1024
    ) -> None:
        self._answer = answer
        self._body_limit_bytes = body_limit_bytes
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, name=f"accept-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Give the port back and end every connection."""
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        # shutdown() is what wakes the accepting thread; close() alone would leave it, and the port, waiting.
        for listening_or_connected in [self._listener, *connections]:
            with suppress(OSError):
                listening_or_connected.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                continue
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Conversation(connection, peer, self._answer, self._body_limit_bytes).run()
        except OSError:
            pass  # the client went away; there is no one to tell
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Conversation:
    """One connection's requests, one after another."""

    def __init__(
        self, connection: socket.socket, peer: str, answer: Callable[[Request], Response], body_limit_bytes: int
    ) -> None:
        self._socket = connection
        self._peer = peer
        self._answer = answer
        self._body_limit_bytes = body_limit_bytes
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    def run(self) -> None:
        while True:
            try:
                request = self._next_request()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint)
                return
            if request is None:
                return
            try:
                response = self._answer(request)
            except Exception:
                # The last line of defence: a client is never left without an answer because of a mistake of ours.
                log.exception("%s %s failed", request.method, request.target)
                response = Response.of_json(500, {"message": "Internal server error"})
            self._send(request.method, response)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    def _next_event(self) -> Any:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._socket.sendall(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self._http.receive_data(self._socket.recv(65_536))

    def _next_request(self) -> Request | None:
        self._socket.settimeout(IDLE_TIMEOUT_S)
        head = self._next_event()
        if not isinstance(head, h11.Request):
            return None  # closed
        if len(head.target) + sum(len(name) + len(value) for name, value in head.headers) > MAX_HEAD_BYTES:
            raise h11.RemoteProtocolError("headers too large", error_status_hint=431)
        self._socket.settimeout(READ_TIMEOUT_S)
        body = bytearray()
        size_bytes = 0
        while isinstance(event := self._next_event(), h11.Data):
            size_bytes += len(event.data)
            if size_bytes <= self._body_limit_bytes:
                body += event.data
            elif size_bytes > self._body_limit_bytes + DRAIN_LIMIT_BYTES:
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
        if not isinstance(event, h11.EndOfMessage):
            return None  # closed in the middle of a body
        # Read without a deadline from here on: a long answer is not a slow client.
        self._socket.settimeout(None)
        is_too_large = size_bytes > self._body_limit_bytes
        return Request(
            method=head.method.decode("ascii"),
            target=head.target.decode("ascii"),
            headers=[
                (name.decode("ascii"), value.decode("utf-8", "replace")) for name, value in head.headers.raw_items()
            ],
            body=b"" if is_too_large else bytes(body),
            peer=self._peer,
            body_is_too_large=is_too_large,
        )

    def _send(self, method: str, response: Response) -> None:
        headers = [
            (name, value)
            for name, value in response.headers
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        ]
        has_body = response.status >= 200 and response.status not in (204, 304)
        if has_body:
            headers.append(("Content-Length", str(len(response.body))))
        message = self._http.send(
            h11.Response(
                status_code=response.status, headers=_encoded(headers), reason=_reason(response.status).encode()
            )
        )
        if has_body and response.body and method != "HEAD":
            message = (message or b"") + (self._http.send(h11.Data(data=response.body)) or b"")
        message = (message or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self._socket.sendall(message)

    def _refuse(self, status: int) -> None:
        """Answer what was not HTTP, and hang up."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        response = Response.of_json(status, {"message": _reason(status)}, [("Connection", "close")])
        self._send("GET", response)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

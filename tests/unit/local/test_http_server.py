"""The HTTP server survives odd clients and hides nothing of what they sent."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from local.http_server import Request, Response, Server

LIMIT_BYTES = 1000


def describe(request: Request) -> Response:
    if request.path == "/fail":
        raise RuntimeError("a mistake of ours")
    if request.path == "/nothing":
        return Response(204)
    return Response.of_json(
        200,
        {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("latin-1"),
            "too_large": request.body_is_too_large,
        },
    )


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(describe, body_limit_bytes=LIMIT_BYTES)
    yield server
    server.close()


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    yield connection
    connection.close()


def talk(server: Server, sent: bytes) -> bytes:
    """All that the server says to these bytes, after which the client says no more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        said = b""
        while received := client.recv(65536):
            said += received
        return said


def test_the_target_and_the_names_of_headers_stay_as_they_were_sent(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "//a%2Fb/../c?x=%zz&&y", headers={"X-OdD-CaSe": "1", "x-twice": "2"})
    seen = json.load(connection.getresponse())
    assert seen["target"] == "//a%2Fb/../c?x=%zz&&y"
    assert ["X-OdD-CaSe", "1"] in seen["headers"] and ["x-twice", "2"] in seen["headers"]


def test_a_connection_is_kept_and_a_chunked_body_is_read(connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        connection.request("PUT", "/x", body=iter([b"one ", b"two"]), encode_chunked=True)
        assert json.load(connection.getresponse())["body"] == "one two"
        kept = connection.sock
        assert kept is not None


def test_head_has_headers_and_no_body(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/x")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0
    connection.request("GET", "/nothing")
    assert connection.getresponse().read() == b""


def test_a_body_over_the_limit_is_read_away_so_that_the_answer_arrives(connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/x", body=b"x" * (LIMIT_BYTES + 1))
    seen = json.load(connection.getresponse())
    assert (seen["too_large"], seen["body"]) == (True, "")
    connection.request("PUT", "/x", body=b"x" * LIMIT_BYTES)
    assert len(json.load(connection.getresponse())["body"]) == LIMIT_BYTES


def test_our_own_mistake_is_a_500_and_not_a_silence(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/fail")
    response = connection.getresponse()
    assert (response.status, json.load(response)) == (500, {"message": "Internal server error"})


@pytest.mark.parametrize(
    "sent",
    [
        b"NOT HTTP\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_gets_a_4xx_and_the_server_goes_on(server: Server, sent: bytes) -> None:
    said = talk(server, sent)
    assert said.startswith(b"HTTP/1.1 4") or said == b""
    assert talk(server, b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_requests_sent_at_once_are_answered_in_order(server: Server) -> None:
    one = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
    said = talk(server, one % 1 + one % 2)
    assert said.index(b'"target": "/1"') < said.index(b'"target": "/2"')


def test_a_client_that_waits_for_leave_to_send_gets_it(server: Server) -> None:
    said = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100")
        client.sendall(b"hi")
        said = client.recv(65536)
    assert b'"body": "hi"' in said


def test_closing_gives_the_port_back_and_ends_connections(connection: http.client.HTTPConnection) -> None:
    server = Server(describe)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000)
        server.close()
        assert client.recv(1000) == b""
    Server(describe, server.port).close()

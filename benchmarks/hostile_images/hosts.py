"""A server that misbehaves: what its path names is what it does."""

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from benchmarks.hostile_images.seeds import seed_files

LONGEST_CONVERSATION_S = 12.0
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Conversation = Callable[[socket.socket, random.Random], None]


class HostileHost:
    """Listens on 127.0.0.1 until it is closed. A path is `/<behaviour>/<number>`, or `/redirect?<location>`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.authority = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with suppress(OSError, IndexError, ValueError), connected:
            connected.settimeout(LONGEST_CONVERSATION_S)
            target = connected.recv(65_536).split(b" ")[1].decode("ascii")
            path, _, query = target.partition("?")
            if path == "/redirect":
                location = unquote_to_bytes(query)
                connected.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
                return
            _, behaviour, number = path.split("/")
            if behaviour in BEHAVIOURS:
                BEHAVIOURS[behaviour](connected, random.Random(number))


def _good(connected: socket.socket, dice: random.Random) -> None:
    body = dice.choice(seed_files())
    connected.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _repeat(part: bytes, pause_s: float, connected: socket.socket) -> None:
    ends_at_s = time.monotonic() + LONGEST_CONVERSATION_S
    while time.monotonic() < ends_at_s:
        connected.sendall(part)
        time.sleep(pause_s)


def _silent(connected: socket.socket, dice: random.Random) -> None:
    time.sleep(dice.choice((0, 2)))


def _dripping_head(connected: socket.socket, dice: random.Random) -> None:
    connected.sendall(HEAD[: dice.randrange(len(HEAD))] if dice.random() < 0.5 else HEAD + b"X: ")
    _repeat(dice.choice((b"a", b"\r\nX: y", b" ")), 0.02, connected)


def _dripping_body(connected: socket.socket, dice: random.Random) -> None:
    connected.sendall(dice.choice((HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"\r\n", CHUNKED)))
    _repeat(b"1\r\na\r\n", 0.02, connected)


def _endless_body(connected: socket.socket, dice: random.Random) -> None:
    head, part = dice.choice(
        ((HEAD + b"\r\n", bytes(65_536)), (CHUNKED, b"1\r\na\r\n" * 999), (CHUNKED, b"8000\r\n" + bytes(32_770)))
    )
    connected.sendall(head)
    _repeat(part, 0, connected)


def _endless_head(connected: socket.socket, dice: random.Random) -> None:
    connected.sendall(HEAD)
    _repeat(
        dice.choice(
            (b"X: y\r\n" * 999, b"a" * 9_999, b"X: " + b"z" * 9_999 + b"\r\n", b"\r\nHTTP/1.1 100 OK\r\n" * 99)
        ),
        0,
        connected,
    )


def _informing(connected: socket.socket, dice: random.Random) -> None:
    _repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n" * dice.choice((1, 999)), dice.choice((0, 0.02)), connected)


def _wrong_length(connected: socket.socket, dice: random.Random) -> None:
    length = dice.choice(("-1", "5", "99999999", "9" * 40, "0x10", "", "1, 2", "+3", "1e3", " 7 "))
    connected.sendall(HEAD + f"Content-Length: {length}\r\n\r\nabcdefg".encode())


def _wrong_chunks(connected: socket.socket, dice: random.Random) -> None:
    size = dice.choice((b"-1", b"ffffffffffffffffff", b"zz", b"", b"5;" + b"x" * 70_000, b"00000000005", b" 5"))
    connected.sendall(CHUNKED + size + b"\r\nabcde\r\n" + dice.choice((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"")))


def _encoded(connected: socket.socket, dice: random.Random) -> None:
    encoding = dice.choice(("gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP", "x"))
    connected.sendall(HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\nabc".encode())


def _status(connected: socket.socket, dice: random.Random) -> None:
    status = dice.choice((100, 101, 199, 201, 204, 206, 300, 304, 305, 400, 404, 429, 500, 503, 599, 600, 999, 42, 0))
    connected.sendall(f"HTTP/1.1 {status} {'x' * dice.choice((0, 5, 9999))}\r\nContent-Length: 2\r\n\r\nab".encode())


def _noise(connected: socket.socket, dice: random.Random) -> None:
    connected.sendall(
        dice.choice((b"", HEAD, b"HTTP/1.1 ", b"HTTP/9.9 200 OK\r\n")) + dice.randbytes(dice.choice((1, 99, 99_999)))
    )


def _broken_head(connected: socket.socket, dice: random.Random) -> None:
    whole = bytearray(HEAD + b"Content-Type: image/png\r\nContent-Length: 3\r\nX: y\r\n\r\nabc")
    for _ in range(dice.choice((1, 2, 5))):
        whole[dice.randrange(len(whole))] = dice.randrange(256)
    connected.sendall(whole)


def _looping(connected: socket.socket, dice: random.Random) -> None:
    location = dice.choice(("/looping/1", "", "?x", "//", "/looping/1#" + "a" * 3_000))
    status = dice.choice((301, 302, 303, 307, 308))
    connected.sendall(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\n\r\n".encode())


def _hanging_up(connected: socket.socket, dice: random.Random) -> None:
    # With no time to linger, closing resets the connection.
    connected.sendall(HEAD + b"Content-Length: 50\r\n\r\nabc")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BEHAVIOURS: dict[str, Conversation] = {
    "good": _good,
    "silent": _silent,
    "dripping-head": _dripping_head,
    "dripping-body": _dripping_body,
    "endless-body": _endless_body,
    "endless-head": _endless_head,
    "informing": _informing,
    "wrong-length": _wrong_length,
    "wrong-chunks": _wrong_chunks,
    "encoded": _encoded,
    "status": _status,
    "noise": _noise,
    "broken-head": _broken_head,
    "looping": _looping,
    "hanging-up": _hanging_up,
}

"""A server that says exactly what a test wants said, at the pace that it wants."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Conversation = Callable[[socket.socket], None]


class RawServer:
    """Accepts on 127.0.0.1, reads a request's head, and leaves the rest to `converse`. Over TLS with a context."""

    def __init__(self, converse: Conversation, tls: ssl.SSLContext | None = None, reads_head: bool = True) -> None:
        self._converse = converse
        self._tls = tls
        self._reads_head = reads_head
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/image"
        self.heads: list[bytes] = []
        self.connections = 0
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
            self.connections += 1
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with suppress(OSError), connected:
            connected.settimeout(10)
            talking = self._tls.wrap_socket(connected, server_side=True) if self._tls else connected
            with talking:
                if self._reads_head:
                    self.heads.append(_read_head(talking))
                self._converse(talking)


def _read_head(connected: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connected.recv(65_536)
        if not received:
            break
        head += received
    return head


def saying(*parts: bytes) -> Conversation:
    """Sends these and hangs up."""

    def converse(connected: socket.socket) -> None:
        for part in parts:
            connected.sendall(part)

    return converse


def dripping(head: bytes, drop: bytes, pause_s: float) -> Conversation:
    """Sends a head, and then a drop again and again, for as long as anybody listens."""
    stopped = threading.Event()

    def converse(connected: socket.socket) -> None:
        connected.sendall(head)
        while not stopped.wait(pause_s):
            connected.sendall(drop)

    return converse

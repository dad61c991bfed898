"""Connections to checked addresses only, for httpcore, with one deadline for all that happens on them.

Names are looked up here, once for each connection; what is connected to is one of the numbers that were checked, so
that no second look-up can lead elsewhere. The time-outs that httpcore passes are not used: each would begin anew with
every byte that drips in.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from httpcore import SOCKET_OPTION, NetworkBackend, NetworkStream, ReadError, WriteError

from crowdsight.errors import UnfetchableImage
from crowdsight.images.addresses import Address, parse_address

Resolver = Callable[[str, int], Sequence[str]]
"""The numbers of a host's name (or of a number in any form), for a port, as text. Raises OSError."""

TOO_SLOW = "the image could not be fetched in time"
NOT_PUBLIC = "the URL's host was not found on the public internet"
"""Said of a host that does not exist and of one that is refused, so that nobody learns which names we can see."""
MAX_ADDRESSES_TRIED = 4


def system_resolver(host: str, port: int) -> list[str]:
    """What the operating system says; it also takes IPv4 in its odd forms, `127.1` or `0x7f000001`."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Deadline:
    """A moment after which nothing more is waited for."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_at_s = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """How long until then, more than zero. Raises UnfetchableImage when it has passed."""
        left_s = self._ends_at_s - time.monotonic()
        if left_s <= 0:
            raise UnfetchableImage(TOO_SLOW)
        return left_s


class Allowance:
    """How many bytes may still be read from a connection. `refusal` says what is too large."""

    def __init__(self, left_bytes: int, refusal: str) -> None:
        self._left_bytes = left_bytes
        self._refusal = refusal

    def extend(self, more_bytes: int, refusal: str) -> None:
        self._left_bytes += more_bytes
        self._refusal = refusal

    def limit(self, wanted_bytes: int) -> int:
        """How many of these may be read now, at least one. Raises UnfetchableImage when none may."""
        if self._left_bytes <= 0:
            raise UnfetchableImage(self._refusal)
        return min(wanted_bytes, self._left_bytes)

    def spend(self, read_bytes: int) -> None:
        self._left_bytes -= read_bytes


class CheckedStream(NetworkStream):
    """A socket under a deadline and an allowance. Raises UnfetchableImage when either is over, httpcore's errors."""

    def __init__(self, connected: socket.socket, deadline: Deadline, allowance: Allowance) -> None:
        self._socket = connected
        self._deadline = deadline
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wanted_bytes = self._allowance.limit(max_bytes)
        self._socket.settimeout(self._deadline.left_s())
        try:
            received = self._socket.recv(wanted_bytes)
        except TimeoutError as error:
            raise UnfetchableImage(TOO_SLOW) from error
        except OSError as error:
            raise ReadError(error) from error
        self._allowance.spend(len(received))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._socket.settimeout(self._deadline.left_s())
        try:
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise UnfetchableImage(TOO_SLOW) from error
        except OSError as error:
            raise WriteError(error) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "CheckedStream":
        try:
            self._socket.settimeout(self._deadline.left_s())
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except UnfetchableImage:
            self.close()
            raise
        except TimeoutError as error:
            self.close()
            raise UnfetchableImage(TOO_SLOW) from error
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise UnfetchableImage("the certificate of the URL's host is not valid") from error
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can have
            self.close()
            raise UnfetchableImage("no secure connection to the URL's host could be made") from error
        return CheckedStream(secured, self._deadline, self._allowance)

    def get_extra_info(self, info: str) -> object:
        return self._socket if info == "socket" else None


class CheckedBackend(NetworkBackend):
    """Connects to a host when every one of its addresses is one that `may_connect_to` lets through."""

    def __init__(
        self, resolve: Resolver, may_connect_to: Callable[[Address], bool], deadline: Deadline, allowance: Allowance
    ) -> None:
        self._resolve = resolve
        self._may_connect_to = may_connect_to
        self._deadline = deadline
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> CheckedStream:
        """Raises UnfetchableImage."""
        addresses = self._look_up(host, port)[:MAX_ADDRESSES_TRIED]
        for count_left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                connected = self._connect(address, port, self._deadline.left_s() / count_left)
            except OSError:
                continue  # the next address may answer
            return CheckedStream(connected, self._deadline, self._allowance)
        self._deadline.left_s()
        raise UnfetchableImage("the URL's host does not accept connections")

    def _connect(self, address: Address, port: int, timeout_s: float) -> socket.socket:
        connected = socket.create_connection((str(address), port), timeout_s)
        try:
            peer = parse_address(connected.getpeername()[0])
            if peer is None or not self._may_connect_to(peer):
                raise UnfetchableImage(NOT_PUBLIC)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            connected.close()
            raise
        return connected

    def _look_up(self, host: str, port: int) -> list[Address]:
        """The host's addresses, each checked."""
        found: list[Address] = []
        for text in self._resolve_in_time(host, port):
            address = parse_address(text)
            if address is None or not self._may_connect_to(address):
                raise UnfetchableImage(NOT_PUBLIC)
            if address not in found:
                found.append(address)
        if not found:
            raise UnfetchableImage(NOT_PUBLIC)
        return found

    def _resolve_in_time(self, host: str, port: int) -> Sequence[str]:
        """What the resolver says, nothing if it fails. It cannot be interrupted: a late one is left to end alone."""
        answers: SimpleQueue[Sequence[str]] = SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolve(host, port))
            except (OSError, ValueError):  # ValueError: a name that cannot be put into a query
                answers.put(())

        Thread(target=look_up, name="look-up", daemon=True).start()
        try:
            return answers.get(timeout=self._deadline.left_s())
        except Empty as error:
            raise UnfetchableImage(TOO_SLOW) from error

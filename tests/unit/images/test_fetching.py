"""A fetch leads to the public internet or to nothing, and ends in time whatever the other side does."""

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crowdsight.errors import InvalidRequest, UnfetchableImage
from crowdsight.images.fetching import FetchLimits, ImageFetcher
from local.http_server import Request, Response, Server
from tests.unit.images.raw_server import Conversation, RawServer, dripping, saying

IMAGE = b"the bytes of an image"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"
SHORT = FetchLimits(timeout_s=0.4, max_size_bytes=100_000)
NOT_PUBLIC = "the URL's host was not found on the public internet"
TOO_SLOW = "the image could not be fetched in time"


class Resolver:
    """A name server of our own: what each look-up of a name says, the last answer again and again."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        answers = self._answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    servers: list[RawServer] = []

    def make(converse: Conversation, tls: ssl.SSLContext | None = None, reads_head: bool = True) -> RawServer:
        servers.append(RawServer(converse, tls, reads_head))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def pages() -> Iterator[tuple[Server, dict[str, Response]]]:
    """An ordinary server; its answers by path."""
    answers: dict[str, Response] = {}

    def answer(request: Request) -> Response:
        return answers.get(request.path, Response(404))

    server = Server(answer)
    yield server, answers
    server.close()


def refusal(fetcher: ImageFetcher, url: str) -> str:
    with pytest.raises(UnfetchableImage) as refused:
        fetcher.fetch(url)
    return refused.value.message


def redirect(location: str, status: int = 302) -> Response:
    return Response(status, headers=[("Location", location)])


# What is fetched


def test_the_body_of_a_200_comes_back_whatever_its_media_type(pages: tuple[Server, dict[str, Response]]) -> None:
    server, answers = pages
    answers["/a"] = Response(200, IMAGE, [("Content-Type", "text/html")])
    assert ImageFetcher([f"127.0.0.1:{server.port}"]).fetch(f"{server.url}/a?b#c") == IMAGE


@pytest.mark.parametrize(
    "said",
    [
        OK + IMAGE,
        b"HTTP/1.1 200 OK\r\n\r\n" + IMAGE,
        b"HTTP/1.0 200 OK\r\n\r\n" + IMAGE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthe b\r\n10;x=y\r\nytes of an image\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK + IMAGE,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 21\r\n\r\n" + IMAGE,
    ],
)
def test_a_body_of_any_framing_is_read(serve: Callable[..., RawServer], said: bytes) -> None:
    server = serve(saying(said))
    assert ImageFetcher([server.host]).fetch(server.url) == IMAGE


def test_the_request_is_plain_and_says_who_asks(serve: Callable[..., RawServer]) -> None:
    server = serve(saying(OK + IMAGE))
    ImageFetcher([server.host]).fetch(f"{server.url}/ü?q=1")
    lines = server.heads[0].decode("ascii").split("\r\n")
    assert lines[0] == "GET /image/%C3%BC?q=1 HTTP/1.1"
    assert {f"Host: {server.host}", "User-Agent: crowdsight", "Accept-Encoding: identity"} <= set(lines)


def test_proxies_of_the_environment_are_not_used(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(saying(OK + IMAGE)), serve(saying(OK + b"by way of a proxy!!!!"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{proxy.host}")
    assert ImageFetcher([server.host]).fetch(server.url) == IMAGE
    assert proxy.connections == 0


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(pages: tuple[Server, dict[str, Response]], status: int) -> None:
    server, answers = pages
    answers |= {"/a/b": redirect("../c", status), "/c": redirect(f"{server.url}/d", status), "/d": Response(200, IMAGE)}
    assert ImageFetcher([f"127.0.0.1:{server.port}"]).fetch(f"{server.url}/a/b") == IMAGE


def test_five_redirects_are_followed_and_a_sixth_is_not(pages: tuple[Server, dict[str, Response]]) -> None:
    server, answers = pages
    answers |= {f"/{number}": redirect(f"/{number + 1}") for number in range(6)} | {"/6": Response(200, IMAGE)}
    fetcher = ImageFetcher([f"127.0.0.1:{server.port}"])
    assert fetcher.fetch(f"{server.url}/1") == IMAGE
    assert refusal(fetcher, f"{server.url}/0") == "the URL redirects more than 5 times"


def test_a_redirect_in_circles_ends(serve: Callable[..., RawServer]) -> None:
    server = serve(saying(b"HTTP/1.1 301 Moved\r\nLocation: /image\r\nContent-Length: 0\r\n\r\n"))
    assert "more than 5 times" in refusal(ImageFetcher([server.host]), server.url)
    assert server.connections == 6


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "http://"),
        ("ftp://images.example/a", "http://"),
        ("data:image/png;base64,AAAA", "http://"),
        ("http://user:word@images.example/", "user name"),
        ("http://images.example:22/", "port"),
        ("http://:80/a", "host"),
        ("/a b", "spaces"),
        ("http://images.example/" + "a" * 2000, "2000"),
        ("http://[::1", "valid"),
        ("", "nowhere"),
    ],
)
def test_a_redirect_to_a_refused_url_is_refused(
    pages: tuple[Server, dict[str, Response]], location: str, said: str
) -> None:
    server, answers = pages
    answers["/a"] = redirect(location)
    assert said in refusal(ImageFetcher([f"127.0.0.1:{server.port}"]), f"{server.url}/a")


def test_a_redirect_without_a_place_is_refused(pages: tuple[Server, dict[str, Response]]) -> None:
    server, answers = pages
    answers["/a"] = Response(302)
    assert refusal(ImageFetcher([f"127.0.0.1:{server.port}"]), f"{server.url}/a") == "the URL redirects to nowhere"


@pytest.mark.parametrize(
    "place", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "169.254.169.254", "10.0.0.1"]
)
def test_a_redirect_to_a_private_address_is_refused_without_a_connection(
    serve: Callable[..., RawServer], place: str
) -> None:
    secret = serve(saying(OK + IMAGE))
    server = serve(saying(f"HTTP/1.1 302 Found\r\nLocation: http://{place}/\r\n\r\n".format(port=secret.port).encode()))
    assert refusal(ImageFetcher([server.host]), server.url) == NOT_PUBLIC
    assert secret.connections == 0


# Addresses


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "017700000001",
        "127.0.0.1.",
        "１２７.0.0.1",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
def test_no_name_of_this_machine_leads_to_it(serve: Callable[..., RawServer], host: str) -> None:
    server = serve(saying(OK + IMAGE))
    assert refusal(ImageFetcher(), f"http://{host}:{server.port}/") == NOT_PUBLIC
    assert server.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["10.1.2.3"],
        ["8.8.8.8", "127.0.0.1"],
        ["::1", "8.8.8.8"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%2"],
        ["8.8.8.8%eth0"],
        ["not a number"],
        [""],
        [],
    ],
)
def test_a_name_with_any_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    fetcher = ImageFetcher(resolve=Resolver(images_example=[addresses]))
    assert refusal(fetcher, "https://images.example/a") == NOT_PUBLIC


def test_a_refusal_does_not_tell_what_a_name_resolves_to_or_whether_it_exists() -> None:
    fetcher = ImageFetcher(resolve=Resolver(inside_example=[["10.0.0.1"]]))
    assert refusal(fetcher, "http://inside.example/") == refusal(fetcher, "http://nowhere.example/") == NOT_PUBLIC


def test_a_name_is_looked_up_once_for_each_request_and_judged_each_time(serve: Callable[..., RawServer]) -> None:
    """Rebinding: first an address that is let through, and another one at the second look-up."""
    server = serve(saying(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"))
    resolver = Resolver(rebound_example=[["127.0.0.1"], ["10.0.0.1"]])
    place = f"rebound.example:{server.port}"
    assert refusal(ImageFetcher([place], resolve=resolver), f"http://{place}/") == NOT_PUBLIC
    assert resolver.asked == [("rebound.example", server.port)] * 2
    assert server.connections == 1


def test_a_resolver_that_cannot_ask_for_a_name_finds_no_host() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise UnicodeError("label empty or too long")

    assert refusal(ImageFetcher(resolve=resolve), "http://images.example/") == NOT_PUBLIC


def test_the_next_address_is_tried_when_one_does_not_answer(serve: Callable[..., RawServer]) -> None:
    server = serve(saying(OK + IMAGE))
    place = f"both.example:{server.port}"
    fetcher = ImageFetcher([place], resolve=Resolver(both_example=[["::1", "127.0.0.1"]]))
    assert fetcher.fetch(f"http://{place}/") == IMAGE


# Hosts that are let through


def test_a_host_is_let_through_by_its_exact_name_and_port(serve: Callable[..., RawServer]) -> None:
    server, other = serve(saying(OK + IMAGE)), serve(saying(OK + IMAGE))
    fetcher = ImageFetcher([server.host])
    assert fetcher.fetch(server.url) == IMAGE
    for url in (other.url, f"http://localhost:{server.port}/", f"http://127.1:{server.port}/", "http://127.0.0.1/"):
        assert refusal(fetcher, url) == NOT_PUBLIC
    assert other.connections == 0


def test_a_host_that_is_let_through_is_so_to_a_loopback_address_only() -> None:
    for address in ("10.0.0.1", "169.254.169.254", "8.8.8.8"):
        fetcher = ImageFetcher(["pictures.example:8000"], resolve=Resolver(pictures_example=[[address]]))
        assert refusal(fetcher, "http://pictures.example:8000/") == NOT_PUBLIC


def test_nothing_listening_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    message = refusal(ImageFetcher([f"127.0.0.1:{port}"]), f"http://127.0.0.1:{port}/")
    assert message == "the URL's host does not accept connections"


# Answers that are refused


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 418, 500, 503, 599])
def test_another_status_is_named(serve: Callable[..., RawServer], status: int) -> None:
    server = serve(saying(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()))
    assert refusal(ImageFetcher([server.host]), server.url) == f"the URL's host answered with status {status}"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "Content-Encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: identity, br\r\nContent-Length: 3\r\n\r\nabc", "Content-Encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n\r\nabc", "Content-Encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n", "larger than 100000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "larger than 100000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "sent nothing"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "sent nothing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbroken", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "broke off"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", ""),
        (b"HTTP/1.1 20 OK\r\n\r\n", "broke off"),
        (b"HTTP/2 200\r\n\r\n", "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off"),
        (b"\0\xff\0\xff\r\n\r\n", "broke off"),
        (b"", "broke off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "too many headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 15_000 + b"\r\n", "too many headers"),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 4_000, "too many headers"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://a\xff\xfe.example\r\n\r\n", "refused"),
    ],
)
def test_an_answer_that_is_no_image_is_refused_and_told_why(
    serve: Callable[..., RawServer], said: bytes, message: str
) -> None:
    server = serve(saying(said))
    limits = FetchLimits(timeout_s=5, max_size_bytes=100_000)
    assert message in refusal(ImageFetcher([server.host], limits), server.url)


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65_536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"a" * 4096 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 2000 + b"\r\na\r\n"),
    ],
)
def test_a_body_without_an_end_is_refused_by_its_size(
    serve: Callable[..., RawServer], head: bytes, part: bytes
) -> None:
    server = serve(dripping(head, part, 0))
    limits = FetchLimits(timeout_s=8, max_size_bytes=100_000)
    assert refusal(ImageFetcher([server.host], limits), server.url) == "the image is larger than 100000 bytes"


def test_a_body_of_exactly_the_limit_is_read(serve: Callable[..., RawServer]) -> None:
    server = serve(saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100_000))
    assert len(ImageFetcher([server.host], FetchLimits(max_size_bytes=100_000)).fetch(server.url)) == 100_000


# The deadline


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    ],
)
def test_a_slow_drip_does_not_outlast_the_deadline(serve: Callable[..., RawServer], head: bytes, drop: bytes) -> None:
    server = serve(dripping(head, drop, 0.02))
    began_s = time.monotonic()
    assert refusal(ImageFetcher([server.host], SHORT), server.url) == TOO_SLOW
    assert 0.3 < time.monotonic() - began_s < 1.5


def test_the_deadline_is_one_for_all_redirects(serve: Callable[..., RawServer]) -> None:
    def converse(connected: socket.socket) -> None:
        time.sleep(0.15)
        connected.sendall(b"HTTP/1.1 302 Found\r\nLocation: /image\r\n\r\n")

    server = serve(converse)
    assert refusal(ImageFetcher([server.host], SHORT), server.url) == TOO_SLOW


def test_a_resolver_that_does_not_answer_does_not_outlast_the_deadline() -> None:
    def resolve(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["8.8.8.8"]

    began_s = time.monotonic()
    assert refusal(ImageFetcher(limits=SHORT, resolve=resolve), "http://images.example/") == TOO_SLOW
    assert time.monotonic() - began_s < 1.5


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for pictures.example and 127.0.0.1 with its key, signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pictures.example")])
    names = [x509.DNSName("pictures.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + signed.public_bytes(serialization.Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(pem)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def test_https_checks_the_certificate_for_the_urls_host(
    serve: Callable[..., RawServer], server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    server = serve(saying(OK + IMAGE), server_tls)
    places = [f"{name}:{server.port}" for name in ("pictures.example", "other.example", "127.0.0.1")]
    resolver = Resolver(pictures_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    resolver_of_numbers: Callable[[str, int], Sequence[str]] = lambda host, port: (  # noqa: E731
        [host] if host[0].isdecimal() else resolver(host, port)
    )
    fetcher = ImageFetcher(places, resolve=resolver_of_numbers, tls_context=trusting)
    assert fetcher.fetch(f"https://{places[0]}/") == IMAGE
    assert fetcher.fetch(f"https://{places[2]}/") == IMAGE
    assert refusal(fetcher, f"https://{places[1]}/") == "the certificate of the URL's host is not valid"


def test_a_certificate_that_no_root_of_certifi_signed_is_refused(
    serve: Callable[..., RawServer], server_tls: ssl.SSLContext
) -> None:
    server = serve(saying(OK + IMAGE), server_tls)
    message = refusal(ImageFetcher([server.host]), f"https://{server.host}/")
    assert message == "the certificate of the URL's host is not valid"


def test_https_may_redirect_to_http(
    serve: Callable[..., RawServer], server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    plain = serve(saying(OK + IMAGE))
    secure = serve(saying(f"HTTP/1.1 301 Moved\r\nLocation: {plain.url}\r\n\r\n".encode()), server_tls)
    fetcher = ImageFetcher([plain.host, secure.host], tls_context=trusting)
    assert fetcher.fetch(f"https://{secure.host}/") == IMAGE


def test_what_is_not_tls_makes_no_secure_connection(serve: Callable[..., RawServer]) -> None:
    server = serve(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), reads_head=False)
    assert "no secure connection" in refusal(ImageFetcher([server.host]), f"https://{server.host}/")


def test_a_handshake_that_never_ends_does_not_outlast_the_deadline(serve: Callable[..., RawServer]) -> None:
    # A TLS record of 16 KiB is announced and comes a byte at a time.
    server = serve(dripping(b"\x16\x03\x03\x40\x00\x02", b"\0", 0.02), reads_head=False)
    began_s = time.monotonic()
    assert refusal(ImageFetcher([server.host], SHORT), f"https://{server.host}/") == TOO_SLOW
    assert time.monotonic() - began_s < 1.5


def test_a_drip_over_tls_does_not_outlast_the_deadline(
    serve: Callable[..., RawServer], server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    server = serve(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"a", 0.02), server_tls)
    assert refusal(ImageFetcher([server.host], SHORT, tls_context=trusting), f"https://{server.host}/") == TOO_SLOW


def test_a_url_that_breaks_a_rule_by_itself_is_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest):
        ImageFetcher().fetch("ftp://images.example/")

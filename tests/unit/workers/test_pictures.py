import asyncio
from collections.abc import Callable

import httpx
import pytest

from local.workers.pictures import Pictures, is_loopback, looks_like_picture
from local.workers.truth import PHOTOGRAPHS

PHOTOGRAPH = (PHOTOGRAPHS / "cat-small.jpg").read_bytes()


def load(answer: Callable[[httpx.Request], httpx.Response], *urls: str) -> list[bool]:
    async def run() -> list[bool]:
        pictures = Pictures(httpx.MockTransport(answer))
        try:
            return list(await asyncio.gather(*(pictures.load(url) for url in urls)))
        finally:
            await pictures.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "loads"),
    [
        (httpx.Response(200, content=PHOTOGRAPH), True),
        (httpx.Response(404, content=PHOTOGRAPH), False),
        (httpx.Response(500), False),
        (httpx.Response(302, headers={"Location": "http://127.0.0.1/cat.jpg"}), False),
        (httpx.Response(200, content=b"<html>not a picture</html>"), False),
        (httpx.Response(200, content=PHOTOGRAPH[:900]), False),
        (httpx.Response(200, content=b""), False),
    ],
)
def test_a_picture_loads_when_a_whole_picture_comes(answer: httpx.Response, loads: bool) -> None:
    assert load(lambda request: answer, "http://127.0.0.1:9000/cat.jpg") == [loads]


def test_a_loopback_address_where_nothing_listens_does_not_load() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert load(refuse, "http://localhost:9/cat.jpg", "http://[::1]:9/cat.jpg") == [False, False]


def test_other_hosts_are_never_asked_and_taken_to_load() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert load(fail, "https://www.example.com/cat.jpg", "http://10.0.0.1/x", "http://[bad/x") == [True, True, True]


def test_a_picture_that_many_look_at_is_fetched_once() -> None:
    fetched: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        fetched.append(str(request.url))
        return httpx.Response(200, content=PHOTOGRAPH)

    assert load(answer, *["http://127.0.0.1:9000/cat.jpg"] * 5) == [True] * 5
    assert len(fetched) == 1


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://127.9.9.9/x", True),
        ("http://localhost/x", True),
        ("http://[::1]/x", True),
        ("http://localhost.example.com/x", False),
        ("http://8.8.8.8/x", False),
        ("http://127.0.0.1@example.com/", False),
        ("http://[::1/x", False),
    ],
)
def test_loopback_is_told_by_the_host_alone(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n...",
        b"GIF89a..",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\0\0\0\x1cftypavif",
        b'\n<svg xmlns="x"/>',
        b"BM..",
    ],
)
def test_the_usual_picture_formats_are_known(content: bytes) -> None:
    assert looks_like_picture(content)

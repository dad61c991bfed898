"""What nobody should send: each gets a clear error, at once, and changes nothing."""

import html
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.stack.crowd_hands import (
    CONTAINS,
    SIMILARITY,
    Hands,
    all_hits,
    contains_input,
    picture_url,
    wait_for_hit,
)
from tests.stack.raw_http import Api, assert_is_enveloped_error, assert_is_error, assert_key_is_refused, task_target
from tests.stack.running_stack import RunningStack

_numbers = itertools.count()

MARKUP = "markup"
NAME_RULE = "a task name has 1 to 64 of A-Z a-z 0-9 . _ -"
MIB = 1024 * 1024


def of_url(url: Any) -> str:
    """A body with this URL."""
    return json.dumps({"input": {"image": {"url": url}, "target": {"label": "a dog"}}})


def of_label(label: Any) -> str:
    """A body with this label."""
    return json.dumps({"input": {"image": {"url": "https://example.com/a.jpg"}, "target": {"label": label}}})


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + "0" + closing * depth


GOOD = of_label("a dog")

BAD_URLS = {
    "of 401 characters": "https://example.com/" + "a" * 381,
    "empty": "",
    "javascript": "javascript:alert(1)",
    "javascript with slashes": "javascript://example.com/%0aalert(1)",
    "file": "file:///etc/passwd",
    "data": "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
    "ftp": "ftp://example.com/a.jpg",
    "without a scheme": "//example.com/a.jpg",
    "a path": "/a.jpg",
    "without a host": "https:///a.jpg",
    "with a space before it": " https://example.com/a.jpg",
    "with a line break in it": "https://example.com/\na.jpg",
    "with a tab in its scheme": "java\tscript:alert(1)",
    "with quotes": 'https://example.com/"onerror="alert(1)',
    "with markup": "https://example.com/<script>",
    "with a password": "https://me:secret@example.com/a.jpg",
    "with a NUL": "https://example.com/\0.jpg",
    "with a lone surrogate": "https://example.com/\ud800.jpg",
    "a number": 7,
    "nothing": None,
    "an object": {"url": "https://example.com/a.jpg"},
    "a list": ["https://example.com/a.jpg"],
}

BAD_LABELS = {
    "empty": "",
    "white space": " \t\n ",
    "of 201 characters": "x" * 201,
    "with a NUL": "a\0b",
    "with an escape character": "a\x1bb",
    "with a lone surrogate": "\ud83d",
    "with surrogates the wrong way round": "\udc00\ud800",
    "a number": 3,
    "true": True,
    "nothing": None,
    "a list": ["a dog"],
}

BAD_BODIES: dict[str, str | bytes | None] = {
    "none": None,
    "empty": b"",
    "white space": b"  ",
    "half an object": b'{"input": {"image": ',
    "null": b"null",
    "a number": b"7",
    "a list": b"[]",
    "a string": b'"input"',
    "an empty object": b"{}",
    "two documents": GOOD + GOOD,
    "input that is null": b'{"input": null}',
    "input that is text": b'{"input": "image"}',
    "an input without its parts": b'{"input": {}}',
    "an input without a label": json.dumps({"input": {"image": {"url": "https://example.com/a.jpg"}, "target": {}}}),
    "an unknown key beside input": GOOD[:-1] + ', "priority": 1}',
    "an unknown key in input": GOOD.replace('{"image"', '{"priority": 1, "image"'),
    "an unknown key in target": GOOD.replace('{"label"', '{"__proto__": {}, "label"'),
    "lists of 100,000 levels": nested(100_000),
    "objects of 100,000 levels": nested(100_000, '{"a":', "}"),
    "lists of 100,000 levels in a label": GOOD.replace('"a dog"', nested(100_000)),
    "lists of 100,000 levels, unclosed": "[" * 100_000,
    "a NUL in its text": GOOD.replace("a dog", "a\0dog"),
    "a NUL after it": GOOD + "\0",
    "a lone surrogate, raw": GOOD.encode().replace(b"a dog", b"a \xed\xa0\x80 dog"),
    "text that is not UTF-8": GOOD.encode().replace(b"a dog", b"a \xff\xfe dog"),
    "text in Latin-1": GOOD.replace("a dog", "a caf\xe9").encode("latin-1"),
    "UTF-16": GOOD.encode("utf-16"),
    "NaN for a label": GOOD.replace('"a dog"', "NaN"),
    "infinity for a label": GOOD.replace('"a dog"', "-Infinity"),
    "a number too large to be one": GOOD.replace('"a dog"', "1e99999"),
    "an integer of 100,000 digits": GOOD.replace('"a dog"', "9" * 100_000),
    "single quotes": GOOD.replace('"', "'"),
    "a comment": "/* */" + GOOD,
    "a form": b"input=1",
}

BAD_NAMES = {
    "of 65 characters": "x" * 65,
    "of 10,000 characters": "x" * 10_000,
    "with an encoded slash": "a%2Fb",
    "with an encoded slash in lower case": "a%2fb",
    "a path upwards, encoded": "%2E%2E%2F%2E%2E%2Fopenapi.json",
    "a path upwards, half encoded": "..%2f..",
    "with a NUL": "a%00",
    "that is not UTF-8": "%FF",
    "with an overlong slash": "%C0%AF",
    "with a surrogate": "%ED%A0%80",
    "with a space": "a%20b",
    "a space": "%20",
    "with a plus sign": "a+b",
    "with a line break": "a%0Ab",
    "that ends in a line break": "a%0A",
    "with letters of other scripts": quote("näme-猫"),
    "with digits of other scripts": quote("٣"),
    "with a percent sign": "a%25",
    "encoded twice": "a%252Fb",
    "with half an escape": "a%2",
    "with an escape that is none": "a%zz",
    "with markup": "%3Cscript%3E",
    "with quotes": "%22%27",
    "with a hash sign": "a%23b",
    "with a question mark": "a%3Fb",
    "with a backslash": "a%5Cb",
    "with a semicolon": "a;b",
    "with an at sign": "a@b",
}


@pytest.fixture(autouse=True, scope="module")
def no_hit_comes_of_it(running: RunningStack) -> Iterator[None]:
    """But the one that is asked for."""
    before = {hit["HITId"] for hit in all_hits(running)}
    yield
    new = [hit for hit in all_hits(running) if hit["HITId"] not in before]
    assert [hit for hit in new if picture_url(MARKUP) not in hit["Question"]] == []


def refused(api: Api, body: str | bytes | None, function: str = CONTAINS) -> str:
    """Put it: 400 with an error's document, and no task of that name. Its message."""
    name = f"awkward-{next(_numbers)}"
    reply = api.request("PUT", task_target(function, name), body)
    message = assert_is_error(reply, 400, "InvalidRequest")
    assert len(message) < 2_000
    assert api.get(function, name).status == 404
    return message


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS.keys())
def test_a_bad_url_is_refused_by_the_name_of_its_field(api: Api, url: Any) -> None:
    assert "input.image.url" in refused(api, of_url(url)) or "\\ud800" in of_url(url)
    pair = {"image1": {"url": "https://example.com/a.jpg"}, "image2": {"url": url}}
    assert "input.image2.url" in refused(api, json.dumps({"input": pair}), SIMILARITY) or "\\ud800" in of_url(url)


@pytest.mark.parametrize("label", BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_a_bad_label_is_refused(api: Api, label: Any) -> None:
    message = refused(api, of_label(label))
    assert "input.target.label" in message or "JSON" in message


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_refused(api: Api, body: str | bytes | None) -> None:
    refused(api, body)
    refused(api, body, f"{CONTAINS}-test")


def test_of_a_key_that_comes_twice_the_last_value_counts_as_in_every_json_reader(api: Api) -> None:
    body = GOOD.replace('"label": "a dog"', '"label": 7, "label": "a cat"')
    reply = api.request("PUT", task_target(f"{CONTAINS}-test", "twice"), body)
    assert reply.status == 201
    assert reply.document["input"]["target"] == {"label": "a cat"}
    assert "input.target.label" in refused(api, GOOD.replace('"label": "a dog"', '"label": "a dog", "label": 7'))


@pytest.mark.parametrize("size_bytes", [6 * MIB + 1, 10 * MIB, 11 * MIB])
def test_a_body_of_many_megabytes_is_refused_as_too_large(api: Api, size_bytes: int) -> None:
    for body in (of_label("x" * size_bytes), b"\0" * size_bytes, b"[" * size_bytes):
        reply = api.request("PUT", task_target(CONTAINS, "huge"), body)
        assert_is_error(reply, 413, "RequestTooLarge")
    assert api.get(CONTAINS, "huge").status == 404


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
@pytest.mark.parametrize("prefix", ["", "/123456789012"])
def test_a_bad_task_name_is_refused(api: Api, prefix: str, name: str) -> None:
    target = f"{prefix}{task_target(CONTAINS, name)}"
    assert assert_is_error(api.request("PUT", target, GOOD), 400, "InvalidRequest") == NAME_RULE
    for verb in ("GET", "DELETE"):
        assert_is_error(api.request(verb, target), 404, "NotFound")


@pytest.mark.parametrize("verb", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize("prefix", ["", "/123456789012"])
def test_a_task_name_of_no_character_is_refused(api: Api, prefix: str, verb: str) -> None:
    for path in ("/functions/image-contains/tasks", "/functions/image-contains/tasks/"):
        reply = api.request(verb, prefix + path, GOOD if verb == "PUT" else None)
        assert assert_is_error(reply, 400, "InvalidRequest") == NAME_RULE


def test_a_slash_in_a_task_name_that_is_not_encoded_makes_another_path(api: Api) -> None:
    for name in ("a/b", "../x", "a/", "a//", "/a", "./a"):
        reply = api.request("PUT", task_target(f"{CONTAINS}-test", name), GOOD)
        if name == "a/":  # a slash at the end of a path does not count, see the gateway
            assert (reply.status, reply.document["taskName"]) == (201, "a")
        else:
            assert_is_error(reply, 404, "NotFound")


@pytest.mark.parametrize("name", ["x", "x" * 64, "A-Z_a-z.0-9", "-", "_", "...", "%78", "%2E%2E", "..", "."])
def test_the_longest_and_the_oddest_names_that_are_allowed_name_one_task_each(api: Api, name: str) -> None:
    twin = f"{CONTAINS}-test"
    reply = api.request("PUT", task_target(twin, name), GOOD)
    assert reply.status in (200, 201)
    assert reply.document["taskName"] == name.replace("%78", "x").replace("%2E", ".")
    assert api.get(twin, name).status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /functions/image-contains/tasks/a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /functions/image-contains/tasks/\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PUT /functions/image-contains/tasks/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nx-api-key: " + b"k" * 100_000 + b"\r\n\r\n", 431),
        (b"\0\1\2\r\n\r\n", 400),
    ],
    ids=["a space in the path", "bytes in the path", "a negative length", "a huge header", "no HTTP at all"],
)
def test_what_is_not_http_is_answered_and_hung_up_on(running: RunningStack, sent: bytes, status: int) -> None:
    address = urlsplit(running["api_url"])
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(sent)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("key", ["", " ", "\xe9", "null", "x" * 8_000, "' OR 1=1 --", "*"])
def test_no_odd_key_opens_anything(api: Api, key: str) -> None:
    reply = api.request("GET", task_target(CONTAINS, "keys"), api_key=key)
    if key.strip():
        assert_key_is_refused(reply, 403, "Invalid API key")
    else:
        assert_key_is_refused(reply, 401, "Missing an API key")


def test_a_label_of_markup_is_shown_to_workers_as_the_text_it_is(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    label = """<script>alert(1)</script> "quoted" & 'so' ]]> </h1><img src=x onerror=alert(2)> {{ 7*7 }} ${x} é 猫 🐈"""
    assert api.put(CONTAINS, MARKUP, contains_input(MARKUP, label)).status == 201
    assert api.get(CONTAINS, MARKUP).document["input"]["target"]["label"] == label
    hit_id = wait_for_hit(running, MARKUP)
    work = hands[0].accept(hit_id)
    assert work.question.label == label
    assert work.question.image_urls == (picture_url(MARKUP),)
    assert work.frame.pictures == [picture_url(MARKUP)]
    assert len(work.frame.forms) == 1
    page = html.unescape(running.mturk.get_hit(HITId=hit_id)["HIT"]["Question"])
    assert "<script>alert" not in page and "<img src=x" not in page


@pytest.mark.parametrize(
    "target",
    [
        "/functions/../tasks/a",
        "/functions/%2e%2e/tasks/a",
        "/functions//tasks/a",
        "http://elsewhere.example/functions/x/tasks/a",
        "/functions/image-contains/tasks/a/../b",
    ],
)
def test_an_odd_path_is_not_found(api: Api, target: str) -> None:
    assert_is_error(api.request("PUT", target, GOOD), 404, "NotFound")


@pytest.mark.parametrize("target", ["*", "/?functions/image-contains/tasks/a", "http://elsewhere.example"])
def test_a_target_without_a_path_is_the_root_which_takes_other_verbs(api: Api, target: str) -> None:
    assert_is_enveloped_error(api.request("PUT", target, GOOD), 405)

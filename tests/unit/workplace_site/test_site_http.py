import base64
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdsight.workplace.site_errors import BadForm, FormTooLarge
from crowdsight.workplace.site_http import MAX_FORM_BYTES, MAX_FORM_FIELDS, Request
from tests.proxy_event import proxy_event

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=edge"


def form(body: bytes | str, content_type: str = URLENCODED) -> list[tuple[str, str]]:
    content = body.encode() if isinstance(body, str) else body
    return Request("POST", "/", headers={"content-type": content_type}, body=content).form()


def posted(body: str, is_base64: bool = False) -> Request:
    event = proxy_event("POST", "/", headers={"Content-Type": URLENCODED}, body=body, is_base64=is_base64)
    return Request.from_event(event)


def part(content: str, disposition: str = 'form-data; name="answer"') -> str:
    return f"--edge\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n--edge--\r\n"


@pytest.mark.parametrize(
    ("path", "whole_path", "prefix"),
    [
        ("/", "/", ""),
        ("/", "/prod/", "/prod"),
        ("/", "/prod", "/prod"),
        ("/hits/3A", "/hits/3A", ""),
        ("/hits/3A", "/prod/hits/3A", "/prod"),
        ("/hits/3A", "/prod/v1/hits/3A", "/prod/v1"),
        ("/hits/3A", '/"><script>/hits/3A', ""),
        ("/hits/3A", "//evil.example/hits/3A", ""),
    ],
)
def test_the_prefix_is_what_the_gateway_puts_before_the_path(path: str, whole_path: str, prefix: str) -> None:
    assert Request("GET", path, whole_path).prefix == prefix


def test_the_address_is_the_one_the_browser_has() -> None:
    headers = {"host": "abc.execute-api.us-east-1.amazonaws.com", "x-forwarded-proto": "https"}
    request = Request("GET", "/x", "/prod/x", headers=headers)
    assert request.address == "https://abc.execute-api.us-east-1.amazonaws.com/prod"
    assert Request("GET", "/x", "/x", headers={"host": "127.0.0.1:80"}).address == "http://127.0.0.1:80"
    assert Request("GET", "/x", "/x", headers={"host": 'a"b'}).address == ""


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("crowdsight_session=a.b", "a.b"),
        ('theme={"a": 1}; [=1; é=ü;crowdsight_session=a=b;x', "a=b"),
        ("crowdsight_session=", ""),
        ("", None),
        ("crowdsight_session", ""),
        ("xcrowdsight_session=1; =1; \x00=1", None),
    ],
)
def test_a_cookie_is_found_among_whatever_others_there_are(header: str, value: str | None) -> None:
    assert Request("GET", "/", headers={"cookie": header}).cookie("crowdsight_session") == value


def test_fields_keep_their_order_repetitions_and_blanks() -> None:
    assert form("b=1&a=&b=2&c=%C3%BC+x") == [("b", "1"), ("a", ""), ("b", "2"), ("c", "ü x")]


def test_a_body_in_base64_is_the_same_form() -> None:
    body = base64.b64encode(b"a=1").decode()
    assert posted(body, is_base64=True).form() == [("a", "1")]


@pytest.mark.parametrize("charset", ["idna''%ff", "punycode''%ff", "undefined''x", "a\x00b''x", "no-such''x"])
def test_a_charset_that_cannot_be_read_is_a_bad_form(charset: str) -> None:
    with pytest.raises(BadForm):
        form(part("yes", f"form-data; name=answer; filename*={charset}"), MULTIPART)
    with pytest.raises(BadForm):
        form(part("yes"), f"multipart/form-data; boundary*={charset}")


def test_parts_within_parts_are_a_bad_form_however_deep() -> None:
    deep = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(1200))
    with pytest.raises((BadForm, FormTooLarge)):
        form(deep, "multipart/form-data; boundary=b0")


def test_multipart_text_arrives_unchanged() -> None:
    assert form(part("vä\r\nl\n\n x\r"), MULTIPART) == [("answer", "vä\r\nl\n\n x\r")]
    assert form(part("", 'form-data; name="größe"'), MULTIPART) == [("größe", "")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("a=1", ""),
        ("a=1", "text/plain"),
        ('{"a": 1}', "application/json"),
        (b"a=\xff", URLENCODED),
        ("a=%ff", URLENCODED),
        ("", MULTIPART),
        ("a=1", MULTIPART),
        ("a=1", "multipart/form-data"),
        ("--edge\r\n\r\nno name\r\n--edge--", MULTIPART),
        (part("x").removesuffix("--\r\n"), MULTIPART),
        (part("x", 'form-data; name="f"; filename="f.txt"'), MULTIPART),
        (b"--edge\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--edge--", MULTIPART),
    ],
)
def test_what_is_no_form_of_text_is_refused(body: bytes | str, content_type: str) -> None:
    with pytest.raises(BadForm):
        form(body, content_type)


@pytest.mark.parametrize("body", ["\ud800=1", "a=\udfff"])
def test_a_lone_surrogate_is_refused(body: str) -> None:
    with pytest.raises(BadForm):
        posted(body).form()


def test_base64_that_is_none_is_refused() -> None:
    with pytest.raises(BadForm):
        posted("@", is_base64=True).form()


def test_a_form_has_at_most_a_hundred_fields_and_64_kib() -> None:
    assert len(form(urlencode([("a", "1")] * MAX_FORM_FIELDS))) == MAX_FORM_FIELDS
    with pytest.raises(FormTooLarge):
        form(urlencode([("a", "1")] * (MAX_FORM_FIELDS + 1)))
    with pytest.raises(FormTooLarge):
        form(part("x").removesuffix("--edge--\r\n") * (MAX_FORM_FIELDS + 1) + "--edge--\r\n", MULTIPART)
    assert form("a=" + "x" * (MAX_FORM_BYTES - 2))
    with pytest.raises(FormTooLarge):
        form("a=" + "x" * (MAX_FORM_BYTES - 1))


_PIECES = st.sampled_from(
    [
        "--edge",
        "--edge--",
        "\r\n",
        "\n",
        "Content-Disposition: form-data; name=",
        '"',
        "x*0*=utf-8''%ff",
        ";",
        "a",
        "\x00",
        "Content-Type: multipart/mixed; boundary=b",
        "Content-Type: message/rfc822",
        "--b",
        ":",
        " ",
        "filename*=x'y'z",
        "\ufffd",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=25), st.sampled_from([URLENCODED, MULTIPART, "multipart/form-data; boundary*=x'y'z"]))
def test_any_body_is_a_form_or_is_refused(pieces: list[str], content_type: str) -> None:
    try:
        fields = form("".join(pieces), content_type)
    except (BadForm, FormTooLarge):
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in fields)

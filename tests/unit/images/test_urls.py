"""A URL is read strictly, and its message says which rule it breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.errors import InvalidRequest
from crowdsight.images.urls import MAX_URL_LENGTH, parse_url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "empty"),
        ("images.example/a.jpg", "http://"),
        ("//images.example/a.jpg", "http://"),
        ("file:///etc/passwd", "http://"),
        ("ftp://images.example/a.jpg", "http://"),
        ("data:image/png;base64,AAAA", "http://"),
        ("gopher://images.example:70/_", "http://"),
        ("javascript:alert(1)", "http://"),
        ("http:", "host"),
        ("http://", "host"),
        ("http:///a.jpg", "host"),
        ("http://:8080/", "host"),
        ("http://?a", "host"),
        ("http://user@images.example/", "user name"),
        ("http://user:word@images.example/", "user name"),
        ("http://images.example@127.0.0.1/", "user name"),
        ("http://@images.example/", "user name"),
        ("http://images.example\\@127.0.0.1/", "user name"),
        ("http://images.example/a b", "spaces"),
        (" http://images.example/", "spaces"),
        ("http://images.example/\r\nX: y", "spaces"),
        ("http://images.example/\0", "spaces"),
        ("http://images.example/\u2003", "spaces"),
        ("http://images.example/\ud800", "control"),
        ("http://images.\u200bexample/", "control"),
        ("http://images.example\\a/", "host"),
        ("http://images%2eexample/", "host"),
        ("http://a..b/", "host"),
        ("http://.images.example/", "host"),
        ("http://images.example../", "host"),
        ("http://./", "host"),
        ("http://-images.example/", "host"),
        (f"http://{'a' * 64}.example/", "host"),
        (f"http://{'.'.join(['abcdefg'] * 40)}/", "host"),
        ("http://xn--\u00fc.example/", "host"),
        ("http://\u2024\u2024/", "valid"),
        ("http://[::1/", "valid"),
        ("http://[::1]a/", "valid"),
        ("http://[]/", "valid"),
        ("http://[fe80::1%eth0]/", "host"),
        ("http://[fe80::1%25eth0]/", "host"),
        ("http://[v1.a]/", "valid"),
        ("http://images.example:0/", "port"),
        ("http://images.example:65536/", "port"),
        ("http://images.example:99999999999999/", "port"),
        ("http://images.example:-1/", "port"),
        ("http://images.example:8o/", "port"),
        ("http://images.example:80:80/", "port"),
        ("http://images.example:22/", "port"),
        ("http://images.example:25/", "port"),
        ("http://images.example:1023/", "port"),
        ("http://images.example/" + "a" * MAX_URL_LENGTH, "2000"),
    ],
)
def test_a_url_that_breaks_a_rule_is_refused_and_told_why(url: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match="^url: ") as refused:
        parse_url(url)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target"),
    [
        ("http://images.example", "http", "images.example", 80, "/"),
        ("HTTPS://Images.Example.:443/A?b=c#d", "https", "images.example", 443, "/A?b=c"),
        ("http://images.example:8080?x", "http", "images.example", 8080, "/?x"),
        ("https://images.example:80/", "https", "images.example", 80, "/"),
        ("http://images.example:/", "http", "images.example", 80, "/"),
        ("http://a_b.example/%7e%zz//..", "http", "a_b.example", 80, "/%7e%zz//.."),
        ('http://images.example/ü"<猫>?ß', "http", "images.example", 80, "/%C3%BC%22%3C%E7%8C%AB%3E?%C3%9F"),
        ("http://straße.example/", "http", "xn--strae-oqa.example", 80, "/"),
        ("http://１２７。０.0.1/", "http", "127.0.0.1", 80, "/"),
        ("http://[2606:4700:0::1111]:8443/", "http", "2606:4700::1111", 8443, "/"),
        ("http://2130706433/", "http", "2130706433", 80, "/"),
        ("http://0x7f.1/", "http", "0x7f.1", 80, "/"),
    ],
)
def test_a_good_url_is_taken_apart(url: str, scheme: str, host: str, port: int, target: str) -> None:
    parsed = parse_url(url)
    assert (parsed.scheme, parsed.host, parsed.port, parsed.target) == (scheme, host, port, target)


def test_the_host_header_has_a_port_only_if_it_is_unusual_and_brackets_around_ipv6() -> None:
    assert parse_url("https://images.example:443/").host_header == "images.example"
    assert parse_url("https://images.example:80/").host_header == "images.example:80"
    assert parse_url("http://[2606:4700::1111]/").host_header == "[2606:4700::1111]"
    assert parse_url("http://[2606:4700::1111]/").authority == "[2606:4700::1111]:80"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("b.jpg", "http://images.example:8080/a/b.jpg"),
        ("/b.jpg?x=y", "http://images.example:8080/b.jpg?x=y"),
        ("//other.example/c", "http://other.example/c"),
        ("https://other.example/c#part", "https://other.example/c"),
    ],
)
def test_a_redirect_is_read_relative_to_where_it_came_from(reference: str, url: str) -> None:
    assert parse_url("http://images.example:8080/a/x?y").join(reference) == parse_url(url)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://[", "//", "http://a.example/"]))
def test_whatever_is_not_a_url_is_an_invalid_request_and_nothing_else(text: str, start: str) -> None:
    for read in (parse_url, parse_url("http://images.example/a").join):
        try:
            parsed = read(start + text)
        except InvalidRequest as error:
            assert error.message
        else:
            assert parsed.host.isascii() and parsed.target.startswith("/") and parsed.target.isprintable()

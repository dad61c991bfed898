import base64
import json
from typing import Any

import pytest

from crowdsight.errors import InvalidRequest, UnsupportedMediaType
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import (
    Addresses,
    enveloped,
    file_of,
    find_query,
    is_thumbnail,
    picture_answer,
    save_body,
    similar_body,
)
from tests.proxy_event import proxy_event

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "OPTIONS,POST"}


def asked(query: str) -> ProxyRequest:
    return ProxyRequest.from_event(proxy_event("GET", f"/image/find?{query}"))


def sent(body: Any, content_type: str = "application/json") -> ProxyRequest:
    text = body if isinstance(body, str) else json.dumps(body)
    return ProxyRequest.from_event(proxy_event("POST", "/", headers={"Content-Type": content_type}, body=text))


# Find


def test_a_find_has_five_results_and_no_threshold_unless_it_says_otherwise() -> None:
    query = find_query(asked("url=https%3A%2F%2Fa.example%2Fb.jpg&cache-buster=1"))
    assert (query.url, query.max_results, query.threshold) == ("https://a.example/b.jpg", 5, None)


@pytest.mark.parametrize("name", ["max_similarity", "min_similarity"])
@pytest.mark.parametrize(("text", "threshold"), [("0", 0.0), ("0.5", 0.5), ("1", 1.0)])
def test_both_names_of_the_threshold_mean_the_same(name: str, text: str, threshold: float) -> None:
    assert find_query(asked(f"url=a&{name}={text}")).threshold == threshold


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "query.url"),
        ("url=", "query.url"),
        *((f"url=a&max_results={text}", "query.max_results") for text in ("0", "51", "-1", "1.5", "many", "", "1e9")),
        *((f"url=a&max_similarity={text}", "query.max_similarity") for text in ("-0.1", "1.1", "nan", "inf", "x", "")),
        *((f"url=a&min_similarity={text}", "query.min_similarity") for text in ("-0.1", "1.1", "nan", "-inf")),
        ("url=a&min_similarity=0.5&max_similarity=0.6", "two names of one threshold"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_query(asked(query))
    assert field in refused.value.message
    assert len(refused.value.message) < 300


def test_the_threshold_may_be_given_by_both_names_if_they_agree() -> None:
    assert find_query(asked("url=a&min_similarity=0.5&max_similarity=0.5")).threshold == 0.5


# Save


def test_a_save_names_its_request() -> None:
    assert save_body(sent({"request_id": "a-b"})).request_id == "a-b"


@pytest.mark.parametrize(
    "body", [{}, [], None, "a", 1, {"request_id": 1}, {"request_id": ""}, {"request_id": "a" * 101}]
)
def test_a_save_without_a_request_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        save_body(sent(json.dumps(body)))


def test_an_unknown_key_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidRequest, match="body.more"):
        save_body(sent({"request_id": "a", "more": 1}))
    with pytest.raises(InvalidRequest, match="body.num_similr"):
        similar_body(sent({"text": "a dog", "num_similr": 3}))


# Similar


@pytest.mark.parametrize("name", ["url", "image", "text"])
def test_one_similar_image_without_labels_is_what_is_asked_for_by_default(name: str) -> None:
    body = similar_body(sent({name: "x"}))
    assert (getattr(body, name), body.limit, body.get_labels) == ("x", 1, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "a", "text": "b"},
        {"url": "a", "image": "b"},
        {"image": "a", "text": "b"},
        {"url": "a", "image": "b", "text": "c"},
        {"url": None},
    ],
)
def test_there_is_exactly_one_query(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="exactly one of url, image and text"):
        similar_body(sent(body))


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        *(({"num_similar": number}, "body.num_similar") for number in (0, 51, -1, 1.5, "3", True)),
        *(({"get_labels": labels}, "body.get_labels") for labels in ("coco", "", 1, True)),
        ({"text": ""}, "body.text"),
        ({"text": "a" * 1001}, "body.text"),
        ({"text": 1}, "body.text"),
    ],
)
def test_a_wrong_field_is_named(extra: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        similar_body(sent({"text": "a dog"} | extra))


def test_labels_may_be_asked_for_or_null() -> None:
    assert similar_body(sent({"text": "a", "get_labels": "coco_yolov7"})).get_labels == "coco_yolov7"
    assert similar_body(sent({"text": "a", "get_labels": None})).get_labels is None


def test_a_number_that_is_null_is_as_good_as_absent() -> None:
    assert similar_body(sent({"text": "a", "num_similar": None})).limit == 1
    assert similar_body(sent({"text": "a", "num_similar": 50})).limit == 50


def test_a_save_is_json_and_a_search_may_call_itself_anything() -> None:
    with pytest.raises(UnsupportedMediaType):
        save_body(sent({"request_id": "a"}, "text/plain"))
    assert similar_body(sent({"text": "a"}, "text/plain")).text == "a"


@pytest.mark.parametrize("body", [[], "text", 1, None])
@pytest.mark.parametrize("read", [save_body, similar_body])
def test_a_body_that_is_no_object_is_told_so(read: Any, body: Any) -> None:
    with pytest.raises(InvalidRequest, match="the body must be a JSON object"):
        read(sent(json.dumps(body)))


def test_an_answer_is_in_the_envelope_with_its_document_as_text() -> None:
    answered = enveloped({"images": [1]})
    assert answered["statusCode"] == 200
    assert CORS.items() <= answered["headers"].items()
    body = json.loads(answered["body"])
    assert body.keys() == {"statusCode", "body", "headers"}
    assert (body["statusCode"], json.loads(body["body"]), body["headers"]) == (200, {"images": [1]}, CORS)


# Addresses


@pytest.mark.parametrize("base", ["https://api.example.com/prod", "https://api.example.com", "http://127.0.0.1:8080"])
def test_an_address_leads_back_to_its_file(base: str) -> None:
    addresses = Addresses(base)
    assert addresses.image("a.jpg") == f"{base}/image/a.jpg"
    assert addresses.thumbnail("a.webp") == f"{base}/thumbnail/a.webp"
    assert addresses.file_at(addresses.image("a.jpg")) == "a.jpg"
    assert addresses.file_at(f"{base}/image/a.jpg?size=1#top") == "a.jpg"
    assert addresses.file_at(f"{base}/image/a%2Ejpg") == "a.jpg"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("HTTPS://API.EXAMPLE.COM/prod/image/a.jpg", "a.jpg"),
        ("https://api.example.com:443/prod/image/a.jpg", "a.jpg"),
        ("http://api.example.com/prod/image/a.jpg", "a.jpg"),
        ("https://api.example.com./prod/image/a.jpg", "a.jpg"),
        ("https://api.example.com/%70rod/image/a%2Ejpg", "a.jpg"),
        ("https://api.example.com/prod/image/", ""),
        ("ftp://api.example.com/prod/image/a.jpg", None),
        ("//api.example.com/prod/image/a.jpg", None),
        ("https://user@api.example.com/prod/image/a.jpg", None),
        ("https://api.example.com/prod/image/a .jpg", None),
        ("https://api.exam\tple.com/prod/image/a.jpg", None),
        ("http://api.example.com:443/prod/image/a.jpg", None),
        ("https://api.example.com/prod/thumbnail/a.webp", None),
        ("https://api.example.com/image/a.jpg", None),
        ("https://api.example.com/prod/image/b/a.jpg", None),
        ("https://api.example.com:8443/prod/image/a.jpg", None),
        ("https://api.example.com.evil.example/prod/image/a.jpg", None),
        ("https://evil.example/prod/image/a.jpg", None),
        ("https://user@evil.example/https://api.example.com/prod/image/a.jpg", None),
        ("https://[::1/prod/image/a.jpg", None),
        ("https://api.example.com:port/prod/image/a.jpg", None),
        ("", None),
        ("\x00", None),
    ],
)
def test_only_our_own_addresses_of_images_are_taken_for_ours(url: str, file: str | None) -> None:
    assert Addresses("https://api.example.com/prod").file_at(url) == file


def test_the_base_address_is_the_one_that_the_client_used() -> None:
    event = proxy_event("GET", "/prod/image/find?url=a", prefix="/prod", headers={"X-Forwarded-Proto": "https"})
    event["requestContext"]["domainName"] = "abc.execute-api.us-east-1.amazonaws.com"
    request = ProxyRequest.from_event(event)
    assert request.base_url == "https://abc.execute-api.us-east-1.amazonaws.com/prod"


@pytest.mark.parametrize("path", ["/v1/images/image/find", "/v1/images/image/find/"])
def test_the_base_address_has_a_custom_domains_base_path(path: str) -> None:
    event = proxy_event("GET", path, resource="/image/find")
    event["requestContext"]["domainName"] = "api.example.com"
    request = ProxyRequest.from_event(event)
    assert request.base_url == "https://api.example.com/v1/images"
    assert request.path == path.removeprefix("/v1/images")


def test_a_scheme_that_is_neither_http_nor_https_does_not_get_into_addresses() -> None:
    event = proxy_event("GET", "/image/find", headers={"X-Forwarded-Proto": "javascript"})
    assert ProxyRequest.from_event(event).origin.startswith("https:")


# Pictures


def test_a_picture_is_answered_as_its_bytes_to_be_cached_and_not_to_be_sniffed() -> None:
    answered = picture_answer(b"\xff\xd8", "image/jpeg")
    assert answered["isBase64Encoded"] is True
    assert base64.b64decode(answered["body"]) == b"\xff\xd8"
    assert answered["headers"]["Content-Type"] == "image/jpeg"
    assert answered["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answered["headers"]["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("folder", "thumbnail"), [("image", False), ("thumbnail", True)])
def test_the_path_says_which_file_is_meant(folder: str, thumbnail: bool) -> None:
    for base_path in ("", "/prod", "/v1/api"):
        event = proxy_event(
            "GET",
            f"{base_path}/{folder}/a%2Ejpg",
            resource=f"/{folder}/{{file}}",
            path_parameters={"file": "a%2Ejpg"},
        )
        request = ProxyRequest.from_event(event)
        assert (file_of(request), is_thumbnail(request)) == ("a.jpg", thumbnail)

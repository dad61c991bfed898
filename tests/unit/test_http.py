import base64
import json
from typing import Any

import pytest

from crowdsight import errors
from crowdsight.errors import CrowdsightError, InvalidRequest, NotFound, UnsupportedMediaType
from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR, answer, json_body, json_operation, task_key
from crowdsight.proxy_request import ProxyRequest
from crowdsight.tasks import TaskKey
from tests.proxy_event import REQUEST_ID, proxy_event

PUT = proxy_event("PUT", "/functions/image-contains/tasks/a")


def sent(body: str | None, content_type: str | None = "application/json", is_base64: bool = False) -> ProxyRequest:
    headers = {"content-TYPE": content_type} if content_type is not None else None
    return ProxyRequest.from_event(proxy_event("PUT", "/", headers=headers, body=body, is_base64=is_base64))


def named(function: str, task: str, account: str | None = None) -> ProxyRequest:
    parameters = {"function": function, "task": task} | ({"account": account} if account else {})
    event = proxy_event("GET", "/", path_parameters=parameters, caller={"account": "default"})
    return ProxyRequest.from_event(event)


# Reading


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "APPLICATION/JSON", "application/json;charset=utf-8", "application/json ;x"],
)
def test_a_json_body_is_read_with_or_without_parameters_of_its_media_type(content_type: str | None) -> None:
    assert json_body(sent('{"a": [1, "ä"]}', content_type)) == {"a": [1, "ä"]}


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/jsonx", "", "image/png"])
def test_another_media_type_is_refused_before_the_body_is_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        json_body(sent("{", content_type))


def test_a_body_in_base64_is_read_as_what_it_stands_for() -> None:
    encoded = base64.b64encode('{"a": "ä"}'.encode()).decode()
    assert json_body(sent(encoded, is_base64=True)) == {"a": "ä"}


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "{",
        "{'a': 1}",
        "NaN",
        "\ufeff{}",
        '{"a": "\\ud800"}',
        '{"a": "\\udc00\\ud800"}',
        '"\ud800"',
        '{"a": "\x00"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 5_000 + "]" * 5_000,
        "1" * 5_000,
        "{} {}",
    ],
    ids=lambda body: ascii(body)[:24],
)
def test_what_is_not_json_is_an_invalid_request(body: str | None) -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON") as refused:
        json_body(sent(body))
    assert len(refused.value.message) < 300


def test_a_body_in_base64_that_is_no_utf_8_is_an_invalid_request() -> None:
    for encoded in ("####", base64.b64encode(b'{"a": "\xff"}').decode(), base64.b64encode(b"\xff\xfe{\0}\0").decode()):
        with pytest.raises(InvalidRequest):
            json_body(sent(encoded, is_base64=True))


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (named("image-contains", "a"), TaskKey("default", "image-contains", "a")),
        (named("image-contains", "a", "123456789012"), TaskKey("default", "image-contains", "a")),
        (named("image%2Dcontains", "%61%2Eb"), TaskKey("default", "image-contains", "a.b")),
        (named("f", "a%2Fb"), TaskKey("default", "f", "a/b")),
        (named("f", "%2561"), TaskKey("default", "f", "%61")),
        (named("f", "a+b"), TaskKey("default", "f", "a+b")),
        (named("f", "%C3%A4"), TaskKey("default", "f", "ä")),
    ],
)
def test_a_path_is_percent_decoded_once_and_belongs_to_the_keys_account(asked: ProxyRequest, key: TaskKey) -> None:
    assert task_key(asked) == key


@pytest.mark.parametrize("account", ["210987654321", "12345678901", "default", "1234567890123"])
def test_another_accounts_number_is_not_found(account: str) -> None:
    with pytest.raises(NotFound):
        task_key(named("image-contains", "a", account))


# Answering


def test_every_error_a_caller_can_meet_has_a_status_and_no_code_is_used_twice() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CrowdsightError)]
    codes = [kind.code for kind in kinds if kind is not CrowdsightError]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(STATUS_OF_ERROR)
    assert not set(codes) & set(GATEWAY_CODES)


@pytest.mark.parametrize("code", STATUS_OF_ERROR)
def test_an_error_is_answered_with_its_status_its_code_and_its_message(code: str) -> None:
    kind = next(kind for kind in CrowdsightError.__subclasses__() if kind.code == code)
    details: dict[str, Any] = {"url": "https://api.example.com/image/a.jpg"} if kind is errors.AlreadyStored else {}

    @json_operation
    def handler(request: ProxyRequest) -> dict[str, Any]:
        raise kind('it is "wrong"\ud800', **details)

    answered = handler(PUT, None)
    assert answered["statusCode"] == STATUS_OF_ERROR[code]
    assert answered["headers"]["Content-Type"] == "application/json"
    assert json.loads(answered["body"].encode()) == {"error": code, "message": 'it is "wrong"\ud800', **details}


def test_an_error_that_nobody_named_is_a_500_with_a_correlation_id_and_nothing_of_its_inside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @json_operation
    def handler(request: ProxyRequest) -> dict[str, Any]:
        raise KeyError("arn:aws:dynamodb:us-east-1:123456789012:table/secret")

    answered = handler(PUT, None)
    assert answered["statusCode"] == 500
    body = json.loads(answered["body"])
    assert body.keys() == {"error", "message"}
    assert body["error"] == "InternalError"
    assert REQUEST_ID in body["message"]
    assert "arn:" not in answered["body"] and "KeyError" not in answered["body"]


def test_an_answer_without_a_document_has_an_empty_body() -> None:
    assert answer(204) == {"statusCode": 204, "headers": {}, "body": ""}

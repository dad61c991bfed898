"""Every status that the API promises, over HTTP, each with its body; for 402 and 429 see test_limits."""

import json
from functools import partial

import pytest

from tests.stack.crowd_hands import (
    CONTAINS,
    Hands,
    answer_all,
    contains_input,
)
from tests.stack.raw_http import Api, assert_is_error, assert_key_is_refused, task_target
from tests.stack.running_stack import RunningStack, wait_for

KEYS = {"taskName", "input", "problemDetails", "state", "result"}
TWIN = f"{CONTAINS}-test"
OVER_LAMBDA_BYTES = 7_000_000
OVER_GATEWAY_BYTES = 10 * 1024 * 1024 + 1


def test_201_is_a_new_task_that_is_processing(api: Api) -> None:
    reply = api.put(CONTAINS, "status-201", contains_input("status-201"))
    assert reply.status == 201
    assert reply.headers["content-type"] == "application/json"
    assert reply.document == {
        "taskName": "status-201",
        "input": contains_input("status-201"),
        "problemDetails": None,
        "state": "processing",
        "result": None,
    }


def test_200_is_the_same_task_for_an_equal_input_whatever_its_keys_order(api: Api) -> None:
    task_input = contains_input("status-200")
    assert api.put(TWIN, "status-200", task_input).status == 201
    reply = api.put(TWIN, "status-200", dict(reversed(task_input.items())))
    assert reply.status == 200
    assert reply.document == api.get(TWIN, "status-200").document
    assert set(reply.document) == KEYS


def test_204_frees_the_name_and_has_no_body(api: Api) -> None:
    assert api.put(TWIN, "status-204", contains_input("status-204")).status == 201
    reply = api.delete(TWIN, "status-204")
    assert (reply.status, reply.body) == (204, b"")
    assert_is_error(api.get(TWIN, "status-204"), 404, "NotFound")
    assert api.put(TWIN, "status-204", contains_input("another")).status == 201


def test_400_is_a_bad_name(api: Api) -> None:
    message = assert_is_error(api.put(TWIN, "a%20b", contains_input("status-400")), 400, "InvalidRequest")
    assert message == "a task name has 1 to 64 of A-Z a-z 0-9 . _ -"


def test_400_is_bad_json(api: Api) -> None:
    reply = api.request("PUT", task_target(TWIN, "status-400"), '{"input": ')
    assert "JSON" in assert_is_error(reply, 400, "InvalidRequest")


def test_400_is_a_bad_input_and_names_the_field(api: Api) -> None:
    task_input = {"image": {"url": "https://example.com/a.jpg"}, "target": {"label": " "}}
    message = assert_is_error(api.put(TWIN, "status-400", task_input), 400, "InvalidRequest")
    assert "input.target.label" in message


def test_400_is_a_name_that_is_taken_with_another_input_and_the_task_stays_as_it_is(api: Api) -> None:
    assert api.put(TWIN, "status-taken", contains_input("status-taken")).status == 201
    before = api.get(TWIN, "status-taken").document
    assert_is_error(api.put(TWIN, "status-taken", contains_input("another")), 400, "InvalidRequest")
    assert api.get(TWIN, "status-taken").document == before


@pytest.mark.parametrize("verb", ["PUT", "GET", "DELETE"])
def test_401_is_a_missing_key_and_403_a_wrong_one(api: Api, verb: str) -> None:
    body = json.dumps({"input": contains_input("status-401")})
    target = task_target(CONTAINS, "status-401")
    missing = api.request(verb, target, body, api_key=None)
    assert_key_is_refused(missing, 401, "Missing an API key")
    wrong = api.request(verb, target, body, api_key="wrong")
    assert_key_is_refused(wrong, 403, "Invalid API key")
    assert api.get(CONTAINS, "status-401").status == 404


def test_an_audit_is_found_exactly_where_its_task_is(api: Api, running: RunningStack) -> None:
    target = task_target(TWIN, "status-audit")
    own = f"/{running['account_id']}{target}"
    for missing in (f"{target}/audit", f"{own}/audit", f"{task_target('image-segments', 'a')}/audit"):
        assert_is_error(api.request("GET", missing), 404, "NotFound")
    assert api.put(TWIN, "status-audit", contains_input("status-audit")).status == 201
    audit = api.request("GET", f"{target}/audit")
    assert audit.status == 200
    assert audit.document == api.request("GET", f"{own}/audit").document
    assert audit.document["answers"] == []
    assert_is_error(api.request("GET", f"/999999999999{target}/audit"), 404, "NotFound")
    assert_key_is_refused(api.request("GET", f"{target}/audit", api_key=None), 401, "Missing an API key")
    for verb in ("PUT", "DELETE", "POST"):
        assert_is_error(api.request(verb, f"{target}/audit", "{}"), 405, "MethodNotAllowed")


@pytest.mark.parametrize("verb", ["PUT", "GET", "DELETE"])
def test_404_is_an_unknown_function(api: Api, verb: str) -> None:
    for function in ("image-segments", f"{TWIN}-test", "Image-Contains", "-test", "image-contains%00"):
        reply = api.request(verb, task_target(function, "a"), json.dumps({"input": contains_input("status-404")}))
        assert_is_error(reply, 404, "NotFound")


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_404_is_an_unknown_task(api: Api, verb: str) -> None:
    assert_is_error(api.request(verb, task_target(CONTAINS, "status-404")), 404, "NotFound")


@pytest.mark.parametrize("verb", ["PUT", "GET", "DELETE"])
def test_404_is_another_accounts_number_and_the_deployments_own_is_the_same_as_none(
    api: Api, running: RunningStack, verb: str
) -> None:
    body = json.dumps({"input": contains_input("status-account")})
    for account in ("999999999999", running["account_id"][:-1], "default", "%00"):
        target = f"/{account}{task_target(TWIN, 'status-account')}"
        assert_is_error(api.request(verb, target, body), 404, "NotFound")
    assert api.get(TWIN, "status-account").status == 404
    own = f"/{running['account_id']}{task_target(TWIN, 'status-account')}"
    assert api.request("PUT", own, body).status == 201
    assert api.get(TWIN, "status-account").document == api.request("GET", own).document
    assert api.request("DELETE", own).status == 204


@pytest.mark.parametrize(
    "target", ["/functions", "/functions/image-contains", "/tasks", "/image", "/a/b/c/d/e/f", "//"]
)
def test_404_is_an_unknown_path(api: Api, target: str) -> None:
    assert_is_error(api.request("GET", target), 404, "NotFound")


@pytest.mark.parametrize("verb", ["POST", "PATCH", "OPTIONS", "TRACE"])
def test_405_is_any_other_verb_and_says_which_are_allowed(api: Api, verb: str) -> None:
    reply = api.request(verb, task_target(CONTAINS, "status-405"))
    assert_is_error(reply, 405, "MethodNotAllowed")
    assert reply.headers["allow"] == "DELETE, GET, PUT"


def test_409_is_a_task_that_is_still_processing_and_nothing_is_deleted(api: Api) -> None:
    assert api.put(CONTAINS, "status-409", contains_input("status-409")).status == 201
    assert_is_error(api.delete(CONTAINS, "status-409"), 409, "StillProcessing")
    assert api.get(CONTAINS, "status-409").document["state"] == "processing"


@pytest.mark.parametrize("size_bytes", [OVER_LAMBDA_BYTES, OVER_GATEWAY_BYTES])
def test_413_is_a_body_that_the_gateway_or_a_lambda_cannot_take(api: Api, size_bytes: int) -> None:
    body = json.dumps({"input": contains_input("status-413", "x" * size_bytes)})
    assert_is_error(api.request("PUT", task_target(CONTAINS, "status-413"), body), 413, "RequestTooLarge")
    assert api.get(CONTAINS, "status-413").status == 404


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json"])
def test_415_is_a_body_that_is_not_json(api: Api, media_type: str) -> None:
    body = json.dumps({"input": contains_input("status-415")})
    reply = api.request("PUT", task_target(CONTAINS, "status-415"), body, media_type=media_type)
    assert_is_error(reply, 415, "UnsupportedMediaType")
    assert api.get(CONTAINS, "status-415").status == 404


def test_every_answer_of_a_finished_task_has_the_same_document(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    """`result` exactly when completed, `problemDetails` exactly when failed."""
    for answer, state, filled in (("yes", "completed", "result"), ("unavailable", "failed", "problemDetails")):
        name = f"status-{state}"
        assert api.put(CONTAINS, name, contains_input(name)).status == 201
        answer_all(running, hands[:2], name, answer)
        wait_for(f"{name} to end", partial(_has_ended, api, name))
        got, put = api.get(CONTAINS, name), api.put(CONTAINS, name, contains_input(name))
        assert (got.status, put.status) == (200, 200)
        assert got.document == put.document
        assert got.document["state"] == state
        assert {key for key, value in got.document.items() if value is not None} == KEYS - (
            {"result", "problemDetails"} - {filled}
        )
        assert api.delete(CONTAINS, name).status == 204


def _has_ended(api: Api, name: str) -> bool:
    return bool(api.get(CONTAINS, name).document["state"] != "processing")

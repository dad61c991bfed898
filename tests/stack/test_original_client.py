"""The client that callers have had since 2017, unchanged: only its endpoint is ours, and it sends an API key."""

from typing import Any

import boto3
import mturk_crowd_beta_client
import pytest
import requests
from mturk_crowd_beta_client import MTurkCrowdClient
from requests.adapters import HTTPAdapter

from tests.stack.crowd_hands import CONTAINS, SIMILARITY, Hands, contains_input, similarity_input, wait_for_hit
from tests.stack.running_stack import RunningStack, wait_for


class KeyAdapter(HTTPAdapter):
    """Adds the API key to whatever is sent."""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self._api_key = api_key

    def add_headers(self, request: requests.PreparedRequest, **options: Any) -> None:
        request.headers["x-api-key"] = self._api_key


@pytest.fixture
def client(running: RunningStack, monkeypatch: pytest.MonkeyPatch) -> MTurkCrowdClient:
    class SessionWithKey(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.mount("http://", KeyAdapter(running["api_key"]))

    monkeypatch.setattr(mturk_crowd_beta_client, "_ENDPOINT", running["api_url"])
    monkeypatch.setattr(mturk_crowd_beta_client, "Session", SessionWithKey)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running["aws_endpoint_url"])
    session = boto3.Session(aws_access_key_id="caller", aws_secret_access_key="secret", region_name="us-east-1")
    return MTurkCrowdClient(session)


@pytest.mark.parametrize(
    ("function", "answer", "result"),
    [
        (CONTAINS, "yes", {"containsTarget": True}),
        (SIMILARITY, "3", {"similarityScore": pytest.approx(0.75, abs=0.02)}),
    ],
)
def test_a_task_is_put_and_got_and_once_workers_have_answered_it_is_deleted(
    client: MTurkCrowdClient,
    running: RunningStack,
    four_hands: list[Hands],
    function: str,
    answer: str,
    result: dict[str, Any],
) -> None:
    name = f"original-{function}"
    task_input = _input(function, name)
    put = client.put_task(function, name, task_input)
    processing = {
        "taskName": name,
        "input": task_input,
        "problemDetails": None,
        "state": "processing",
        "result": None,
    }
    assert (put.status_code, put.json()) == (201, processing)
    again = client.put_task(function, name, task_input)
    assert (again.status_code, again.json()) == (200, processing)
    got = client.get_task(function, name)
    assert (got.status_code, got.json()) == (200, processing)
    too_early = client.delete_task(function, name)
    assert (too_early.status_code, too_early.json()["error"]) == (409, "StillProcessing")

    hit_id = wait_for_hit(running, name)

    def has_ended() -> bool:
        return bool(client.get_task(function, name).json()["state"] != "processing")

    def is_open() -> bool:
        return bool(running.mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Assignable")

    for worker in four_hands:
        wait_for("another place or the end", lambda: has_ended() or is_open())
        if has_ended():
            break
        worker.answer(hit_id, answer)
    wait_for(f"{name} to end", has_ended)
    assert client.get_task(function, name).json() == {**processing, "state": "completed", "result": result}

    _delete(client, function, name)


@pytest.mark.parametrize("function", [CONTAINS, SIMILARITY])
def test_a_task_of_a_test_twin_is_put_then_completed_and_deleted(client: MTurkCrowdClient, function: str) -> None:
    twin, name = f"{function}-test", f"original-{function}"
    task_input = _input(function, name)
    put = client.put_task(twin, name, task_input)
    assert (put.status_code, put.json()["state"]) == (201, "processing")
    got = client.get_task(twin, name)
    assert (got.status_code, got.json()["state"]) == (200, "completed")
    assert client.put_task(twin, name, task_input).status_code == 200
    _delete(client, twin, name)


def test_a_name_that_has_to_be_percent_encoded_is_refused_and_names_no_other_path(
    client: MTurkCrowdClient,
) -> None:
    for name in ("a/b", "a b", "é", "a%2Fb", ""):
        refused = client.put_task(CONTAINS, name, contains_input("original-name"))
        assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest"), name


def _input(function: str, name: str) -> dict[str, Any]:
    return contains_input(name) if function == CONTAINS else similarity_input(name)


def _delete(client: MTurkCrowdClient, function: str, name: str) -> None:
    deleted = client.delete_task(function, name)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for gone in (client.get_task(function, name), client.delete_task(function, name)):
        assert (gone.status_code, gone.json()["error"]) == (404, "NotFound")

"""Requests exactly as they are written, with nothing normalised on the way."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_DEADLINE_S = 60.0
RIGHT_KEY = "the right key"
"""Stands for the stack's own API key."""

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "OPTIONS,POST"}
"""What the envelope of similar images says in its headers."""


@dataclass(frozen=True)
class Reply:
    """`headers`: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Api:
    """The stack's crowd API."""

    def __init__(self, url: str, api_key: str) -> None:
        self._host = urlsplit(url).netloc
        self._api_key = api_key

    def request(
        self,
        verb: str,
        target: str,
        body: bytes | str | None = None,
        *,
        api_key: str | None = RIGHT_KEY,
        media_type: str | None = "application/json",
    ) -> Reply:
        """Send it, and again when the API is throttled and says so. `api_key`, `media_type`: None for no such header.

        `target`: sent as it is.
        """
        while True:
            reply = self.request_once(verb, target, body, api_key=api_key, media_type=media_type)
            if reply.status != 429:
                return reply
            time.sleep(float(reply.headers["retry-after"]))

    def request_once(
        self,
        verb: str,
        target: str,
        body: bytes | str | None = None,
        *,
        api_key: str | None = RIGHT_KEY,
        media_type: str | None = "application/json",
    ) -> Reply:
        headers = {} if api_key is None else {"x-api-key": self._api_key if api_key == RIGHT_KEY else api_key}
        content = body.encode() if isinstance(body, str) else body
        if content is not None and media_type is not None:
            headers["Content-Type"] = media_type
        connection = http.client.HTTPConnection(self._host, timeout=ANSWER_DEADLINE_S)
        try:
            connection.request(verb, target, content, headers)
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, got, answer.read())
        finally:
            connection.close()

    def put(self, function: str, task: str, task_input: Any) -> Reply:
        return self.request("PUT", task_target(function, task), json.dumps({"input": task_input}))

    def get(self, function: str, task: str) -> Reply:
        return self.request("GET", task_target(function, task))

    def delete(self, function: str, task: str) -> Reply:
        return self.request("DELETE", task_target(function, task))


def task_target(function: str, task: str) -> str:
    """The path of a task; nothing in it is encoded."""
    return f"/functions/{function}/tasks/{task}"


def assert_is_error(reply: Reply, status: int, code: str) -> str:
    """The reply is this error, in the one form that errors have; its message."""
    assert reply.status == status, (reply.status, reply.body[:500])
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.document) == {"error", "message"}
    assert reply.document["error"] == code
    message: str = reply.document["message"]
    assert message
    return message


def assert_key_is_refused(reply: Reply, status: int, error: str) -> None:
    """The reply is what the gateway answers, on every path alike, where no account's key is given."""
    assert reply.status == status, (reply.status, reply.body[:500])
    assert reply.headers["content-type"] == "application/json"
    assert reply.document.keys() == {"statusCode", "error", "message", "headers"}
    assert (reply.document["statusCode"], reply.document["error"], reply.document["headers"]) == (status, error, CORS)


def assert_is_enveloped_error(reply: Reply, status: int) -> str:
    """The reply is an error of this status, in the envelope of similar images; its message."""
    assert reply.status == status, (reply.status, reply.body[:500])
    assert reply.document.keys() == {"statusCode", "error", "headers"}
    assert (reply.document["statusCode"], reply.document["headers"]) == (status, CORS)
    message: str = reply.document["error"]
    assert message
    return message

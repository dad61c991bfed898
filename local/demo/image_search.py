"""Image search over HTTP, as any caller uses it."""

import base64
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from PIL import Image

from client.tasks import ApiError, ApiUnreachable

TIMEOUT_S = 35.0
"""A little more than the service gives itself."""

TRIES = 6
PAUSE_S = 1.0
AGAIN = (429, 502, 503, 504)
"""Statuses after which the same request is sent again. All of image search's may be."""

CONFLICT = 409


@dataclass(frozen=True)
class Label:
    """An object in an image. `box`: x_min, y_min, x_max, y_max in pixels of the image. `score`: 0 to 1."""

    name: str
    score: float
    box: tuple[float, float, float, float]
    category_id: int


@dataclass(frozen=True)
class Match:
    """A stored image that was found. `similarity`: 0 to 1. `thumbnail_url`: empty where the answer has none.
    `labels`: None unless asked for; `width` and `height`: in pixels, 0 unless labels were asked for.
    """

    url: str
    similarity: float
    thumbnail_url: str = ""
    width: int = 0
    height: int = 0
    labels: tuple[Label, ...] | None = None


@dataclass(frozen=True)
class Finding:
    """What a find answers. `request_id`: by which the picture that was asked about can be saved, for 3 minutes."""

    request_id: str
    matches: list[Match]


@dataclass(frozen=True)
class Picture:
    """An image as it is served."""

    data: bytes
    media_type: str

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels. Raises OSError when it is no image."""
        with Image.open(io.BytesIO(self.data)) as image:
            return image.size

    @cached_property
    def data_uri(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


class ImageSearchClient:
    """Finds, saves and serves images. Every method raises ApiError and ApiUnreachable.

    `sleep`: waits so many seconds before a request is sent again.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=api_url, timeout=TIMEOUT_S, transport=transport, trust_env=False)
        self._key = {"x-api-key": api_key}
        self._sleep = sleep

    def __enter__(self) -> "ImageSearchClient":
        return self

    def __exit__(self, *reason: object) -> None:
        self._http.close()

    def find(self, url: str, max_results: int) -> Finding:
        """Stored images like the picture at a URL."""
        response = self._send("GET", "/image/find", params={"url": url, "max_results": max_results}, headers=self._key)

        def read(document: Any) -> Finding:
            matches = [Match(result["url"], result["similarity"]) for result in document["results"]]
            return Finding(document["request_id"], matches)

        return _read(response, read)

    def save(self, request_id: str) -> str:
        """Store the picture of a find; its address, also when it was stored before."""
        response = self._send(
            "POST", "/image/save", json={"request_id": request_id}, headers=self._key, expected=(CONFLICT,)
        )
        return _read(response, lambda document: str(document["url"]))

    def similar(
        self, limit: int, *, url: str = "", data: bytes = b"", text: str = "", with_labels: bool = False
    ) -> list[Match]:
        """Stored images like a picture, by its URL or its bytes, or like words; exactly one of the three."""
        queries = {"url": url, "image": base64.b64encode(data).decode(), "text": text}
        body: dict[str, Any] = {name: value for name, value in queries.items() if value}
        body["num_similar"] = limit
        if with_labels:
            body["get_labels"] = "coco_yolov7"
        return _read(self._send("POST", "/", json=body, headers=self._key), _matches_in)

    def picture(self, url: str) -> Picture:
        """The image or thumbnail at an address of the API, for which no key is needed."""
        response = self._send("GET", url)
        return Picture(response.content, response.headers.get("Content-Type", ""))

    def _send(self, method: str, url: str, *, expected: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        for _ in range(TRIES):
            try:
                response = self._http.request(method, url, **options)
            except httpx.TransportError as error:
                raise ApiUnreachable(f"{self._http.base_url}: {error}") from error
            if response.is_success or response.status_code in expected:
                return response
            if response.status_code not in AGAIN:
                break
            self._sleep(_pause_s(response.headers))
        raise _error_in(response)


def _matches_in(envelope: Any) -> list[Match]:
    document = json.loads(envelope["body"])
    annotations = document.get("annotations") or [None] * len(document["images"])
    return [_match_in(image, about) for image, about in zip(document["images"], annotations, strict=True)]


def _match_in(image: Any, about: Any) -> Match:
    match = Match(image["url"], image["score"], image["thumbnail_url"])
    if about is None:
        return match
    labels = tuple(map(_label_in, about["annotations"]))
    return Match(match.url, match.similarity, match.thumbnail_url, about["width"], about["height"], labels)


def _label_in(annotation: Any) -> Label:
    x_min, y_min, x_max, y_max = annotation["box"]
    return Label(annotation["name"], annotation["score"], (x_min, y_min, x_max, y_max), annotation["category_id"])


def _read(response: httpx.Response, read: Callable[[Any], Any]) -> Any:
    try:
        return read(response.json())
    except (ValueError, KeyError, TypeError) as error:
        message = f"this is not what image search answers: {response.text[:200]}"
        raise ApiError(response.status_code, "UnknownAnswer", message) from error


def _error_in(response: httpx.Response) -> ApiError:
    """The error in either of its forms: with a code and a message, or in the envelope of `POST /`."""
    try:
        document = response.json()
        return ApiError(response.status_code, document.get("error", ""), document.get("message", ""))
    except (ValueError, AttributeError):
        return ApiError(response.status_code, "UnknownAnswer", response.text[:200] or response.reason_phrase)


def _pause_s(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else PAUSE_S

"""Image search's HTTP in memory: it finds what a test says, and serves what was saved."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image

from local.demo.image_search import ImageSearchClient, Label
from local.workers.truth import PHOTOGRAPHS

URL = "http://127.0.0.1:9000"
HOST = "http://127.0.0.1:9001"
LABELS = (Label("cat", 0.53, (3, 1, 437, 297), 15), Label("dog", 0.43, (2, 0, 443, 296), 16))


class MemoryImageSearch:
    """Saves what is found by URL. A query finds the photographs that `finds` tells for its photograph's name or its
    words, and otherwise itself, each a tenth less similar than the one before. `labels`: of every image.
    `fails`: the statuses of the next requests.
    """

    def __init__(self, finds: Mapping[str, Sequence[str]] | None = None, labels: Sequence[Label] = LABELS) -> None:
        self.finds = finds or {}
        self.labels = labels
        self.fails: list[int] = []
        self.saved: list[str] = []
        self.asked: list[Any] = []

    def client(self) -> ImageSearchClient:
        transport = httpx.MockTransport(self._answer)
        return ImageSearchClient(URL, "key", transport=transport, sleep=lambda seconds: None)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.fails:
            return httpx.Response(self.fails.pop(0), json={"error": "InternalError", "message": "no"})
        path = request.url.path
        if str(request.url).startswith(HOST) or path.startswith(("/image/saved-", "/thumbnail/")):
            return httpx.Response(200, content=self._picture(path), headers={"Content-Type": "image/jpeg"})
        if request.headers.get("x-api-key") != "key":
            return httpx.Response(403, json={"error": "Forbidden", "message": "no key"})
        if path == "/image/find":
            name = _name_at(request.url.params["url"])
            results = [{"url": _address(found), "similarity": score} for found, score in self._found(name)]
            return httpx.Response(
                200, json={"request_id": name, "results": results[: int(request.url.params["max_results"])]}
            )
        body = json.loads(request.content)
        if path == "/image/save":
            return self._save(body["request_id"])
        self.asked.append(body)
        return self._similar(body)

    def _save(self, name: str) -> httpx.Response:
        if name in self.saved:
            return httpx.Response(409, json={"error": "AlreadyStored", "message": "It is.", "url": _address(name)})
        self.saved.append(name)
        return httpx.Response(200, json={"message": "saved", "url": _address(name)})

    def _similar(self, body: Any) -> httpx.Response:
        if "text" in body and not body["text"].strip():
            return httpx.Response(400, json={"statusCode": 400, "error": "text is blank", "headers": {}})
        by = _name_at(body["url"]) if "url" in body else body.get("text", "bytes")
        found = self._found(by)[: body["num_similar"]]
        document: dict[str, Any] = {
            "info": {"url": URL},
            "images": [
                {"url": _address(name), "score": score, "thumbnail_url": f"{URL}/thumbnail/{name}", "id": name}
                for name, score in found
            ],
        }
        if "get_labels" in body:
            document["annotations"] = [self._annotation(name) for name, _ in found]
        return httpx.Response(200, json={"statusCode": 200, "body": json.dumps(document), "headers": {}})

    def _found(self, by: str) -> list[tuple[str, float]]:
        names = self.finds.get(by, [by])
        return [(name, round(1 - number / 10, 2)) for number, name in enumerate(names)]

    def _annotation(self, name: str) -> dict[str, Any]:
        with Image.open(io.BytesIO(self._picture(name))) as image:
            width, height = image.size
        labels = [
            {"name": label.name, "score": label.score, "box": list(label.box), "category_id": label.category_id}
            for label in self.labels
        ]
        return {"image_id": name, "width": width, "height": height, "annotations": labels}

    def _picture(self, path: str) -> bytes:
        return (PHOTOGRAPHS / _name_at(path)).read_bytes()


def _address(name: str) -> str:
    return f"{URL}/image/saved-{name}"


def _name_at(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2].removeprefix("saved-")

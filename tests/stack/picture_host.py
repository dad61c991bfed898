"""A host of pictures on a loopback address, which a local stack may be allowed to fetch from."""

import io
import random
import threading
from typing import Self

from PIL import Image

from local.http_server import Request, Response, Server
from local.workers.truth import PHOTOGRAPHS


class PictureHost:
    """Serves what it is given by name, and the demonstration's photographs by theirs."""

    def __init__(self) -> None:
        self._given: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._server = Server(self._answer)
        self.address = f"127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._server.close()

    def serve(self, name: str, data: bytes) -> str:
        """The URL at which these bytes are served from now on."""
        with self._lock:
            self._given[name] = data
        return self.url(name)

    def url(self, name: str) -> str:
        return f"http://{self.address}/{name}"

    def _answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/")
        with self._lock:
            data = self._given.get(name)
        photograph = PHOTOGRAPHS / name
        if data is None and name.endswith(".jpg") and photograph.parent == PHOTOGRAPHS and photograph.exists():
            data = photograph.read_bytes()
        if data is None:
            return Response(404, b"no such picture")
        return Response(200, data, [("Content-Type", "application/octet-stream")])


def picture(seed: int, size: tuple[int, int] = (96, 64), format: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture that no other seed makes: coarse noise, scaled up smoothly."""
    noise = Image.frombytes(mode, (8, 8), random.Random(seed).randbytes(64 * len(mode)))
    file = io.BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(file, format)
    return file.getvalue()

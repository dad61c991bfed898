"""Serves the photographs on a loopback address, as an image host would."""

from types import TracebackType
from urllib.parse import unquote

from local.http_server import Request, Response, Server
from local.workers.truth import PHOTOGRAPHS


class PhotographServer:
    """Serves `local/photographs/*.jpg` while it is entered; anything else is 404."""

    def __init__(self) -> None:
        self.names = sorted(path.name for path in PHOTOGRAPHS.glob("*.jpg"))
        self._server = Server(self._answer)
        self.url = self._server.url
        self.address = f"127.0.0.1:{self._server.port}"
        """By which a local stack is allowed to fetch from here."""

    def __enter__(self) -> "PhotographServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    def _answer(self, request: Request) -> Response:
        name = unquote(request.path).removeprefix("/")
        if request.method not in ("GET", "HEAD") or name not in self.names:
            return Response(404, b"no such photograph", [("Content-Type", "text/plain")])
        return Response(200, (PHOTOGRAPHS / name).read_bytes(), [("Content-Type", "image/jpeg")])

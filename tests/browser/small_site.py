"""The worker site itself behind a small HTTP server, its workplace in memory: quick enough to show many questions."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Any

from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.sessions import Sessions
from tests.proxy_event import proxy_event
from tests.unit.workplace_site.workplace_in_memory import WorkplaceInMemory, site_of


@dataclass(frozen=True)
class SmallSite:
    url: str
    workplace: WorkplaceInMemory
    sessions: Sessions

    def answer(self, hit_id: str) -> str:
        """The XML that the HIT's requester gets of its one assignment."""
        (assignment,) = self.workplace.assignments(hit_id)
        assert isinstance(assignment, Assignment)
        return str(self.workplace.get_assignment(assignment.assignment_id).answer_xml)


@contextmanager
def serve_site() -> Iterator[SmallSite]:
    """A site of its own on a free port until the end of the block."""

    def clock() -> int:
        return int(time() * 1000)

    workplace = WorkplaceInMemory(clock)
    sessions = Sessions(lambda: ["a key for tests"], clock)
    site = site_of(workplace, workplace.table, sessions, clock)
    one_at_a_time = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("latin-1")
            sent = {**dict(self.headers.items()), "X-Forwarded-Proto": "http"}
            event = proxy_event(self.command, self.path, headers=sent, body=body.encode("latin-1").decode("utf-8"))
            with one_at_a_time:
                answer = site.respond(event)
            self._write(answer)

        def _write(self, answer: dict[str, Any]) -> None:
            content = answer["body"].encode()
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            for cookie in answer.get("multiValueHeaders", {}).get("Set-Cookie", []):
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """The tests say what matters."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SmallSite(f"http://127.0.0.1:{server.server_port}", workplace, sessions)
    server.shutdown()

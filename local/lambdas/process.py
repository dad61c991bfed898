"""One execution environment and its Runtime API."""

import threading
import time
from typing import Protocol

from local.children import Child
from local.deployment import Function
from local.http_server import Request, Response, Server
from local.lambdas.invocations import PAYLOAD_LIMIT_BYTES, Invocation, Outcome
from local.log import log

INIT_TIMEOUT_S = 60
"""Lambda gives 10 s to a processor of its own."""

RUNTIME_API = "/2018-06-01/runtime"


class Employer(Protocol):
    """Whom a process works for: its function's pool."""

    function: Function

    def launch(self, runtime_api_port: int) -> Child:
        """Start the process. Raises Stopping."""

    def next_for(self, process: "FunctionProcess") -> Invocation | None:
        """Wait for work; None when the process has died meanwhile."""

    def bury(self, process: "FunctionProcess", exit_status: int) -> None:
        """Take a dead process out."""

    def note(self, line: str) -> None:
        """Write to the function's log."""


class FunctionProcess:
    """One execution environment: a process, and the Runtime API that it asks for work."""

    def __init__(self, employer: Employer) -> None:
        self._employer = employer
        self.is_dead = False
        self.is_ready = False
        self.current: Invocation | None = None
        self.init_error: Outcome | None = None
        self._began = time.monotonic()
        self._server = Server(self._answer)
        try:
            self._child = employer.launch(self._server.port)
        except BaseException:
            self._server.close()
            raise
        self.id = self._child.id
        threading.Thread(target=self._watch, name=f"watch-{self.id}", daemon=True).start()

    def kill(self) -> None:
        self._child.kill()

    @property
    def state(self) -> str:
        """`starting`, `idle`, `busy` or `dead`."""
        if self.is_dead:
            return "dead"
        if not self.is_ready:
            return "starting"
        return "busy" if self.current else "idle"

    def _watch(self) -> None:
        if self._child.wait(INIT_TIMEOUT_S) is None and not self.is_ready:
            log.error("%s: not initialized after %s s", self._employer.function.operation, INIT_TIMEOUT_S)
            self.kill()
        status = self._child.wait()
        assert status is not None
        self._employer.bury(self, status)
        self._server.close()

    def _answer(self, request: Request) -> Response:
        """The Runtime API, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""
        match request.method, *request.path.removeprefix(RUNTIME_API).strip("/").split("/"):
            case "GET", "invocation", "next":
                return self._next()
            case "POST", "invocation", id, "response":
                return self._end(id, Outcome(request.body))
            case "POST", "invocation", id, "error":
                return self._end(id, Outcome(request.body, "Unhandled"))
            case "POST", "init", "error":
                self.init_error = Outcome(request.body, "Unhandled")
                return Response.of_json(202, {"status": "OK"})
        return Response.of_json(404, {"errorType": "InvalidPath", "errorMessage": request.path})

    def _next(self) -> Response:
        if not self.is_ready:
            self._employer.note(f"INIT_REPORT Init Duration: {(time.monotonic() - self._began) * 1000:.2f} ms\n")
        invocation = self._employer.next_for(self)
        if invocation is None:
            return Response.of_json(410, {"errorType": "Gone", "errorMessage": "the process was given up"})
        function = self._employer.function
        self._began = time.monotonic()
        self._employer.note(f"START RequestId: {invocation.id} Version: $LATEST\n")
        trace_id = f"1-{int(time.time()):08x}-{invocation.id.replace('-', '')[:24]}"
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.id),
            ("Lambda-Runtime-Deadline-Ms", str(time.time_ns() // 1_000_000 + function.timeout_s * 1000)),
            ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
            ("Lambda-Runtime-Trace-Id", f"Root={trace_id};Sampled=0"),
        ]
        return Response(200, invocation.payload, headers)

    def _end(self, id: str, outcome: Outcome) -> Response:
        invocation = self.current
        if invocation is None or invocation.id != id:
            return Response.of_json(400, {"errorType": "InvalidRequestID", "errorMessage": id})
        if len(outcome.payload) > PAYLOAD_LIMIT_BYTES:
            outcome = Outcome.of_error(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT_BYTES} bytes).",
            )
        duration_ms = (time.monotonic() - self._began) * 1000
        self._employer.note(
            f"END RequestId: {id}\nREPORT RequestId: {id}\tDuration: {duration_ms:.2f} ms\tProcess: {self.id}\n"
        )
        self.current = None
        invocation.end(outcome)
        return Response.of_json(202, {"status": "OK"})

"""Lambda on this machine: each function in processes of its own, under the Lambda runtime interface client.

A process is what a Lambda execution environment is: `python -m awslambdaric handler.handler` in the function's code
folder, with the template's environment and Lambda's own variables, and on `sys.path` the standard library, the
function's folder, its layers and the client, nothing else. It asks its own Runtime API for one invocation at a time.
Processes start when they are needed and stay; one that runs out of time is killed, one that dies is replaced.

Differences from Lambda: functions share this machine's processors, so that there are at most `max_processes` of each
and further invocations wait in line; `/tmp` is shared; permissions and memory limits are not enforced.
"""

import compileall
import importlib.metadata
import json
import os
import py_compile
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.children import Child, Children, Stopping
from local.deployment import Function
from local.http_server import Request, Response, Server
from local.log import log
from local.template import REGION

PAYLOAD_LIMIT_BYTES = 6_291_556
"""Of a request and of a response, as Lambda counts it: 6 MB and a little for its own wrapping."""

INIT_TIMEOUT_S = 60
"""Lambda gives 10 s to a processor of its own."""

SCALE_OUT_AFTER_S = 0.05
"""How long an invocation waits for a busy process before another is started."""

QUEUE_TIMEOUT_S = 300
ASYNC_RETRY_DELAYS_S = (60, 120)
RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
RUNTIME_API = "/2018-06-01/runtime"


class FunctionNotFound(Exception):
    """No such function is deployed."""


class TooManyRequests(Exception):
    """The function's reserved concurrency is used up."""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `error` is None, or `Unhandled` when `payload` describes an error."""

    payload: bytes
    error: str | None = None

    @classmethod
    def of_error(cls, type: str, message: str) -> "Outcome":
        return cls(json.dumps({"errorType": type, "errorMessage": message}).encode(), "Unhandled")


class Invocation:
    """One event on its way through a function."""

    def __init__(self, payload: bytes, client_context: str = "") -> None:
        self.id = str(uuid.uuid4())
        self.payload = payload
        self.client_context = client_context
        self.process: FunctionProcess | None = None
        self.started = threading.Event()
        self.ended = threading.Event()
        self.outcome: Outcome | None = None
        self._lock = threading.Lock()

    def end(self, outcome: Outcome) -> None:
        """Settle the outcome; the first one counts."""
        with self._lock:
            if self.outcome is None:
                self.outcome = outcome
        self.started.set()
        self.ended.set()


def runtime_folder(build: Path) -> Path:
    """A folder with the Lambda runtime interface client and what it needs, made where it is not there yet."""
    versions = "-".join(importlib.metadata.version(package) for package in RUNTIME_PACKAGES)
    folder = build / f"awslambdaric-{versions}-{sys.implementation.cache_tag}"
    if folder.is_dir():
        return folder
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix=".awslambdaric-") as temporary:
        made = Path(temporary) / "runtime"
        for package in RUNTIME_PACKAGES:
            for file in importlib.metadata.files(package) or []:
                if ".." in file.parts or "__pycache__" in file.parts:
                    continue
                target = made / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
        compileall.compile_dir(made, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another stack was faster
                raise
    return folder


class FunctionProcess:
    """One execution environment and its Runtime API."""

    def __init__(self, pool: "FunctionPool") -> None:
        self._pool = pool
        self.is_dead = False
        self.is_ready = False
        self.current: Invocation | None = None
        self.init_error: Outcome | None = None
        self._began = time.monotonic()
        self._server = Server(self._answer)
        try:
            self._child = pool.launch(self._server.port)
        except BaseException:
            self._server.close()
            raise
        self.id = self._child.id
        threading.Thread(target=self._watch, name=f"watch-{self.id}", daemon=True).start()

    def kill(self) -> None:
        self._child.kill()

    @property
    def state(self) -> str:
        if self.is_dead:
            return "dead"
        if not self.is_ready:
            return "starting"
        return "busy" if self.current else "idle"

    def _watch(self) -> None:
        if self._child.wait(INIT_TIMEOUT_S) is None and not self.is_ready:
            log.error("%s: not initialized after %s s", self._pool.function.operation, INIT_TIMEOUT_S)
            self.kill()
        status = self._child.wait()
        assert status is not None
        self._pool.bury(self, status)
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
            self.init_s = time.monotonic() - self._began
            self._pool.note(f"INIT_REPORT Init Duration: {self.init_s * 1000:.2f} ms\n")
        invocation = self._pool.next_for(self)
        if invocation is None:
            return Response.of_json(410, {"errorType": "Gone", "errorMessage": "the process was given up"})
        function = self._pool.function
        self._began = time.monotonic()
        self._pool.note(f"START RequestId: {invocation.id} Version: $LATEST\n")
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.id),
            ("Lambda-Runtime-Deadline-Ms", str(time.time_ns() // 1_000_000 + function.timeout_s * 1000)),
            ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
            (
                "Lambda-Runtime-Trace-Id",
                f"Root=1-{int(time.time()):08x}-{invocation.id.replace('-', '')[:24]};Sampled=0",
            ),
        ]
        if invocation.client_context:
            headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
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
        self._pool.note(
            f"END RequestId: {id}\nREPORT RequestId: {id}\tDuration: {duration_ms:.2f} ms\tProcess: {self.id}\n"
        )
        self.current = None
        invocation.end(outcome)
        return Response.of_json(202, {"status": "OK"})


class FunctionPool:
    """One function: its processes, and the invocations that wait for one."""

    def __init__(
        self,
        function: Function,
        children: Children,
        *,
        environment: Mapping[str, str],
        runtime: Path,
        log_path: Path,
        max_processes: int,
    ) -> None:
        self.function = function
        self._children = children
        self._environment = environment
        self._runtime = runtime
        log_path.unlink(missing_ok=True)
        self._log = log_path.open("ab", buffering=0)
        limit = function.reserved_concurrency
        self._max_processes = max_processes if limit is None else min(limit, max_processes)
        self._changed = threading.Condition()
        self._waiting: deque[Invocation] = deque()
        self._in_flight = 0
        self.processes: list[FunctionProcess] = []

    def invoke(self, payload: bytes, client_context: str = "") -> Outcome:
        """Run the function and wait for its outcome. Raises TooManyRequests and Stopping."""
        invocation = Invocation(payload, client_context)
        with self._changed:
            reserved = self.function.reserved_concurrency
            if reserved is not None and self._in_flight >= reserved:
                raise TooManyRequests(self.function.name)
            self._in_flight += 1
            self._waiting.append(invocation)
            self._changed.notify()
        try:
            self._find_process(invocation)
            if not invocation.ended.wait(self.function.timeout_s):
                self._time_out(invocation)
        finally:
            with self._changed:
                self._in_flight -= 1
        assert invocation.outcome is not None
        return invocation.outcome

    def start_process(self) -> None:
        """Add a process. Raises Stopping."""
        process = FunctionProcess(self)
        with self._changed:
            self.processes.append(process)

    def launch(self, runtime_api_port: int) -> Child:
        """Start what `FunctionProcess` stands for."""
        function = self.function
        environment = {
            # What Lambda sets, https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
            "_HANDLER": function.handler,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_api_port}",
            "AWS_REGION": REGION,
            "LAMBDA_RUNTIME_DIR": str(self._runtime),
            "LAMBDA_TASK_ROOT": str(function.code_path),
            "LANG": "en_US.UTF-8",
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(
                str(path)
                for path in (
                    function.code_path,
                    *(layer / "python" for layer in function.layer_paths),
                    self._runtime,
                )
            ),
            "TZ": ":UTC",
            # What a machine has and Lambda has not: a developer's own AWS settings.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **({"AWS_LAMBDA_LOG_FORMAT": "JSON"} if function.log_format == "JSON" else {}),
            **({"AWS_LAMBDA_LOG_LEVEL": function.log_level} if function.log_level else {}),
            **self._environment,
            **function.environment,
        }
        # -S: without the virtual environment's packages. -B: Lambda's code folder cannot be written to.
        return self._children.start(
            [sys.executable, "-S", "-B", "-m", "awslambdaric", function.handler],
            cwd=function.code_path,
            environment=environment,
            stdout=self._log,
            stderr=self._log,
        )

    def next_for(self, process: FunctionProcess) -> Invocation | None:
        """Wait for work; None when the process has died meanwhile."""
        with self._changed:
            process.is_ready = True
            while not process.is_dead:
                if self._waiting:
                    invocation = self._waiting.popleft()
                    invocation.process = process
                    process.current = invocation
                    invocation.started.set()
                    return invocation
                self._changed.wait()
        return None

    def bury(self, process: FunctionProcess, exit_status: int) -> None:
        """Take a dead process out, and settle what it leaves behind."""
        how = f"signal: {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        with self._changed:
            process.is_dead = True
            self.processes = [other for other in self.processes if other is not process]
            # A process that never got as far as asking for work fails the invocation that it was started for.
            invocation = process.current
            if invocation is None and not process.is_ready and self._waiting:
                invocation = self._waiting.popleft()
            self._changed.notify_all()
        if invocation is not None:
            invocation.end(
                process.init_error
                or Outcome.of_error(
                    "Runtime.ExitError", f"RequestId: {invocation.id} Error: Runtime exited with error: {how}"
                )
            )
        self.note(f"Process {process.id} ended: {how}\n")

    def note(self, line: str) -> None:
        """Write to the function's log."""
        self._log.write(line.encode())

    def _find_process(self, invocation: Invocation) -> None:
        deadline = time.monotonic() + QUEUE_TIMEOUT_S
        while not invocation.started.is_set():
            with self._changed:
                is_starting = any(not process.is_ready for process in self.processes)
                may_start = not is_starting and len(self.processes) < self._max_processes
                has_none = not self.processes
            if may_start and (has_none or not invocation.started.wait(SCALE_OUT_AFTER_S)):
                with _starting(self.function.name):
                    if not invocation.started.is_set() and not any(not each.is_ready for each in self.processes):
                        self.start_process()
            invocation.started.wait(SCALE_OUT_AFTER_S)
            if time.monotonic() > deadline and not invocation.started.is_set():
                with self._changed:
                    if invocation in self._waiting:
                        self._waiting.remove(invocation)
                        invocation.end(Outcome.of_error("ServiceException", "no process was free"))

    def _time_out(self, invocation: Invocation) -> None:
        process = invocation.process
        invocation.end(
            Outcome.of_error(
                "Sandbox.Timedout",
                f"RequestId: {invocation.id} Error: Task timed out after {self.function.timeout_s:.2f} seconds",
            )
        )
        self.note(f"RequestId: {invocation.id} Task timed out after {self.function.timeout_s:.2f} seconds\n")
        if process is not None and process.current is invocation:
            process.kill()


_start_locks: dict[str, threading.Lock] = {}


def _starting(name: str) -> threading.Lock:
    return _start_locks.setdefault(name, threading.Lock())


class Lambda:
    """All functions, and Lambda's Invoke API at `url`; `deploy` gives it the functions, once.

    Beside the Invoke API, `GET /processes` lists the running processes: function, operation, process_id, state.
    """

    def __init__(self, children: Children, *, runtime: Path, log_folder: Path, max_processes: int = 4) -> None:
        self._children = children
        self._runtime = runtime
        self._log_folder = log_folder
        self._max_processes = max_processes
        self._pools: dict[str, FunctionPool] = {}
        self._dead_letter: Callable[[str, str], None] = lambda arn, body: None
        self.retry_delays_s: tuple[float, ...] = ASYNC_RETRY_DELAYS_S
        self._server = Server(self._answer)
        self.url = self._server.url

    def deploy(
        self,
        functions: Iterable[Function],
        environment: Mapping[str, str],
        dead_letter: Callable[[str, str], None] | None = None,
    ) -> None:
        """Serve these functions from now on.

        `environment`: for all of them, such as where the services are. `dead_letter`: sends a failed event to a
        queue, given the queue's ARN and the event.
        """
        if dead_letter:
            self._dead_letter = dead_letter
        self._log_folder.mkdir(parents=True, exist_ok=True)
        for function in functions:
            self._pools[function.name] = FunctionPool(
                function,
                self._children,
                environment=environment,
                runtime=self._runtime,
                log_path=self._log_folder / f"{function.operation}.log",
                max_processes=self._max_processes,
            )

    def pool(self, name: str) -> FunctionPool:
        """`name`: a function's name, its ARN or its operation. Raises FunctionNotFound."""
        if ":function:" in name:
            name = name.partition(":function:")[2].split(":", 1)[0]
        if name in self._pools:
            return self._pools[name]
        for pool in self._pools.values():
            if pool.function.operation == name:
                return pool
        raise FunctionNotFound(name)

    def invoke(self, name: str, payload: bytes, client_context: str = "") -> Outcome:
        """Run a function and wait. Raises FunctionNotFound, TooManyRequests and Stopping."""
        return self.pool(name).invoke(payload, client_context)

    def invoke_later(self, name: str, payload: bytes) -> None:
        """Run a function without waiting, again after a minute and after two when it fails. Raises FunctionNotFound."""
        pool = self.pool(name)
        threading.Thread(target=self._run_later, args=(pool, payload), daemon=True).start()

    def warm_up(self) -> None:
        """Start one process of each function that has none, one after another."""
        for pool in list(self._pools.values()):
            if not pool.processes:
                with _starting(pool.function.name):
                    if not pool.processes:
                        try:
                            pool.start_process()
                        except Stopping:
                            return
                while any(process.state == "starting" for process in list(pool.processes)):
                    time.sleep(0.02)

    def close(self) -> None:
        self._server.close()

    def _run_later(self, pool: FunctionPool, payload: bytes) -> None:
        attempts = pool.function.retries + 1
        for attempt in range(attempts):
            try:
                outcome = pool.invoke(payload)
            except TooManyRequests:
                outcome = Outcome.of_error("TooManyRequestsException", "Rate Exceeded.")
            except Stopping:
                return
            if outcome.error is None:
                return
            log.warning("%s failed asynchronously: %s", pool.function.operation, outcome.payload[:500])
            if attempt < attempts - 1:
                time.sleep(self.retry_delays_s[min(attempt, len(self.retry_delays_s) - 1)])
        if pool.function.dead_letter_arn:
            self._dead_letter(pool.function.dead_letter_arn, payload.decode())

    def _answer(self, request: Request) -> Response:
        """The Invoke API, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""
        match request.method, *request.path.strip("/").split("/"):
            case "GET", "processes":
                return Response.of_json(200, self._processes())
            case "POST", "2015-03-31", "functions", name, "invocations":
                return self._answer_invoke(unquote(name), request)
        return _error(404, "ResourceNotFoundException", f"no such path: {request.path}")

    def _answer_invoke(self, name: str, request: Request) -> Response:
        payload = request.body or b"{}"
        try:
            json.loads(payload)
        except ValueError:
            return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
        if len(payload) > PAYLOAD_LIMIT_BYTES:
            return _error(413, "RequestTooLargeException", f"Request must be smaller than {PAYLOAD_LIMIT_BYTES} bytes")
        try:
            match request.header("X-Amz-Invocation-Type", "RequestResponse"):
                case "DryRun":
                    self.pool(name)
                    return Response(204)
                case "Event":
                    self.invoke_later(name, payload)
                    return Response(202)
            outcome = self.invoke(name, payload, request.header("X-Amz-Client-Context"))
        except FunctionNotFound:
            return _error(404, "ResourceNotFoundException", f"Function not found: {name}")
        except TooManyRequests:
            return _error(429, "TooManyRequestsException", "Rate Exceeded.")
        except Stopping:
            return _error(503, "ServiceUnavailableException", "the stack is stopping")
        headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", "$LATEST")]
        if outcome.error:
            headers.append(("X-Amz-Function-Error", outcome.error))
        return Response(200, outcome.payload, headers)

    def _processes(self) -> list[dict[str, Any]]:
        return [
            {
                "function": pool.function.name,
                "operation": pool.function.operation,
                "process_id": process.id,
                "state": process.state,
            }
            for pool in self._pools.values()
            for process in list(pool.processes)
        ]


def _error(status: int, type: str, message: str) -> Response:
    return Response.of_json(status, {"Type": "User", "message": message}, [("x-amzn-ErrorType", type)])

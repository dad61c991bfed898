"""All functions, and the Invoke API that everything else calls them by."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.children import Children, Stopping
from local.deployment import Function
from local.http_server import Request, Response, Server
from local.lambdas.invocations import PAYLOAD_LIMIT_BYTES, FunctionNotFound, Outcome
from local.lambdas.launch import Launcher
from local.lambdas.pool import FunctionPool


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
        self._server = Server(self._answer)
        self.url = self._server.url

    def deploy(self, functions: Iterable[Function], environment: Mapping[str, str]) -> None:
        """Serve these functions from now on. `environment`: for all of them, such as where the services are."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        launcher = Launcher(self._children, self._runtime, environment)
        for function in functions:
            self._pools[function.name] = FunctionPool(
                function,
                launcher,
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

    def invoke(self, name: str, payload: bytes) -> Outcome:
        """Run a function and wait. Raises FunctionNotFound and Stopping."""
        return self.pool(name).invoke(payload)

    def warm_up(self) -> None:
        """Start one process of each function that has none, one after another, unless the stack stops meanwhile."""
        for pool in list(self._pools.values()):
            try:
                pool.warm_up()
            except Stopping:
                return

    def close(self) -> None:
        self._server.close()

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
        kind = request.header("X-Amz-Invocation-Type", "RequestResponse")
        if kind != "RequestResponse":
            return _error(400, "InvalidParameterValueException", f"the local stack does not invoke as {kind}")
        try:
            outcome = self.invoke(name, payload)
        except FunctionNotFound:
            return _error(404, "ResourceNotFoundException", f"Function not found: {name}")
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

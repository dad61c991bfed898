"""Functions run as on Lambda: real processes under the real runtime interface client."""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from local.lambdas.invocations import PAYLOAD_LIMIT_BYTES, FunctionNotFound, Outcome
from local.lambdas.service import Lambda
from tests.unit.local.conftest import MakeFunction, Serve

GREET = """
    import os, time

    def handler(event, context):
        kind = event.get("kind", "greet")
        if kind == "fail":
            raise ValueError("not today")
        if kind == "exit":
            os._exit(3)
        if kind == "sleep":
            time.sleep(event["s"])
        return {"hello": event.get("who"), "pid": os.getpid(), "left_ms": context.get_remaining_time_in_millis(),
                "arn": context.invoked_function_arn, "id": context.aws_request_id}
"""


def answer(outcome: Outcome) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(outcome.payload)
    return parsed


def ask(service: Lambda, name: str = "greet", **event: Any) -> Outcome:
    return service.invoke(name, json.dumps(event).encode())


def test_a_function_answers_and_its_process_stays(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET))
    first, second = answer(ask(service, who="Ada")), answer(ask(service, who="é🙂"))
    assert (first["hello"], second["hello"]) == ("Ada", "é🙂")
    assert first["pid"] == second["pid"]
    assert 0 < first["left_ms"] <= 10_000
    assert first["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:stack-greet"
    assert first["id"] != second["id"]


def test_an_exception_is_the_function_s_error_and_its_process_stays(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET))
    failed = ask(service, kind="fail")
    assert failed.error == "Unhandled"
    assert (answer(failed)["errorType"], answer(failed)["errorMessage"]) == ("ValueError", "not today")
    assert ask(service).error is None
    assert len(service.pool("greet").processes) == 1


def test_a_process_that_exits_fails_its_invocation_and_is_replaced(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET))
    before = answer(ask(service))["pid"]
    ended = ask(service, kind="exit")
    assert (ended.error, answer(ended)["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "exit status 3" in answer(ended)["errorMessage"]
    assert answer(ask(service))["pid"] != before


def test_a_process_killed_in_the_middle_fails_its_invocation(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET))
    pid = answer(ask(service))["pid"]
    outcomes: list[Outcome] = []
    invoking = threading.Thread(target=lambda: outcomes.append(ask(service, kind="sleep", s=30)))
    invoking.start()
    while service.pool("greet").processes[0].state != "busy":
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    invoking.join(5)
    assert answer(outcomes[0])["errorType"] == "Runtime.ExitError"
    assert ask(service).error is None


def test_a_function_that_takes_too_long_is_killed_and_replaced(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET, timeout_s=1))
    pid = answer(ask(service))["pid"]
    late = ask(service, kind="sleep", s=3600)
    assert answer(late)["errorType"] == "Sandbox.Timedout"
    assert answer(late)["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert answer(ask(service))["pid"] != pid


@pytest.mark.parametrize(
    ("source", "type"),
    [
        ("import no_such_module", "Runtime.ImportModuleError"),
        ("raise RuntimeError('no')", "RuntimeError"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound"),
        ("import os; os._exit(1)", "Runtime.ExitError"),
    ],
)
def test_a_function_that_cannot_start_says_why_each_time(
    make_function: MakeFunction, serve: Serve, source: str, type: str
) -> None:
    service = serve(make_function(source))
    for _ in range(2):
        failed = ask(service)
        assert (failed.error, answer(failed)["errorType"]) == ("Unhandled", type)


def test_a_function_sees_the_template_s_environment_and_lambda_s_and_nothing_else(
    make_function: MakeFunction, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_DEVELOPER", "x")
    source = """
        import os, sys
        def handler(event, context):
            return {"environment": dict(os.environ), "path": sys.path, "cwd": os.getcwd()}
    """
    function = make_function(source, environment={"TABLE": "tasks", "AWS_REGION": "us-east-1"}, memory_mb=512)
    seen = answer(ask(serve(function, environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})))
    assert "A_SECRET_OF_THE_DEVELOPER" not in seen["environment"]
    assert seen["environment"]["TABLE"] == "tasks"
    assert seen["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "stack-greet"
    assert seen["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert seen["environment"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert seen["environment"]["LAMBDA_TASK_ROOT"] == seen["cwd"] == str(function.code_path)
    assert not any("site-packages" in path for path in seen["path"])


def test_a_layer_is_importable(make_function: MakeFunction, serve: Serve, tmp_path: Path) -> None:
    layer = tmp_path / "layer" / "python"
    layer.mkdir(parents=True)
    (layer / "shared.py").write_text("ANSWER = 42")
    source = """
        import shared
        def handler(event, context):
            return shared.ANSWER
    """
    service = serve(make_function(source, layer_paths=(tmp_path / "layer",)))
    assert ask(service).payload == b"42"


def test_concurrent_invocations_get_processes_of_their_own_up_to_the_limit(
    make_function: MakeFunction, serve: Serve
) -> None:
    service = serve(make_function(GREET), max_processes=2)
    pids = []
    threads = [
        threading.Thread(target=lambda: pids.append(answer(ask(service, kind="sleep", s=0.4))["pid"])) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert len(pids) == 6
    assert len(set(pids)) == 2


def test_a_response_that_lambda_would_not_carry_is_an_error(make_function: MakeFunction, serve: Serve) -> None:
    source = f"""
        def handler(event, context):
            return "x" * {PAYLOAD_LIMIT_BYTES}
    """
    too_large = ask(serve(make_function(source)))
    assert answer(too_large)["errorType"] == "Function.ResponseSizeTooLarge"


def test_functions_are_found_by_name_by_arn_and_by_operation(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function("", name="put_task"))
    arn = "arn:aws:lambda:us-east-1:123456789012:function:stack-put_task"
    pools = {service.pool(name).function.name for name in ("stack-put_task", arn, f"{arn}:$LATEST", "put_task")}
    assert pools == {"stack-put_task"}
    with pytest.raises(FunctionNotFound):
        service.pool("get_task")


def test_the_invoke_api_answers_as_lambda_does(make_function: MakeFunction, serve: Serve) -> None:
    service = serve(make_function(GREET))

    def call(name: str, body: bytes, kind: str = "RequestResponse") -> tuple[int, Any, bytes]:
        request = urllib.request.Request(
            f"{service.url}/2015-03-31/functions/{name}/invocations",
            body,
            {"X-Amz-Invocation-Type": kind},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    status, headers, body = call("stack-greet", b'{"who": "Ada"}')
    assert (status, headers["X-Amz-Function-Error"], json.loads(body)["hello"]) == (200, None, "Ada")
    status, headers, _ = call("stack-greet", b'{"kind": "fail"}')
    assert (status, headers["X-Amz-Function-Error"]) == (200, "Unhandled")
    assert call("stack-greet", b"{}", "Event")[0] == call("stack-greet", b"{}", "DryRun")[0] == 400
    assert call("stack-greet", b"{not json")[0] == 400
    status, headers, _ = call("no-such", b"{}")
    assert (status, headers["x-amzn-ErrorType"]) == (404, "ResourceNotFoundException")
    with urllib.request.urlopen(f"{service.url}/processes", timeout=5) as response:
        [process] = json.load(response)
    assert process["operation"] == "greet" and process["state"] in ("idle", "busy")

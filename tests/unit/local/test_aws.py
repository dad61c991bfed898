"""Step Functions and Lambda's API lead to the functions of the local stack."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.lambdas.service import Lambda
from local.synthesis import ROOT
from tests.unit.local.conftest import MakeFunction, Serve

STEP = """
    import pathlib

    class Refused(Exception):
        pass

    def handler(event, context):
        kind = event.get("kind")
        if kind == "refuse":
            raise Refused("no")
        if kind == "flaky":
            tries = pathlib.Path(event["tries"])
            tries.write_text((tries.read_text() if tries.exists() else "") + "x")
            if len(tries.read_text()) < 3:
                raise ValueError("again")
        if kind == "wait":
            pathlib.Path(event["file"]).write_text(event["token"])
        return {"seen": event}
"""

WORKFLOW = {
    "StartAt": "First",
    "States": {
        "First": {
            "Type": "Task",
            "Resource": "FUNCTION",
            "Parameters": {"kind.$": "$.kind", "tries.$": "$.tries"},
            "ResultPath": "$.first",
            "Retry": [
                {"ErrorEquals": ["Refused"], "MaxAttempts": 0},
                {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1},
            ],
            "Catch": [{"ErrorEquals": ["Refused"], "ResultPath": "$.error", "Next": "Refused"}],
            "Next": "Wait",
        },
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": "FUNCTION",
                "Payload": {"kind": "wait", "file.$": "$.file", "token.$": "$$.Task.Token"},
            },
            "TimeoutSeconds": 2,
            "ResultPath": "$.answer",
            "Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": "Late"}],
            "End": True,
        },
        "Late": {"Type": "Pass", "Result": {"late": True}, "End": True},
        "Refused": {"Type": "Pass", "End": True},
    },
}


class World:
    """Services in a process of their own, and one function that they lead to."""

    def __init__(self, url: str, service: Lambda) -> None:
        self.service = service
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        config = Config(retries={"max_attempts": 0})
        self.lambda_api = session.client("lambda", endpoint_url=url, config=config)
        self.states = session.client("stepfunctions", endpoint_url=url, config=config)
        iam = session.client("iam", endpoint_url=url, config=config)
        self.role = iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        function = service.pool("step").function
        self.machine = self.states.create_state_machine(
            name="flow", definition=json.dumps(WORKFLOW).replace("FUNCTION", function.arn), roleArn=self.role
        )["stateMachineArn"]

    def start(self, name: str, **given: Any) -> str:
        started = self.states.start_execution(
            stateMachineArn=self.machine, name=name, input=json.dumps({"tries": "", "kind": "", **given})
        )
        arn: str = started["executionArn"]
        return arn

    def result(self, execution: str, timeout_s: float = 15) -> tuple[str, Any]:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self.states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found["status"], json.loads(found.get("output", "null"))
            time.sleep(0.05)
        raise TimeoutError(execution)


@pytest.fixture
def world(make_function: MakeFunction, serve: Serve) -> Iterator[World]:
    service = serve(make_function(STEP, name="step"))
    services = subprocess.Popen(
        [sys.executable, "-m", "local.aws", "--lambda-url", service.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert services.stdin is not None and services.stdout is not None
    yield World(f"http://127.0.0.1:{int(services.stdout.readline())}", service)
    services.stdin.close()
    assert services.wait(5) == 0


def test_a_workflow_runs_functions_retries_catches_waits_and_gives_up(world: World, tmp_path: Any) -> None:
    waits, lates = (tmp_path / "token-1", tmp_path / "token-2")
    flaky = world.start("flaky", kind="flaky", tries=str(tmp_path / "tries"), file=str(waits))
    refused = world.start("refused", kind="refuse", file="")
    late = world.start("late", file=str(lates))

    status, output = world.result(refused)
    assert (status, output["error"]["Error"]) == ("SUCCEEDED", "Refused")

    deadline = time.monotonic() + 10
    while not waits.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    world.states.send_task_success(taskToken=waits.read_text(), output='{"answer": 42}')
    status, output = world.result(flaky)
    assert (status, output["answer"]) == ("SUCCEEDED", {"answer": 42})
    assert (tmp_path / "tries").read_text() == "xxx"

    assert world.result(late) == ("SUCCEEDED", {"late": True})


def test_an_execution_s_name_is_used_once(world: World) -> None:
    first = world.start("same", kind="refuse", file="")
    assert world.result(first)[0] == "SUCCEEDED"
    with pytest.raises(world.states.exceptions.ExecutionAlreadyExists):
        world.start("same", kind="refuse", file="other")


def test_the_lambda_api_of_the_services_invokes_the_function(world: World) -> None:
    function = world.service.pool("step").function
    code = {"ZipFile": b"PK\x05\x06" + b"\x00" * 18}
    world.lambda_api.create_function(
        FunctionName=function.name, Role=world.role, Code=code, Runtime="python3.11", Handler="handler.handler"
    )
    answer = world.lambda_api.invoke(FunctionName=function.name, Payload=b'{"a": 1}')
    assert json.load(answer["Payload"]) == {"seen": {"a": 1}}
    failed = world.lambda_api.invoke(FunctionName=function.name, Payload=b'{"kind": "refuse"}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.load(failed["Payload"])["errorType"] == "Refused"

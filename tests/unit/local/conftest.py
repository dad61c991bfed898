"""Parts of the local stack, alone: children, AWS services and functions."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.children import Children
from local.deployment import Function
from local.lambdas.launch import runtime_folder
from local.lambdas.service import Lambda
from local.synthesis import ROOT


@pytest.fixture
def children() -> Iterator[Children]:
    """Whatever a test starts ends with it."""
    children = Children()
    yield children
    children.stop()


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """The AWS services in their own process."""
    services = subprocess.Popen(
        [sys.executable, "-m", "local.aws", "--lambda-url", "http://127.0.0.1:1"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert services.stdin is not None and services.stdout is not None
    yield f"http://127.0.0.1:{int(services.stdout.readline())}"
    services.stdin.close()
    assert services.wait(5) == 0


@pytest.fixture
def aws(aws_url: str) -> Callable[[str], Any]:
    """Makes clients of the AWS services."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=aws_url, config=Config(retries={"max_attempts": 0}))

    return client


@pytest.fixture(scope="session")
def runtime() -> Path:
    return runtime_folder(ROOT / "build")


MakeFunction = Callable[..., Function]
Serve = Callable[..., Lambda]


@pytest.fixture
def make_function(tmp_path: Path) -> MakeFunction:
    """A function from the source of its handler module."""

    def make(source: str, name: str = "greet", **changes: Any) -> Function:
        code = tmp_path / name
        code.mkdir()
        (code / "handler.py").write_text(textwrap.dedent(source))
        settings: dict[str, Any] = {"environment": {}, "timeout_s": 10, "layer_paths": (), **changes}
        return Function(name=f"stack-{name}", operation=name, code_path=code, handler="handler.handler", **settings)

    return make


@pytest.fixture
def serve(children: Children, runtime: Path, tmp_path: Path) -> Iterator[Serve]:
    """Serves functions as Lambda does."""
    served: list[Lambda] = []

    def serve(*functions: Function, max_processes: int = 4, environment: Mapping[str, str] | None = None) -> Lambda:
        service = Lambda(children, runtime=runtime, log_folder=tmp_path / "logs", max_processes=max_processes)
        service.deploy(functions, environment or {})
        served.append(service)
        return service

    yield serve
    for service in served:
        service.close()

"""The AWS services of the local stack: moto in a process of its own, so that it has a core to itself.

    python -m local.aws --lambda-url http://127.0.0.1:9001

prints the port that it serves on, one line, and ends when its standard input does: with the process that started it.

What moto 5.2 does differently here
- Lambda functions are invoked by HTTP at `--lambda-url`, which speaks Lambda's own Invoke API, instead of in Docker.
- Step Functions does the same directly, instead of making a new boto3 client for every task.
- DynamoDB, S3, S3 Vectors and SES: see `local.aws_dynamodb`, `aws_s3`, `aws_s3vectors` and `aws_ses`.
- What moto does anew at each call or execution and need not is done once: workflows are parsed, services listed.
- Connections are kept alive (moto's server closes each after one call), which more than doubles the calls a second.
"""

import argparse
import importlib
import io
import json
import logging
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import urllib3
from botocore.exceptions import ClientError
from moto import backends
from moto.awslambda.models import LambdaFunction
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from local import aws_dynamodb, aws_s3, aws_s3vectors, aws_ses
from local.http_server import Request, Response, Server

SERVICES: tuple[backends.SERVICE_NAMES, ...] = (
    "cloudformation",
    "dynamodb",
    "secretsmanager",
    "sqs",
    "stepfunctions",
    "lambda",
    "iam",
)


class LambdaApi:
    """Lambda's Invoke API, as a client."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=urllib3.Timeout(connect=5, read=None))

    def invoke(self, function_name: str, payload: bytes, invocation_type: str) -> urllib3.BaseHTTPResponse:
        """`function_name`: a name or an ARN."""
        return self._pool.request(
            "POST",
            f"{self._url}/2015-03-31/functions/{quote(function_name, safe='')}/invocations",
            body=payload,
            headers={"X-Amz-Invocation-Type": invocation_type, "Content-Type": "application/json"},
        )


def send_invocations_to(lambda_api: LambdaApi) -> None:
    """Every way in which moto invokes a function goes through the Invoke API from now on."""

    def invoke(function: LambdaFunction, body: str, request_headers: Any, response_headers: Any) -> bytes:
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        answer = lambda_api.invoke(
            function.function_arn, body.encode() if isinstance(body, str) else body or b"{}", kind
        )
        if answer.status >= 400:
            error = JsonRESTError(answer.headers.get("x-amzn-ErrorType", "ServiceException"), answer.json()["message"])
            error.code = answer.status
            raise error
        if "X-Amz-Function-Error" in answer.headers:
            response_headers["x-amz-function-error"] = answer.headers["X-Amz-Function-Error"]
        return answer.data

    def invoke_for_task(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        payload = parameters.get("Payload", b"{}")
        kind = parameters.get("InvocationType", "RequestResponse")
        answer = lambda_api.invoke(
            parameters["FunctionName"], payload.encode() if isinstance(payload, str) else payload, kind
        )
        if answer.status >= 400:
            raise ClientError(
                {
                    "Error": {
                        "Code": answer.headers.get("x-amzn-ErrorType", "ServiceException"),
                        "Message": answer.json()["message"],
                    },
                    "ResponseMetadata": {"HTTPStatusCode": answer.status, "RequestId": "local"},
                },
                "Invoke",
            )
        response = {
            "StatusCode": answer.status,
            "ExecutedVersion": "$LATEST",
            "Payload": json.loads(answer.data) if answer.data else "",
        }
        if "X-Amz-Function-Error" in answer.headers:
            response["FunctionError"] = answer.headers["X-Amz-Function-Error"]
        return response

    LambdaFunction.invoke = invoke  # type: ignore[assignment, method-assign]
    lambda_eval_utils._invoke_lambda_function = invoke_for_task


def as_wsgi(request: Request, port: int) -> dict[str, Any]:
    """A request as a WSGI environment; `RAW_URI` keeps the target as it was sent, which S3 keys need."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.target,
        "REQUEST_URI": request.target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            environ[f"HTTP_{key}"] = value
    return environ


class Services:
    """Every service on one port, told apart by each request's signature."""

    def __init__(self, mailbox: Path | None = None) -> None:
        self._mailbox = mailbox
        self._application = DomainDispatcherApplication(create_backend_app)
        self.server = Server(self._answer)

    def _answer(self, request: Request) -> Response:
        return aws_dynamodb.answer(request) or aws_ses.answer(request, self._mailbox) or self._answer_by_moto(request)

    def _answer_by_moto(self, request: Request) -> Response:
        response = Response(500)

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            response.status = int(status.split(" ", 1)[0])
            response.headers = headers

        chunks = self._application(as_wsgi(request, self.server.port), start_response)
        try:
            response.body = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        return response


def parse_workflows_once() -> None:
    """Keep each workflow's syntax tree.

    moto parses the definition again for every execution, which takes a tenth of a second. The tree is only read; what
    is made of it, the components that are executed, is new for each execution as before.
    """
    parse = AmazonStateLanguageParser.parse
    trees: dict[str, Any] = {}

    def parse_once(definition: str) -> tuple[Any, Any]:
        if definition not in trees:
            program, trees[definition] = parse(definition)
            return program, trees[definition]
        return Preprocessor().visit(trees[definition]), trees[definition]

    AmazonStateLanguageParser.parse = staticmethod(parse_once)  # type: ignore[method-assign]


def list_services_once() -> None:
    """Keep the list of services, for which moto reads a folder at every call."""
    services = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: services


class JsonFirst:
    """The module `yaml` to moto's CloudFormation, for which every template is YAML, read in pure Python several times.

    Ours are JSON, which is YAML that can be read a hundred times faster.
    """

    def __init__(self, yaml: ModuleType) -> None:
        self._yaml = yaml

    def __getattr__(self, name: str) -> Any:
        return getattr(self._yaml, name)

    def load(self, template: str, Loader: Any) -> Any:
        try:
            return json.loads(template)
        except ValueError:
            return self._yaml.load(template, Loader=Loader)


def warm_up() -> None:
    """Load what every stack uses while there is time, so that deploying does not wait for modules."""
    for name in ("models", "responses"):
        module = importlib.import_module(f"moto.cloudformation.{name}")
        module.yaml = JsonFirst(module.yaml)  # type: ignore[attr-defined]
    for service in SERVICES:
        backends.get_backend(service)
    importlib.import_module("moto.stepfunctions.parser.models")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.aws")
    parser.add_argument("--lambda-url", required=True, help="where Lambda's Invoke API is served")
    parser.add_argument("--mailbox", type=Path, help="the folder that mails sent by SES are put into")
    options = parser.parse_args()

    logging.basicConfig(level=logging.WARNING)
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    aws_dynamodb.install()
    aws_s3.install()
    aws_s3vectors.install()
    send_invocations_to(LambdaApi(options.lambda_url))
    parse_workflows_once()
    list_services_once()
    services = Services(options.mailbox)
    os.environ["MOTO_PORT"] = str(services.server.port)  # where moto's own clients find the other services
    print(services.server.port, flush=True)
    threading.Thread(target=warm_up, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()

"""The local stack: everything that `python -m local up` starts, in order, and its end.

The supervisor (this process) serves the APIs and runs the functions' processes; moto has a process of its own;
simulated Workers, if any, another. Whatever happens, all of them end together: see `local.children`.
"""

import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from client.stack import AwsClients, find_accounts, find_operator
from local.children import Child, Children, Stopping
from local.container_image import ImageError, image_maker
from local.deployment import (
    Clients,
    Deployed,
    DeploymentError,
    allow_redirects,
    deploy,
    start_workflows,
    with_local_urls,
)
from local.gateway.rest_api import RestApi
from local.gateway.serving import Gateway
from local.identity_provider import StandInProvider
from local.lambdas.launch import runtime_folder
from local.lambdas.service import Lambda
from local.log import log, log_to
from local.options import NOBODY, Options
from local.pollers import start_pollers
from local.schedules import start_schedules
from local.synthesis import ASSEMBLIES, ROOT, SynthesisError, synthesize
from local.template import ACCOUNT_ID, REGION

TASKS_STACK = "crowdsight"
WORKPLACE_STACK = "crowdsight-workplace"
ACCOUNT = "default"
FUNDING_CENTS = 1_000_000
"""Of play money: the requester's, and the account's for searches past the free ones."""

INVITED_WORKERS = {"worker_invitation_url": "Ada", "second_worker_invitation_url": "Ben"}
"""Two, because no task can be finished by one Worker alone."""

MAIL_SENDER = "crowdsight@example.org"

API_DEADLINE_S = 60
WORKER_GRACE_S = 1.0
INTERRUPTED = 130
SIGNALLED, DONE = b"s", b"d"


class StartError(Exception):
    """The stack cannot start; the message says why and what to do."""


class LocalStack:
    """One running stack. `start` it from one thread; `stop` it from any, at any time, once."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.path = options.state_dir / "stack.json"
        self._children = Children()
        self._gateway = Gateway()
        self._functions: Lambda | None = None
        self._lock_file: TextIO | None = None
        self._access_logs: list[TextIO] = []
        self._aws: Child | None = None
        self._identity_provider: StandInProvider | None = None
        self._writing = threading.Lock()
        self._written: list[Path] = []
        self._stopped = False

    def start(self) -> dict[str, Any]:
        """Bring everything up and say where it is: the contents of `stack.json`. Raises StartError and Stopping."""
        options = self.options
        self._lock_file = self._take_state_dir()
        for file in (self.path, options.ready_file):
            if file:
                file.unlink(missing_ok=True)  # of a stack that was killed
        shutil.rmtree(self._mailbox, ignore_errors=True)  # of the stack before
        log_to(self._logs / "stack.log")
        self._functions = functions = Lambda(
            self._children,
            runtime=runtime_folder(ROOT / "build"),
            log_folder=self._logs,
            max_processes=options.max_processes,
        )
        self._aws = aws = self._start_aws(functions.url)
        try:
            log.info("synthesizing")
            assembly = synthesize(ASSEMBLIES, settings_of(options), self._children)
            log.info("waiting for the AWS services")
            clients = Clients(self._aws_url(aws))
            log.info("deploying %s", assembly)
            self._identity_provider = StandInProvider()
            deployed = deploy(assembly, clients, image_maker(self._children), self._identity_provider)
            log.info("deployed %s resources, %s functions", len(deployed.resources), len(deployed.functions))
            urls = self._serve(deployed, clients, functions)
            allow_redirects(deployed, self._identity_provider, urls)
        except (SynthesisError, ImageError, DeploymentError) as error:
            raise StartError(str(error)) from error
        functions.deploy(
            [with_local_urls(function, urls) for function in deployed.functions],
            {"AWS_ENDPOINT_URL": clients.endpoint_url, "ALLOWED_IMAGE_HOSTS": ",".join(options.allowed_image_hosts)},
        )
        log.info("starting workflows")
        start_workflows(deployed, clients)
        try:
            start_pollers(deployed, clients, functions, options.notifications)
            start_schedules(deployed, functions, options.schedule_speed)
        except DeploymentError as error:
            raise StartError(str(error)) from error
        log.info("funding and inviting")
        description = self._describe(deployed, clients, urls)
        self._write(self.path, description)
        log.info("waiting for the API")
        self._wait_for_api(description["api_url"])
        log.info("ready")
        if options.workers != NOBODY:
            self._start_workers()
        if options.warm_up:
            threading.Thread(target=functions.warm_up, daemon=True).start()
        if options.ready_file:
            self._write(options.ready_file, description)
        return description

    def wait_for_failure(self) -> str:
        """Until the stack does not hold any more, of itself or because it is stopped; what to tell of it."""
        assert self._aws is not None
        self._aws.wait()
        return f"the AWS services ended; {self._logs} says why"

    def stop(self) -> None:
        """End every process, give every port back, and remove the files that say where the stack is."""
        self._gateway.close()
        if self._identity_provider is not None:
            self._identity_provider.close()
        self._children.stop(WORKER_GRACE_S)
        if self._functions is not None:
            self._functions.close()
        with self._writing:
            self._stopped = True
            for path in self._written:
                path.unlink(missing_ok=True)

    @property
    def _mailbox(self) -> Path:
        return self.options.state_dir / "mail"

    @property
    def _logs(self) -> Path:
        return self.options.state_dir / "logs"

    def _take_state_dir(self) -> TextIO:
        """Hold the state folder until this process ends, however it does."""
        self.options.state_dir.mkdir(parents=True, exist_ok=True)
        file = (self.options.state_dir / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartError(
                f"a local stack is running already, process {file.read().strip() or '?'}, in {self.options.state_dir}: "
                "stop it, or give another --state-dir and --port"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def _start_aws(self, lambda_url: str) -> Child:
        with (self._logs / "aws.log").open("wb") as output:
            return self._children.start(
                [sys.executable, "-m", "local.aws", "--lambda-url", lambda_url, "--mailbox", str(self._mailbox)],
                cwd=ROOT,
                environment={name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
                | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION},
                stdin=subprocess.PIPE,  # never written to; it closes with us
                stdout=subprocess.PIPE,
                stderr=output,
            )

    def _aws_url(self, aws: Child) -> str:
        assert aws.process.stdout is not None
        port = aws.process.stdout.readline().decode().strip()
        if not port:
            raise StartError(f"the AWS services did not start; {self._logs / 'aws.log'} says why")
        return f"http://127.0.0.1:{port}"

    def _serve(self, deployed: Deployed, clients: Clients, functions: Lambda) -> dict[str, str]:
        """Serve every API: crowd tasks at the port that was asked for, the others at the next free ones."""
        gateway = clients.client("apigateway")

        def read_plan_keys(plan_id: str) -> Iterator[str]:
            for page in gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_id):
                yield from (key["value"] for key in page["items"])

        apis = [
            RestApi(api, deployed, functions, read_plan_keys) for api in deployed.of_type("AWS::ApiGateway::RestApi")
        ]
        apis.sort(key=lambda api: api.stack != TASKS_STACK)
        urls = {}
        port = self.options.port
        for api in apis:
            access_log = (self._logs / f"{api.name}-access.log").open("w", encoding="utf-8", buffering=1)
            self._access_logs.append(access_log)
            api.log_access = lambda line, file=access_log: print(line, file=file)  # type: ignore[misc]
            if api.stack == TASKS_STACK:
                try:
                    urls[api.id] = self._gateway.serve(api, port)
                except OSError as error:
                    raise StartError(f"port {port} cannot be used: {error.strerror}; choose another --port") from error
            else:
                urls[api.id] = self._serve_near(api, port)
        return urls

    def _serve_near(self, api: RestApi, port: int) -> str:
        for near in range(port + 1, port + 10) if port else ():
            try:
                return self._gateway.serve(api, near)
            except OSError:
                continue
        return self._gateway.serve(api, 0)

    def _describe(self, deployed: Deployed, clients: Clients, urls: Mapping[str, str]) -> dict[str, Any]:
        """The contents of `stack.json`. Funds the deployment's requester and invites Workers on the way."""
        api_urls = {api.stack: urls[api.physical_id] for api in deployed.of_type("AWS::ApiGateway::RestApi")}
        aws = AwsClients.local(clients.endpoint_url)
        description: dict[str, Any] = {
            "api_url": api_urls[TASKS_STACK],
            "api_key": _open_account(aws),
            "account_id": ACCOUNT_ID,
            "aws_endpoint_url": clients.endpoint_url,
            "lambda_url": self._functions.url if self._functions else "",
            "process_id": os.getpid(),
            "logs": str(self._logs.resolve()),
        }
        if WORKPLACE_STACK in deployed.outputs:
            requester = aws.secret(deployed.outputs[WORKPLACE_STACK]["OwnCredentialsSecret"])
            operator = find_operator(aws)
            operator.fund_requester(requester["requester_id"], FUNDING_CENTS, "local-up")
            site_url = api_urls[WORKPLACE_STACK]
            description |= {
                "mturk_endpoint_url": site_url,
                "mturk_access_key_id": requester["access_key_id"],
                "mturk_secret_access_key": requester["secret_access_key"],
                "worker_site_url": site_url,
                "mailbox": str(self._mailbox.resolve()),
                **{key: f"{site_url}/join/{operator.invite_worker(name)}" for key, name in INVITED_WORKERS.items()},
            }
        return description

    def _write(self, path: Path, description: Mapping[str, Any]) -> None:
        """Say there where the stack is, until it stops. Nobody ever sees half of the file. Raises Stopping."""
        with self._writing:
            if self._stopped:
                raise Stopping
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_text(json.dumps(description, indent=2), encoding="utf-8")
            partial.replace(path)
            self._written.append(path)

    def _wait_for_api(self, url: str) -> None:
        """Until the API's own code answers, and not only the gateway."""
        deadline = time.monotonic() + API_DEADLINE_S
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=API_DEADLINE_S)
        while True:
            try:
                connection.request("GET", "/openapi.json")
                response = connection.getresponse()
                response.read()
            except OSError as error:
                raise Stopping from error
            if response.status < 500:
                return
            if time.monotonic() > deadline:
                raise StartError(f"the API answers {response.status}; the logs in {self._logs} say why")
            time.sleep(0.2)

    def _start_workers(self) -> None:
        with (self._logs / "workers.log").open("wb") as output:
            self._children.start(
                [sys.executable, "-m", "local.workers", "--stack", str(self.path), "--mode", self.options.workers]
                + list(self.options.worker_options),
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )


def run_stack(options: Options, work: Callable[[dict[str, Any], threading.Event], int]) -> int:
    """Bring a stack up, do `work`, and take the stack down; from the main thread.

    `work` is given the stack's description and an event that is set when it should end early, and returns the exit
    status. That is 130 after SIGINT, SIGTERM or SIGHUP, and 1 when the stack could not start or did not hold.
    """
    over = threading.Event()
    # A pipe, because a handler that sets an Event while another signal does the same would wait for itself.
    endings, ending = os.pipe()

    def on_signal(number: int, frame: FrameType | None) -> None:
        os.write(ending, SIGNALLED)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)

    stack = LocalStack(options)
    status = 0

    def end(new_status: int, reason: str = "") -> None:
        """The first end is the one that counts."""
        nonlocal status
        if not over.is_set():
            status = new_status
            if reason:
                print(reason, file=sys.stderr, flush=True)
        os.write(ending, DONE)

    def live() -> None:
        try:
            description = stack.start()
            threading.Thread(target=lambda: end(1, stack.wait_for_failure()), name="watch-stack", daemon=True).start()
            end(work(description, over))
        except Stopping:
            end(1)
        except StartError as error:
            end(1, str(error))
        except Exception:
            # Without this the main thread would wait forever for a thread that is gone.
            log.exception("the stack failed")
            end(1, traceback.format_exc())

    threading.Thread(target=live, name="live", daemon=True).start()
    is_signalled = os.read(endings, 1) == SIGNALLED
    over.set()
    stack.stop()
    return INTERRUPTED if is_signalled else status


def settings_of(options: Options) -> dict[str, str]:
    """The CDK app's: mail is sent, as it costs nothing here, and simulated Workers work as fast as they can."""
    unhurried = {"worker_rate": "0", "network_rate": "0"} if options.workers != NOBODY else {}
    return {"sign_in_mail_sender": MAIL_SENDER, **unhurried, **options.settings}


def _open_account(aws: AwsClients) -> str:
    """An account to try everything with; its key."""
    wiring = find_accounts(aws)
    wiring.accounts.create(ACCOUNT)
    wiring.ledger.top_up(ACCOUNT, FUNDING_CENTS, "local-up")
    return wiring.accounts.create_key(ACCOUNT).key

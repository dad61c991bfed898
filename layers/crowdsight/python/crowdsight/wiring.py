"""The one place where the environment is read and adapters are built.

A handler calls `wire()` once, outside its function, and uses the use cases it finds there. Each is built at its first
use and kept, and its modules are imported then, so that a Lambda loads only what it needs.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config

from crowdsight.clock import system_clock
from crowdsight.dynamodb import Table

if TYPE_CHECKING:
    from crowdsight.accounts import ApiKeys
    from crowdsight.crowd.audit import TaskAudit
    from crowdsight.crowd.judging import Judging
    from crowdsight.crowd.publishing import Publishing
    from crowdsight.crowd.recording import Recorder
    from crowdsight.crowd.requester import Requester
    from crowdsight.crowd.requests import DeleteTask, GetTask, PutTask
    from crowdsight.crowd.workflow import Workflow
    from crowdsight.task_store import TaskStore
    from crowdsight.workplace.credentials import CredentialSecrets
    from crowdsight.workplace.mturk_api import MTurkApi
    from crowdsight.workplace.operator import Operator
    from crowdsight.workplace.sessions import Sessions
    from crowdsight.workplace.site import WorkerSite
    from crowdsight.workplace.workplace import Workplace


@dataclass(frozen=True)
class Settings:
    """What a Lambda is told by its environment; a field `tasks_table` comes from `TASKS_TABLE`.

    A Lambda is given only the settings it uses; the others keep these defaults.
    """

    # crowd tasks
    tasks_table: str = ""
    task_workflow_arn: str = ""
    notifications_queue_url: str = ""
    mturk_endpoint_url: str = ""
    mturk_credentials_secret: str = ""  # ARN or name; JSON {requester_id, access_key_id, secret_access_key}
    api_key_secret: str = ""  # ARN or name; JSON {account, api_key}
    hit_lifetime_s: int = 86_400
    crowd_budget_cents: int = 0  # 0: no ceiling
    # the workplace
    workplace_table: str = ""
    requester_secrets_prefix: str = ""  # credentials are secrets named <prefix><access key id>
    session_secret: str = ""  # ARN or name; JSON {session_key}
    workplace_fee_percent: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read once, at the start of a process."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            text = environment.get(field.name.upper())
            if text:
                found[field.name] = int(text) if field.type is int else text
        return cls(**found)


class Wiring:
    """The product's parts, joined. Nothing here decides anything."""

    def __init__(self, settings: Settings, make_client: Callable[..., Any] = boto3.client) -> None:
        self.settings = settings
        self.clock = system_clock
        self._make_client = make_client

    # Crowd tasks

    @cached_property
    def put_task(self) -> "PutTask":
        from crowdsight.crowd.requests import PutTask, Terms

        terms = Terms(
            self.settings.hit_lifetime_s, self.settings.crowd_budget_cents, self.settings.workplace_fee_percent
        )
        return PutTask(self._task_store, self._workflow, terms, _new_id)

    @cached_property
    def get_task(self) -> "GetTask":
        from crowdsight.crowd.requests import GetTask

        return GetTask(self._task_store)

    @cached_property
    def delete_task(self) -> "DeleteTask":
        from crowdsight.crowd.requests import DeleteTask

        return DeleteTask(self._task_store)

    @cached_property
    def judging(self) -> "Judging":
        from crowdsight.crowd.judging import Judging

        return Judging(self._task_store, self._workflow, self.clock)

    @cached_property
    def publishing(self) -> "Publishing":
        from crowdsight.crowd.publishing import Publishing

        return Publishing(self._task_store, self._requester, self.clock)

    @cached_property
    def recorder(self) -> "Recorder":
        from crowdsight.crowd.recording import Recorder

        return Recorder(
            self._task_store, self._requester, self._workflow, self.clock, self.settings.workplace_fee_percent
        )

    @cached_property
    def task_audit(self) -> "TaskAudit":
        from crowdsight.crowd.audit import TaskAudit

        return TaskAudit(self._task_store, self.settings.workplace_fee_percent)

    @cached_property
    def _task_store(self) -> "TaskStore":
        from crowdsight.task_store import TaskStore

        return TaskStore(Table(self._client("dynamodb"), self.settings.tasks_table), self.clock)

    @cached_property
    def _workflow(self) -> "Workflow":
        from crowdsight.crowd.workflow import Workflow

        return Workflow(self._client("stepfunctions"), self.settings.task_workflow_arn)

    @cached_property
    def _requester(self) -> "Requester":
        from crowdsight.crowd.requester import Requester

        return Requester(self.mturk_client, self.settings.notifications_queue_url)

    @cached_property
    def mturk_client(self) -> Any:
        """An ordinary MTurk client for the deployment's requester account, wherever the workplace is."""
        credentials = self._secret(self.settings.mturk_credentials_secret)
        return self._client(
            "mturk",
            region_name="us-east-1",
            endpoint_url=self.settings.mturk_endpoint_url,
            aws_access_key_id=credentials["access_key_id"],
            aws_secret_access_key=credentials["secret_access_key"],
            config=Config(retries={"mode": "standard", "max_attempts": 4}, read_timeout=20, connect_timeout=5),
        )

    # The workplace

    @cached_property
    def workplace(self) -> "Workplace":
        from crowdsight.workplace.events import aws_sender
        from crowdsight.workplace.identifiers import new_id
        from crowdsight.workplace.workplace import Workplace

        # Someone waits while an event is sent, and what fails is sent again later.
        impatient = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2})
        send_event = aws_sender(self._client("sqs", config=impatient), self._client("sns", config=impatient))
        return Workplace(self.workplace_table, self.clock, new_id, self.settings.workplace_fee_percent, send_event)

    @cached_property
    def mturk_api(self) -> "MTurkApi":
        from crowdsight.workplace.mturk_api import MTurkApi

        return MTurkApi(self.workplace.requesters, self._requester_credentials.find, self.clock)

    @cached_property
    def workplace_operator(self) -> "Operator":
        from crowdsight.workplace.operator import Operator

        return Operator(self.workplace_table, self.clock, self._requester_credentials, self.sessions)

    @cached_property
    def workplace_table(self) -> Table:
        return Table(self._client("dynamodb"), self.settings.workplace_table)

    @cached_property
    def _requester_credentials(self) -> "CredentialSecrets":
        from crowdsight.workplace.credentials import CredentialSecrets

        return CredentialSecrets(self._client("secretsmanager"), self.settings.requester_secrets_prefix, self.clock)

    # The worker site

    @cached_property
    def worker_site(self) -> "WorkerSite":
        from crowdsight.workplace.site import WorkerSite

        return WorkerSite(self.workplace, self.sessions, self.clock)

    @cached_property
    def sessions(self) -> "Sessions":
        """Invitations and sessions of Workers, signed with this deployment's key."""
        from crowdsight.workplace.sessions import Sessions

        return Sessions(self._secret(self.settings.session_secret)["session_key"], self.clock)

    # Accounts

    @cached_property
    def api_keys(self) -> "ApiKeys":
        from crowdsight.accounts import ApiKeys

        return ApiKeys(lambda: self._secret(self.settings.api_key_secret), self.clock)

    # What everything stands on

    def _client(self, service: str, **options: Any) -> Any:
        return self._make_client(service, **options)

    def _secret(self, secret_id: str) -> dict[str, str]:
        """A secret of ours: a JSON object of strings."""
        answer = self._client("secretsmanager").get_secret_value(SecretId=secret_id)
        secret: dict[str, str] = json.loads(answer["SecretString"])
        return secret


def wire() -> Wiring:
    """The parts of this process, with settings from its environment."""
    return Wiring(Settings.from_environment(os.environ))


def _new_id() -> str:
    """A generation's id: 32 hexadecimal digits, random."""
    return uuid4().hex

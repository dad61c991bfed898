"""The one place where the environment is read and adapters are built.

A handler calls `wire()` once, outside its function, and uses the use cases it finds there. Each is built at its first
use and kept, and its modules are imported then, so that a Lambda loads only what it needs.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config

from crowdsight.clock import Clock, system_clock
from crowdsight.dynamodb import Table
from crowdsight.secrets import Secret

if TYPE_CHECKING:
    from crowdsight.accounts.allowance import Allowance
    from crowdsight.accounts.describing import DescribeAccount
    from crowdsight.accounts.ledger import Ledger
    from crowdsight.accounts.store import AccountStore, Terms
    from crowdsight.crowd.audit import BudgetAudit, TaskAudit
    from crowdsight.crowd.disclosure import GetAudit
    from crowdsight.crowd.gates import Gates
    from crowdsight.crowd.gold import GoldStore
    from crowdsight.crowd.gold_hits import GoldHits
    from crowdsight.crowd.judging import Judging
    from crowdsight.crowd.machine import Machine
    from crowdsight.crowd.opinions import Opinions
    from crowdsight.crowd.publishing import Publishing
    from crowdsight.crowd.random_audits import RandomAudits
    from crowdsight.crowd.recording import Recorder
    from crowdsight.crowd.refitting import Refit
    from crowdsight.crowd.requester import Requester
    from crowdsight.crowd.requests import DeleteTask, GetTask, PutTask
    from crowdsight.crowd.skills import Skills
    from crowdsight.crowd.workflow import Workflow
    from crowdsight.images.fetching import ImageFetcher
    from crowdsight.models.bundle import Bundle
    from crowdsight.search.finding import FindImages, FindSimilar, OwnImages
    from crowdsight.search.index import VectorIndex
    from crowdsight.search.library import Library
    from crowdsight.search.listing import ListImages, Stats
    from crowdsight.search.neighbours import Neighbours
    from crowdsight.search.objects import Objects
    from crowdsight.search.removing import Leftovers, RemoveImage
    from crowdsight.search.saving import SaveImage
    from crowdsight.search.serving import ServeFile
    from crowdsight.search.sweeping import Sweep
    from crowdsight.task_store import TaskStore
    from crowdsight.workplace.credentials import CredentialSecrets
    from crowdsight.workplace.limits import Limits
    from crowdsight.workplace.mail import Mailer, MailQueue
    from crowdsight.workplace.mturk_api import MTurkApi
    from crowdsight.workplace.openid import IdentityProvider
    from crowdsight.workplace.operator import Operator
    from crowdsight.workplace.people import People
    from crowdsight.workplace.sessions import Sessions
    from crowdsight.workplace.site import WorkerSite
    from crowdsight.workplace.workplace import Workplace


MEMORY_OF_A_PROCESSOR_MB = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True)
class Settings:
    """What a Lambda is told by its environment; a field `tasks_table` comes from `TASKS_TABLE`.

    A Lambda is given only the settings it uses; the others keep these defaults.
    """

    # crowd tasks
    tasks_table: str = ""
    skills_table: str = ""
    worker_codes_secret: str = ""  # ARN or name; JSON {code_key}
    task_workflow_arn: str = ""
    notifications_queue_url: str = ""
    mturk_endpoint_url: str = ""
    mturk_credentials_secret: str = ""  # ARN or name; JSON {requester_id, access_key_id, secret_access_key}
    hit_lifetime_s: int = 86_400
    audit_percent: int = 0
    # accounts; the terms are those of accounts that have none of their own
    accounts_table: str = ""
    usage_plan: str = ""  # API Gateway's, by name
    free_searches: int = 100  # a day
    search_price_cents: int = 1
    crowd_budget_cents: int = 0  # a month; 0: no ceiling
    # image search
    images_table: str = ""
    images_bucket: str = ""
    image_names_secret: str = ""  # ARN or name; JSON {name_key}
    model_bundle: str = "embedded"  # a folder of `models`, beside the handlers
    vector_engine: str = "segments"  # or s3vectors
    search_recall: float = 0.99  # of segments: the share of the nearest that is to be found
    vector_indexes: str = ""  # SPACE=ARN, separated by commas: indexes of S3 Vectors
    allowed_image_hosts: str = ""  # HOST:PORT, separated by commas: loopback addresses that may be fetched from
    # what Lambda itself tells
    lambda_task_root: str = ""
    aws_lambda_function_memory_size: int = MEMORY_OF_A_PROCESSOR_MB
    # the workplace
    workplace_table: str = ""
    requester_secrets_prefix: str = ""  # credentials are secrets named <prefix><access key id>
    session_secret: str = ""  # ARN or name; JSON {session_key}, and {previous_session_key} after a rotation
    worker_rate: int = 0  # of one Worker in a minute; 0: no limit, as with the next two
    network_rate: int = 0  # from one network address in a minute
    sign_in_rate: int = 0  # from one network address in a quarter of an hour
    mail_queue_url: str = ""  # where links to be sent by e-mail go; "": none are sent
    mail_sender: str = ""  # whom they are from
    workplace_url: str = ""  # what they lead to
    openid_issuer: str = ""  # the organisation's OpenID provider; "": none
    openid_client_secret: str = ""  # ARN or name; JSON {client_id, client_secret}
    welcome_domains: str = ""  # of e-mail addresses, separated by commas: whose people need no invitation
    welcome_groups: str = ""  # the same of the provider's groups
    workplace_fee_percent: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read once, at the start of a process."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            text = environment.get(field.name.upper())
            if text:
                found[field.name] = field.type(text) if field.type in (int, float) else text
        return cls(**found)


class Wiring:
    """The product's parts, joined. Nothing here decides anything.

    `make_client`: as `boto3.client`, which it is outside tests.
    """

    def __init__(
        self, settings: Settings, make_client: Callable[..., Any] = boto3.client, clock: Clock = system_clock
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._make_client = make_client

    # Crowd tasks

    @cached_property
    def put_task(self) -> "PutTask":
        """Creates a task, under this deployment's terms."""
        from crowdsight.crowd.requests import PutTask, Terms

        terms = Terms(
            self.settings.hit_lifetime_s,
            lambda account: self.accounts.account(account).terms.crowd_budget_cents,
            self.settings.workplace_fee_percent,
        )
        return PutTask(self._task_store, self._workflow, terms, _new_id)

    @cached_property
    def get_task(self) -> "GetTask":
        """Finds a task."""
        from crowdsight.crowd.requests import GetTask

        return GetTask(self._task_store)

    @cached_property
    def delete_task(self) -> "DeleteTask":
        """Frees the name of a finished task."""
        from crowdsight.crowd.requests import DeleteTask

        return DeleteTask(self._task_store)

    @cached_property
    def judging(self) -> "Judging":
        """Decides from a task's answers, and waits for them."""
        from crowdsight.crowd.judging import Judging

        return Judging(self._task_store, self.skills, self.opinions, self._workflow, self.clock)

    @cached_property
    def publishing(self) -> "Publishing":
        """Offers a task's HIT at the workplace, extends and ends it."""
        from crowdsight.crowd.publishing import Publishing

        return Publishing(self._task_store, self.skills, self._requester, self.clock)

    @cached_property
    def recorder(self) -> "Recorder":
        """Records and pays the answers that the workplace has."""
        from crowdsight.crowd.recording import Recorder

        return Recorder(
            self._task_store,
            self.skills,
            self._requester,
            self._workflow,
            self.gold_hits,
            self.random_audits,
            self.clock,
            self.settings.workplace_fee_percent,
        )

    @cached_property
    def skills(self) -> "Skills":
        """What is known of each function's Workers."""
        from crowdsight.crowd.skills import Skills

        return Skills(Table(self._client("dynamodb"), self.settings.skills_table), self.clock)

    @cached_property
    def gates(self) -> "Gates":
        """Shuts Workers out of a function's HITs, and lets them in again."""
        from crowdsight.crowd.gates import Gates

        return Gates(self.skills, self._requester)

    @cached_property
    def refit_skills(self) -> "Refit":
        """Judges closed tasks anew, and tunes the rules."""
        from crowdsight.catalogue import CATALOGUE
        from crowdsight.crowd.refitting import Refit

        return Refit(self.skills, self.opinions, self.gates, CATALOGUE.values())

    @cached_property
    def get_audit(self) -> "GetAudit":
        """Tells a caller how a task was judged."""
        from crowdsight.crowd.disclosure import GetAudit

        secret = self._secret(self.settings.worker_codes_secret)
        return GetAudit(
            self.get_task,
            self._task_store,
            self.skills,
            self.opinions,
            self.settings.workplace_fee_percent,
            lambda: secret.read()["code_key"].encode(),
        )

    @cached_property
    def random_audits(self) -> "RandomAudits":
        """Finished tasks that are drawn at random, for an operator to tell their truth."""
        from crowdsight.crowd.random_audits import RandomAudits

        table = Table(self._client("dynamodb"), self.settings.tasks_table)
        return RandomAudits(table, self._task_store, self.skills, self.clock, self.settings.audit_percent)

    @cached_property
    def gold_hits(self) -> "GoldHits":
        """Asks known-answer questions among a function's tasks, and takes in their answers."""
        from crowdsight.crowd.gold_hits import GoldHits

        return GoldHits(
            self.gold_store,
            self._task_store,
            self.skills,
            self._requester,
            self.clock,
        )

    @cached_property
    def opinions(self) -> "Opinions":
        """What models think of tasks."""
        from crowdsight.crowd.opinions import Opinions

        return Opinions(Table(self._client("dynamodb"), self.settings.skills_table), self.clock)

    @cached_property
    def machine(self) -> "Machine":
        """Asks the models."""
        from crowdsight.catalogue import CATALOGUE
        from crowdsight.crowd.machine import Machine
        from crowdsight.crowd.scoring import Scorer

        scorer = Scorer(self.model_bundle, self._image_fetcher)
        return Machine(self._task_store, self.gold_store, self.opinions, scorer, CATALOGUE.values())

    @cached_property
    def gold_store(self) -> "GoldStore":
        """Known-answer questions, and their answers."""
        from crowdsight.crowd.gold import GoldStore

        return GoldStore(Table(self._client("dynamodb"), self.settings.tasks_table), self.clock)

    @cached_property
    def task_audit(self) -> "TaskAudit":
        """Checks that all tasks and their money add up."""
        from crowdsight.crowd.audit import TaskAudit

        return TaskAudit(self._task_store, self.settings.workplace_fee_percent)

    @cached_property
    def budget_audit(self) -> "BudgetAudit":
        """Checks that what months have taken of budgets adds up."""
        from crowdsight.crowd.audit import BudgetAudit

        return BudgetAudit(self._task_store, time.sleep)

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

        secret = self._secret(self.settings.mturk_credentials_secret)

        @lru_cache(maxsize=1)
        def make_client(access_key_id: str, secret_access_key: str) -> Any:
            return self._client(
                "mturk",
                region_name="us-east-1",
                endpoint_url=self.settings.mturk_endpoint_url,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                # Shorter, with its retries, than any Lambda that waits for it: what fails is done again.
                config=Config(retries={"mode": "standard", "max_attempts": 2}, read_timeout=10, connect_timeout=3),
            )

        def connect() -> Any:
            """An ordinary MTurk client; another one once the credentials have been rotated."""
            credentials = secret.read()
            return make_client(credentials["access_key_id"], credentials["secret_access_key"])

        return Requester(connect, self.settings.notifications_queue_url)

    # The workplace

    @cached_property
    def workplace(self) -> "Workplace":
        """Where HITs are done; its notifications go out by SQS and SNS."""
        from crowdsight.workplace.identifiers import new_id
        from crowdsight.workplace.senders import AwsSender
        from crowdsight.workplace.workplace import Workplace

        # Someone waits while an event is sent, and what fails is sent again later.
        impatient = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2})
        sqs, sns = (self._client(service, config=impatient) for service in ("sqs", "sns"))
        sender = AwsSender(sqs, sns, self.clock)
        return Workplace(self.workplace_table, self.clock, new_id, self.settings.workplace_fee_percent, sender)

    @cached_property
    def mturk_api(self) -> "MTurkApi":
        """The workplace as requesters' programs see it."""
        from crowdsight.workplace.mturk_api import MTurkApi

        return MTurkApi(self.workplace.requesters, self._requester_credentials.find, self.clock)

    @cached_property
    def workplace_operator(self) -> "Operator":
        """What the deployment's operator does at the workplace."""
        from crowdsight.workplace.operator import Operator

        return Operator(self.workplace_table, self.clock, self._requester_credentials, self.people)

    @cached_property
    def workplace_table(self) -> Table:
        """The table of all that the workplace knows, laid out as in `workplace.records`."""
        return Table(self._client("dynamodb"), self.settings.workplace_table)

    @cached_property
    def _requester_credentials(self) -> "CredentialSecrets":
        from crowdsight.workplace.credentials import CredentialSecrets

        return CredentialSecrets(self._client("secretsmanager"), self.settings.requester_secrets_prefix, self.clock)

    # The worker site

    @cached_property
    def worker_site(self) -> "WorkerSite":
        """The workplace as Workers' browsers see it."""
        from crowdsight.workplace.site import WorkerSite

        return WorkerSite(
            self.workplace, self.people, self._limits, self.clock, self._mail_queue, self._identity_provider
        )

    @cached_property
    def mailer(self) -> "Mailer":
        """Sends the links that the site left to be sent."""
        from crowdsight.workplace.mail import Mailer

        settings = self.settings
        return Mailer(self._client("sesv2"), settings.mail_sender, settings.workplace_url, self.people, self.clock)

    @cached_property
    def _mail_queue(self) -> "MailQueue | None":
        from crowdsight.workplace.mail import MailQueue

        url = self.settings.mail_queue_url
        return MailQueue(self._client("sqs"), url) if url else None

    @cached_property
    def _identity_provider(self) -> "IdentityProvider | None":
        if not self.settings.openid_issuer:
            return None
        from crowdsight.https import Https
        from crowdsight.workplace.openid import IdentityProvider

        secret = self._secret(self.settings.openid_client_secret)
        return IdentityProvider(self.settings.openid_issuer, secret.read, Https().send, self.clock)

    @cached_property
    def people(self) -> "People":
        """Who may sign in to the worker site."""
        from crowdsight.workplace.people import People, Welcome, names_of

        welcome = Welcome(names_of(self.settings.welcome_domains.lower()), names_of(self.settings.welcome_groups))
        return People(self.workplace_table, self.workplace, self.sessions, self.clock, welcome)

    @cached_property
    def _limits(self) -> "Limits":
        from crowdsight.workplace.limits import Limits, Rates

        settings = self.settings
        rates = Rates(settings.worker_rate, settings.network_rate, settings.sign_in_rate)
        return Limits(self.workplace_table, self.clock, rates)

    @cached_property
    def sessions(self) -> "Sessions":
        """Invitations and sessions of Workers, signed with this deployment's key."""
        from crowdsight.workplace.sessions import Sessions, session_keys

        secret = self._secret(self.settings.session_secret)
        return Sessions(lambda: session_keys(secret.read()), self.clock)

    # Image search

    @cached_property
    def find_images(self) -> "FindImages":
        """Finds images like the one at a URL, and remembers that one."""
        from crowdsight.search.finding import FindImages

        return FindImages(
            self._image_fetcher,
            self.model_bundle,
            self._neighbours,
            self._own_images,
            self.library,
            self._objects,
            lambda: str(uuid4()),
        )

    @cached_property
    def find_similar(self) -> "FindSimilar":
        """Finds images like a picture or like words."""
        from crowdsight.search.finding import FindSimilar

        return FindSimilar(self._image_fetcher, self.model_bundle, self._neighbours, self._own_images)

    @cached_property
    def save_image(self) -> "SaveImage":
        """Stores an image, each picture once in an account."""
        from crowdsight.search.saving import SaveImage

        secret = self._secret(self.settings.image_names_secret)
        return SaveImage(
            self.model_bundle,
            self.vector_index,
            self.library,
            self._objects,
            self._leftovers,
            self.clock,
            _new_id,
            lambda: secret.read()["name_key"].encode(),
        )

    @cached_property
    def remove_image(self) -> "RemoveImage":
        """Removes a stored image."""
        from crowdsight.search.removing import RemoveImage

        return RemoveImage(self.library, self._leftovers)

    @cached_property
    def serve_file(self) -> "ServeFile":
        """Reads stored images and thumbnails."""
        from crowdsight.search.serving import ServeFile

        return ServeFile(self.library, self._objects)

    @cached_property
    def sweep_images(self) -> "Sweep":
        """Forgets expired requests, and clears away what killed saves and removals left."""
        from crowdsight.search.sweeping import Sweep

        return Sweep(self.library, self._objects, self._leftovers)

    @cached_property
    def list_images(self) -> "ListImages":
        """Lists an account's images."""
        from crowdsight.search.listing import ListImages

        return ListImages(self.library)

    @cached_property
    def image_stats(self) -> "Stats":
        """Counts what an account has stored."""
        from crowdsight.search.listing import Stats

        return Stats(self.library, self.vector_index)

    @cached_property
    def library(self) -> "Library":
        """What is known of the stored images."""
        from crowdsight.search.library import Library

        return Library(Table(self._client("dynamodb"), self.settings.images_table), self.clock)

    @cached_property
    def vector_index(self) -> "VectorIndex":
        """The vectors of the stored images, in the engine of this deployment."""
        return self.vector_index_of(self.settings.vector_engine)

    def vector_index_of(self, engine: str) -> "VectorIndex":
        """`segments`: in S3 behind a log in DynamoDB; `s3vectors`: in Amazon S3 Vectors. Raises ValueError."""
        table = Table(self._client("dynamodb"), self.settings.images_table)
        if engine == "segments":
            from crowdsight.search.s3_index import S3VectorIndex

            bundle = self.model_bundle
            memory_bytes = self.settings.aws_lambda_function_memory_size * 2**20
            return S3VectorIndex(
                table,
                self._objects,
                bundle.name,
                bundle.spaces,
                self.clock,
                _new_id,
                self.settings.search_recall,
                # The models and one picture take the rest; a merge takes three times what it makes.
                cache_bytes=memory_bytes // 3,
                most_bytes=memory_bytes // 5,
            )
        if engine == "s3vectors":
            from crowdsight.search.s3_vectors_index import S3VectorsIndex

            index_arns = dict(each.split("=", 1) for each in self.settings.vector_indexes.split(",") if each)
            # It throttles after hundreds of queries, or 2,500 vectors, a second. The pauses of five attempts, 15 s at
            # most, are shorter than any Lambda that waits for it may run.
            client = self._client("s3vectors", config=Config(retries={"mode": "adaptive", "max_attempts": 5}))
            return S3VectorsIndex(table, client, index_arns, self.model_bundle.spaces, self.clock)
        raise ValueError(f"no such vector engine: {engine}")

    @cached_property
    def model_bundle(self) -> "Bundle":
        """The models that images and texts are embedded with; loaded as they are used."""
        from crowdsight.models.bundle import load_bundle

        processors = round(self.settings.aws_lambda_function_memory_size / MEMORY_OF_A_PROCESSOR_MB)
        return load_bundle(
            Path(self.settings.lambda_task_root) / "models" / self.settings.model_bundle,
            threads=max(1, min(processors, os.cpu_count() or 1)),
        )

    @cached_property
    def _neighbours(self) -> "Neighbours":
        from crowdsight.search.neighbours import Neighbours

        return Neighbours(self.vector_index, self.library)

    @cached_property
    def _own_images(self) -> "OwnImages":
        from crowdsight.search.finding import OwnImages

        return OwnImages(self.model_bundle, self._neighbours, self.library, self._objects)

    @cached_property
    def _leftovers(self) -> "Leftovers":
        from crowdsight.search.removing import Leftovers

        return Leftovers(self.library, self.vector_index, self._objects)

    @cached_property
    def _objects(self) -> "Objects":
        from crowdsight.search.objects import Objects

        # As many connections as segments are read by.
        return Objects(self._client("s3", config=Config(max_pool_connections=32)), self.settings.images_bucket)

    @cached_property
    def _image_fetcher(self) -> "ImageFetcher":
        from crowdsight.images.fetching import ImageFetcher

        return ImageFetcher([host for host in self.settings.allowed_image_hosts.split(",") if host])

    # Accounts

    @cached_property
    def accounts(self) -> "AccountStore":
        """Accounts, and whose key is whose."""
        from crowdsight.accounts.gateway_keys import ApiGatewayKeys
        from crowdsight.accounts.store import AccountStore

        gateway = ApiGatewayKeys(lambda: self._client("apigateway"), self.settings.usage_plan)
        return AccountStore(self._accounts_table, self.clock, self._terms, gateway)

    @cached_property
    def ledger(self) -> "Ledger":
        """The cents of accounts."""
        from crowdsight.accounts.ledger import Ledger

        return Ledger(self._accounts_table, self.accounts, self.clock)

    @cached_property
    def allowance(self) -> "Allowance":
        """How many searches an account has."""
        from crowdsight.accounts.allowance import Allowance

        return Allowance(self._accounts_table, self.accounts, self.ledger, self.clock, _new_id)

    @cached_property
    def describe_account(self) -> "DescribeAccount":
        """Tells a caller of its account."""
        from crowdsight.accounts.describing import DescribeAccount

        return DescribeAccount(self.accounts, self.allowance, self._task_store)

    @cached_property
    def _accounts_table(self) -> Table:
        return Table(self._client("dynamodb"), self.settings.accounts_table)

    @property
    def _terms(self) -> "Terms":
        from crowdsight.accounts.store import Terms

        settings = self.settings
        return Terms(settings.free_searches, settings.search_price_cents, settings.crowd_budget_cents)

    # What everything stands on

    def _client(self, service: str, **options: Any) -> Any:
        return self._make_client(service, **options)

    def _secret(self, secret_id: str) -> Secret:
        return Secret(self._client("secretsmanager"), secret_id, self.clock)


def wire() -> Wiring:
    """The parts of this process, with settings from its environment."""
    return Wiring(Settings.from_environment(os.environ))


def _new_id() -> str:
    """A generation's id, or a reservation's: 32 hexadecimal digits, random."""
    return uuid4().hex

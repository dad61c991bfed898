"""Where a deployment is and how to operate it: in AWS by its CloudFormation stacks, on this machine by `stack.json`."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from crowdsight.wiring import Wiring
    from crowdsight.workplace.operator import Operator

MODELS_ROOT = Path(__file__).resolve().parents[1] / "functions" / "search"
"""Below it, in `models`, are the bundles that a deployment of this version may embed pictures with."""

PATIENT = Config(retries={"mode": "standard", "max_attempts": 10}, max_pool_connections=50)
"""For many threads that work for a long time: what is throttled is tried again."""

TASKS_STACK = "crowdsight"
WORKPLACE_STACK = "crowdsight-workplace"
LOCAL_REGION = MTURK_REGION = "us-east-1"


class StackNotFound(Exception):
    """There is no such deployment, or it cannot be reached; the message says what to do."""


@dataclass(frozen=True)
class Api:
    """Where crowd tasks are put, and with which key."""

    url: str
    key: str


@dataclass(frozen=True)
class Workplace:
    """Where Workers and requesters' programs go. The keys are those of the deployment's own requester account."""

    url: str
    access_key_id: str
    secret_access_key: str

    def invitation_url(self, token: str) -> str:
        """The link by which an invited Worker signs in."""
        return f"{self.url}/join/{token}"

    def mturk(self, config: Config | None = None) -> Any:
        """A boto3 `mturk` client of the deployment's own requester account."""
        return boto3.client(
            "mturk",
            region_name=MTURK_REGION,
            endpoint_url=self.url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=config,
        )


class Stack:
    """One deployment: in AWS, where `aws` is signed in to, or on this machine, where `described` is its file's content.

    Every method raises StackNotFound when the deployment does not have what is asked for.
    """

    def __init__(self, aws: "AwsClients", described: "Outputs | None" = None) -> None:
        self.aws = aws
        self._described = described

    @classmethod
    def read(cls, path: Path) -> "Stack":
        """The local stack that wrote this file."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise StackNotFound(f"no local stack is running: there is no {path}; `make up` starts one") from error
        except ValueError as error:
            raise StackNotFound(f"{path} is not a stack's file: {error}") from error
        if not isinstance(document, dict):
            raise StackNotFound(f"{path} is not a stack's file: it is not an object")
        described = Outputs(str(path), document)
        return cls(AwsClients.local(described["aws_endpoint_url"]), described)

    def local_api(self) -> Api:
        """The local stack's API with the key made for trying it; of others nobody can tell a key."""
        if self._described is None:
            raise StackNotFound("only a local stack tells a key: an operator makes others by `admin keys create`")
        return Api(self._described["api_url"], self._described["api_key"])

    def api_url(self) -> str:
        """The API's base address, for who needs no key."""
        url = self.aws.outputs(TASKS_STACK)["ApiUrl"] if self._described is None else self._described["api_url"]
        return url.rstrip("/")

    def workplace(self) -> Workplace:
        if self._described is not None:
            return Workplace(
                self._described["mturk_endpoint_url"].rstrip("/"),
                self._described["mturk_access_key_id"],
                self._described["mturk_secret_access_key"],
            )
        outputs = self.aws.outputs(WORKPLACE_STACK)
        requester = self.aws.secret(outputs["OwnCredentialsSecret"])
        return Workplace(
            outputs["WorkplaceUrl"].rstrip("/"), requester["access_key_id"], requester["secret_access_key"]
        )

    def operator(self) -> "Operator":
        """What an operator of the workplace can do."""
        return find_operator(self.aws)

    def rotate_session_key(self) -> None:
        """Sign sessions, invitations and forms with a new key; what the one before has signed holds until the next."""
        from crowdsight.workplace.sessions import rotated

        secret = self.aws.outputs(WORKPLACE_STACK)["SessionSecret"]
        text = rotated(self.aws.secret(secret))
        try:
            self.aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)
        except (ClientError, BotoCoreError) as error:
            raise StackNotFound(f"the secret {secret} cannot be written: {error}") from error

    def accounts(self) -> "Wiring":
        """The parts that are about accounts of callers."""
        return find_accounts(self.aws)

    def crowd(self) -> "Wiring":
        """The parts that are about tasks and who answers them."""
        return find_crowd(self.aws)

    def image_search(self) -> "Wiring":
        """The parts of image search, over the deployment's images, with the models of this folder."""
        return find_image_search(self.aws)


class AwsClients:
    """Makes boto3 clients of one account and region, and looks up what a deployment tells of itself there."""

    def __init__(self, session: boto3.Session, endpoint_url: str | None = None) -> None:
        options = {"endpoint_url": endpoint_url} if endpoint_url else {}
        self.client = functools.partial(session.client, **options)

    @classmethod
    def local(cls, endpoint_url: str) -> "AwsClients":
        """The local stack's, which takes any credentials."""
        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=LOCAL_REGION)
        return cls(session, endpoint_url)

    @classmethod
    def signed_in(cls, profile: str | None = None, region: str | None = None) -> "AwsClients":
        """Those of the AWS credentials found as the AWS command line finds them. Raises StackNotFound."""
        try:
            return cls(boto3.Session(profile_name=profile, region_name=region))
        except BotoCoreError as error:
            raise StackNotFound(str(error)) from error

    def outputs(self, stack: str) -> "Outputs":
        """A CloudFormation stack's outputs by name. Raises StackNotFound."""
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=stack)
        except (ClientError, BotoCoreError) as error:
            raise StackNotFound(f"the stack {stack} cannot be read: {error}") from error
        found = {output["OutputKey"]: output["OutputValue"] for output in answer["Stacks"][0].get("Outputs", [])}
        return Outputs(f"the stack {stack}", found)

    def secret(self, secret_id: str) -> dict[str, str]:
        """A secret of the deployment, a JSON object of strings. Raises StackNotFound."""
        try:
            answer = self.client("secretsmanager").get_secret_value(SecretId=secret_id)
        except (ClientError, BotoCoreError) as error:
            raise StackNotFound(f"the secret {secret_id} cannot be read: {error}") from error
        found: dict[str, str] = json.loads(answer["SecretString"])
        return found


class Outputs(dict[str, str]):
    """What `source` tells of a deployment, by name. Looking up what is not there raises StackNotFound."""

    def __init__(self, source: str, found: Mapping[str, str]) -> None:
        super().__init__(found)
        self._source = source

    def __missing__(self, name: str) -> str:
        raise StackNotFound(f"{self._source} tells no {name}: another version's, or a deployment without a workplace")


def find_operator(aws: AwsClients) -> "Operator":
    """The operator's side of the workplace that is deployed there. Raises StackNotFound."""
    from crowdsight.wiring import Settings, Wiring

    outputs = aws.outputs(WORKPLACE_STACK)
    settings = Settings(
        workplace_table=outputs["WorkplaceTable"],
        session_secret=outputs["SessionSecret"],
        requester_secrets_prefix=_prefix_of(outputs["OwnCredentialsSecret"]),
    )
    return Wiring(settings, aws.client).workplace_operator


def find_accounts(aws: AwsClients) -> "Wiring":
    """The accounts of the deployment there, and its tasks. Raises StackNotFound."""
    from crowdsight.wiring import Settings, Wiring

    outputs = aws.outputs(TASKS_STACK)
    settings = Settings(
        accounts_table=outputs["AccountsTable"],
        tasks_table=outputs["TasksTable"],
        usage_plan=outputs["UsagePlan"],
        free_searches=int(outputs["FreeSearches"]),
        search_price_cents=int(outputs["SearchPriceCents"]),
        crowd_budget_cents=int(outputs["CrowdBudgetCents"]),
    )
    return Wiring(settings, aws.client)


def find_crowd(aws: AwsClients) -> "Wiring":
    """The tasks of the deployment there. Raises StackNotFound."""
    from crowdsight.wiring import Settings, Wiring

    outputs = aws.outputs(TASKS_STACK)
    settings = Settings(
        tasks_table=outputs["TasksTable"],
        skills_table=outputs["SkillsTable"],
        workplace_fee_percent=int(outputs["WorkplaceFeePercent"]),
    )
    return Wiring(settings, aws.client)


def find_image_search(aws: AwsClients) -> "Wiring":
    """The image search that is deployed there. Each model runs on one core. Raises StackNotFound."""
    from crowdsight.models.descriptions import InvalidBundle
    from crowdsight.wiring import Settings, Wiring

    outputs = aws.outputs(TASKS_STACK)
    settings = Settings(
        images_table=outputs["ImagesTable"],
        images_bucket=outputs["ImagesBucket"],
        image_names_secret=outputs["ImageNamesSecret"],
        model_bundle=outputs["SearchBundle"],
        vector_engine=outputs["VectorEngine"],
        vector_indexes=outputs.get("VectorIndexes", ""),
        lambda_task_root=str(MODELS_ROOT),
    )
    wiring = Wiring(settings, functools.partial(aws.client, config=PATIENT))
    try:
        wiring.model_bundle  # noqa: B018 - it is read here, while it can still be said so in a word
    except InvalidBundle as error:
        raise StackNotFound(f"the models of this deployment are not here: {error}") from error
    return wiring


def _prefix_of(secret: str) -> str:
    """What the names of all requesters' secrets start with, from the name or ARN of one of them."""
    name = secret.rpartition(":secret:")[2]
    return name[: name.rindex("/") + 1]

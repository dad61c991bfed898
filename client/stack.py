"""Where a deployment is and how to operate it: in AWS by its CloudFormation stacks, on this machine by `stack.json`."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from crowdsight.workplace.operator import Operator

TASKS_STACK = "crowdsight"
WORKPLACE_STACK = "crowdsight-workplace"
LOCAL_REGION = "us-east-1"


class StackNotFound(Exception):
    """There is no such deployment, or it cannot be reached; the message says what to do."""


@dataclass(frozen=True)
class Stack:
    """One deployment. The requester's keys are those of the deployment's own requester account."""

    api_url: str
    api_key: str
    mturk_endpoint_url: str
    mturk_access_key_id: str
    mturk_secret_access_key: str
    worker_site_url: str
    aws: "AwsClients"

    @classmethod
    def read(cls, path: Path) -> "Stack":
        """The local stack that wrote this file. Raises StackNotFound."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise StackNotFound(f"no local stack is running: there is no {path}; `make up` starts one") from error
        except ValueError as error:
            raise StackNotFound(f"{path} is not a stack's file: {error}") from error
        try:
            return cls(
                api_url=document["api_url"],
                api_key=document["api_key"],
                mturk_endpoint_url=document["mturk_endpoint_url"],
                mturk_access_key_id=document["mturk_access_key_id"],
                mturk_secret_access_key=document["mturk_secret_access_key"],
                worker_site_url=document["worker_site_url"].rstrip("/"),
                aws=AwsClients.local(document["aws_endpoint_url"]),
            )
        except (KeyError, TypeError) as error:
            raise StackNotFound(f"{path} is not a stack's file: it has no {error}") from error

    @classmethod
    def deployed(cls, aws: "AwsClients") -> "Stack":
        """The deployment in the account and region that `aws` is signed in to. Raises StackNotFound."""
        tasks, workplace = aws.outputs(TASKS_STACK), aws.outputs(WORKPLACE_STACK)
        requester = aws.secret(workplace["OwnCredentialsSecret"])
        address = workplace["WorkplaceUrl"].rstrip("/")
        return cls(
            api_url=tasks["ApiUrl"],
            api_key=aws.secret(tasks["ApiKeySecret"])["api_key"],
            mturk_endpoint_url=address,
            mturk_access_key_id=requester["access_key_id"],
            mturk_secret_access_key=requester["secret_access_key"],
            worker_site_url=address,
            aws=aws,
        )

    def operator(self) -> "Operator":
        """What an operator of the workplace can do. Raises StackNotFound."""
        return find_operator(self.aws)

    def mturk(self) -> Any:
        """A boto3 `mturk` client of the deployment's own requester account."""
        return boto3.client(
            "mturk",
            region_name="us-east-1",
            endpoint_url=self.mturk_endpoint_url,
            aws_access_key_id=self.mturk_access_key_id,
            aws_secret_access_key=self.mturk_secret_access_key,
        )


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

    def outputs(self, stack: str) -> Mapping[str, str]:
        """A CloudFormation stack's outputs by name. Raises StackNotFound."""
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=stack)
        except (ClientError, BotoCoreError) as error:
            raise StackNotFound(f"the stack {stack} cannot be read: {error}") from error
        outputs = answer["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def secret(self, secret_id: str) -> dict[str, str]:
        """A secret of the deployment, a JSON object of strings. Raises StackNotFound."""
        try:
            answer = self.client("secretsmanager").get_secret_value(SecretId=secret_id)
        except (ClientError, BotoCoreError) as error:
            raise StackNotFound(f"the secret {secret_id} cannot be read: {error}") from error
        found: dict[str, str] = json.loads(answer["SecretString"])
        return found


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


def _prefix_of(secret: str) -> str:
    """What the names of all requesters' secrets start with, from the name or ARN of one of them."""
    name = secret.rpartition(":secret:")[2]
    return name[: name.rindex("/") + 1]

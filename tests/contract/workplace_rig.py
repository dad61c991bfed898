"""A workplace in this process: the real code over a DynamoDB, moto's SQS and Secrets Manager, with a clock to turn.

`Rig.client` is an ordinary boto3 `mturk` client whose requests go to the Lambda handler instead of the network.
"""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from crowdsight.clock import system_clock
from crowdsight.wiring import Settings, Wiring
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.audit import Audit, audit
from crowdsight.workplace.credentials import Credentials
from tests.conftest import StoppedClock
from tests.contract.conftest import REGION, create_table
from tests.proxy_event import event_of

TABLE = "workplace"
INDEXES = {"due": "N", "requester": "S", "open": "S"}
PREFIX = "crowdsight/requester/"
REQUESTER = "A1CROWDSIGHT00"
FUNCTIONS = Path(__file__).parents[2] / "functions"
HTML_QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">'
    "<HTMLContent><![CDATA[<!doctype html><p>Which?</p>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"
)
OFFER: dict[str, Any] = {
    "Title": "Look at a picture",
    "Description": "Say what is in it",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 600,
    "LifetimeInSeconds": 3600,
    "Question": HTML_QUESTION,
}


class FailingSqs:
    """Hands everything on to the real client; while `is_down`, sending fails as it does without a network."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.is_down = False

    def send_message(self, **request: Any) -> Any:
        if self.is_down:
            request["QueueUrl"] += "-that-is-not-there"
        return self._client.send_message(**request)

    def get_queue_attributes(self, **request: Any) -> Any:
        return self._client.get_queue_attributes(**request)


def mturk_policy(action: str) -> str:
    """A queue's or topic's policy, as MTurk's documents tell requesters to set it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "mturk-requester.amazonaws.com"},
        "Action": action,
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Rig:
    """`dynamodb`: a client to use instead of moto's, which is several times slower than one in memory."""

    def __init__(
        self, fee_percent: int = 20, funds_cents: int = 100_000, prefix: str = "", dynamodb: Any = None
    ) -> None:
        self.clock = StoppedClock(system_clock())
        self.prefix = prefix
        self.dynamodb = dynamodb or aws_client("dynamodb")
        create_table(self.dynamodb, TABLE, INDEXES)
        self.plain_sqs = aws_client("sqs")
        self.sqs = FailingSqs(self.plain_sqs)
        policy = {"Policy": mturk_policy("sqs:SendMessage")}
        self.queue_url = self.plain_sqs.create_queue(QueueName="notifications", Attributes=policy)["QueueUrl"]
        secrets = aws_client("secretsmanager")
        secrets.create_secret(Name="session", SecretString=json.dumps({"session_key": "k" * 40}))
        settings = Settings(
            workplace_table=TABLE,
            requester_secrets_prefix=PREFIX,
            session_secret="session",
            workplace_fee_percent=fee_percent,
        )
        self.wiring = Wiring(settings, self._make_client, self.clock)
        self.workplace = self.wiring.workplace
        self.operator = self.wiring.workplace_operator
        # Signatures are made at the real time, by boto3, so that is what they are judged by.
        at_real_time = Wiring(settings, self._make_client)
        at_real_time.workplace = self.workplace
        self.handler = load_handler("mturk_api", at_real_time)
        self.sweep_handler = load_handler("sweep_workplace", self.wiring)
        self.credentials = self.operator.issue_credentials(REQUESTER)
        if funds_cents:
            self.operator.fund_requester(REQUESTER, funds_cents, "first")
        self.client = self.client_of(self.credentials)

    def client_of(self, credentials: Credentials, **config: Any) -> Any:
        """An `mturk` client signing with these credentials."""
        client = boto3.client(
            "mturk",
            region_name=REGION,
            endpoint_url=f"https://workplace.test{self.prefix}",
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )
        client.meta.events.register_first("before-send.mturk", self._send)
        return client

    def requester(self, requester_id: str, cents: int = 100_000) -> Any:
        """The client of another requester, funded."""
        self.operator.fund_requester(requester_id, cents, "first")
        return self.client_of(self.operator.issue_credentials(requester_id))

    def create_hit(self, **given: Any) -> dict[str, Any]:
        hit: dict[str, Any] = self.client.create_hit(**OFFER | given)["HIT"]
        return hit

    def hit(self, hit_id: str) -> dict[str, Any]:
        hit: dict[str, Any] = self.client.get_hit(HITId=hit_id)["HIT"]
        return hit

    def accept(self, hit_id: str, worker_id: str = "AWORKER0000001") -> Assignment:
        self.workplace.register_worker(worker_id, "Ada")
        return self.workplace.accept(hit_id, worker_id)

    def submit(self, hit_id: str, worker_id: str = "AWORKER0000001", answer: str = "yes") -> str:
        """Accept and submit; the assignment's id."""
        assignment = self.accept(hit_id, worker_id)
        self.workplace.submit(assignment.assignment_id, [("answer", answer)])
        return assignment.assignment_id

    def balance(self) -> tuple[str, str]:
        """Available and on hold."""
        answer = self.client.get_account_balance()
        return answer["AvailableBalance"], answer["OnHoldBalance"]

    def notify(self, hit_type_id: str, *event_types: str) -> None:
        self.client.update_notification_settings(
            HITTypeId=hit_type_id,
            Notification={
                "Destination": self.queue_url,
                "Transport": "SQS",
                "Version": "2006-05-05",
                "EventTypes": list(event_types),
            },
            Active=True,
        )

    def documents(self) -> list[dict[str, Any]]:
        """The notifications that arrived since the last call."""
        found = []
        while True:
            answer = self.plain_sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.plain_sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            if not answer.get("Messages"):
                return found

    def events(self) -> list[str]:
        """The types of events that arrived since the last call."""
        return [event["EventType"] for document in self.documents() for event in document["Events"]]

    def sweep(self) -> dict[str, int]:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
        swept: dict[str, int] = self.sweep_handler.handler({}, context)
        return swept

    def audit(self) -> Audit:
        return audit(self.wiring.workplace_table)

    def call(self, event: dict[str, Any]) -> dict[str, Any]:
        """The handler's response to a proxy event."""
        response: dict[str, Any] = self.handler.handler(event, SimpleNamespace(aws_request_id="request-1"))
        return response

    def _make_client(self, service: str, **_: Any) -> Any:
        own = {"sqs": self.sqs, "dynamodb": self.dynamodb}
        return own[service] if service in own else aws_client(service)

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        response = self.call(event_of(request, self.prefix))
        body = response["body"].encode()
        return AWSResponse(request.url, response["statusCode"], dict(response["headers"]), SimpleRaw(body))


class SimpleRaw:
    """As much of a urllib3 response as botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> list[bytes]:
        return [self._body]


@cache
def aws_client(service: str) -> Any:
    """A client that reaches moto while it is on; made once, because that takes longer than a test."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, region_name=REGION, **keys)


def load_handler(operation: str, wiring: Any = None) -> Any:
    """A Lambda's handler module, fresh; with `wiring`, over its parts instead of those of the environment."""
    path = FUNCTIONS / operation / "handler.py"
    spec = importlib.util.spec_from_file_location(f"{operation}_handler", path)
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if wiring is not None:
        module.wiring = wiring
    return module


def refused(code: str, operation: Any, **given: Any) -> ClientError:
    """The error of a call that must fail as a RequestError with this code."""
    with pytest.raises(ClientError) as failure:
        operation(**given)
    response: Any = failure.value.response
    assert response["Error"]["Code"] == "RequestError"
    assert response["TurkErrorCode"] == f"AWS.MechanicalTurk.{code}"
    assert response["Error"]["Message"] == response["Message"]
    return failure.value


def hit_id_in(message: str) -> str:
    """The HIT's id in an error's message, as MTurk's programs look for it."""
    found = re.search(r"[A-Z0-9]{30}", message)
    assert found, message
    return found[0]

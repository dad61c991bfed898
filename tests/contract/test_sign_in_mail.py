"""Links by e-mail: from the site's queue through the Lambda to Amazon SES, as moto has it."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend

from crowdsight.wiring import Settings, Wiring
from crowdsight.workplace.mail import MailQueue
from tests.contract.conftest import REGION
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import Rig, aws_client, load_handler

ACCOUNT_ID = "123456789012"
SENDER = "work@example.org"
EMAIL = "ada@example.org"
BROWSER = "b" * 32


class Mail:
    """A rig whose worker site can send mail."""

    def __init__(self) -> None:
        self.rig = Rig(dynamodb=MemoryDynamoDB())
        boto3.client("sesv2", region_name=REGION).create_email_identity(EmailIdentity=SENDER)
        self.sqs = aws_client("sqs")
        self.queue_url = self.sqs.create_queue(QueueName="links")["QueueUrl"]
        settings = Settings(
            workplace_table=self.rig.wiring.settings.workplace_table,
            mail_sender=SENDER,
            workplace_url="https://work.example/prod/",
        )
        own = {"dynamodb": self.rig.dynamodb}
        wiring = Wiring(settings, lambda service, **_: own.get(service) or aws_client(service), self.rig.clock)
        self._handler = load_handler("send_links", wiring)
        self.people = self.rig.wiring.people
        self.sessions = self.rig.wiring.sessions

    def ask(self, email: str = EMAIL, worker_id: str = "") -> str:
        """The token of a link that is asked for."""
        link = self.sessions.make_link(email, BROWSER, worker_id)
        MailQueue(self.sqs, self.queue_url).send(link)
        return link.token

    def deliver(self, times: int = 1) -> list[Any]:
        """Hand what is in the queue to the Lambda, so often; the mails that were sent."""
        messages = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        records = [{"messageId": each["MessageId"], "body": each["Body"]} for each in messages]
        before = len(self._sent())
        for _ in range(times):
            answer = self._handler.handler({"Records": records}, SimpleNamespace())
            assert answer == {"batchItemFailures": []}
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self._sent()[before:]

    def _sent(self) -> list[Any]:
        return list(get_backend("ses")[ACCOUNT_ID][REGION].sent_messages)


@pytest.fixture
def mail() -> Iterator[Mail]:
    with mock_aws():
        yield Mail()


def test_a_link_goes_to_the_address_that_asked(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada {link}", EMAIL)
    token = mail.ask()
    (sent,) = mail.deliver()
    assert sent.source == SENDER
    assert sent.destinations["ToAddresses"] == [EMAIL]
    assert f"https://work.example/prod/sign-in/link/{token}\n" in sent.body
    link = mail.sessions.read_link(token, BROWSER)
    assert (link.email, link.worker_id) == (EMAIL, "")


def test_nothing_is_sent_to_whom_nobody_knows_or_who_is_suspended(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada", EMAIL)
    mail.ask("stranger@example.org")
    assert mail.deliver() == []
    person = mail.people.find_by_email(EMAIL)
    assert person is not None
    mail.people.suspend(person.worker_id)
    mail.ask()
    assert mail.deliver() == []


def test_what_comes_late_is_not_sent(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada", EMAIL)
    mail.ask()
    mail.rig.clock.move(15 * 60)
    assert mail.deliver() == []


def test_a_message_that_comes_twice_sends_the_same_link(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada", EMAIL)
    token = mail.ask()
    sent = mail.deliver(times=2)
    assert len(sent) == 2
    assert all(token in each.body for each in sent)


def test_an_address_to_be_made_ones_own_is_asked_unless_it_is_somebody_elses(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada", EMAIL)
    mail.ask("new@example.org", "AWORKER0000001")
    (sent,) = mail.deliver()
    assert "https://work.example/prod/account/email/" in sent.body
    mail.ask(EMAIL, "AWORKER0000001")
    assert mail.deliver() == []


def test_what_ses_refuses_stays_in_the_queue(mail: Mail) -> None:
    mail.rig.operator.invite_worker("Ada", EMAIL)
    boto3.client("sesv2", region_name=REGION).delete_email_identity(EmailIdentity=SENDER)
    body = json.dumps({"email": EMAIL, "worker_id": "", "token": "t", "expires_ms": mail.rig.clock() + 1000})
    answer = mail._handler.handler({"Records": [{"messageId": "1", "body": body}]}, SimpleNamespace())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}

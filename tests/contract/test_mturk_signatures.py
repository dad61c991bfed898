"""Only who holds a requester's credentials speaks for it: what boto3 signs passes, and nothing else does."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as SigningKeys
from botocore.exceptions import ClientError
from moto import mock_aws

from crowdsight.clock import system_clock
from crowdsight.proxy_request import ProxyRequest
from crowdsight.workplace.credentials import CACHED_FOR_MS, Credentials, CredentialSecrets
from crowdsight.workplace.faults import AccessRefused
from crowdsight.workplace.signatures import MAX_SKEW, verify
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import PREFIX, REQUESTER, Rig, aws_client
from tests.proxy_event import event_of

TARGET = "MTurkRequesterServiceV20170117.GetAccountBalance"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig(dynamodb=MemoryDynamoDB())


def signed(
    rig: Rig,
    *,
    url: str = "https://workplace.test/",
    body: bytes = b"{}",
    service: str = "mturk-requester",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A proxy event of a request that botocore signed with the rig's credentials."""
    keys = SigningKeys(rig.credentials.access_key_id, rig.credentials.secret_access_key)
    given = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET} | dict(headers or {})
    request = AWSRequest("POST", url, headers=given, data=body)
    SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return event_of(request.prepare())


def outcome(rig: Rig, event: dict[str, Any]) -> str:
    """`ok`, or the error's code."""
    response = rig.call(event)
    document = json.loads(response["body"])
    return "ok" if response["statusCode"] == 200 else str(document["__type"])


def test_what_botocore_signs_passes(rig: Rig) -> None:
    assert outcome(rig, signed(rig)) == "ok"


def test_a_client_behind_a_stage_passes() -> None:
    with mock_aws():
        staged = Rig(prefix="/prod")
        assert staged.client.get_account_balance()["AvailableBalance"] == "1000.00"


def test_what_gateways_change_on_the_way_does_not_matter(rig: Rig) -> None:
    event = signed(rig, url="https://workplace.test/prod/")
    event["headers"] = {name.upper(): value for name, value in event["headers"].items()} | {"X-Forwarded-For": "::1"}
    event["body"] = base64.b64encode(b"{}").decode()
    event["isBase64Encoded"] = True
    event["requestContext"]["path"] = "/prod"
    event["path"] = "/"
    assert outcome(rig, event) == "ok"


def test_a_query_is_part_of_what_is_signed(rig: Rig) -> None:
    event = signed(rig, url="https://workplace.test/?b=2%20x&a=1")
    assert outcome(rig, event) == "ok"
    event["multiValueQueryStringParameters"]["a"] = ["2"]
    assert outcome(rig, event) == "InvalidSignatureException"


def change_header(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda event: event["headers"].update({name: value})


def change_authorization(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(event: dict[str, Any]) -> None:
        assert old in event["headers"]["Authorization"]
        event["headers"]["Authorization"] = event["headers"]["Authorization"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda event: event.update(body='{"a": 1}'), "InvalidSignatureException"),
        (lambda event: event.update(httpMethod="PUT"), "InvalidSignatureException"),
        (lambda event: event["requestContext"].update(path="/other"), "InvalidSignatureException"),
        (change_header("X-Amz-Target", TARGET.replace("GetAccountBalance", "ListHITs")), "InvalidSignatureException"),
        (change_header("Host", "elsewhere.test"), "InvalidSignatureException"),
        (change_authorization("us-east-1", "us-west-2"), "InvalidSignatureException"),
        (change_authorization("Signature=", "Signature=" + "0" * 64 + ", X="), "IncompleteSignatureException"),
        (change_authorization("mturk-requester", "sqs"), "InvalidSignatureException"),
        (change_authorization("host;", ""), "IncompleteSignatureException"),
        (change_authorization(";x-amz-target", ""), "IncompleteSignatureException"),
        (change_authorization(";x-amz-date", ";x-not-there"), "IncompleteSignatureException"),
        (change_authorization("CROWDSIGHT", "NOBODY"), "UnrecognizedClientException"),
        (change_authorization("CROWDSIGHT", "../CROWD"), "IncompleteSignatureException"),
        (change_header("Authorization", "Basic abc"), "IncompleteSignatureException"),
        (lambda event: event["headers"].pop("Authorization"), "MissingAuthenticationTokenException"),
        (lambda event: event["headers"].pop("X-Amz-Date"), "IncompleteSignatureException"),
        (change_header("X-Amz-Date", "20200101T000000Z"), "InvalidSignatureException"),
    ],
)
def test_anything_changed_after_signing_is_refused(
    rig: Rig, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    event = signed(rig)
    change(event)
    assert outcome(rig, event) == code


def test_a_hash_of_another_body_is_refused_even_if_signed(rig: Rig) -> None:
    other = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8b"
    event = signed(rig, body=b"[]", headers={"X-Amz-Content-SHA256": other})
    assert outcome(rig, event) == "InvalidSignatureException"
    event = signed(rig, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert outcome(rig, event) == "InvalidSignatureException"


def test_a_signature_for_another_service_is_refused(rig: Rig) -> None:
    assert outcome(rig, signed(rig, service="sqs")) == "InvalidSignatureException"


def test_a_wrong_secret_is_refused_as_aws_refuses_it(rig: Rig) -> None:
    client = rig.client_of(Credentials(REQUESTER, rig.credentials.access_key_id, "x" * 40))
    with pytest.raises(ClientError) as failure:
        client.get_account_balance()
    assert failure.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert "does not match" in failure.value.response["Error"]["Message"]


@pytest.mark.parametrize("minutes", [-6, -4, 4, 6])
def test_clocks_may_differ_by_five_minutes(rig: Rig, minutes: int) -> None:
    event = signed(rig)
    request = ProxyRequest.from_event(event)
    ahead_ms = int(timedelta(minutes=minutes) / timedelta(milliseconds=1))

    def clock() -> int:
        return system_clock() + ahead_ms

    if timedelta(minutes=abs(minutes)) <= MAX_SKEW:
        assert verify(request, lambda _: rig.credentials, clock).requester_id == REQUESTER
        return
    with pytest.raises(AccessRefused) as refused:
        verify(request, lambda _: rig.credentials, clock)
    assert refused.value.code == "RequestExpired"


@pytest.mark.parametrize("date", ["", "20260230T000000Z", "now"])
def test_a_date_that_is_none_is_refused(rig: Rig, date: str) -> None:
    event = signed(rig)
    event["headers"]["X-Amz-Date"] = date
    event["headers"]["Authorization"] = event["headers"]["Authorization"].replace(
        datetime.now(UTC).strftime("%Y%m%d"), date[:8].ljust(8, "0")
    )
    assert outcome(rig, event) in ("IncompleteSignatureException", "InvalidSignatureException")


@pytest.mark.parametrize("access_key_id", ["", "lower", "A" * 15, "A" * 33, "../../" + "A" * 20, "A" * 20 + "\n"])
def test_no_secret_is_looked_for_under_a_name_that_is_no_key_id(access_key_id: str) -> None:
    assert CredentialSecrets(None, PREFIX, system_clock).find(access_key_id) is None


@pytest.mark.parametrize("host", ["[", "]", "℀.com"])
def test_a_host_that_is_none_is_refused(rig: Rig, host: str) -> None:
    event = signed(rig)
    event["headers"] = {name: host if name.lower() == "host" else text for name, text in event["headers"].items()}
    event["multiValueHeaders"] = {name: [text] for name, text in event["headers"].items()}
    assert outcome(rig, event) in ("IncompleteSignatureException", "InvalidSignatureException")


@pytest.mark.parametrize("moment", ["1" + "0" * 400, "1e400", "-1", "NaN", "Infinity", '"soon"', "true"])
def test_a_time_that_is_none_is_an_error_of_the_callers(rig: Rig, moment: str) -> None:
    body = f'{{"HITId": "{"A" * 30}", "ExpireAt": {moment}}}'.encode()
    headers = {"X-Amz-Target": TARGET.replace("GetAccountBalance", "UpdateExpirationForHIT")}
    assert outcome(rig, signed(rig, body=body, headers=headers)) == "RequestError"


def test_a_withdrawn_key_stops_working_within_a_minute(rig: Rig) -> None:
    secrets = CredentialSecrets(aws_client("secretsmanager"), PREFIX, rig.clock)
    key_id = rig.credentials.access_key_id
    assert secrets.find(key_id) == rig.credentials
    aws_client("secretsmanager").delete_secret(SecretId=PREFIX + key_id)
    rig.clock.move((CACHED_FOR_MS - 1) / 1_000)
    assert secrets.find(key_id) == rig.credentials
    rig.clock.move(0.001)
    assert secrets.find(key_id) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "ok"),
        (b"{", "SerializationException"),
        (b"\xff", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "SerializationException"),
        (b"[]", "RequestError"),
        (b"null", "RequestError"),
    ],
)
def test_a_body_that_is_no_request_is_an_error_of_the_callers(rig: Rig, body: bytes, code: str) -> None:
    event = signed(rig, body=body)
    event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
    assert outcome(rig, event) == code


@pytest.mark.parametrize("target", ["GetHIT", "Other.GetHIT", "MTurkRequesterServiceV20170117.Nothing", ""])
def test_a_target_that_names_no_operation_is_refused(rig: Rig, target: str) -> None:
    assert outcome(rig, signed(rig, headers={"X-Amz-Target": target})) == "UnknownOperationException"


def test_a_failure_of_ours_is_a_service_fault_with_status_500() -> None:
    with mock_aws():
        rig = Rig()
        aws_client("dynamodb").delete_table(TableName="workplace")
        with pytest.raises(rig.client.exceptions.ServiceFault) as failure:
            rig.client.get_account_balance()
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_an_ordinary_client_needs_only_its_endpoint_and_keys(rig: Rig) -> None:
    """No hook: what boto3 sends by default is enough, read off the request that it would put on the wire."""
    sent: list[Any] = []
    client = boto3.client(
        "mturk",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id=rig.credentials.access_key_id,
        aws_secret_access_key=rig.credentials.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )

    def keep(request: Any, **_: Any) -> None:
        sent.append(event_of(request))
        raise ConnectionError

    client.meta.events.register_first("before-send.mturk", keep)
    with pytest.raises(ConnectionError):
        client.get_account_balance()
    assert sent[0]["headers"]["Host"] == "127.0.0.1:4566"
    assert outcome(rig, sent[0]) == "ok"

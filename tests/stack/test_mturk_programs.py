"""Programs written for MTurk, unchanged but for endpoint and keys: AWS's own CLI, boto3, a library of the field.

The same walk goes through every operation of the service's model twice, by boto3 and by `aws mturk`: what works, and
for each operation that can be refused one refusal.
"""

import contextlib
import importlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.exceptions import ClientError

from client.stack import Stack
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.questions import render_question
from crowdsight.workplace.credentials import Credentials
from crowdsight.workplace.shapes import service_model
from tests.contract.workplace_rig import mturk_policy
from tests.stack.crowd_hands import Hands, contains_input
from tests.stack.running_stack import RunningStack, wait_for

REGION = "us-east-1"
CANNOT_BE_REFUSED = {"GetAccountBalance"}
ALWAYS_REFUSED = {"GetFileUploadURL"}
ANSWERS_TO_A_WORKERS_REQUEST = {"AcceptQualificationRequest", "RejectQualificationRequest"}
"""A requester alone cannot have them do anything; here they are only refused."""

CONTAINS = CATALOGUE["image-contains"]
TERMS: dict[str, Any] = {
    "Title": "Look at a picture",
    "Description": "Say what is in it",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 600,
}


class Refused(Exception):
    """A RequestError; the text holds the operation's name and the message."""


@dataclass
class Program:
    """Calls operations by their names, and remembers which worked and which were refused."""

    name: str
    perform: Callable[[str, Mapping[str, Any]], Any]

    def __post_init__(self) -> None:
        self.worked: set[str] = set()
        self.refused: set[str] = set()

    def __call__(self, operation: str, /, **given: Any) -> Any:
        answer = self.perform(operation, given)
        self.worked.add(operation)
        return answer

    def expect_refusal(self, operation: str, /, **given: Any) -> str:
        with pytest.raises(Refused) as failure:
            self.perform(operation, given)
        self.refused.add(operation)
        return str(failure.value)


def by_boto3(running: RunningStack, credentials: Credentials) -> Program:
    client = requester_client(running, credentials)

    def perform(operation: str, given: Mapping[str, Any]) -> Any:
        try:
            return getattr(client, xform_name(operation))(**given)
        except client.exceptions.RequestError as error:
            assert error.response["TurkErrorCode"].startswith("AWS.MechanicalTurk.")
            raise Refused(str(error)) from error

    return Program("boto3", perform)


def by_aws_cli(running: RunningStack, credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_PAGER", "")
    url = running["mturk_endpoint_url"]

    def perform(operation: str, given: Mapping[str, Any]) -> Any:
        command = ["mturk", xform_name(operation, "-"), "--endpoint-url", url, "--output", "json"]
        command += ["--cli-input-json", json.dumps(given, default=datetime.isoformat)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(command)
        if code:
            assert "(RequestError)" in err.getvalue(), err.getvalue()
            raise Refused(err.getvalue())
        return json.loads(out.getvalue() or "{}")

    return Program("aws", perform)


def requester_client(running: RunningStack, credentials: Credentials) -> Any:
    return boto3.client(
        "mturk",
        region_name=REGION,
        endpoint_url=running["mturk_endpoint_url"],
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
    )


def new_requester(running: RunningStack, requester_id: str) -> Credentials:
    running.operator.fund_requester(requester_id, 10_000, "first")
    return running.operator.issue_credentials(requester_id)


def question(name: str) -> str:
    return render_question(CONTAINS, CONTAINS.input_model.model_validate(contains_input(name)))


@pytest.fixture(params=["boto3", "aws"])
def program(request: pytest.FixtureRequest, running: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Program:
    credentials = new_requester(running, f"A1WALKER{request.param.upper()}")
    if request.param == "boto3":
        return by_boto3(running, credentials)
    return by_aws_cli(running, credentials, monkeypatch)


@pytest.fixture
def queue_url(running: RunningStack) -> Iterator[str]:
    sqs = Stack.read(running.path).aws.client("sqs")
    url = sqs.create_queue(QueueName="walk", Attributes={"Policy": mturk_policy("sqs:SendMessage")})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_a_walk_through_every_operation(program: Program, signed_in: list[Hands], queue_url: str) -> None:
    worker_id = walk_hits(program, signed_in, queue_url)
    walk_qualifications(program, worker_id)
    everything = set(service_model().operation_names)
    assert program.worked == everything - ALWAYS_REFUSED - ANSWERS_TO_A_WORKERS_REQUEST
    assert program.refused == everything - CANNOT_BE_REFUSED


def walk_hits(program: Program, signed_in: list[Hands], queue_url: str) -> str:
    """Everything about HITs, and about Workers; the id of one of them."""
    ada, ben, _ = signed_in[:3]
    assert program("GetAccountBalance")["AvailableBalance"] == "100.00"
    hit_type_id = program("CreateHITType", **TERMS)["HITTypeId"]
    program.expect_refusal("CreateHITType", **TERMS | {"Title": "t" * 129})
    notification = {
        "Destination": queue_url, "Transport": "SQS", "Version": "2014-08-15", "EventTypes": ["AssignmentSubmitted"],
    }  # fmt: skip
    program("UpdateNotificationSettings", HITTypeId=hit_type_id, Notification=notification, Active=True)
    program.expect_refusal("UpdateNotificationSettings", HITTypeId=hit_type_id)
    program("SendTestEventNotification", Notification=notification, TestEventType="Ping")
    nowhere = notification | {"Destination": queue_url + "-that-is-not-there"}
    program.expect_refusal("SendTestEventNotification", Notification=nowhere, TestEventType="Ping")

    offer = {"LifetimeInSeconds": 3_600, "Question": question(f"walk-{program.name}")}
    plurality = {
        "PolicyName": "SimplePlurality/2011-09-01",
        "Parameters": [
            {"Key": "QuestionIds", "Values": ["answer"]},
            {"Key": "QuestionAgreementThreshold", "Values": ["50"]},
        ],
    }
    made = program("CreateHIT", **TERMS, **offer, MaxAssignments=2, UniqueRequestToken="t", HITReviewPolicy=plurality)
    hit_id = made["HIT"]["HITId"]
    assert made["HIT"]["HITTypeId"] == hit_type_id
    assert hit_id in program.expect_refusal("CreateHIT", **TERMS, **offer, UniqueRequestToken="t")
    other_id = program("CreateHITWithHITType", HITTypeId=hit_type_id, **offer)["HIT"]["HITId"]
    assert "HITLayout" in program.expect_refusal(
        "CreateHITWithHITType", HITTypeId=hit_type_id, LifetimeInSeconds=60, HITLayoutId="3LAYOUT"
    )
    assert program("GetHIT", HITId=hit_id)["HIT"]["MaxAssignments"] == 2
    program.expect_refusal("GetHIT", HITId="3NOTHERE")
    assert len(program("ListHITs")["HITs"]) == 2
    program.expect_refusal("ListHITs", NextToken="not-one-of-ours")

    ada.answer(hit_id, "yes")
    ben.answer(hit_id, "yes")
    first, second = program("ListAssignmentsForHIT", HITId=hit_id)["Assignments"]
    program.expect_refusal("ListAssignmentsForHIT", HITId="3NOTHERE")
    one = {"AssignmentId": first["AssignmentId"]}
    assert "<FreeText>yes</FreeText>" in program("GetAssignment", **one)["Assignment"]["Answer"]
    program.expect_refusal("GetAssignment", AssignmentId="3NOTHERE")
    assert "FileUploadAnswer" in program.expect_refusal("GetFileUploadURL", **one, QuestionIdentifier="answer")
    report = program("ListReviewPolicyResultsForHIT", HITId=hit_id)["HITReviewReport"]
    scores = [each["Value"] for each in report["ReviewResults"] if each["Key"] == "HitAgreementScore"]
    assert scores == ["100"]
    program.expect_refusal("ListReviewPolicyResultsForHIT", HITId="3NOTHERE")
    assert [hit["HITId"] for hit in program("ListReviewableHITs")["HITs"]] == [hit_id]
    program.expect_refusal("ListReviewableHITs", NextToken="not-one-of-ours")
    program("UpdateHITReviewStatus", HITId=hit_id)
    program.expect_refusal("UpdateHITReviewStatus", HITId=hit_id)

    program("ApproveAssignment", **one)
    program.expect_refusal("ApproveAssignment", **one)
    program("RejectAssignment", AssignmentId=second["AssignmentId"], RequesterFeedback="no")
    program.expect_refusal("RejectAssignment", **one, RequesterFeedback="no")
    bonus = {"WorkerId": first["WorkerId"], **one, "Reason": "thanks", "UniqueRequestToken": "b"}
    program("SendBonus", **bonus, BonusAmount="0.50")
    program.expect_refusal("SendBonus", **bonus, BonusAmount="0.50")
    assert program("ListBonusPayments", HITId=hit_id)["BonusPayments"][0]["BonusAmount"] == "0.50"
    program.expect_refusal("ListBonusPayments")
    worker = {"WorkerId": second["WorkerId"]}
    written = {"Subject": "Hello", "MessageText": "There is more."}
    failures = program("NotifyWorkers", **written, WorkerIds=[second["WorkerId"], "A1NOBODY"])
    assert [each["WorkerId"] for each in failures["NotifyWorkersFailureStatuses"]] == ["A1NOBODY"]
    program.expect_refusal("NotifyWorkers", Subject=" ", MessageText="x", WorkerIds=["A1NOBODY"])
    program("CreateWorkerBlock", **worker, Reason="careless")
    program.expect_refusal("CreateWorkerBlock", WorkerId="A1NOBODY", Reason="careless")
    assert [block["WorkerId"] for block in program("ListWorkerBlocks")["WorkerBlocks"]] == [second["WorkerId"]]
    program.expect_refusal("ListWorkerBlocks", NextToken="not-one-of-ours")
    assert ben.open(f"/hits/{other_id}").form_to("/accept") is None
    program("DeleteWorkerBlock", **worker)
    program.expect_refusal("DeleteWorkerBlock", WorkerId="A1NOBODY")

    program("CreateAdditionalAssignmentsForHIT", HITId=other_id, NumberOfAdditionalAssignments=1)
    program.expect_refusal("CreateAdditionalAssignmentsForHIT", HITId=other_id, NumberOfAdditionalAssignments=8)
    dearer_id = program("CreateHITType", **TERMS | {"Reward": "0.06"})["HITTypeId"]
    program("UpdateHITTypeOfHIT", HITId=other_id, HITTypeId=dearer_id)
    program.expect_refusal("UpdateHITTypeOfHIT", HITId=other_id, HITTypeId="3NOTHERE")
    program.expect_refusal("DeleteHIT", HITId=other_id)
    program("UpdateExpirationForHIT", HITId=other_id, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    program.expect_refusal("UpdateExpirationForHIT", HITId="3NOTHERE", ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    for each in (hit_id, other_id):
        program("DeleteHIT", HITId=each)
    assert program("ListHITs")["HITs"] == []
    return str(first["WorkerId"])


def walk_qualifications(program: Program, worker_id: str) -> None:
    values = {"Description": "Can tell dogs", "QualificationTypeStatus": "Active"}
    kind = program("CreateQualificationType", Name=f"Dogs {program.name}", **values)["QualificationType"]
    named = {"QualificationTypeId": kind["QualificationTypeId"]}
    nothing = {"QualificationTypeId": "3NOTHERE"}
    program.expect_refusal("CreateQualificationType", Name=" ", **values)
    assert program("GetQualificationType", **named)["QualificationType"]["Name"] == f"Dogs {program.name}"
    program.expect_refusal("GetQualificationType", **nothing)
    program("UpdateQualificationType", **named, Description="Can tell all dogs")
    program.expect_refusal("UpdateQualificationType", **nothing, Description="x")
    own = program("ListQualificationTypes", MustBeRequestable=False, MustBeOwnedByCaller=True)
    assert len(own["QualificationTypes"]) == 1
    program.expect_refusal("ListQualificationTypes", MustBeRequestable=False, NextToken="not-one-of-ours")
    worker = {"WorkerId": worker_id}
    program("AssociateQualificationWithWorker", **named, **worker, IntegerValue=7)
    program.expect_refusal("AssociateQualificationWithWorker", **nothing, **worker)
    assert program("GetQualificationScore", **named, **worker)["Qualification"]["IntegerValue"] == 7
    program.expect_refusal("GetQualificationScore", **named, WorkerId="A1NOBODY")
    assert len(program("ListWorkersWithQualificationType", **named)["Qualifications"]) == 1
    program.expect_refusal("ListWorkersWithQualificationType", **nothing)
    assert program("ListHITsForQualificationType", **named)["HITs"] == []
    program.expect_refusal("ListHITsForQualificationType", **nothing)
    program("DisassociateQualificationFromWorker", **named, **worker)
    program.expect_refusal("DisassociateQualificationFromWorker", **nothing, **worker)
    assert program("ListQualificationRequests", **named)["QualificationRequests"] == []
    program.expect_refusal("ListQualificationRequests", NextToken="not-one-of-ours")
    for operation in ("AcceptQualificationRequest", "RejectQualificationRequest"):
        program.expect_refusal(operation, QualificationRequestId="3NOTHERE")
    program("DeleteQualificationType", **named)
    program.expect_refusal("DeleteQualificationType", **named)


def test_a_client_library_of_the_field_runs_unchanged(
    running: RunningStack, signed_in: list[Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larry publishes, reads answers as dicts, approves, writes to Workers, and ends HITs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)  # it makes clients when it is imported
    larry: Any = importlib.import_module("larry")
    monkeypatch.setattr(larry.mturk, "client", requester_client(running, new_requester(running, "A1LARRY")))
    assert larry.mturk.get_account_balance() == 100
    hit = larry.mturk.create_hit(
        title="Look", description="Say what is in it", reward_cents=5, max_assignments=2, question=question("larry")
    )
    for hands in signed_in[:2]:
        hands.answer(hit.hit_id, "yes")
    assignments = list(larry.mturk.list_assignments_for_hit(hit.hit_id))
    assert [assignment.answer["answer"] for assignment in assignments] == ["yes", "yes"]
    for assignment in assignments:
        larry.mturk.approve(assignment.assignment_id, "thanks")
    assert larry.mturk.notify_workers("Hello", "There is more.", [each.worker_id for each in assignments]) is None
    larry.mturk.expire_hit(hit.hit_id)
    assert larry.mturk.get_hit(hit.hit_id).status == "Reviewable"


def test_a_program_of_the_shape_that_aws_documents(running: RunningStack, signed_in: list[Hands]) -> None:
    """Create a HIT, wait until it is reviewable, read every answer by paginator, approve, pay a bonus, delete."""
    mturk = requester_client(running, new_requester(running, "A1SAMPLE"))
    hit_id = mturk.create_hit(
        **TERMS, MaxAssignments=2, LifetimeInSeconds=3_600, Question=question("sample"), Keywords="picture, dog"
    )["HIT"]["HITId"]
    for hands in signed_in[:2]:
        hands.answer(hit_id, "no")
    wait_for("the HIT to be reviewable", lambda: mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Reviewable")
    pages = mturk.get_paginator("list_assignments_for_hit").paginate(
        HITId=hit_id, AssignmentStatuses=["Submitted"], PaginationConfig={"PageSize": 1}
    )
    for assignment in [each for page in pages for each in page["Assignments"]]:
        mturk.approve_assignment(AssignmentId=assignment["AssignmentId"], RequesterFeedback="Thank you")
        mturk.send_bonus(
            WorkerId=assignment["WorkerId"], AssignmentId=assignment["AssignmentId"], BonusAmount="0.10", Reason="quick"
        )
    assert mturk.get_hit(HITId=hit_id)["HIT"]["NumberOfAssignmentsCompleted"] == 2
    mturk.delete_hit(HITId=hit_id)
    assert running.operator.audit().discrepancies == []


def test_every_paginator_of_the_client_works_and_there_are_no_waiters(running: RunningStack) -> None:
    mturk = requester_client(running, new_requester(running, "A1PAGES"))
    assert mturk.waiter_names == []
    for number in range(3):
        mturk.create_hit(**TERMS, LifetimeInSeconds=3_600, Question=question(f"page-{number}"))
    pages = list(mturk.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["NumResults"] for page in pages] == [2, 1]
    hit_id = pages[0]["HITs"][0]["HITId"]
    kind = mturk.create_qualification_type(Name="Pages", Description="d", QualificationTypeStatus="Active")
    named = {"QualificationTypeId": kind["QualificationType"]["QualificationTypeId"]}
    given: dict[str, dict[str, Any]] = {
        "list_assignments_for_hit": {"HITId": hit_id},
        "list_bonus_payments": {"HITId": hit_id},
        "list_hits_for_qualification_type": named,
        "list_qualification_types": {"MustBeRequestable": False},
        "list_workers_with_qualification_type": named,
    }
    able = [xform_name(name) for name in service_model().operation_names if mturk.can_paginate(xform_name(name))]
    assert {"list_hits", "list_worker_blocks", "list_reviewable_hits", *given} <= set(able)
    for name in able:
        assert list(mturk.get_paginator(name).paginate(**given.get(name, {})))


def test_the_error_of_another_requesters_key_is_the_protocols(running: RunningStack) -> None:
    mturk = requester_client(running, Credentials("A1NOBODY", "NOSUCHKEY00000000000", "s" * 40))
    with pytest.raises(ClientError) as failure:
        mturk.get_account_balance()
    assert failure.value.response["Error"]["Code"] == "UnrecognizedClientException"

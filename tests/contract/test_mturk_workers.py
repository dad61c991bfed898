"""What requesters do about Workers, as an ordinary boto3 client meets it: blocks, bonuses and messages."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from crowdsight.workplace.faults import HitNotAvailable
from crowdsight.workplace.listing import Wish
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import OFFER, REQUESTER, Rig, refused

DAY_S = 86_400


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig(dynamodb=MemoryDynamoDB())


def test_a_blocked_worker_gets_none_of_that_requesters_hits_until_unblocked(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=5)["HITId"]
    other_id = rig.requester("A1OTHER").create_hit(**OFFER)["HIT"]["HITId"]
    rig.workplace.register_worker("AW1", "Ada")
    rig.client.create_worker_block(WorkerId="AW1", Reason="not careful")
    listing = rig.workplace.listing
    groups = listing.groups(listing.desk("AW1"), Wish()).groups
    assert [group.group_id for group in groups] == [rig.workplace.get_hit(other_id).hit_group_id]
    with pytest.raises(HitNotAvailable):
        rig.accept(hit_id, "AW1")
    with pytest.raises(HitNotAvailable):
        rig.workplace.check_preview(rig.workplace.get_hit(hit_id), rig.workplace.listing.desk("AW1").standing)
    rig.accept(other_id, "AW1")
    rig.accept(hit_id, "AW2")
    for _ in range(2):
        rig.client.delete_worker_block(WorkerId="AW1", Reason="sorry")
    rig.workplace.check_preview(rig.workplace.get_hit(hit_id), rig.workplace.listing.desk("AW1").standing)
    rig.accept(hit_id, "AW1")


def test_a_worker_may_end_what_they_had_in_hand_when_blocked(rig: Rig) -> None:
    assignment_id = rig.accept(rig.create_hit()["HITId"], "AW1").assignment_id
    rig.client.create_worker_block(WorkerId="AW1", Reason="no")
    rig.workplace.submit(assignment_id, [("answer", "yes")])
    rig.client.approve_assignment(AssignmentId=assignment_id)


def test_blocks_are_listed_with_their_latest_reasons_page_after_page_and_to_nobody_else(rig: Rig) -> None:
    for number in range(5):
        rig.workplace.register_worker(f"AW{number}", "Ada")
        rig.client.create_worker_block(WorkerId=f"AW{number}", Reason="first")
    rig.client.create_worker_block(WorkerId="AW0", Reason="second")
    pages = list(rig.client.get_paginator("list_worker_blocks").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["NumResults"] for page in pages] == [2, 2, 1]
    blocks = [(block["WorkerId"], block["Reason"]) for page in pages for block in page["WorkerBlocks"]]
    assert blocks == [("AW0", "second"), *((f"AW{number}", "first") for number in range(1, 5))]
    assert rig.requester("A1OTHER").list_worker_blocks()["WorkerBlocks"] == []


def test_only_a_worker_that_there_is_can_be_blocked_and_with_a_reason(rig: Rig) -> None:
    for call in (rig.client.create_worker_block, rig.client.delete_worker_block):
        assert "WorkerId is invalid." in str(refused("InvalidParameterValue", call, WorkerId="AW9", Reason="no"))
    rig.workplace.register_worker("AW1", "Ada")
    refused("InvalidParameterValue", rig.client.create_worker_block, WorkerId="AW1", Reason=" ")
    refused("ParameterValidationError", rig.client.create_worker_block, WorkerId="AW1", Reason="r" * 4_097)


def test_a_bonus_moves_its_money_and_its_fee_at_once_and_tells_the_worker(rig: Rig) -> None:
    assignment_id = rig.submit(rig.create_hit()["HITId"], "AW1")
    rig.client.approve_assignment(AssignmentId=assignment_id)
    assert rig.balance() == ("999.94", "0.00")
    bonus(rig, assignment_id, BonusAmount="1.02", Reason="So careful!")
    assert rig.balance() == ("998.72", "0.00")  # a fee of 20 % on top, 20.4 cents
    worker = rig.workplace.get_worker("AW1")
    assert (worker.earned_cents, worker.bonus_cents) == (5, 102)
    (message,) = rig.workplace.messages.list_for_worker("AW1").messages
    assert (message.subject, message.text) == ("A bonus of $1.02: Look at a picture", "So careful!")
    assert message.requester_id == REQUESTER
    audit = rig.audit()
    assert (audit.discrepancies, audit.bonuses_paid_cents, audit.fees_cents) == ([], 102, 1 + 20)


@pytest.mark.parametrize("judge", ["submitted", "approve_assignment", "reject_assignment"])
def test_a_bonus_can_be_paid_whatever_was_judged(rig: Rig, judge: str) -> None:
    assignment_id = rig.submit(rig.create_hit()["HITId"], "AW1")
    if judge != "submitted":
        getattr(rig.client, judge)(AssignmentId=assignment_id, RequesterFeedback="so")
    bonus(rig, assignment_id)
    assert rig.audit().discrepancies == []


def test_a_bonus_is_for_an_assignment_of_that_worker_and_requester_that_was_handed_in(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=3)["HITId"]
    submitted, accepted = rig.submit(hit_id, "AW1"), rig.accept(hit_id, "AW2").assignment_id
    given = {"BonusAmount": "1", "Reason": "thanks"}
    send = rig.client.send_bonus
    refused("InvalidParameterValue", send, WorkerId="AW2", AssignmentId=submitted, **given)
    refused("InvalidAssignmentState", send, WorkerId="AW2", AssignmentId=accepted, **given)
    refused("AssignmentDoesNotExist", send, WorkerId="AW1", AssignmentId="3NOTHERE", **given)
    other = rig.requester("A1OTHER")
    refused("AssignmentDoesNotExist", other.send_bonus, WorkerId="AW1", AssignmentId=submitted, **given)
    ours = {"WorkerId": "AW1", "AssignmentId": submitted}
    refused("InvalidParameterValue", send, **ours, BonusAmount="0.00", Reason="thanks")
    refused("InvalidParameterValue", send, **ours, BonusAmount="1", Reason="  ")
    refused("ParameterValidationError", send, **ours, BonusAmount="1000000.01", Reason="thanks")
    refused("InsufficientFunds", send, **ours, BonusAmount="1000", Reason="thanks")
    audit = rig.audit()
    assert (audit.discrepancies, audit.bonuses_paid_cents) == ([], 0)
    assert rig.workplace.messages.list_for_worker("AW1").messages == []


def test_a_token_pays_one_bonus_within_a_day_and_the_error_names_it(rig: Rig) -> None:
    assignment_id = rig.submit(rig.create_hit()["HITId"], "AW1")
    again = {"WorkerId": "AW1", "AssignmentId": assignment_id, "BonusAmount": "1", "Reason": "x"}
    rig.client.send_bonus(**again, UniqueRequestToken="once")
    error = refused("DuplicateRequest", rig.client.send_bonus, **again, UniqueRequestToken="once")
    (kept,) = rig.workplace.messages.list_for_worker("AW1").messages
    assert kept.message_id in str(error)
    assert rig.workplace.get_worker("AW1").bonus_cents == 100
    rig.client.send_bonus(**again)
    rig.clock.move(DAY_S)
    rig.client.send_bonus(**again, UniqueRequestToken="once")
    assert rig.workplace.get_worker("AW1").bonus_cents == 300


def test_bonuses_are_listed_by_hit_or_by_assignment_page_after_page(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    first, second = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    for number in range(1, 4):
        bonus(rig, first, WorkerId="AW1", BonusAmount=f"0.0{number}")
        rig.clock.move(1)
    bonus(rig, second, WorkerId="AW2", BonusAmount="0.5")
    paginator = rig.client.get_paginator("list_bonus_payments")
    found = paginator.paginate(AssignmentId=first, PaginationConfig={"PageSize": 2}).build_full_result()
    assert [paid["BonusAmount"] for paid in found["BonusPayments"]] == ["0.01", "0.02", "0.03"]
    assert {paid["WorkerId"] for paid in found["BonusPayments"]} == {"AW1"}
    assert found["BonusPayments"][0].keys() == {"WorkerId", "BonusAmount", "AssignmentId", "Reason", "GrantTime"}
    pages = list(paginator.paginate(HITId=hit_id, PaginationConfig={"PageSize": 3}))
    assert [page["NumResults"] for page in pages] == [3, 1]
    amounts = sorted(paid["BonusAmount"] for page in pages for paid in page["BonusPayments"])
    assert amounts == ["0.01", "0.02", "0.03", "0.50"]
    listing = rig.client.list_bonus_payments
    refused("InvalidParameterValue", listing)
    refused("InvalidParameterValue", listing, HITId=hit_id, AssignmentId=first)
    refused("HITDoesNotExist", listing, HITId="3NOTHERE")
    refused("AssignmentDoesNotExist", listing, AssignmentId="3NOTHERE")
    other = rig.requester("A1OTHER")
    refused("HITDoesNotExist", other.list_bonus_payments, HITId=hit_id)
    refused("InvalidParameterValue", listing, HITId=hit_id, NextToken=pages[0]["NextToken"] + "x")


def test_workers_whose_work_was_judged_are_written_to_and_the_others_are_failures(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=4)["HITId"]
    approved, rejected = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    rig.submit(hit_id, "AW3")
    rig.client.approve_assignment(AssignmentId=approved)
    rig.client.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")
    given = {"Subject": "More", "MessageText": "There is more to do."}
    answer = rig.client.notify_workers(**given, WorkerIds=["AW1", "AW2", "AW3", "AW4", "AW1"])
    failures = {failure["WorkerId"]: failure for failure in answer["NotifyWorkersFailureStatuses"]}
    assert set(failures) == {"AW3", "AW4"}
    assert {failure["NotifyWorkersFailureCode"] for failure in failures.values()} == {"HardFailure"}
    assert failures["AW4"]["NotifyWorkersFailureMessage"] == "There is no Worker AW4."
    for worker_id, count in (("AW1", 1), ("AW2", 1), ("AW3", 0)):
        messages = rig.workplace.messages.list_for_worker(worker_id).messages
        assert [(message.subject, message.text) for message in messages] == count * [tuple(given.values())]
    answer = rig.requester("A1OTHER").notify_workers(**given, WorkerIds=["AW1"])
    assert len(answer["NotifyWorkersFailureStatuses"]) == 1


def test_a_worker_who_cannot_be_reached_just_now_is_a_soft_failure_and_the_others_are_reached(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    for worker_id in ("AW1", "AW2"):
        rig.client.approve_assignment(AssignmentId=rig.submit(hit_id, worker_id))
    transact = rig.dynamodb.transact_write_items

    def throttle_first(**request: Any) -> Any:
        rig.dynamodb.transact_write_items = transact
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "TransactWriteItems")

    rig.dynamodb.transact_write_items = throttle_first
    answer = rig.client.notify_workers(Subject="s", MessageText="t", WorkerIds=["AW1", "AW2"])
    (failure,) = answer["NotifyWorkersFailureStatuses"]
    assert (failure["WorkerId"], failure["NotifyWorkersFailureCode"]) == ("AW1", "SoftFailure")
    assert len(rig.workplace.messages.list_for_worker("AW2").messages) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"Subject": "s" * 201},
        {"MessageText": "t" * 4_097},
        {"Subject": " "},
        {"WorkerIds": []},
        {"WorkerIds": [f"AW{number}" for number in range(101)]},
    ],
)
def test_a_notice_has_mturks_limits(rig: Rig, given: dict[str, Any]) -> None:
    with pytest.raises(rig.client.exceptions.RequestError):
        rig.client.notify_workers(**{"Subject": "s", "MessageText": "t", "WorkerIds": ["AW1"]} | given)


def bonus(rig: Rig, assignment_id: str, **given: Any) -> None:
    terms = {"WorkerId": "AW1", "AssignmentId": assignment_id, "BonusAmount": "1", "Reason": "thanks"}
    rig.client.send_bonus(**terms | given)

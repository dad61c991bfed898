"""The Requester API as an ordinary boto3 client meets it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from crowdsight.workplace import records
from crowdsight.workplace.operations import OPERATIONS
from crowdsight.workplace.shapes import service_model
from tests.contract.workplace_rig import HTML_QUESTION, OFFER, REQUESTER, Rig, hit_id_in, refused
from tests.unit.workplace.forms import form, question

DAY_S = 86_400
FILE_UPLOAD = form(question("<FileUploadAnswer/>"))


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig()


def test_a_new_hit_reads_back_as_it_was_offered(rig: Rig) -> None:
    made = rig.create_hit(MaxAssignments=3, Keywords="look, picture", RequesterAnnotation="mine")
    assert made == rig.hit(made["HITId"])
    assert made["HITStatus"] == "Assignable"
    assert made["HITReviewStatus"] == "NotReviewed"
    assert (made["Title"], made["Keywords"], made["RequesterAnnotation"]) == (OFFER["Title"], "look, picture", "mine")
    assert (made["Reward"], made["MaxAssignments"], made["Question"]) == ("0.05", 3, HTML_QUESTION)
    assert made["AutoApprovalDelayInSeconds"] == 30 * DAY_S
    assert made["Expiration"] - made["CreationTime"] == timedelta(hours=1)
    counts = [made[f"NumberOfAssignments{name}"] for name in ("Available", "Pending", "Completed")]
    assert counts == [3, 0, 0]
    assert rig.balance() == ("999.82", "0.18")


def test_the_errors_class_is_the_clients_own(rig: Rig) -> None:
    with pytest.raises(rig.client.exceptions.RequestError):
        rig.client.get_hit(HITId="3NOTHERE")


def test_what_nobody_foresaw_is_logged_and_answered_as_a_service_fault(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.wiring.workplace_table.put({"pk": records.hit_pk("3BROKEN"), "sk": "hit"})
    with pytest.raises(ClientError) as failure:
        rig.client.get_hit(HITId="3BROKEN")
    response: Any = failure.value.response
    assert response["Error"]["Code"] == "ServiceFault"
    assert response["TurkErrorCode"] == "AWS.MechanicalTurk.ServiceUnavailable"
    assert "KeyError" not in response["Error"]["Message"]
    assert "GetHIT" in caplog.text and "KeyError" in caplog.text


def test_a_hit_type_is_one_with_its_values(rig: Rig) -> None:
    values = {name: OFFER[name] for name in ("Title", "Description", "Reward", "AssignmentDurationInSeconds")}
    first = rig.client.create_hit_type(**values)["HITTypeId"]
    assert rig.client.create_hit_type(**values)["HITTypeId"] == first
    assert rig.client.create_hit_type(**values, AutoApprovalDelayInSeconds=30 * DAY_S)["HITTypeId"] == first
    assert rig.client.create_hit_type(**values | {"Reward": "0.06"})["HITTypeId"] != first
    assert rig.requester("A1OTHER").create_hit_type(**values)["HITTypeId"] != first
    assert rig.create_hit()["HITTypeId"] == first


def test_a_hit_of_a_type_has_the_types_values(rig: Rig) -> None:
    hit_type_id = rig.create_hit(Keywords="a")["HITTypeId"]
    hit = rig.client.create_hit_with_hit_type(HITTypeId=hit_type_id, LifetimeInSeconds=60, Question=HTML_QUESTION)[
        "HIT"
    ]
    assert (hit["HITTypeId"], hit["Title"], hit["Keywords"]) == (hit_type_id, OFFER["Title"], "a")
    given = {"LifetimeInSeconds": 60, "Question": HTML_QUESTION}
    refused("HITTypeDoesNotExist", rig.client.create_hit_with_hit_type, HITTypeId="3NOTHERE", **given)
    other = rig.requester("A1OTHER")
    refused("HITTypeDoesNotExist", other.create_hit_with_hit_type, HITTypeId=hit_type_id, **given)


def test_a_token_makes_one_hit_within_a_day_and_the_error_names_it(rig: Rig) -> None:
    made = rig.create_hit(UniqueRequestToken="once")
    error = refused("HitAlreadyExists", rig.client.create_hit, **OFFER, UniqueRequestToken="once")
    assert hit_id_in(str(error)) == made["HITId"]
    assert rig.balance()[1] == "0.06"
    assert rig.requester("A1OTHER").create_hit(**OFFER, UniqueRequestToken="once")["HIT"]["HITId"] != made["HITId"]
    rig.clock.move(DAY_S - 1)
    refused("HitAlreadyExists", rig.client.create_hit, **OFFER, UniqueRequestToken="once")
    rig.clock.move(1)
    assert rig.create_hit(UniqueRequestToken="once")["HITId"] != made["HITId"]
    given = {"HITTypeId": made["HITTypeId"], "LifetimeInSeconds": 60, "Question": HTML_QUESTION}
    refused("HitAlreadyExists", rig.client.create_hit_with_hit_type, **given, UniqueRequestToken="once")


def test_a_hit_that_cannot_be_paid_for_is_refused_with_mturks_words_and_leaves_nothing(rig: Rig) -> None:
    error = refused("InsufficientFunds", rig.client.create_hit, **OFFER | {"Reward": "900"}, UniqueRequestToken="t")
    assert "This Requester has insufficient funds in their account to complete this transaction." in str(error)
    assert rig.balance() == ("1000.00", "0.00")
    assert rig.client.list_hits()["HITs"] == []
    assert rig.create_hit(UniqueRequestToken="t")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Question": "who what?"}, "XMLParseError"),
        ({"Question": HTML_QUESTION + " " * 65_536}, "ParameterValidationError"),
        ({"Question": FILE_UPLOAD}, "UnsupportedOperation"),
        ({"HITLayoutId": "3LAYOUT"}, "HITLayoutDoesNotExist"),
        ({"HITLayoutParameters": [{"Name": "a", "Value": "b"}]}, "InvalidParameterValue"),
        ({"Reward": "1000000.01"}, "ParameterValidationError"),
        ({"Reward": "9" * 5_000}, "ParameterValidationError"),
        ({"Title": "t" * 129}, "ParameterValidationError"),
        ({"AssignmentDurationInSeconds": 29}, "ParameterValidationError"),
    ],
)
def test_what_cannot_be_offered_is_refused_clearly(rig: Rig, given: dict[str, Any], code: str) -> None:
    refused(code, rig.client.create_hit, **OFFER | given)
    assert rig.balance() == ("1000.00", "0.00")


def test_a_question_must_be_given(rig: Rig) -> None:
    given = {name: value for name, value in OFFER.items() if name != "Question"}
    refused("InvalidParameterValue", rig.client.create_hit, **given)


def test_nobody_sees_another_requesters_things(rig: Rig) -> None:
    hit = rig.create_hit()
    hit_id, hit_type_id = hit["HITId"], hit["HITTypeId"]
    assignment_id = rig.submit(hit_id)
    other = rig.requester("A1OTHER")
    for call, given in (
        (other.get_hit, {}),
        (other.delete_hit, {}),
        (other.list_assignments_for_hit, {}),
        (other.update_hit_review_status, {}),
        (other.update_expiration_for_hit, {"ExpireAt": datetime(2020, 1, 1, tzinfo=UTC)}),
        (other.create_additional_assignments_for_hit, {"NumberOfAdditionalAssignments": 1}),
        (other.update_hit_type_of_hit, {"HITTypeId": other.create_hit_type(**_type_values())["HITTypeId"]}),
    ):
        message = str(refused("HITDoesNotExist", call, HITId=hit_id, **given))
        assert f"Hit {hit_id} does not exist." in message
    for call, given in (
        (other.get_assignment, {}),
        (other.approve_assignment, {}),
        (other.reject_assignment, {"RequesterFeedback": "no"}),
    ):
        refused("AssignmentDoesNotExist", call, AssignmentId=assignment_id, **given)
    refused("HITTypeDoesNotExist", other.update_notification_settings, HITTypeId=hit_type_id, Active=True)
    assert other.list_hits()["NumResults"] == other.list_reviewable_hits()["NumResults"] == 0
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"


def test_the_counts_of_a_hit_follow_its_assignments(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=3)["HITId"]

    def counts() -> tuple[Any, ...]:
        hit = rig.hit(hit_id)
        numbers = (hit[f"NumberOfAssignments{name}"] for name in ("Available", "Pending", "Completed"))
        return (hit["HITStatus"], *numbers)

    first, second = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    assert counts() == ("Assignable", 1, 0, 0)
    third = rig.accept(hit_id, "AW3")
    assert counts() == ("Unassignable", 0, 1, 0)
    rig.client.approve_assignment(AssignmentId=first)
    rig.client.reject_assignment(AssignmentId=second, RequesterFeedback="no")
    assert counts() == ("Unassignable", 0, 1, 2)
    rig.workplace.submit(third.assignment_id, [])
    assert counts() == ("Reviewable", 0, 0, 2)
    rig.client.update_hit_review_status(HITId=hit_id)
    assert counts() == ("Reviewing", 0, 0, 2)
    rig.client.update_hit_review_status(HITId=hit_id, Revert=True)
    assert counts() == ("Reviewable", 0, 0, 2)


def test_answers_can_be_read_while_the_hit_is_still_open(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=5)["HITId"]
    first = rig.submit(hit_id, "AW1", "yes")
    rig.clock.move(1)
    second = rig.submit(hit_id, "AW2", "<b>&no")
    rig.clock.move(1)
    rig.accept(hit_id, "AW3")
    rig.client.approve_assignment(AssignmentId=first, RequesterFeedback="thanks")
    answer = rig.client.list_assignments_for_hit(HITId=hit_id)
    assert [found["AssignmentId"] for found in answer["Assignments"]] == [first, second]
    assert (answer["NumResults"], "NextToken" in answer) == (2, False)
    approved, submitted = answer["Assignments"]
    assert (approved["AssignmentStatus"], approved["RequesterFeedback"]) == ("Approved", "thanks")
    assert "<FreeText>&lt;b&gt;&amp;no</FreeText>" in submitted["Answer"]
    assert submitted["AutoApprovalTime"] - submitted["SubmitTime"] == timedelta(days=30)
    assert submitted["Deadline"] - submitted["AcceptTime"] == timedelta(seconds=600)
    only = rig.client.list_assignments_for_hit(HITId=hit_id, AssignmentStatuses=["Submitted", "Rejected"])
    assert [found["AssignmentId"] for found in only["Assignments"]] == [second]
    got = rig.client.get_assignment(AssignmentId=second)
    assert (got["Assignment"], got["HIT"]) == (submitted, rig.hit(hit_id))


def test_an_assignment_that_is_not_handed_in_cannot_be_read_or_judged(rig: Rig) -> None:
    assignment_id = rig.accept(rig.create_hit()["HITId"]).assignment_id
    refused("InvalidAssignmentState", rig.client.get_assignment, AssignmentId=assignment_id)
    refused("InvalidAssignmentState", rig.client.approve_assignment, AssignmentId=assignment_id)
    refused("InvalidAssignmentState", rig.client.reject_assignment, AssignmentId=assignment_id, RequesterFeedback="no")
    refused("AssignmentDoesNotExist", rig.client.get_assignment, AssignmentId="3NOTHERE")


def test_no_assignment_has_a_file(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    submitted, accepted = rig.submit(hit_id), rig.accept(hit_id, "AW2").assignment_id
    url = rig.client.get_file_upload_url
    refused("InvalidParameterValue", url, AssignmentId=submitted, QuestionIdentifier="q")
    refused("InvalidAssignmentState", url, AssignmentId=accepted, QuestionIdentifier="q")
    refused("AssignmentDoesNotExist", url, AssignmentId="3NOTHERE", QuestionIdentifier="q")


def test_an_assignment_is_judged_once(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    approved, rejected = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    rig.client.approve_assignment(AssignmentId=approved)
    rig.client.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")
    error = refused("InvalidAssignmentState", rig.client.approve_assignment, AssignmentId=approved)
    assert "This operation can be called with a status of: Submitted" in str(error)
    for assignment_id in (approved, rejected):
        refused(
            "InvalidAssignmentState", rig.client.reject_assignment, AssignmentId=assignment_id, RequesterFeedback="x"
        )
    refused("InvalidAssignmentState", rig.client.approve_assignment, AssignmentId=rejected)
    refused("InvalidAssignmentState", rig.client.approve_assignment, AssignmentId=approved, OverrideRejection=True)
    assert rig.balance() == ("999.94", "0.00")


def test_a_rejection_needs_its_reason(rig: Rig) -> None:
    assignment_id = rig.submit(rig.create_hit()["HITId"])
    for feedback in ("", " \n"):
        with pytest.raises(ClientError):
            rig.client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback=feedback)
    assert rig.client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"] == "Submitted"


def test_a_rejection_can_be_overridden_for_thirty_days(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    first, second = rig.submit(hit_id, "AW1"), rig.submit(hit_id, "AW2")
    for assignment_id in (first, second):
        rig.client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
    assert rig.balance() == ("1000.00", "0.00")
    rig.clock.move(30 * DAY_S)
    rig.client.approve_assignment(AssignmentId=first, OverrideRejection=True)
    assert rig.balance() == ("999.94", "0.00")
    rig.clock.move(1)
    refused("InvalidAssignmentState", rig.client.approve_assignment, AssignmentId=second, OverrideRejection=True)
    assert rig.audit().discrepancies == []


def test_a_rejection_in_a_deleted_hit_stands(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    assignment_id = rig.submit(hit_id)
    rig.client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no")
    rig.client.delete_hit(HITId=hit_id)
    refused("InvalidHITState", rig.client.approve_assignment, AssignmentId=assignment_id, OverrideRejection=True)


def test_more_assignments_open_a_finished_hit_again(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    rig.submit(hit_id)
    rig.client.create_additional_assignments_for_hit(
        HITId=hit_id, NumberOfAdditionalAssignments=2, UniqueRequestToken="t"
    )
    hit = rig.hit(hit_id)
    assert (hit["HITStatus"], hit["MaxAssignments"], hit["NumberOfAssignmentsAvailable"]) == ("Assignable", 3, 2)
    assert rig.balance()[1] == "0.18"


def test_a_token_extends_a_hit_once(rig: Rig) -> None:
    hit_id, other_id = rig.create_hit()["HITId"], rig.create_hit()["HITId"]
    given = {"NumberOfAdditionalAssignments": 1, "UniqueRequestToken": "once"}
    extend = rig.client.create_additional_assignments_for_hit
    extend(HITId=hit_id, **given)
    error = refused("DuplicateRequest", extend, HITId=hit_id, **given)
    assert 'The idempotency token "once" has already been processed.' in str(error)
    extend(HITId=other_id, **given)
    assert [rig.hit(found)["MaxAssignments"] for found in (hit_id, other_id)] == [2, 2]
    rig.clock.move(DAY_S)
    extend(HITId=hit_id, **given)
    assert rig.hit(hit_id)["MaxAssignments"] == 3


def test_a_hit_never_grows_from_under_ten_assignments_to_ten(rig: Rig) -> None:
    extend = rig.client.create_additional_assignments_for_hit
    nine, ten = rig.create_hit(MaxAssignments=9)["HITId"], rig.create_hit(MaxAssignments=10)["HITId"]
    refused("InvalidMaximumAssignmentsIncrease", extend, HITId=nine, NumberOfAdditionalAssignments=1)
    extend(HITId=ten, NumberOfAdditionalAssignments=1)
    refused("InvalidMaximumAssignmentsIncrease", extend, HITId=ten, NumberOfAdditionalAssignments=10**9)
    assert rig.hit(nine)["MaxAssignments"] == 9


def test_an_extension_that_cannot_be_paid_for_changes_nothing(rig: Rig) -> None:
    hit_id = rig.create_hit(Reward="400")["HITId"]
    refused(
        "InsufficientFunds",
        rig.client.create_additional_assignments_for_hit,
        HITId=hit_id,
        NumberOfAdditionalAssignments=3,
        UniqueRequestToken="t",
    )
    assert rig.hit(hit_id)["MaxAssignments"] == 1
    assert rig.balance() == ("520.00", "480.00")


def test_a_past_expiration_ends_a_hit_now_and_releases_its_money(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    rig.submit(hit_id)
    rig.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    hit = rig.hit(hit_id)
    assert (hit["HITStatus"], hit["NumberOfAssignmentsAvailable"]) == ("Reviewable", 0)
    assert hit["Expiration"].timestamp() * 1_000 == rig.clock.now_ms
    assert rig.balance() == ("999.94", "0.06")


def test_an_expired_hit_is_opened_again_by_a_later_expiration_if_that_can_be_paid_for(rig: Rig) -> None:
    hit_id = rig.create_hit(Reward="400")["HITId"]
    rig.clock.move(3_600)
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"
    assert rig.balance() == ("1000.00", "0.00")
    later = datetime.fromtimestamp(rig.clock.now_ms // 1_000 + 60, UTC)
    other_id = rig.create_hit(Reward="500")["HITId"]
    refused("InsufficientFunds", rig.client.update_expiration_for_hit, HITId=hit_id, ExpireAt=later)
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"
    rig.client.update_expiration_for_hit(HITId=other_id, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    rig.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=later)
    hit = rig.hit(hit_id)
    assert (hit["HITStatus"], hit["Expiration"]) == ("Assignable", later)
    assert rig.balance() == ("520.00", "480.00")
    refused(
        "ParameterValidationError",
        rig.client.update_expiration_for_hit,
        HITId=hit_id,
        ExpireAt=later + timedelta(days=400),
    )


def test_only_a_reviewed_hit_can_be_deleted(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    error = refused("InvalidHITState", rig.client.delete_hit, HITId=hit_id)
    assert "This HIT is currently in the state 'Assignable'." in str(error)
    assignment_id = rig.submit(hit_id)
    rig.client.update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    refused("InvalidHITState", rig.client.delete_hit, HITId=hit_id)
    rig.client.approve_assignment(AssignmentId=assignment_id)
    rig.client.delete_hit(HITId=hit_id)
    assert rig.hit(hit_id)["HITStatus"] == "Disposed"
    assert rig.client.list_hits()["HITs"] == []
    refused("InvalidHITState", rig.client.delete_hit, HITId=hit_id)
    refused(
        "InvalidHITState",
        rig.client.create_additional_assignments_for_hit,
        HITId=hit_id,
        NumberOfAdditionalAssignments=1,
    )
    assert rig.audit().discrepancies == []


def test_a_hits_type_changes_only_while_nobody_is_at_it(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    dearer = rig.client.create_hit_type(**_type_values() | {"Reward": "0.10"})["HITTypeId"]
    assignment = rig.accept(hit_id)
    refused("InvalidHITState", rig.client.update_hit_type_of_hit, HITId=hit_id, HITTypeId=dearer)
    rig.workplace.submit(assignment.assignment_id, [])
    rig.client.update_hit_type_of_hit(HITId=hit_id, HITTypeId=dearer)
    assert rig.hit(hit_id)["Reward"] == "0.10"
    assert rig.balance()[1] == "0.18"  # 6 cents for what is submitted, 12 for the free slot
    rig.client.approve_assignment(AssignmentId=assignment.assignment_id)
    assert rig.workplace.get_worker("AWORKER0000001").earned_cents == 5
    assert rig.audit().discrepancies == []


def test_lists_are_paged_to_the_end_without_loss_or_repetition(rig: Rig) -> None:
    made = []
    for _ in range(7):
        made.append(rig.create_hit()["HITId"])
        rig.clock.move(0.001)
    pages = list(rig.client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 3}))
    assert [page["NumResults"] for page in pages] == [3, 3, 1]
    assert [hit["HITId"] for page in pages for hit in page["HITs"]] == made
    exact = list(rig.client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 7}))
    assert [page["NumResults"] for page in exact] == [7]


def test_assignments_are_paged_past_those_that_do_not_count(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=9)["HITId"]
    made = []
    for number in range(9):
        if number % 3 == 0:
            made.append(rig.submit(hit_id, f"AW{number}"))
        else:
            rig.workplace.return_assignment(rig.accept(hit_id, f"AW{number}").assignment_id, f"AW{number}")
        rig.clock.move(0.001)
    pages = list(
        rig.client.get_paginator("list_assignments_for_hit").paginate(HITId=hit_id, PaginationConfig={"PageSize": 2})
    )
    assert [found["AssignmentId"] for page in pages for found in page["Assignments"]] == made
    assert len(pages) == 2


def test_a_next_token_is_good_for_its_own_listing_only(rig: Rig) -> None:
    for _ in range(2):
        hit_id = rig.create_hit(MaxAssignments=2)["HITId"]
    token = rig.client.list_hits(MaxResults=1)["NextToken"]
    assert 1 <= len(token) <= 255
    refused("InvalidParameterValue", rig.client.list_reviewable_hits, NextToken=token)
    refused("InvalidParameterValue", rig.client.list_assignments_for_hit, HITId=hit_id, NextToken=token)
    refused("InvalidParameterValue", rig.client.list_hits, NextToken=token[:-4] + "AAAA")
    refused("ParameterValidationError", rig.client.list_hits, NextToken="A" * 256)


def test_pages_of_large_questions_are_short_enough_for_a_lambda_to_answer(rig: Rig) -> None:
    padded = HTML_QUESTION.replace("Which?", "x" * 65_000)
    for _ in range(62):
        rig.create_hit(Question=padded)
    pages = list(rig.client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 100}))
    assert len(pages) == 3
    assert sum(page["NumResults"] for page in pages) == 62
    assert all(len(json.dumps(page["HITs"], default=str)) < 5_000_000 for page in pages)


def test_reviewable_hits_are_listed_by_status_and_type(rig: Rig) -> None:
    done, dear = rig.create_hit(), rig.create_hit(Reward="0.10")
    rig.create_hit()
    for hit in (done, dear):
        rig.submit(hit["HITId"])
    listed = rig.client.list_reviewable_hits()
    assert {hit["HITId"] for hit in listed["HITs"]} == {done["HITId"], dear["HITId"]}
    listed = rig.client.list_reviewable_hits(HITTypeId=dear["HITTypeId"])
    assert [hit["HITId"] for hit in listed["HITs"]] == [dear["HITId"]]
    rig.client.update_hit_review_status(HITId=dear["HITId"])
    listed = rig.client.list_reviewable_hits(Status="Reviewing")
    assert [hit["HITId"] for hit in listed["HITs"]] == [dear["HITId"]]
    refused("InvalidHITState", rig.client.update_hit_review_status, HITId=dear["HITId"])


def test_every_operation_of_the_model_is_offered() -> None:
    assert set(OPERATIONS) == set(service_model().operation_names)
    assert len(OPERATIONS) == 39


def test_the_balance_of_a_requester_without_money_is_zero(rig: Rig) -> None:
    client = rig.client_of(rig.operator.issue_credentials("A1NEW"))
    assert client.get_account_balance()["AvailableBalance"] == "0.00"
    refused("InsufficientFunds", client.create_hit, **OFFER)


def test_money_comes_in_once_for_each_reference(rig: Rig) -> None:
    for _ in range(3):
        rig.operator.fund_requester(REQUESTER, 500, "second")
    assert rig.balance() == ("1005.00", "0.00")
    for cents, reference in ((0, "r"), (-5, "r"), (5, ""), (5, "r" * 201)):
        with pytest.raises(ValueError):
            rig.operator.fund_requester(REQUESTER, cents, reference)


def _type_values() -> dict[str, Any]:
    return {name: OFFER[name] for name in ("Title", "Description", "Reward", "AssignmentDurationInSeconds")}

"""Review policies as an ordinary boto3 client meets them."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION, OFFER, Rig, refused

KNOWN, PLURALITY = "ScoreMyKnownAnswers/2011-09-01", "SimplePlurality/2011-09-01"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig(dynamodb=MemoryDynamoDB())


def policy(name: str, key: dict[str, list[str]] | None = None, **values: Any) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if key is not None:
        entries = [{"Key": question, "Values": known} for question, known in key.items()]
        parameters.append({"Key": "AnswerKey", "MapEntries": entries})
    for parameter, value in values.items():
        listed = value if isinstance(value, list) else [str(value)]
        parameters.append({"Key": parameter, "Values": listed})
    return {"PolicyName": name, "Parameters": parameters}


def known(**values: Any) -> dict[str, Any]:
    return {"AssignmentReviewPolicy": policy(KNOWN, {"a": ["x"], "b": ["y"]}, **values)}


def plurality(**values: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"QuestionIds": ["q"], "QuestionAgreementThreshold": 50} | values
    return {"HITReviewPolicy": policy(PLURALITY, **given)}


def submit(rig: Rig, hit_id: str, worker_id: str, **answers: str) -> str:
    assignment = rig.accept(hit_id, worker_id)
    rig.workplace.submit(assignment.assignment_id, list(answers.items()))
    rig.clock.move(1)
    return assignment.assignment_id


def status(rig: Rig, assignment_id: str) -> str:
    return str(rig.client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"])


def reports(rig: Rig, hit_id: str, **given: Any) -> Any:
    return rig.client.list_review_policy_results_for_hit(HITId=hit_id, **given)


def actions(report: dict[str, Any]) -> list[tuple[str, ...]]:
    keys = ("ActionName", "TargetId", "Status")
    found = [(*(each[key] for key in keys), each.get("ErrorCode", "")) for each in report["ReviewActions"]]
    return [each[:3] if not each[3] else each for each in found]


def results(report: dict[str, Any], subject_id: str) -> list[tuple[str, ...]]:
    found = [each for each in report["ReviewResults"] if each["SubjectId"] == subject_id]
    return [(each.get("QuestionId", ""), each["Key"], each["Value"]) for each in found]


def test_known_answers_judge_each_assignment_as_it_is_submitted(rig: Rig) -> None:
    terms = known(
        ApproveIfKnownAnswerScoreIsAtLeast=80,
        ApproveReason="All right",
        RejectIfKnownAnswerScoreIsLessThan=50,
        RejectReason="None right",
    )
    hit_id = rig.create_hit(MaxAssignments=3, **terms)["HITId"]
    good = submit(rig, hit_id, "AW1", a="x", b=" y ")
    half = submit(rig, hit_id, "AW2", a="x", b="Y")
    bad = submit(rig, hit_id, "AW3", a="z")
    assert [status(rig, id) for id in (good, half, bad)] == ["Approved", "Submitted", "Rejected"]
    found = rig.client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    assert [each.get("RequesterFeedback") for each in found] == ["All right", None, "None right"]
    answer = reports(rig, hit_id)
    assert answer["AssignmentReviewPolicy"] == {"PolicyName": KNOWN}
    assert not {"HITReviewPolicy", "HITReviewReport", "NextToken"} & set(answer)
    report = answer["AssignmentReviewReport"]
    assert results(report, half) == [
        ("a", "KnownAnswerCorrect", "1"), ("b", "KnownAnswerCorrect", "0"), ("", "KnownAnswerScore", "50"),
    ]  # fmt: skip
    assert actions(report) == [
        ("review", good, "Succeeded"),
        ("approve", good, "Succeeded"),
        ("review", half, "Succeeded"),
        ("review", bad, "Succeeded"),
        ("reject", bad, "Succeeded"),
    ]
    assert len({each["ActionId"] for each in report["ReviewActions"]}) == 5
    assert {each["SubjectType"] for each in report["ReviewResults"]} == {"Assignment"}
    assert rig.audit().discrepancies == []


def test_a_score_too_low_gives_the_hit_one_more_assignment_up_to_the_most(rig: Rig) -> None:
    hit_id = rig.create_hit(**known(ExtendIfKnownAnswerScoreIsLessThan=100, ExtendMaximumAssignments=2))["HITId"]
    rig.notify(rig.hit(hit_id)["HITTypeId"], "HITReviewable", "HITExtended")
    submit(rig, hit_id, "AW1", a="z")
    assert (rig.hit(hit_id)["HITStatus"], rig.hit(hit_id)["MaxAssignments"]) == ("Assignable", 2)
    submit(rig, hit_id, "AW2", a="z")
    assert (rig.hit(hit_id)["HITStatus"], rig.hit(hit_id)["MaxAssignments"]) == ("Reviewable", 2)
    found = reports(rig, hit_id)["AssignmentReviewReport"]["ReviewActions"]
    assert [each["Result"] for each in found if each["ActionName"] == "extend"] == [
        "The HIT has 2 assignments now.",
        "The HIT has 2 assignments already.",
    ]
    assert sorted(rig.events()) == ["HITExtended", "HITReviewable"]
    assert rig.audit().discrepancies == []


def test_an_extension_gives_workers_time(rig: Rig) -> None:
    terms = known(ExtendIfKnownAnswerScoreIsLessThan=100, ExtendMinimumTimeInSeconds=7_200)
    hit = rig.create_hit(MaxAssignments=1, **terms)
    submit(rig, hit["HITId"], "AW1", a="z")
    assert rig.hit(hit["HITId"])["Expiration"] > hit["Expiration"]


def test_what_cannot_be_paid_is_not_extended_and_the_report_says_so(rig: Rig) -> None:
    rich = rig.client
    rig.client = rig.requester("A1POOR", 6)
    hit_id = rig.create_hit(**known(ExtendIfKnownAnswerScoreIsLessThan=100))["HITId"]
    assignment_id = submit(rig, hit_id, "AW1", a="z")
    failed = ("extend", hit_id, "Failed", "AWS.MechanicalTurk.InsufficientFunds")
    assert actions(reports(rig, hit_id)["AssignmentReviewReport"])[-1] == failed
    assert (status(rig, assignment_id), rig.hit(hit_id)["HITStatus"]) == ("Submitted", "Reviewable")
    rig.client = rich
    nine = rig.create_hit(
        MaxAssignments=9, **known(ExtendIfKnownAnswerScoreIsLessThan=100, ExtendMaximumAssignments=25)
    )
    submit(rig, nine["HITId"], "AW1", a="z")
    (*_, found) = actions(reports(rig, nine["HITId"])["AssignmentReviewReport"])
    assert found[2:] == ("Failed", "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease")
    assert rig.audit().discrepancies == []


def test_a_plurality_judges_workers_once_the_hit_is_reviewable(rig: Rig) -> None:
    terms = plurality(
        ApproveIfWorkerAgreementScoreIsAtLeast=100, RejectIfWorkerAgreementScoreIsLessThan=100, RejectReason="Alone"
    )
    hit = rig.create_hit(MaxAssignments=3, **terms)
    hit_id = hit["HITId"]
    rig.notify(hit["HITTypeId"], "HITReviewable")
    ids = [submit(rig, hit_id, "AW1", q="x"), submit(rig, hit_id, "AW2", q="x")]
    assert reports(rig, hit_id)["HITReviewReport"] == {"ReviewResults": [], "ReviewActions": []}
    assert rig.hit(hit_id)["HITReviewStatus"] == "NotReviewed"
    ids.append(submit(rig, hit_id, "AW3", q="y"))
    assert [status(rig, id) for id in ids] == ["Approved", "Approved", "Rejected"]
    report = reports(rig, hit_id)["HITReviewReport"]
    assert results(report, hit_id) == [
        ("q", "AgreedAnswerFound", "true"),
        ("q", "AgreedAnswer", "x"),
        ("q", "AnswerAgreementScore", "66"),
        ("", "HitAgreementScore", "100"),
    ]
    assert results(report, ids[2]) == [
        ("", "PluralityAnswersCorrect", "0"),
        ("", "PluralityAnswersIncorrect", "1"),
        ("", "WorkerAgreementScore", "0"),
    ]
    assert ("review", hit_id, "Succeeded") in actions(report)
    assert ("reject", ids[2], "Succeeded") in actions(report)
    assert rig.hit(hit_id)["HITReviewStatus"] == "ReviewedAppropriate"
    assert rig.events() == ["HITReviewable"]
    assert rig.audit().discrepancies == []


def test_a_hit_without_agreement_goes_on_to_another_worker_and_is_reviewed_again(rig: Rig) -> None:
    terms = plurality(
        QuestionAgreementThreshold=60,
        ExtendIfHITAgreementScoreIsLessThan=100,
        ExtendMaximumAssignments=3,
        ExtendMinimumTimeInSeconds=3_600,
        ApproveIfWorkerAgreementScoreIsAtLeast=100,
    )
    hit = rig.create_hit(MaxAssignments=2, **terms)
    rig.notify(hit["HITTypeId"], "HITReviewable", "HITExtended")
    hit_id = hit["HITId"]
    first, second = submit(rig, hit_id, "AW1", q="x"), submit(rig, hit_id, "AW2", q="y")
    now = rig.hit(hit_id)
    assert (now["HITStatus"], now["MaxAssignments"], now["HITReviewStatus"]) == ("Assignable", 3, "NotReviewed")
    assert rig.events() == ["HITExtended"]
    third = submit(rig, hit_id, "AW3", q="x")
    assert [status(rig, id) for id in (first, second, third)] == ["Approved", "Submitted", "Approved"]
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"
    found = results(reports(rig, hit_id)["HITReviewReport"], hit_id)
    assert [value for _, key, value in found if key == "HitAgreementScore"] == ["0", "100"]
    assert rig.events() == ["HITReviewable"]
    assert rig.audit().discrepancies == []


def test_rejected_and_careless_assignments_can_be_disregarded(rig: Rig) -> None:
    keyed = policy(KNOWN, {"k": ["1"]}, RejectIfKnownAnswerScoreIsLessThan=50)
    for setting in ({"DisregardAssignmentIfRejected": "T"}, {"DisregardAssignmentIfKnownAnswerScoreIsLessThan": 50}):
        terms = plurality(ApproveIfWorkerAgreementScoreIsAtLeast=0, **setting)
        hit_id = rig.create_hit(MaxAssignments=3, AssignmentReviewPolicy=keyed, **terms)["HITId"]
        ids = [
            submit(rig, hit_id, "AW1", k="1", q="x"),
            submit(rig, hit_id, "AW2", k="0", q="y"),
            submit(rig, hit_id, "AW3", k="0", q="y"),
        ]
        report = reports(rig, hit_id)["HITReviewReport"]
        assert ("q", "AgreedAnswer", "x") in results(report, hit_id)
        assert [results(report, id) != [] for id in ids] == [True, False, False]
        assert [status(rig, id) for id in ids] == ["Approved", "Rejected", "Rejected"]


def test_nothing_is_taken_back_and_the_report_says_what_failed(rig: Rig) -> None:
    terms = plurality(ApproveIfWorkerAgreementScoreIsAtLeast=100)
    hit_id = rig.create_hit(MaxAssignments=3, **terms)["HITId"]
    approved, rejected = submit(rig, hit_id, "AW1", q="x"), submit(rig, hit_id, "AW2", q="x")
    rig.client.approve_assignment(AssignmentId=approved)
    rig.client.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")
    submit(rig, hit_id, "AW3", q="x")
    found = actions(reports(rig, hit_id)["HITReviewReport"])
    assert ("approve", approved, "Succeeded") in found
    assert ("approve", rejected, "Failed", "AWS.MechanicalTurk.InvalidAssignmentState") in found
    assert status(rig, rejected) == "Rejected"
    assert rig.audit().discrepancies == []


def test_many_workers_are_judged_in_parts_that_fit_a_transaction_each_once(rig: Rig) -> None:
    terms = plurality(ApproveIfWorkerAgreementScoreIsAtLeast=100, RejectIfWorkerAgreementScoreIsLessThan=100)
    hit_id = rig.create_hit(MaxAssignments=30, **terms)["HITId"]
    rig.notify(rig.hit(hit_id)["HITTypeId"], "AssignmentApproved", "AssignmentRejected", "HITReviewable")
    for number in range(30):
        submit(rig, hit_id, f"AW{number}", q="x" if number % 3 else "y")
    hit = rig.hit(hit_id)
    assert (hit["HITStatus"], hit["NumberOfAssignmentsCompleted"]) == ("Reviewable", 30)
    found = rig.events()
    assert [found.count(f"Assignment{kind}") for kind in ("Approved", "Rejected")] == [20, 10]
    assert found.count("HITReviewable") == 1
    report = reports(rig, hit_id)["HITReviewReport"]
    assert len(report["ReviewActions"]) + len(report["ReviewResults"]) == 100
    assert rig.audit().discrepancies == []


def test_a_review_that_is_interrupted_anywhere_ends_once_in_the_next_sweep(rig: Rig) -> None:
    """The process may end before any write of a review; who comes next goes on."""
    terms = plurality(ApproveIfWorkerAgreementScoreIsAtLeast=100) | known(ApproveIfKnownAnswerScoreIsAtLeast=101)
    transact = rig.dynamodb.transact_write_items
    for writes in range(6):
        hit_id = rig.create_hit(MaxAssignments=13, **terms)["HITId"]
        for number in range(12):
            submit(rig, hit_id, f"AW{number}", q="x")
        last = rig.accept(hit_id, "AW12").assignment_id
        left = iter(range(writes))

        def write(left: Iterator[int] = left, **request: Any) -> Any:
            if next(left, None) is None:
                raise ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "TransactWriteItems")
            return transact(**request)

        rig.dynamodb.transact_write_items = write
        with pytest.raises(ClientError) if writes < 5 else nullcontext():
            rig.workplace.submit(last, [("q", "x")])
        rig.dynamodb.transact_write_items = transact
        if writes == 0:
            rig.workplace.submit(last, [("q", "x")])
        rig.clock.move(1)
        rig.sweep()
        report = reports(rig, hit_id, PolicyLevels=["HIT"])
        approved = [each for each in actions(report["HITReviewReport"]) if each[0] == "approve"]
        assert len(approved) == len(set(approved)) == 13
        assert rig.hit(hit_id)["NumberOfAssignmentsCompleted"] == 13
    assert rig.audit().discrepancies == []


def test_a_hit_that_nobody_answered_is_not_extended(rig: Rig) -> None:
    terms = plurality(
        ExtendIfHITAgreementScoreIsLessThan=100, ExtendMaximumAssignments=3, ExtendMinimumTimeInSeconds=3_600
    )
    hit_id = rig.create_hit(**terms)["HITId"]
    rig.notify(rig.hit(hit_id)["HITTypeId"], "HITReviewable", "HITExpired")
    rig.clock.move(3_601)
    assert (rig.hit(hit_id)["HITStatus"], rig.hit(hit_id)["MaxAssignments"]) == ("Reviewable", 1)
    assert sorted(rig.events()) == ["HITExpired", "HITReviewable"]


def test_reports_are_paged_and_chosen_by_level_and_kind(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2, **known(), **plurality())["HITId"]
    for worker_id in ("AW1", "AW2"):
        submit(rig, hit_id, worker_id, q="x", a="x", b="y")
    whole = reports(rig, hit_id)
    paged: dict[str, list[Any]] = {}
    pages = [reports(rig, hit_id, MaxResults=3)]
    while "NextToken" in pages[-1]:
        pages.append(reports(rig, hit_id, MaxResults=3, NextToken=pages[-1]["NextToken"]))
    for page in pages:
        for level in ("Assignment", "HIT"):
            for kind, found in page[f"{level}ReviewReport"].items():
                paged.setdefault(f"{level} {kind}", []).extend(found)
    for level in ("Assignment", "HIT"):
        for kind, found in whole[f"{level}ReviewReport"].items():
            assert paged[f"{level} {kind}"] == found != []
    assert len(pages) == -(-sum(map(len, paged.values())) // 3)
    only = reports(rig, hit_id, PolicyLevels=["HIT"], RetrieveResults=False)
    assert "AssignmentReviewReport" not in only
    assert only["HITReviewReport"]["ReviewResults"] == []
    assert only["HITReviewReport"]["ReviewActions"] == whole["HITReviewReport"]["ReviewActions"]
    refused("HITDoesNotExist", rig.requester("A1OTHER").list_review_policy_results_for_hit, HITId=hit_id)
    plain = reports(rig, rig.create_hit()["HITId"])
    assert set(plain) - {"ResponseMetadata"} == {"HITId"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"AssignmentReviewPolicy": {"PolicyName": PLURALITY}}, "AssignmentReviewPolicy: PolicyName"),
        ({"HITReviewPolicy": {"PolicyName": "SimplePlurality"}}, "HITReviewPolicy: PolicyName"),
        ({"AssignmentReviewPolicy": policy(KNOWN)}, "AnswerKey"),
        ({"AssignmentReviewPolicy": policy(KNOWN, {})}, "AnswerKey"),
        (known(ApproveIfKnownAnswerScoreIsAtLeast=102), "ApproveIfKnownAnswerScoreIsAtLeast"),
        (known(RejectIfKnownAnswerScoreIsLessThan="half"), "RejectIfKnownAnswerScoreIsLessThan"),
        (known(RejectReason=["a", "b"]), "RejectReason"),
        (known(ExtendMaximumAssignments=26), "ExtendMaximumAssignments"),
        (known(ExtendMinimumTimeInSeconds=59), "ExtendMinimumTimeInSeconds"),
        (known(QuestionIds="a"), "QuestionIds"),
        ({"HITReviewPolicy": policy(PLURALITY, QuestionAgreementThreshold=50)}, "QuestionIds"),
        ({"HITReviewPolicy": policy(PLURALITY, QuestionIds=["q"])}, "QuestionAgreementThreshold"),
        (plurality(DisregardAssignmentIfRejected="maybe"), "DisregardAssignmentIfRejected"),
        (plurality(ExtendIfHITAgreementScoreIsLessThan=0), "ExtendIfHITAgreementScoreIsLessThan"),
        (plurality(ExtendIfHITAgreementScoreIsLessThan=50), "ExtendMaximumAssignments"),
        (
            plurality(ExtendIfHITAgreementScoreIsLessThan=50, ExtendMaximumAssignments=3),
            "ExtendMinimumTimeInSeconds",
        ),
        (plurality(questionids=["q"]), "questionids"),
        (plurality(QuestionIds=[f"q{number}" for number in range(1_001)]), "QuestionIds must not have more than 1000"),
        (
            {"AssignmentReviewPolicy": policy(KNOWN, {f"q{number}": ["x"] for number in range(1_001)})},
            "AnswerKey must not have more than 1000",
        ),
    ],
)
def test_a_policy_that_is_not_one_is_refused_and_the_error_names_the_parameter(
    rig: Rig, given: dict[str, Any], named: str
) -> None:
    error = refused("InvalidParameterValue", rig.client.create_hit, **OFFER | given)
    assert named in str(error)
    assert rig.balance() == ("1000.00", "0.00")


def test_policies_go_with_a_hit_of_a_type_too_and_question_ids_may_be_one_list(rig: Rig) -> None:
    hit_type_id = rig.create_hit()["HITTypeId"]
    listed = policy(PLURALITY, QuestionIDs="q, r", QuestionAgreementThreshold=50)
    terms = {"LifetimeInSeconds": 600, "Question": HTML_QUESTION, "HITReviewPolicy": listed}
    hit_id = rig.client.create_hit_with_hit_type(HITTypeId=hit_type_id, **terms)["HIT"]["HITId"]
    submit(rig, hit_id, "AW1", q="x", r="y")
    found = results(reports(rig, hit_id)["HITReviewReport"], hit_id)
    assert [question for question, key, _ in found if key == "AgreedAnswerFound"] == ["q", "r"]


def test_policies_have_a_limit(rig: Rig) -> None:
    keyed = policy(KNOWN, {"a": ["x" * 65_536]})
    refused("ParameterValidationError", rig.client.create_hit, **OFFER, AssignmentReviewPolicy=keyed)


def test_a_plurality_judges_more_workers_than_one_transaction_has_room_for(rig: Rig) -> None:
    hit = rig.create_hit(MaxAssignments=12, **plurality(ApproveIfWorkerAgreementScoreIsAtLeast=100))
    rig.notify(hit["HITTypeId"], "AssignmentApproved")
    ids = [submit(rig, hit["HITId"], f"AW{number}", q="x") for number in range(12)]
    assert {status(rig, id) for id in ids} == {"Approved"}
    assert rig.events() == ["AssignmentApproved"] * 12
    assert rig.audit().discrepancies == []


def test_a_review_of_as_many_questions_as_there_may_be_is_kept_whole(rig: Rig) -> None:
    questions = [f"{number:060}" for number in range(1_000)]
    hit_id = rig.create_hit(**plurality(QuestionIds=[",".join(questions)]))["HITId"]
    submit(rig, hit_id, "AW1", **{questions[-1]: "x"})
    pages = [reports(rig, hit_id)]
    while "NextToken" in pages[-1]:
        pages.append(reports(rig, hit_id, NextToken=pages[-1]["NextToken"]))
    found = [result for page in pages for result in results(page["HITReviewReport"], hit_id)]
    assert [question for question, key, _ in found if key == "AgreedAnswer"] == questions
    assert found[-1] == ("", "HitAgreementScore", "100")
    assert sum(each["TargetId"] == hit_id for page in pages for each in page["HITReviewReport"]["ReviewActions"]) == 1

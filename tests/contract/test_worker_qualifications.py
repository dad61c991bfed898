"""What Workers do to get qualifications, and what their requesters' programs see of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto import mock_aws

from crowdsight.workplace.answer_key import NAMESPACE as KEY_NAMESPACE
from crowdsight.workplace.answers import Answer, read_answers
from crowdsight.workplace.faults import (
    FormIncomplete,
    LocaleRefused,
    NotQualified,
    QualificationNotFound,
    QualificationNotOffered,
    QualificationTestOver,
    WorkerNotFound,
)
from crowdsight.workplace.qualifications import (
    GRANTED_BY_OPERATOR,
    LOCALE,
    MASTERS,
    MASTERS_IN_SANDBOX,
    Locale,
    QualificationRequest,
    RequestStatus,
)
from crowdsight.workplace.requirements import Requirement
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.test_qualification_operations import ADA, BO, TYPE, give, make_type, requires, score, take_back
from tests.contract.workplace_rig import Rig, refused
from tests.unit.workplace.forms import form, question, selection

TEST = form(
    question(selection("Cat", "Dog"), question_id="le chat", required=True),
    question(selection("Cat", "Dog"), question_id="le chien", required=True),
)
OTHER_TEST = form(question(selection("Cat", "Dog"), question_id="la souris", required=True))
RIGHT, HALF_RIGHT = [("question-1", "a"), ("question-2", "b")], [("question-1", "a"), ("question-2", "a")]


def answer_key(**right: str) -> str:
    """A key that gives 50 for each right answer; underscores stand for spaces."""
    questions = "".join(
        f"<Question><QuestionIdentifier>{question_id.replace('_', ' ')}</QuestionIdentifier><AnswerOption>"
        f"<SelectionIdentifier>{option}</SelectionIdentifier><AnswerScore>50</AnswerScore></AnswerOption></Question>"
        for question_id, option in right.items()
    )
    return f'<AnswerKey xmlns="{KEY_NAMESPACE}">{questions}</AnswerKey>'


KEY = answer_key(le_chat="a", le_chien="b")
TESTED = {"Test": TEST, "TestDurationInSeconds": 60}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        rig = Rig(dynamodb=MemoryDynamoDB())
        rig.workplace.register_worker(ADA, "Ada")
        rig.workplace.register_worker(BO, "Bo")
        yield rig


def waiting(rig: Rig, **given: Any) -> list[dict[str, Any]]:
    pages = rig.client.get_paginator("list_qualification_requests").paginate(**given)
    return [request for page in pages for request in page["QualificationRequests"]]


def request_of(rig: Rig, type_id: str, worker_id: str = ADA) -> QualificationRequest:
    return rig.workplace.qualifications.get_standing(worker_id).requests[type_id]


# Asking


def test_a_request_waits_for_its_requester_who_grants_it(rig: Rig) -> None:
    type_id = make_type(rig.client)
    asked = rig.workplace.qualifications.request(ADA, type_id)
    assert asked.status is RequestStatus.SUBMITTED
    (seen,) = waiting(rig)
    assert seen.pop("SubmitTime").timestamp() * 1000 == pytest.approx(rig.clock(), abs=1)
    assert seen == {
        "QualificationRequestId": asked.request_id,
        "QualificationTypeId": type_id,
        "WorkerId": ADA,
    }
    given = {"QualificationRequestId": asked.request_id}
    refused("QualificationRequestDoesNotExist", rig.requester("A1OTHER").accept_qualification_request, **given)
    rig.client.accept_qualification_request(**given, IntegerValue=80)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 80
    assert (waiting(rig), request_of(rig, type_id).status) == ([], RequestStatus.GRANTED)
    for operation in (rig.client.accept_qualification_request, rig.client.reject_qualification_request):
        refused("InvalidQualificationRequestState", operation, **given)
    assert "80" in rig.workplace.messages.list_for_worker(ADA).messages[0].text


def test_a_granted_request_has_a_value_of_one_unless_another_is_given(rig: Rig) -> None:
    type_id = make_type(rig.client)
    asked = rig.workplace.qualifications.request(ADA, type_id)
    rig.client.accept_qualification_request(QualificationRequestId=asked.request_id)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 1


def test_a_rejected_request_gives_nothing_and_tells_the_worker_why(rig: Rig) -> None:
    type_id = make_type(rig.client)
    asked = rig.workplace.qualifications.request(ADA, type_id)
    rig.client.reject_qualification_request(QualificationRequestId=asked.request_id, Reason="Not yet")
    refused("QualificationDoesNotExist", score, client=rig.client, type_id=type_id, worker_id=ADA)
    assert (request_of(rig, type_id).status, request_of(rig, type_id).reason) == (RequestStatus.REJECTED, "Not yet")
    assert "Not yet" in rig.workplace.messages.list_for_worker(ADA).messages[0].text
    given = {"QualificationRequestId": asked.request_id}
    refused("InvalidQualificationRequestState", rig.client.accept_qualification_request, **given)
    with pytest.raises(QualificationNotOffered, match="only once"):
        rig.workplace.qualifications.request(ADA, type_id)


def test_giving_a_qualification_leaves_the_request_for_it_waiting(rig: Rig) -> None:
    type_id = make_type(rig.client)
    asked = rig.workplace.qualifications.request(ADA, type_id)
    give(rig.client, type_id, ADA, 5)
    assert len(waiting(rig)) == 1
    rig.client.accept_qualification_request(QualificationRequestId=asked.request_id, IntegerValue=6)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 6


def test_what_is_granted_automatically_is_granted_at_once_and_once(rig: Rig) -> None:
    type_id = make_type(rig.client, AutoGranted=True, AutoGrantedValue=7)
    assert rig.workplace.qualifications.request(ADA, type_id).status is RequestStatus.GRANTED
    assert (score(rig.client, type_id, ADA)["IntegerValue"], waiting(rig)) == (7, [])
    with pytest.raises(QualificationNotOffered, match="already"):
        rig.workplace.qualifications.request(ADA, type_id)


def test_what_was_revoked_is_not_granted_by_itself_again(rig: Rig) -> None:
    granted = make_type(rig.client, AutoGranted=True, RetryDelayInSeconds=0)
    tested = make_type(rig.client, Name="Tested", **TESTED, AnswerKey=KEY, RetryDelayInSeconds=0)
    for type_id in (granted, tested):
        give(rig.client, type_id, ADA)
        take_back(rig.client, type_id, ADA)
    assert rig.workplace.qualifications.request(ADA, granted).status is RequestStatus.SUBMITTED
    begun = rig.workplace.qualifications.request(ADA, tested)
    handed_in = rig.workplace.qualifications.submit_test(ADA, begun.request_id, RIGHT)
    assert handed_in.status is RequestStatus.SUBMITTED
    for type_id in (granted, tested):
        refused("InvalidQualificationState", score, client=rig.client, type_id=type_id, worker_id=ADA)
    assert {request["QualificationTypeId"] for request in waiting(rig)} == {granted, tested}


def test_another_request_waits_for_the_delay_and_without_one_there_is_none(rig: Rig) -> None:
    delayed, final = make_type(rig.client, RetryDelayInSeconds=60), make_type(rig.client, Name="Final")
    for type_id in (delayed, final):
        asked = rig.workplace.qualifications.request(ADA, type_id)
        with pytest.raises(QualificationNotOffered, match="will decide"):
            rig.workplace.qualifications.request(ADA, type_id)
        rig.client.reject_qualification_request(QualificationRequestId=asked.request_id)
    rig.clock.move(59.999)
    with pytest.raises(QualificationNotOffered, match="in 1 seconds"):
        rig.workplace.qualifications.request(ADA, delayed)
    rig.clock.move(0.001)
    again = rig.workplace.qualifications.request(ADA, delayed)
    assert [request["QualificationRequestId"] for request in waiting(rig)] == [again.request_id]
    with pytest.raises(QualificationNotOffered, match="only once"):
        rig.workplace.qualifications.request(ADA, final)
    rig.client.update_qualification_type(QualificationTypeId=final, RetryDelayInSeconds=0)
    assert rig.workplace.qualifications.request(ADA, final).status is RequestStatus.SUBMITTED


def test_what_is_not_offered_cannot_be_asked_for(rig: Rig) -> None:
    asleep = make_type(rig.client, QualificationTypeStatus="Inactive")
    gone = make_type(rig.client, Name="Gone")
    rig.client.delete_qualification_type(QualificationTypeId=gone)
    for type_id, error in (
        (asleep, QualificationNotOffered),
        (MASTERS, QualificationNotOffered),
        (gone, QualificationNotFound),
        ("3NOTHERE", QualificationNotFound),
    ):
        with pytest.raises(error):
            rig.workplace.qualifications.request(ADA, type_id)
    with pytest.raises(WorkerNotFound):
        rig.workplace.qualifications.request("AWNOBODY", make_type(rig.client, Name="Open"))


def test_requests_are_listed_by_type_page_after_page(rig: Rig) -> None:
    type_ids = sorted(make_type(rig.client, Name=f"Type {number}") for number in range(2))
    workers = [f"AW{number:02}" for number in range(6)]
    asked: dict[str, list[str]] = {type_id: [] for type_id in type_ids}
    for worker_id in workers:
        rig.workplace.register_worker(worker_id, "Cy")
        for type_id in type_ids:
            asked[type_id].append(rig.workplace.qualifications.request(worker_id, type_id).request_id)
        rig.clock.move(1)

    def found(**given: Any) -> list[str]:
        return [request["QualificationRequestId"] for request in waiting(rig, **given)]

    for size in (1, 4, 100):
        paged = {"PaginationConfig": {"PageSize": size}}
        assert found(**paged) == asked[type_ids[0]] + asked[type_ids[1]]
        assert found(QualificationTypeId=type_ids[1], **paged) == asked[type_ids[1]]
    assert rig.client.list_qualification_requests()["NumResults"] == 10
    assert rig.requester("A1OTHER").list_qualification_requests()["NumResults"] == 0


def test_requests_for_a_deleted_type_are_rejected(rig: Rig) -> None:
    type_id, other_id = make_type(rig.client), make_type(rig.client, Name="Other")
    begun_id = make_type(rig.client, Name="Tested", **TESTED)
    asked = rig.workplace.qualifications.request(ADA, type_id)
    rig.workplace.qualifications.request(BO, type_id)
    rig.workplace.qualifications.request(ADA, other_id)
    begun = rig.workplace.qualifications.request(ADA, begun_id)
    for each in (type_id, begun_id):
        rig.client.delete_qualification_type(QualificationTypeId=each)
    assert [request["QualificationTypeId"] for request in waiting(rig)] == [other_id]
    assert request_of(rig, type_id).status is request_of(rig, type_id, BO).status is RequestStatus.REJECTED
    given = {"QualificationRequestId": asked.request_id}
    refused("InvalidQualificationRequestState", rig.client.accept_qualification_request, **given)
    with pytest.raises(QualificationTestOver):
        rig.workplace.qualifications.submit_test(ADA, begun.request_id, RIGHT)


# Tests


def test_a_test_with_a_key_is_scored_at_once(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY)
    for worker_id, fields, value in ((ADA, RIGHT, 100), (BO, HALF_RIGHT, 50)):
        begun = rig.workplace.qualifications.request(worker_id, type_id)
        assert (begun.status, begun.deadline_ms) == (RequestStatus.TESTING, rig.clock() + 60_000)
        in_hand = rig.workplace.qualifications.get_test(worker_id, begun.request_id)
        assert [asked.question_id for asked in in_hand.form.questions] == ["le chat", "le chien"]
        handed_in = rig.workplace.qualifications.submit_test(worker_id, begun.request_id, fields)
        assert handed_in.status is RequestStatus.GRANTED
        assert score(rig.client, type_id, worker_id)["IntegerValue"] == value
    assert waiting(rig) == []


def test_a_test_without_a_key_is_left_to_its_requester(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED)
    begun = rig.workplace.qualifications.request(ADA, type_id)
    assert waiting(rig) == []
    given = {"QualificationRequestId": begun.request_id}
    refused("QualificationRequestDoesNotExist", rig.client.accept_qualification_request, **given)
    rig.workplace.qualifications.submit_test(ADA, begun.request_id, HALF_RIGHT)
    (seen,) = waiting(rig)
    assert seen["Test"] == TEST
    assert read_answers(seen["Answer"]) == [
        Answer("le chat", selections=("a",)),
        Answer("le chien", selections=("a",)),
    ]
    rig.client.accept_qualification_request(**given, IntegerValue=50)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 50


def test_a_test_can_be_handed_in_until_its_deadline_and_once(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY)
    ada, bo = (rig.workplace.qualifications.request(worker_id, type_id) for worker_id in (ADA, BO))
    rig.clock.move(59.999)
    assert rig.workplace.qualifications.request(ADA, type_id) == ada
    rig.workplace.qualifications.submit_test(ADA, ada.request_id, RIGHT)
    rig.clock.move(0.001)
    for worker_id, begun, fields in ((ADA, ada, HALF_RIGHT), (BO, bo, RIGHT)):
        with pytest.raises(QualificationTestOver):
            rig.workplace.qualifications.get_test(worker_id, begun.request_id)
        with pytest.raises(QualificationTestOver):
            rig.workplace.qualifications.submit_test(worker_id, begun.request_id, fields)
        with pytest.raises(QualificationNotOffered):
            rig.workplace.qualifications.request(worker_id, type_id)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 100
    refused("QualificationDoesNotExist", score, client=rig.client, type_id=type_id, worker_id=BO)


def test_a_test_is_the_workers_own_and_must_be_whole(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY)
    begun = rig.workplace.qualifications.request(ADA, type_id)
    for worker_id, request_id in ((BO, begun.request_id), (ADA, "3NOTHERE")):
        with pytest.raises(QualificationNotFound):
            rig.workplace.qualifications.get_test(worker_id, request_id)
        with pytest.raises(QualificationNotFound):
            rig.workplace.qualifications.submit_test(worker_id, request_id, RIGHT)
    with pytest.raises(FormIncomplete):
        rig.workplace.qualifications.submit_test(ADA, begun.request_id, RIGHT[:1])
    rig.workplace.qualifications.submit_test(ADA, begun.request_id, RIGHT)


def test_a_better_score_can_be_had_after_the_delay_and_a_worse_one_too(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY, RetryDelayInSeconds=300)
    for fields, value in ((HALF_RIGHT, 50), (RIGHT, 100), (HALF_RIGHT, 50)):
        begun = rig.workplace.qualifications.request(ADA, type_id)
        rig.workplace.qualifications.submit_test(ADA, begun.request_id, fields)
        assert score(rig.client, type_id, ADA)["IntegerValue"] == value
        rig.clock.move(299)
        with pytest.raises(QualificationNotOffered):
            rig.workplace.qualifications.request(ADA, type_id)
        rig.clock.move(1)


def test_a_test_that_was_begun_stays_as_it_was(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY)
    begun = rig.workplace.qualifications.request(ADA, type_id)
    given = {"Test": OTHER_TEST, "TestDurationInSeconds": 30}
    changed = rig.client.update_qualification_type(QualificationTypeId=type_id, **given)["QualificationType"]
    assert (changed["Test"], changed["TestDurationInSeconds"], "AnswerKey" in changed) == (OTHER_TEST, 30, False)
    rig.workplace.qualifications.submit_test(ADA, begun.request_id, RIGHT)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 100
    later = rig.workplace.qualifications.request(BO, type_id)
    assert later.deadline_ms == rig.clock() + 30_000
    in_hand = rig.workplace.qualifications.get_test(BO, later.request_id)
    assert [asked.question_id for asked in in_hand.form.questions] == ["la souris"]
    rig.workplace.qualifications.submit_test(BO, later.request_id, [("question-1", "a")])
    (seen,) = waiting(rig)
    assert (seen["Test"], seen["WorkerId"]) == (OTHER_TEST, BO)


def test_only_its_owner_reads_a_types_test_and_key(rig: Rig) -> None:
    type_id = make_type(rig.client, **TESTED, AnswerKey=KEY)
    for client, given in ((rig.client, (TEST, KEY)), (rig.requester("A1OTHER"), (None, None))):
        got = client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
        (listed,) = client.list_qualification_types(MustBeRequestable=True)["QualificationTypes"]
        for kind in (got, listed):
            assert (kind.get("Test"), kind.get("AnswerKey")) == given
            assert kind["TestDurationInSeconds"] == 60


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Test": TEST}, "InvalidParameterValue"),
        ({**TESTED, "AutoGranted": True}, "InvalidParameterValue"),
        ({"Test": "who what?", "TestDurationInSeconds": 60}, "XMLParseError"),
        ({"Test": KEY, "TestDurationInSeconds": 60}, "XMLParseError"),
        ({"Test": TEST + " " * 65_536, "TestDurationInSeconds": 60}, "ParameterValidationError"),
        ({"Test": TEST, "TestDurationInSeconds": 0}, "ParameterValidationError"),
        ({**TESTED, "AnswerKey": TEST}, "XMLParseError"),
        ({"AnswerKey": KEY}, "InvalidParameterValue"),
        ({"TestDurationInSeconds": 60}, "InvalidParameterValue"),
    ],
)
def test_a_test_that_cannot_be_is_refused_whether_new_or_changed(rig: Rig, given: dict[str, Any], code: str) -> None:
    refused(code, rig.client.create_qualification_type, **TYPE | given)
    type_id = make_type(rig.client)
    refused(code, rig.client.update_qualification_type, QualificationTypeId=type_id, **given)


def test_no_type_is_tested_and_granted_automatically(rig: Rig) -> None:
    tested = make_type(rig.client, **TESTED)
    granted = make_type(rig.client, Name="Granted", AutoGranted=True)
    change = rig.client.update_qualification_type
    refused("InvalidParameterValue", change, QualificationTypeId=tested, AutoGranted=True)
    refused("InvalidParameterValue", change, QualificationTypeId=granted, **TESTED)
    assert change(QualificationTypeId=granted, AutoGranted=False, **TESTED)["QualificationType"]["Test"] == TEST


# Seeing


def test_workers_see_what_they_can_ask_for_and_how_they_stand(rig: Rig) -> None:
    names = ("Open", "Held", "Waiting", "Later", "Final")
    type_ids = {}
    for name in names:
        type_ids[name] = make_type(rig.client, Name=name, **({"RetryDelayInSeconds": 60} if name == "Later" else {}))
        rig.clock.move(1)
    make_type(rig.client, Name="Asleep", QualificationTypeStatus="Inactive")
    give(rig.client, type_ids["Held"], ADA)
    at_ms = rig.clock()
    for name in ("Waiting", "Later", "Final"):
        asked = rig.workplace.qualifications.request(ADA, type_ids[name])
        if name != "Waiting":
            rig.client.reject_qualification_request(QualificationRequestId=asked.request_id)
    page = rig.workplace.qualifications.list_requestable(ADA)
    found = {each.kind.name: each.next_request_at_ms for each in page.types}
    assert found == {"Open": at_ms, "Held": None, "Waiting": None, "Later": at_ms + 60_000, "Final": None}
    assert list(found) == list(names)
    seen: list[str] = []
    start = None
    while True:
        part = rig.workplace.qualifications.list_requestable(ADA, 2, start)
        seen += [each.kind.name for each in part.types]
        start = part.next_start
        if start is None:
            break
    assert seen == list(names)
    held = rig.workplace.qualifications.get_requestable(ADA, type_ids["Held"]).held
    assert held and (held.type_name, held.value) == ("Held", 1)
    assert rig.workplace.qualifications.list_requestable(ADA, start="nonsense").types == page.types


def test_workers_see_what_a_hit_asks_of_them(rig: Rig) -> None:
    type_id = make_type(rig.client)
    gone = make_type(rig.client, Name="Gone")
    hit = rig.create_hit(
        QualificationRequirements=[
            *requires(type_id, "GreaterThan", IntegerValues=[50])["QualificationRequirements"],
            *requires(LOCALE, "In", LocaleValues=[{"Country": "US", "Subdivision": "WA"}, {"Country": "CA"}])[
                "QualificationRequirements"
            ],
            *requires(gone, "DoesNotExist")["QualificationRequirements"],
        ]
    )
    rig.client.delete_qualification_type(QualificationTypeId=gone)
    give(rig.client, type_id, ADA, 40)
    rig.workplace.qualifications.set_own_locale(ADA, Locale("CA"))
    members = rig.workplace.get_hit(hit["HITId"]).qualification_requirements
    asked = [Requirement.from_member(member) for member in members]
    standing = rig.workplace.qualifications.get_standing(ADA)
    assert [(standing.in_words(each), standing.meets(each), each.can_be_requested) for each in asked] == [
        ("Reads French is greater than 50; yours is 40", False, True),
        ("Worker_Locale is one of US-WA, CA; yours is CA", True, False),
        (f"Qualification {gone} has not been granted", True, False),
    ]
    named = rig.workplace.qualifications.list_named(ADA, [gone, LOCALE, "3NEVER", type_id, type_id])
    assert [(each.kind.name, each.held and each.held.value) for each in named.types] == [("Reads French", 40)]


def test_a_worker_says_once_where_they_are_and_the_operator_as_often_as_needed(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2, **requires(LOCALE, "EqualTo", LocaleValues=[{"Country": "US"}]))["HITId"]
    with pytest.raises(NotQualified):
        rig.accept(hit_id, ADA)
    rig.workplace.qualifications.set_own_locale(ADA, Locale("CA"))
    with pytest.raises(LocaleRefused):
        rig.workplace.qualifications.set_own_locale(ADA, Locale("US"))
    with pytest.raises(NotQualified):
        rig.accept(hit_id, ADA)
    rig.operator.locate_worker(ADA, Locale("US", "WA"))
    rig.accept(hit_id, ADA)
    rig.operator.locate_worker(ADA, Locale("US"))
    assert rig.workplace.get_worker(ADA).locale == Locale("US")
    for place in (Locale("us"), Locale("USA"), Locale("US", "washington")):
        with pytest.raises(LocaleRefused):
            rig.workplace.qualifications.set_own_locale(BO, place)
    with pytest.raises(ValueError, match="AWNOBODY"):
        rig.operator.locate_worker("AWNOBODY", Locale("US"))
    assert rig.workplace.find_worker("AWNOBODY") is None


def test_masters_are_who_the_operator_says(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2, **requires(MASTERS_IN_SANDBOX))["HITId"]
    with pytest.raises(NotQualified):
        rig.accept(hit_id, ADA)
    for _ in range(2):
        rig.operator.qualify_worker(ADA, GRANTED_BY_OPERATOR["masters"])
    rig.accept(hit_id, ADA)
    for _ in range(2):
        rig.operator.disqualify_worker(ADA, GRANTED_BY_OPERATOR["masters"])
    with pytest.raises(NotQualified):
        rig.accept(rig.create_hit(**requires(MASTERS))["HITId"], ADA)
    with pytest.raises(ValueError, match="AWNOBODY"):
        rig.operator.qualify_worker("AWNOBODY", MASTERS)


# Races


def test_of_many_requests_at_once_there_is_one(rig: Rig) -> None:
    waits, granted, tested = (
        make_type(rig.client, Name=name, **given)
        for name, given in (("Waits", {}), ("Granted", {"AutoGranted": True}), ("Tested", TESTED))
    )

    def ask(type_id: str) -> str | None:
        try:
            return rig.workplace.qualifications.request(ADA, type_id).request_id
        except QualificationNotOffered:
            return None

    with ThreadPoolExecutor(8) as threads:
        asked = {
            type_id: [each for each in threads.map(ask, [type_id] * 8) if each] for type_id in (waits, granted, tested)
        }
    assert (len(asked[waits]), len(asked[granted]), len(set(asked[tested]))) == (1, 1, 1)
    assert [request["QualificationRequestId"] for request in waiting(rig)] == asked[waits]


def test_of_many_decisions_on_a_request_at_once_one_counts(rig: Rig) -> None:
    type_id = make_type(rig.client)
    request_id = rig.workplace.qualifications.request(ADA, type_id).request_id

    def decide(number: int) -> str | None:
        client = rig.client
        try:
            if number % 2:
                client.accept_qualification_request(QualificationRequestId=request_id, IntegerValue=number)
                return f"Granted {number}"
            client.reject_qualification_request(QualificationRequestId=request_id, Reason=f"{number}")
            return f"Rejected {number}"
        except client.exceptions.RequestError as error:
            assert error.response["TurkErrorCode"] == "AWS.MechanicalTurk.InvalidQualificationRequestState"
            return None

    with ThreadPoolExecutor(8) as threads:
        (won,) = (each for each in threads.map(decide, range(8)) if each)
    request = request_of(rig, type_id)
    held = rig.workplace.qualifications.get_standing(ADA).qualifications.get(type_id)
    assert won == (f"Granted {held.value}" if held else f"Rejected {request.reason}")
    assert len(rig.workplace.messages.list_for_worker(ADA).messages) == 1


def test_an_interrupted_deletion_is_finished_by_another_try(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    type_id = make_type(rig.client)
    for worker_id in (ADA, BO):
        rig.workplace.qualifications.request(worker_id, type_id)
    transact = rig.dynamodb.transact_write_items
    calls: list[int] = []

    def fail_from_the_third(**request: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise ConnectionError("the process dies")
        return transact(**request)

    monkeypatch.setattr(rig.dynamodb, "transact_write_items", fail_from_the_third)
    with pytest.raises(ConnectionError):
        rig.workplace.requesters.qualification_types.delete("A1CROWDSIGHT00", type_id)
    assert len(waiting(rig)) == 1
    refused("InvalidQualificationTypeState", rig.client.delete_qualification_type, QualificationTypeId=type_id)
    assert waiting(rig) == []

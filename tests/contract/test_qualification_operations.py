"""Qualifications as an ordinary boto3 client meets them, and what they keep Workers from."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from crowdsight.workplace import qualification_records as lie
from crowdsight.workplace.faults import NotQualified, WorkerError
from crowdsight.workplace.listing import Wish
from crowdsight.workplace.qualification_types import TYPES_LOOKED_THROUGH
from crowdsight.workplace.qualifications import LOCALE, MASTERS, NUMBER_APPROVED, PERCENT_APPROVED
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION, OFFER, REQUESTER, Rig, refused

ADA, BO = "AWADA", "AWBO"
TYPE = {"Name": "Reads French", "Description": "Can read French", "QualificationTypeStatus": "Active"}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        rig = Rig(dynamodb=MemoryDynamoDB())
        rig.workplace.register_worker(ADA, "Ada")
        rig.workplace.register_worker(BO, "Bo")
        yield rig


def make_type(client: Any, **given: Any) -> str:
    """The id of a new type."""
    type_id: str = client.create_qualification_type(**TYPE | given)["QualificationType"]["QualificationTypeId"]
    return type_id


def give(client: Any, type_id: str, worker_id: str, value: int | None = None) -> None:
    more = {} if value is None else {"IntegerValue": value}
    client.associate_qualification_with_worker(QualificationTypeId=type_id, WorkerId=worker_id, **more)


def take_back(client: Any, type_id: str, worker_id: str, **given: Any) -> None:
    client.disassociate_qualification_from_worker(QualificationTypeId=type_id, WorkerId=worker_id, **given)


def score(client: Any, type_id: str, worker_id: str) -> Any:
    return client.get_qualification_score(QualificationTypeId=type_id, WorkerId=worker_id)["Qualification"]


def requires(type_id: str, comparator: str = "Exists", **given: Any) -> dict[str, Any]:
    """The members of a HIT that has this one requirement."""
    requirement = {"QualificationTypeId": type_id, "Comparator": comparator, **given}
    return {"QualificationRequirements": [requirement]}


# Types


def test_a_new_type_reads_back_as_it_was_made(rig: Rig) -> None:
    made = rig.client.create_qualification_type(**TYPE, Keywords="language, french", RetryDelayInSeconds=60)
    kind = made["QualificationType"]
    type_id = kind["QualificationTypeId"]
    assert rig.client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"] == kind
    assert abs(kind.pop("CreationTime").timestamp() - rig.clock() / 1000) < 1
    assert kind == TYPE | {
        "QualificationTypeId": type_id,
        "Keywords": "language, french",
        "RetryDelayInSeconds": 60,
        "IsRequestable": True,
        "AutoGranted": False,
    }


def test_an_automatically_granted_type_has_a_value_of_one_unless_it_says_another(rig: Rig) -> None:
    def value(**given: Any) -> Any:
        made = rig.client.create_qualification_type(**TYPE | {"Name": repr(given)}, AutoGranted=True, **given)
        return made["QualificationType"]["AutoGrantedValue"]

    assert (value(), value(AutoGrantedValue=0), value(AutoGrantedValue=7)) == (1, 0, 7)


def test_a_name_is_unique_among_a_requesters_types_until_its_type_is_deleted(rig: Rig) -> None:
    type_id = make_type(rig.client)
    refused("QualificationTypeAlreadyExists", rig.client.create_qualification_type, **TYPE)
    refused("QualificationTypeAlreadyExists", rig.client.create_qualification_type, **TYPE | {"Name": " Reads French "})
    make_type(rig.requester("A1OTHER"))
    rig.client.delete_qualification_type(QualificationTypeId=type_id)
    assert make_type(rig.client) != type_id


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Name": ""}, "ParameterValidationError"),
        ({"Name": " "}, "InvalidParameterValue"),
        ({"Name": "n" * 201}, "ParameterValidationError"),
        ({"Description": ""}, "ParameterValidationError"),
        ({"Description": "\t"}, "InvalidParameterValue"),
        ({"Description": "d" * 2_001}, "ParameterValidationError"),
        ({"Keywords": "k" * 1_001}, "ParameterValidationError"),
        ({"QualificationTypeStatus": "Sleeping"}, "ParameterValidationError"),
        ({"RetryDelayInSeconds": -1}, "ParameterValidationError"),
        ({"AutoGrantedValue": 2**31}, "ParameterValidationError"),
        ({"AnswerKey": "<AnswerKey/>"}, "InvalidParameterValue"),
        ({"TestDurationInSeconds": 60}, "InvalidParameterValue"),
    ],
)
def test_what_no_type_can_be_is_refused(rig: Rig, given: dict[str, Any], code: str) -> None:
    refused(code, rig.client.create_qualification_type, **TYPE | given)
    assert rig.client.list_qualification_types(MustBeRequestable=True)["NumResults"] == 0


def test_all_of_a_type_but_its_name_and_keywords_can_be_changed(rig: Rig) -> None:
    type_id = make_type(rig.client, Keywords="french")
    changed = rig.client.update_qualification_type(
        QualificationTypeId=type_id,
        Description="Reads it well",
        QualificationTypeStatus="Inactive",
        RetryDelayInSeconds=5,
        AutoGranted=True,
        AutoGrantedValue=3,
    )["QualificationType"]
    assert rig.client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"] == changed
    assert (changed["Name"], changed["Keywords"], changed["Description"]) == (TYPE["Name"], "french", "Reads it well")
    assert (changed["QualificationTypeStatus"], changed["IsRequestable"]) == ("Inactive", False)
    assert (changed["RetryDelayInSeconds"], changed["AutoGranted"], changed["AutoGrantedValue"]) == (5, True, 3)
    again = rig.client.update_qualification_type(QualificationTypeId=type_id, AutoGranted=False)["QualificationType"]
    assert ("AutoGrantedValue" in again, again["RetryDelayInSeconds"]) == (False, 5)
    blank = {"QualificationTypeId": type_id, "Description": " "}
    refused("InvalidParameterValue", rig.client.update_qualification_type, **blank)


def test_a_deleted_type_is_gone_but_not_from_the_hits_that_require_it(rig: Rig) -> None:
    type_id = make_type(rig.client)
    give(rig.client, type_id, ADA)
    hit_id = rig.create_hit(MaxAssignments=2, **requires(type_id))["HITId"]
    rig.client.delete_qualification_type(QualificationTypeId=type_id)
    given = {"QualificationTypeId": type_id}
    refused("QualificationTypeDoesNotExist", rig.client.get_qualification_type, **given)
    refused("QualificationTypeDoesNotExist", rig.client.create_hit, **OFFER | requires(type_id))
    for operation, more in (
        (rig.client.delete_qualification_type, {}),
        (rig.client.update_qualification_type, {"Description": "d"}),
        (rig.client.associate_qualification_with_worker, {"WorkerId": BO}),
        (rig.client.disassociate_qualification_from_worker, {"WorkerId": ADA}),
        (rig.client.get_qualification_score, {"WorkerId": ADA}),
        (rig.client.list_workers_with_qualification_type, {}),
        (rig.client.list_qualification_requests, {}),
    ):
        refused("InvalidQualificationTypeState", operation, **given | more)
    assert rig.client.list_qualification_types(MustBeRequestable=False, MustBeOwnedByCaller=True)["NumResults"] == 0
    assert rig.client.list_hits_for_qualification_type(**given)["NumResults"] == 1
    rig.accept(hit_id, ADA)
    with pytest.raises(NotQualified):
        rig.accept(hit_id, BO)


def test_what_is_not_there_or_somebody_elses_is_refused(rig: Rig) -> None:
    other = rig.requester("A1OTHER")
    type_id = make_type(rig.client)
    give(rig.client, type_id, ADA)
    for client, asked, code in (
        (rig.client, "3NOTHERE", "QualificationTypeDoesNotExist"),
        (other, type_id, "PermissionDeniedException"),
        (rig.client, MASTERS, "PermissionDeniedException"),
    ):
        for operation, more in (
            (client.update_qualification_type, {"Description": "d"}),
            (client.delete_qualification_type, {}),
            (client.associate_qualification_with_worker, {"WorkerId": ADA}),
            (client.disassociate_qualification_from_worker, {"WorkerId": ADA}),
            (client.get_qualification_score, {"WorkerId": ADA}),
            (client.list_workers_with_qualification_type, {}),
            (client.list_qualification_requests, {}),
        ):
            refused(code, operation, QualificationTypeId=asked, **more)
    for operation in (rig.client.get_qualification_type, rig.client.list_hits_for_qualification_type):
        refused("QualificationTypeDoesNotExist", operation, QualificationTypeId="3NOTHERE")
    for operation in (rig.client.accept_qualification_request, rig.client.reject_qualification_request):
        refused("QualificationRequestDoesNotExist", operation, QualificationRequestId="3NOTHERE")
    assert score(rig.client, type_id, ADA)["Status"] == "Granted"


@pytest.mark.parametrize("worker_id", ["BWADA", "awada", "A" * 65, "A", "A W"])
def test_a_worker_id_is_as_the_model_says(rig: Rig, worker_id: str) -> None:
    type_id = make_type(rig.client)
    client = rig.client_of(rig.credentials, parameter_validation=False)
    given = {"QualificationTypeId": type_id, "WorkerId": worker_id}
    refused("ParameterValidationError", client.associate_qualification_with_worker, **given)


# Searching types


def listed(client: Any, **given: Any) -> list[str]:
    pages = client.get_paginator("list_qualification_types").paginate(**{"MustBeRequestable": True} | given)
    return [kind["Name"] for page in pages for kind in page["QualificationTypes"]]


def test_types_are_listed_by_time_page_after_page(rig: Rig) -> None:
    names = [f"Type {number}" for number in range(5)]
    for name in names:
        make_type(rig.client, Name=name)
        rig.clock.move(1)
    other = rig.requester("A1OTHER")
    make_type(other, Name="Theirs")
    rig.clock.move(1)
    make_type(other, Name="Asleep", QualificationTypeStatus="Inactive")
    paged = {"PaginationConfig": {"PageSize": 2}}
    assert listed(rig.client, **paged) == [*names, "Theirs"]
    assert listed(rig.client, MustBeOwnedByCaller=True, **paged) == names
    assert listed(other, MustBeOwnedByCaller=True, **paged) == ["Theirs"]
    assert listed(other, MustBeOwnedByCaller=True, MustBeRequestable=False) == ["Theirs", "Asleep"]
    system = ["Masters", "Worker_Adult", "Worker_NumberHITsApproved"]
    system += ["Worker_PercentAssignmentsApproved", "Worker_Locale"]
    assert listed(rig.client, MustBeRequestable=False, **paged) == [*system, *names, "Theirs"]


def test_a_page_has_ten_types_unless_another_number_is_given(rig: Rig) -> None:
    for number in range(11):
        make_type(rig.client, Name=f"Type {number}")
    page = rig.client.list_qualification_types(MustBeRequestable=True)
    assert (page["NumResults"], len(page["QualificationTypes"])) == (10, 10)
    rest = rig.client.list_qualification_types(MustBeRequestable=True, NextToken=page["NextToken"])
    assert (rest["NumResults"], "NextToken" in rest) == (1, False)
    refused(
        "InvalidParameterValue",
        rig.client.list_qualification_types,
        MustBeRequestable=False,
        NextToken=page["NextToken"],
    )


def test_a_query_finds_words_in_names_descriptions_and_keywords(rig: Rig) -> None:
    for given in (
        {"Name": "French", "Description": "d", "Keywords": "romance"},
        {"Name": "Latin", "Description": "Reads the mother of FRENCH"},
        {"Name": "Welsh", "Description": "d"},
    ):
        make_type(rig.client, **given)
        rig.clock.move(1)
    assert listed(rig.client, Query="french") == ["French", "Latin"]
    assert listed(rig.client, Query="FRENCH mother") == ["Latin"]
    assert listed(rig.client, Query="romance") == ["French"]
    assert listed(rig.client, Query="locale", MustBeRequestable=False) == ["Worker_Locale"]
    assert listed(rig.client, Query="basque") == []


def test_the_workplaces_own_types_can_be_read_and_not_asked_for(rig: Rig) -> None:
    for type_id in (MASTERS, LOCALE, NUMBER_APPROVED, PERCENT_APPROVED):
        kind = rig.client.get_qualification_type(QualificationTypeId=type_id)["QualificationType"]
        assert (kind["QualificationTypeStatus"], kind["IsRequestable"]) == ("Active", False)


# Holding


def test_a_given_qualification_can_be_read_valued_anew_and_revoked(rig: Rig) -> None:
    type_id = make_type(rig.client)
    refused("QualificationDoesNotExist", score, client=rig.client, type_id=type_id, worker_id=ADA)
    give(rig.client, type_id, ADA)
    first = score(rig.client, type_id, ADA)
    assert first.items() >= {"QualificationTypeId": type_id, "WorkerId": ADA, "IntegerValue": 1}.items()
    rig.clock.move(10)
    give(rig.client, type_id, ADA, 85)
    second = score(rig.client, type_id, ADA)
    assert (second["IntegerValue"], second["Status"]) == (85, "Granted")
    assert second["GrantTime"] - first["GrantTime"] == timedelta(seconds=10)
    take_back(rig.client, type_id, ADA, Reason="Too many mistakes")
    refused("InvalidQualificationState", score, client=rig.client, type_id=type_id, worker_id=ADA)
    refused("InvalidQualificationState", take_back, client=rig.client, type_id=type_id, worker_id=ADA)
    refused("QualificationDoesNotExist", take_back, client=rig.client, type_id=type_id, worker_id=BO)
    give(rig.client, type_id, ADA, 5)
    assert score(rig.client, type_id, ADA)["IntegerValue"] == 5


def test_nobody_that_there_is_not_can_hold_one(rig: Rig) -> None:
    type_id = make_type(rig.client)
    refused("WorkerDoesNotExist", give, client=rig.client, type_id=type_id, worker_id="AWNOBODY")
    assert rig.client.list_workers_with_qualification_type(QualificationTypeId=type_id)["NumResults"] == 0


def test_a_worker_is_told_of_a_qualification_unless_told_not_to(rig: Rig) -> None:
    type_id = make_type(rig.client)
    silent = {"QualificationTypeId": type_id, "WorkerId": ADA, "SendNotification": False}
    rig.client.associate_qualification_with_worker(**silent)
    assert rig.workplace.messages.list_for_worker(ADA).messages == []
    give(rig.client, type_id, ADA, 7)
    rig.clock.move(1)
    take_back(rig.client, type_id, ADA, Reason="Too many mistakes")
    revoked, given = rig.workplace.messages.list_for_worker(ADA).messages
    assert (given.requester_id, "Reads French" in given.subject, "7" in given.text) == (REQUESTER, True, True)
    assert "Too many mistakes" in revoked.text


def test_who_holds_a_type_is_listed_page_after_page(rig: Rig) -> None:
    type_id = make_type(rig.client)
    workers = [f"AW{number:02}" for number in range(12)]
    for number, worker_id in enumerate(workers):
        rig.workplace.register_worker(worker_id, "Cy")
        give(rig.client, type_id, worker_id, number)
    for worker_id in workers[:3]:
        take_back(rig.client, type_id, worker_id)

    def holders(**given: Any) -> list[str]:
        pages = rig.client.get_paginator("list_workers_with_qualification_type").paginate(
            QualificationTypeId=type_id, **given
        )
        return [held["WorkerId"] for page in pages for held in page["Qualifications"]]

    for size in (2, 4, 100):
        paged = {"PaginationConfig": {"PageSize": size}}
        assert holders(**paged) == holders(Status="Granted", **paged) == workers[3:]
        assert holders(Status="Revoked", **paged) == workers[:3]
    page = rig.client.list_workers_with_qualification_type(QualificationTypeId=type_id, MaxResults=5)
    assert (page["NumResults"], page["Qualifications"][0]["IntegerValue"]) == (5, 3)
    refused(
        "InvalidParameterValue",
        rig.client.list_workers_with_qualification_type,
        QualificationTypeId=type_id,
        Status="Revoked",
        NextToken=page["NextToken"],
    )


# Requiring


def test_a_hit_is_taken_only_by_who_qualifies(rig: Rig) -> None:
    type_id = make_type(rig.client)
    made = rig.create_hit(MaxAssignments=3, **requires(type_id, "GreaterThan", IntegerValues=[50]))
    assert made["QualificationRequirements"] == [
        {
            "QualificationTypeId": type_id,
            "Comparator": "GreaterThan",
            "IntegerValues": [50],
            "RequiredToPreview": False,
            "ActionsGuarded": "Accept",
        }
    ]
    for value in (None, 50):
        if value is not None:
            give(rig.client, type_id, ADA, value)
        with pytest.raises(NotQualified):
            rig.accept(made["HITId"], ADA)
    give(rig.client, type_id, ADA, 51)
    assert rig.accept(made["HITId"], ADA)
    give(rig.client, type_id, BO, 99)
    take_back(rig.client, type_id, BO)
    with pytest.raises(NotQualified):
        rig.accept(made["HITId"], BO)
    assert rig.audit().discrepancies == []


def test_what_is_guarded_decides_what_is_listed_previewed_and_accepted(rig: Rig) -> None:
    type_id = make_type(rig.client)
    hits = {
        guarded: rig.workplace.get_hit(rig.create_hit(**requires(type_id, ActionsGuarded=guarded))["HITId"])
        for guarded in ("Accept", "PreviewAndAccept", "DiscoverPreviewAndAccept")
    }

    def allowed(worker_id: str) -> set[str]:
        listing = rig.workplace.listing
        desk = listing.desk(worker_id)
        seen = {group.group_id for group in listing.groups(desk, Wish()).groups}
        ready = {group.group_id for group in listing.groups(desk, Wish(only_qualified=True)).groups}
        assert len(ready) == (3 if len(seen) == 3 else 0)
        found = set()
        for guarded, hit in hits.items():
            if hit.hit_group_id in seen:
                found.add(f"see {guarded}")
            try:
                rig.workplace.check_preview(hit, desk.standing)
                found.add(f"preview {guarded}")
            except NotQualified:
                pass
        return found

    assert allowed(ADA) == {"see Accept", "see PreviewAndAccept", "preview Accept"}
    give(rig.client, type_id, ADA)
    everything = {f"{act} {guarded}" for act in ("see", "preview") for guarded in hits}
    assert allowed(ADA) == everything
    take_back(rig.client, type_id, ADA)
    assert allowed(ADA) == {"see Accept", "see PreviewAndAccept", "preview Accept"}
    with pytest.raises(NotQualified):
        rig.accept(hits["Accept"].hit_id, ADA)


def test_what_workers_did_is_counted_for_them(rig: Rig) -> None:
    wanted = requires(NUMBER_APPROVED, "GreaterThanOrEqualTo", IntegerValues=[2])
    hit_id = rig.create_hit(**wanted)["HITId"]
    for _ in range(2):
        with pytest.raises(NotQualified):
            rig.accept(hit_id, ADA)
        rig.client.approve_assignment(AssignmentId=rig.submit(rig.create_hit()["HITId"], ADA))
    rig.accept(hit_id, ADA)


def test_requirements_name_types_that_there_are_and_that_are_active(rig: Rig) -> None:
    refused("QualificationTypeDoesNotExist", rig.client.create_hit, **OFFER | requires("3NOTHERE"))
    type_id = make_type(rig.client, QualificationTypeStatus="Inactive")
    refused("InvalidQualificationTypeState", rig.client.create_hit, **OFFER | requires(type_id))
    values = {name: OFFER[name] for name in ("Title", "Description", "Reward", "AssignmentDurationInSeconds")}
    refused("InvalidQualificationTypeState", rig.client.create_hit_type, **values, **requires(type_id))
    rig.client.update_qualification_type(QualificationTypeId=type_id, QualificationTypeStatus="Active")
    hit_type_id = rig.client.create_hit_type(**values, **requires(type_id))["HITTypeId"]
    hit_id = rig.create_hit()["HITId"]
    rig.client.update_qualification_type(QualificationTypeId=type_id, QualificationTypeStatus="Inactive")
    given = {"HITTypeId": hit_type_id, "LifetimeInSeconds": 60, "Question": HTML_QUESTION}
    refused("InvalidQualificationTypeState", rig.client.create_hit_with_hit_type, **given)
    refused("InvalidQualificationTypeState", rig.client.update_hit_type_of_hit, HITId=hit_id, HITTypeId=hit_type_id)
    refused("InvalidParameterValue", rig.client.create_hit, **OFFER | requires(MASTERS, IntegerValues=[1]))
    assert rig.balance()[1] == "0.06"


def test_anybodys_type_can_be_required(rig: Rig) -> None:
    type_id = make_type(rig.requester("A1OTHER"))
    assert rig.create_hit(**requires(type_id))


def test_a_hit_has_at_most_ten_requirements(rig: Rig) -> None:
    given = {"QualificationRequirements": requires(MASTERS)["QualificationRequirements"] * 11}
    refused("ParameterValidationError", rig.client.create_hit, **OFFER | given)


def test_the_hits_that_require_a_type_are_found_page_after_page(rig: Rig) -> None:
    type_id, other_id = make_type(rig.client), make_type(rig.client, Name="Other")
    made = []
    for number in range(12):
        given = requires(type_id if number % 2 else other_id)
        hit = rig.create_hit(**given | {"LifetimeInSeconds": 60 if number == 1 else 3600})
        made.append(hit["HITId"])
        rig.clock.move(1)
    rig.create_hit()
    rig.requester("A1OTHER").create_hit(**OFFER | requires(type_id))
    rig.clock.move(60)
    rig.client.delete_hit(HITId=made[1])

    def found(client: Any, size: int) -> list[str]:
        pages = client.get_paginator("list_hits_for_qualification_type").paginate(
            QualificationTypeId=type_id, PaginationConfig={"PageSize": size}
        )
        return [hit["HITId"] for page in pages for hit in page["HITs"]]

    for size in (1, 2, 100):
        assert found(rig.client, size) == made[3::2]


# Races


def test_a_revocation_between_look_and_grasp_counts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The qualification is revoked after accepting has read it and before it writes."""
    type_id = make_type(rig.client)
    give(rig.client, type_id, ADA)
    hit_id = rig.create_hit(**requires(type_id))["HITId"]
    transact = rig.dynamodb.transact_write_items
    looks = itertools.count()

    def meanwhile(**request: Any) -> Any:
        labels = [next(iter(step)) for step in request["TransactItems"]]
        if "ConditionCheck" in labels and next(looks) == 0:
            take_back(rig.client, type_id, ADA)
        return transact(**request)

    monkeypatch.setattr(rig.dynamodb, "transact_write_items", meanwhile)
    with pytest.raises(NotQualified):
        rig.accept(hit_id, ADA)
    assert rig.hit(hit_id)["NumberOfAssignmentsAvailable"] == 1
    assert rig.audit().discrepancies == []


def test_grants_revocations_and_accepts_race_and_nothing_is_lost(rig: Rig) -> None:
    type_id = make_type(rig.client)
    hit_ids = [rig.create_hit(**requires(type_id))["HITId"] for _ in range(15)]

    def grant_and_revoke(number: int) -> None:
        give(rig.client, type_id, ADA, number)
        if number % 2:
            try:
                take_back(rig.client, type_id, ADA)
            except rig.client.exceptions.RequestError as error:
                assert "status of: Granted" in str(error)

    def accept(hit_id: str) -> bool:
        try:
            rig.workplace.accept(hit_id, ADA)
        except NotQualified:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        grants = [threads.submit(grant_and_revoke, number) for number in range(30)]
        accepts = [threads.submit(accept, hit_id) for hit_id in hit_ids]
        for grant in grants:
            grant.result()
        taken = sum(each.result() for each in accepts)
    assert rig.workplace.get_worker(ADA).accepted == taken
    listed_as = {
        status: rig.client.list_workers_with_qualification_type(QualificationTypeId=type_id, Status=status)
        for status in ("Granted", "Revoked")
    }
    assert sorted(page["NumResults"] for page in listed_as.values()) == [0, 1]
    give(rig.client, type_id, ADA)
    assert score(rig.client, type_id, ADA)["Status"] == "Granted"
    assert rig.audit().discrepancies == []


def test_one_of_two_programs_that_make_a_type_of_one_name_at_once_gets_it(rig: Rig) -> None:
    def make(_: int) -> str | None:
        try:
            return make_type(rig.client)
        except rig.client.exceptions.RequestError as error:
            assert error.response["TurkErrorCode"] == "AWS.MechanicalTurk.QualificationTypeAlreadyExists"
            return None

    with ThreadPoolExecutor(8) as threads:
        made = [type_id for type_id in threads.map(make, range(8)) if type_id]
    assert len(made) == 1
    assert listed(rig.client) == [TYPE["Name"]]


def test_a_workers_error_tells_what_is_wrong_and_nothing_of_the_type(rig: Rig) -> None:
    hit_id = rig.create_hit(**requires(MASTERS))["HITId"]
    with pytest.raises(WorkerError) as refusal:
        rig.accept(hit_id, ADA)
    assert refusal.value.code == "NotQualified"


def test_a_search_among_very_many_types_goes_on_with_the_next_token(rig: Rig) -> None:
    table = rig.wiring.workplace_table
    item = table.get(lie.type_pk(make_type(rig.client)), "qualtype")
    assert item is not None
    kinds = [
        replace(lie.type_from_item(item), qualification_type_id=f"3{number:029}", created_at_ms=rig.clock() + number)
        for number in range(1, TYPES_LOOKED_THROUGH)
    ]
    kinds.append(replace(kinds[-1], qualification_type_id="3LAST", name="Knows dogs"))
    table.put_many(map(lie.type_to_item, kinds))
    query = {"Query": "dogs", "MustBeRequestable": True}
    first = rig.client.list_qualification_types(**query)
    assert first["NumResults"] == 0
    second = rig.client.list_qualification_types(**query, NextToken=first["NextToken"])
    assert [found["QualificationTypeId"] for found in second["QualificationTypes"]] == ["3LAST"]

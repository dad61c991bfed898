"""Skill gates: who is below the floor gets no more HITs of that function, is told why, and loses nothing."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crowdsight.adjudication import Answer
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.gates import SHUT_OUT, Gates
from crowdsight.crowd.opinions import Opinions
from crowdsight.crowd.refitting import Refit
from crowdsight.crowd.requester import Requester, RequesterError
from crowdsight.crowd.skills import Skills
from crowdsight.dynamodb import Table
from crowdsight.workplace.faults import WorkerError
from tests.conftest import StoppedClock
from tests.contract.crowd_world import KEY, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB

CONTAINS, SIMILARITY = CATALOGUE["image-contains"], CATALOGUE["image-similarity"]
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/notifications"


class Mturk:
    """As much of a boto3 `mturk` client as gates call.

    `refused`: Workers that the workplace does not know; `unreachable`: to whom it delivers nothing; `is_silent`: it
    sends no messages now.
    """

    def __init__(self) -> None:
        self.types: dict[str, str] = {}
        self.held: set[tuple[str, str]] = set()
        self.told: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.is_silent = False
        self.unreachable: set[str] = set()

    def create_qualification_type(self, Name: str, **_: Any) -> dict[str, Any]:
        if Name in self.types:
            raise _refusal("You have already created a QualificationType with this name.")
        self.types[Name] = f"TYPE{len(self.types)}"
        return {"QualificationType": {"Name": Name, "QualificationTypeId": self.types[Name]}}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_qualification_types"
        return self

    def paginate(self, Query: str, MustBeOwnedByCaller: bool, **_: Any) -> list[dict[str, Any]]:
        assert MustBeOwnedByCaller
        found = [{"Name": name, "QualificationTypeId": id} for name, id in self.types.items() if Query in name]
        return [{"QualificationTypes": []}, {"QualificationTypes": found}]

    def associate_qualification_with_worker(self, QualificationTypeId: str, WorkerId: str, **_: Any) -> None:
        if WorkerId in self.refused:
            raise _refusal(f"Worker {WorkerId} does not exist.")
        self.held.add((QualificationTypeId, WorkerId))

    def disassociate_qualification_from_worker(self, QualificationTypeId: str, WorkerId: str, Reason: str) -> None:
        if (QualificationTypeId, WorkerId) not in self.held:
            raise _refusal("no such qualification", "AWS.MechanicalTurk.QualificationDoesNotExist")
        self.held.remove((QualificationTypeId, WorkerId))

    def notify_workers(self, Subject: str, MessageText: str, WorkerIds: list[str]) -> dict[str, Any]:
        if self.is_silent:
            raise _refusal("try again later", "ServiceFault")
        failed = [worker_id for worker_id in WorkerIds if worker_id in self.unreachable]
        self.told += [(worker_id, MessageText) for worker_id in WorkerIds if worker_id not in failed]
        statuses = [{"NotifyWorkersFailureCode": "HardFailure", "WorkerId": worker_id} for worker_id in failed]
        return {"NotifyWorkersFailureStatuses": statuses}


def _refusal(message: str, code: str = "AWS.MechanicalTurk.InvalidParameterValue") -> ClientError:
    response: Any = {"Error": {"Code": "RequestError", "Message": message}, "TurkErrorCode": code}
    return ClientError(response, "operation")


@pytest.fixture
def skills(skills_table: Table) -> Skills:
    return Skills(skills_table, StoppedClock(1_000_000_000_000))


@pytest.fixture
def mturk() -> Mturk:
    return Mturk()


def gates_of(skills: Skills, mturk: Mturk) -> Gates:
    """A new process's."""
    return Gates(skills, Requester(lambda: mturk, QUEUE_URL))


def teach(skills: Skills, worker_id: str, accuracy: float, questions: int = 20) -> None:
    for number in range(questions):
        truth, other = ("yes", "no") if number % 2 else ("no", "yes")
        is_right = number < accuracy * questions
        skills.tell(CONTAINS, f"{worker_id}-{number}", truth, [Answer(worker_id, truth if is_right else other)])


def test_who_is_below_the_floor_is_shut_out_once_and_told_why(skills: Skills, mturk: Mturk) -> None:
    teach(skills, "GOOD", 0.95)
    teach(skills, "AGAINST", 0.1)
    for _ in range(2):
        gates_of(skills, mturk).review(CONTAINS, ["GOOD", "AGAINST", "UNKNOWN"])
    assert mturk.held == {("TYPE0", "AGAINST")}
    assert mturk.told == [("AGAINST", SHUT_OUT)]
    assert skills.excluded(CONTAINS) == {"AGAINST": True}


def test_disagreeing_with_others_alone_shuts_nobody_out(skills: Skills, mturk: Mturk) -> None:
    rule = CONTAINS.adjudicator
    for number in range(30):
        answers = [Answer(worker_id, "yes") for worker_id in ("A", "B", "C")] + [Answer("ALONE", "no")]
        skills.tell(CONTAINS, f"others-{number}", "yes", answers[:3])
        assert rule.contribution(answers)
    gates_of(skills, mturk).review(CONTAINS, ["ALONE"])
    assert mturk.held == set()


def test_a_run_that_died_before_it_was_noted_is_made_good_by_the_next(skills: Skills, mturk: Mturk) -> None:
    teach(skills, "AGAINST", 0.1)
    Requester(lambda: mturk, QUEUE_URL).shut_out(CONTAINS, "AGAINST")
    gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    assert mturk.held == {("TYPE0", "AGAINST")}
    assert [worker_id for worker_id, _ in mturk.told] == ["AGAINST"]


def test_who_is_found_to_be_good_after_all_is_let_in_again(skills: Skills, mturk: Mturk) -> None:
    teach(skills, "AGAINST", 0.1)
    gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    for number in range(20):
        skills.take_back(CONTAINS, f"AGAINST-{number}")
    teach(skills, "AGAINST", 1.0)
    for _ in range(2):
        gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    assert mturk.held == set()
    assert skills.excluded(CONTAINS) == {}


def test_who_could_not_be_told_is_shut_out_all_the_same_and_told_later(skills: Skills, mturk: Mturk) -> None:
    teach(skills, "AGAINST", 0.1)
    mturk.is_silent = True
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    assert skills.excluded(CONTAINS) == {"AGAINST": False}
    mturk.is_silent = False
    for _ in range(2):
        gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    assert mturk.told == [("AGAINST", SHUT_OUT)]
    assert skills.excluded(CONTAINS) == {"AGAINST": True}


def test_who_cannot_be_reached_at_all_counts_as_told(skills: Skills, mturk: Mturk) -> None:
    teach(skills, "AGAINST", 0.1)
    mturk.unreachable = {"AGAINST"}
    gates_of(skills, mturk).review(CONTAINS, ["AGAINST"])
    assert mturk.held == {("TYPE0", "AGAINST")}
    assert skills.excluded(CONTAINS) == {"AGAINST": True}


def test_a_refit_lets_in_whoever_is_shut_out_by_what_is_known_no_more(
    skills: Skills, skills_table: Table, mturk: Mturk
) -> None:
    refit = Refit(skills, Opinions(skills_table, StoppedClock(0)), gates_of(skills, mturk), [CONTAINS])
    teach(skills, "AGAINST", 0.1)
    refit(lambda: 600)
    assert mturk.held == {("TYPE0", "AGAINST")}
    for number in range(20):
        skills.take_back(CONTAINS, f"AGAINST-{number}")
    assert skills.everyone(CONTAINS).workers == {}
    refit(lambda: 600)
    assert mturk.held == set()
    assert skills.excluded(CONTAINS) == {}
    Requester(lambda: mturk, QUEUE_URL).let_in(CONTAINS, "AGAINST", "again: changes nothing")


def test_who_is_shut_out_gets_no_more_hits_of_that_function_and_all_others_go_on() -> None:
    world = World(MemoryDynamoDB())
    contains, similarity = world.put(), world.put(SIMILARITY_KEY)
    world.answer(contains, "BAD", "yes")
    world.deliver()
    requester = Requester(lambda: world.mturk, QUEUE_URL)
    for _ in range(2):
        requester.shut_out(CONTAINS, "AWORKERBAD")
    another = world.put(replace(KEY, name="another"))
    with pytest.raises(WorkerError):
        world.accept(another, "BAD")
    for generation, worker in ((similarity, "BAD"), (another, "GOOD")):
        world.accept(generation, worker)
    assert world.paid()["BAD"] == 1
    for _ in range(2):
        requester.let_in(CONTAINS, "AWORKERBAD", "found to be good after all")
    world.accept(another, "BAD")


def test_each_function_has_a_gate_of_its_own(mturk: Mturk) -> None:
    requester = Requester(lambda: mturk, QUEUE_URL)
    for function in (CONTAINS, SIMILARITY, CONTAINS):
        requester.shut_out(function, "A")
    assert mturk.held == {("TYPE0", "A"), ("TYPE1", "A")}


def test_a_worker_whom_the_workplace_does_not_know_keeps_no_other_waiting(skills: Skills, mturk: Mturk) -> None:
    for worker_id in ("GONE", "AGAINST"):
        teach(skills, worker_id, 0.1)
    mturk.refused = {"GONE"}
    with pytest.raises(ExceptionGroup) as found:
        gates_of(skills, mturk).review(CONTAINS, ["GONE", "AGAINST"])
    assert [type(error) for error in found.value.exceptions][0].__mro__.count(RequesterError) == 1
    assert skills.excluded(CONTAINS) == {"AGAINST": True}

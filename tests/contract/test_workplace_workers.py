"""What Workers may and may not do, and what time does meanwhile."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from crowdsight.workplace import lifecycle, records
from crowdsight.workplace.answers import MAX_ANSWER_BYTES
from crowdsight.workplace.assignments import MAX_TAKES, AssignmentStatus
from crowdsight.workplace.faults import (
    AnswerRefused,
    AssignmentNotFound,
    AssignmentNotYours,
    AssignmentOver,
    HitAlreadyDone,
    HitNotAvailable,
    HitNotFound,
    TooManyAccepted,
    WorkerNotFound,
)
from crowdsight.workplace.hits import Hit, HitStatus
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.lifecycle import Change
from crowdsight.workplace.requesters import MAX_PAGES_LOOKED_THROUGH
from crowdsight.workplace.store import MAX_ACCEPTED, Store
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.senders import UNHEARD
from tests.contract.workplace_rig import Rig

DAY_S = 86_400


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        yield Rig(dynamodb=MemoryDynamoDB())


def test_a_worker_gets_a_hit_once(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=5)["HITId"]
    assignment = rig.accept(hit_id, "AW1")
    with pytest.raises(HitAlreadyDone):
        rig.accept(hit_id, "AW1")
    rig.workplace.submit(assignment.assignment_id, [("answer", "yes")])
    with pytest.raises(HitAlreadyDone):
        rig.accept(hit_id, "AW1")
    rig.client.approve_assignment(AssignmentId=assignment.assignment_id)
    with pytest.raises(HitAlreadyDone):
        rig.accept(hit_id, "AW1")


def test_a_worker_may_take_a_hit_again_after_returning_or_abandoning_it(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    first = rig.accept(hit_id, "AW1")
    rig.workplace.return_assignment(first.assignment_id, "AW1")
    second = rig.accept(hit_id, "AW1")
    rig.clock.move(600)
    third = rig.accept(hit_id, "AW1")
    assert len({first.assignment_id, second.assignment_id, third.assignment_id}) == 3
    assert [rig.workplace.get_assignment(found.assignment_id).status for found in (first, second, third)] == [
        AssignmentStatus.RETURNED,
        AssignmentStatus.ABANDONED,
        AssignmentStatus.ACCEPTED,
    ]
    assert rig.audit().discrepancies == []


def test_a_worker_takes_the_same_hit_five_times_at_most(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    group_id = rig.hit(hit_id)["HITGroupId"]
    for _ in range(MAX_TAKES):
        assert rig.workplace.listing.find_hit(group_id, "AW1").hit is not None
        rig.workplace.return_assignment(rig.accept(hit_id, "AW1").assignment_id, "AW1")
    with pytest.raises(HitNotAvailable):
        rig.accept(hit_id, "AW1")
    assert rig.workplace.listing.find_hit(group_id, "AW1").hit is None
    assert rig.workplace.preview(hit_id, "AW1").mine is None
    rig.submit(hit_id, "AW2")
    assert rig.audit().discrepancies == []


def test_a_list_of_assignments_goes_on_after_many_that_were_given_back(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    for number in range(MAX_PAGES_LOOKED_THROUGH + 1):
        rig.workplace.return_assignment(rig.accept(hit_id, f"AW{number}").assignment_id, f"AW{number}")
        rig.clock.move(1)
    assignment_id = rig.submit(hit_id)
    first = rig.client.list_assignments_for_hit(HITId=hit_id, MaxResults=1)
    assert first["NumResults"] == 0
    second = rig.client.list_assignments_for_hit(HITId=hit_id, MaxResults=1, NextToken=first["NextToken"])
    assert [found["AssignmentId"] for found in second["Assignments"]] == [assignment_id]


def test_the_last_assignment_has_one_taker(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    rig.accept(hit_id, "AW1")
    with pytest.raises(HitNotAvailable):
        rig.accept(hit_id, "AW2")


def test_who_decided_on_an_older_state_of_a_hit_decides_again(rig: Rig) -> None:
    """Another Worker takes the last assignment between this one's look and their grasp."""
    hit_id = rig.create_hit()["HITId"]
    rig.workplace.register_worker("AW2", "Bo")
    store = Store(rig.wiring.workplace_table, rig.clock, new_id, UNHEARD)
    looks: list[HitStatus] = []

    def grasp(hit: Hit, now_ms: int) -> Change:
        looks.append(hit.status)
        if len(looks) == 1:
            rig.accept(hit_id, "AW1")
        if hit.status is not HitStatus.ASSIGNABLE:
            raise HitNotAvailable("taken")
        return lifecycle.accept(hit, "3LATE", "AW2", now_ms)

    with pytest.raises(HitNotAvailable):
        store.change_hit(hit_id, grasp)
    assert looks == [HitStatus.ASSIGNABLE, HitStatus.UNASSIGNABLE]
    assert rig.workplace.find_accepted(hit_id, "AW2") is None
    with pytest.raises(AssignmentNotFound):
        rig.workplace.get_assignment("3LATE")
    assert rig.audit().discrepancies == []


def test_a_hit_can_be_taken_until_it_expires_and_not_a_millisecond_longer(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2, LifetimeInSeconds=60)["HITId"]
    rig.clock.move(59.999)
    rig.accept(hit_id, "AW1")
    rig.clock.move(0.001)
    with pytest.raises(HitNotAvailable):
        rig.accept(hit_id, "AW2")
    assert rig.balance() == ("999.94", "0.06")


def test_an_assignment_can_be_handed_in_until_its_deadline_and_not_a_millisecond_longer(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=2, LifetimeInSeconds=60)["HITId"]
    early, late = rig.accept(hit_id, "AW1"), rig.accept(hit_id, "AW2")
    rig.clock.move(599.999)
    assert rig.workplace.submit(early.assignment_id, []).status is AssignmentStatus.SUBMITTED
    rig.clock.move(0.001)
    with pytest.raises(AssignmentOver):
        rig.workplace.submit(late.assignment_id, [])
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"
    assert rig.balance() == ("999.94", "0.06")


def test_an_assignment_is_handed_in_or_returned_once(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=3)["HITId"]
    submitted = rig.submit(hit_id, "AW1")
    returned = rig.accept(hit_id, "AW2").assignment_id
    rig.workplace.return_assignment(returned, "AW2")
    for assignment_id, worker_id in ((submitted, "AW1"), (returned, "AW2")):
        with pytest.raises(AssignmentOver):
            rig.workplace.submit(assignment_id, [("answer", "other")])
        with pytest.raises(AssignmentOver):
            rig.workplace.return_assignment(assignment_id, worker_id)
    assert "other" not in (rig.workplace.get_assignment(submitted).answer_xml or "")


def test_nobody_returns_another_workers_assignment(rig: Rig) -> None:
    assignment = rig.accept(rig.create_hit()["HITId"], "AW1")
    with pytest.raises(AssignmentNotYours):
        rig.workplace.return_assignment(assignment.assignment_id, "AW2")
    assert rig.workplace.get_assignment(assignment.assignment_id).status is AssignmentStatus.ACCEPTED


def test_a_worker_holds_at_most_25_assignments(rig: Rig) -> None:
    hit_ids = [rig.create_hit()["HITId"] for _ in range(MAX_ACCEPTED + 1)]
    held = [rig.accept(hit_id) for hit_id in hit_ids[:-1]]
    with pytest.raises(TooManyAccepted):
        rig.accept(hit_ids[-1])
    rig.workplace.submit(held[0].assignment_id, [])
    rig.accept(hit_ids[-1])


def test_a_refused_answer_leaves_the_assignment_in_hand(rig: Rig) -> None:
    assignment = rig.accept(rig.create_hit()["HITId"])
    with pytest.raises(AnswerRefused):
        rig.workplace.submit(assignment.assignment_id, [("answer", "x" * MAX_ANSWER_BYTES)])
    assert rig.workplace.submit(assignment.assignment_id, [("answer", "x")]).status is AssignmentStatus.SUBMITTED


def test_what_is_not_there_is_said_to_be_not_there(rig: Rig) -> None:
    rig.workplace.register_worker("AW1", "Ada")
    hit_id = rig.create_hit()["HITId"]
    with pytest.raises(HitNotFound):
        rig.workplace.get_hit("3NOTHERE")
    with pytest.raises(HitNotFound):
        rig.workplace.get_question("3NOTHERE")
    with pytest.raises(HitNotFound):
        rig.workplace.accept("3NOTHERE", "AW1")
    with pytest.raises(WorkerNotFound):
        rig.workplace.accept(hit_id, "ANOBODY")
    with pytest.raises(WorkerNotFound):
        rig.workplace.get_worker("ANOBODY")
    with pytest.raises(AssignmentNotFound):
        rig.workplace.submit("3NOTHERE", [])
    assert rig.workplace.find_worker("ANOBODY") is None
    assert rig.workplace.find_accepted("3NOTHERE", "AW1") is None


def test_a_worker_stays_as_registered_first(rig: Rig) -> None:
    first = rig.workplace.register_worker("AW1", "Ada")
    rig.clock.move(5)
    assert rig.workplace.register_worker("AW1", "Eve") == first == rig.workplace.find_worker("AW1")


@pytest.mark.parametrize("start", ["", "x", "#", "000000000000000#", "1" * 2_000, "000001800000000000#../x"])
def test_a_start_that_is_none_gives_the_first_page(rig: Rig, start: str) -> None:
    rig.accept(rig.create_hit()["HITId"], "AW1")
    assert len(rig.workplace.list_assignments_of_worker("AW1", 5, start).assignments) == 1


def test_a_workers_assignments_are_listed_newest_first_as_they_are_now(rig: Rig) -> None:
    accepted = []
    for _ in range(3):
        accepted.append(rig.accept(rig.create_hit()["HITId"]))
        rig.clock.move(1)
    rig.workplace.submit(accepted[1].assignment_id, [("answer", "yes")])
    page = rig.workplace.list_assignments_of_worker("AWORKER0000001", 2)
    assert [found.assignment_id for found in page.assignments] == [accepted[2].assignment_id, accepted[1].assignment_id]
    assert page.assignments[1].answer_xml is None
    page = rig.workplace.list_assignments_of_worker("AWORKER0000001", 2, page.next_start)
    assert ([found.assignment_id for found in page.assignments], page.next_start) == ([accepted[0].assignment_id], None)
    rig.clock.move(600)
    statuses = [found.status.value for found in rig.workplace.list_assignments_of_worker("AWORKER0000001").assignments]
    assert statuses == ["Abandoned", "Submitted", "Abandoned"]


def test_earnings_are_what_was_approved(rig: Rig) -> None:
    hit_id = rig.create_hit()["HITId"]
    rejected, approved = rig.submit(hit_id), rig.submit(rig.create_hit(Reward="0.07")["HITId"])
    rig.submit(rig.create_hit(Reward="0.11")["HITId"])
    rig.client.approve_assignment(AssignmentId=approved)
    rig.client.reject_assignment(AssignmentId=rejected, RequesterFeedback="no")
    earnings = rig.workplace.get_worker("AWORKER0000001")
    assert (earnings.earned_cents, earnings.waiting_cents) == (7, 11)
    assert (earnings.approved, earnings.waiting, earnings.rejected) == (1, 1, 1)


def test_an_answer_nobody_judges_is_approved_after_the_delay(rig: Rig) -> None:
    hit_id = rig.create_hit(AutoApprovalDelayInSeconds=DAY_S)["HITId"]
    assignment_id = rig.submit(hit_id)
    rig.clock.move(DAY_S - 0.001)
    assert rig.workplace.get_assignment(assignment_id).status is AssignmentStatus.SUBMITTED
    rig.clock.move(0.001)
    assignment = rig.workplace.get_assignment(assignment_id)
    assert assignment.status is AssignmentStatus.APPROVED
    assert assignment.approved_at_ms == rig.clock()
    assert rig.workplace.get_worker("AWORKER0000001").earned_cents == 5
    assert rig.balance() == ("999.94", "0.00")


def test_a_delay_of_zero_approves_at_once(rig: Rig) -> None:
    assignment_id = rig.accept(rig.create_hit(AutoApprovalDelayInSeconds=0)["HITId"]).assignment_id
    assert rig.workplace.submit(assignment_id, []).status is AssignmentStatus.APPROVED


def test_the_sweep_does_what_nobody_looks_at(rig: Rig) -> None:
    expiring = rig.create_hit(LifetimeInSeconds=60)["HITId"]
    abandoned = rig.create_hit()["HITId"]
    rig.accept(abandoned)
    assert rig.sweep() == {"hits": 0, "events": 0}
    rig.clock.move(601)
    assert rig.sweep()["hits"] == 2
    assert rig.balance() == ("999.94", "0.06")
    assert rig.sweep()["hits"] == 0
    found = rig.workplace.listing.find_hit(rig.hit(abandoned)["HITGroupId"], "AW2")
    assert found.hit and found.hit.hit_id == abandoned
    assert rig.client.list_reviewable_hits()["HITs"][0]["HITId"] == expiring


def test_a_sweep_that_runs_out_of_time_leaves_the_rest_to_the_next(rig: Rig) -> None:
    for _ in range(3):
        rig.create_hit(LifetimeInSeconds=60)
    rig.clock.move(60)
    times = iter([False, True, True])
    assert rig.workplace.sweep(lambda: next(times)) == {"hits": 1, "events": 0}
    assert rig.sweep()["hits"] == 2


def test_a_hit_that_fails_keeps_no_other_waiting(rig: Rig) -> None:
    parameters = [
        {"Key": "QuestionIds", "Values": ["q"]},
        {"Key": "QuestionAgreementThreshold", "Values": ["50"]},
    ]
    policy = {"PolicyName": "SimplePlurality/2011-09-01", "Parameters": parameters}
    broken = rig.create_hit(LifetimeInSeconds=59, HITReviewPolicy=policy)["HITId"]
    sound = rig.create_hit(LifetimeInSeconds=60)["HITId"]
    rig.wiring.workplace_table.delete(records.hit_pk(broken), "policies")
    rig.clock.move(60)

    def look_at_one() -> dict[str, int]:
        times = iter([False, True])
        return rig.workplace.sweep(lambda: next(times))

    assert [look_at_one()["hits"], look_at_one()["hits"]] == [0, 1]
    assert rig.hit(sound)["HITStatus"] == "Reviewable"
    rig.wiring.workplace_table.put({"pk": records.hit_pk(broken), "sk": "policies"})
    assert rig.sweep()["hits"] == 0
    rig.clock.move(300)
    assert rig.sweep()["hits"] == 1


def test_hits_and_events_are_swept_in_turns(rig: Rig) -> None:
    hit_type_id = rig.create_hit(LifetimeInSeconds=60)["HITTypeId"]
    rig.notify(hit_type_id, "HITCreated")
    rig.sqs.is_down = True
    rig.create_hit(LifetimeInSeconds=60)
    rig.sqs.is_down = False
    rig.clock.move(60)
    times = iter([False, True])
    assert rig.workplace.sweep(lambda: next(times)) == {"hits": 1, "events": 1}


def test_a_finished_hit_is_disposed_of_after_120_days(rig: Rig) -> None:
    hit_id = rig.create_hit(AutoApprovalDelayInSeconds=DAY_S)["HITId"]
    rig.submit(hit_id)
    rig.clock.move(119 * DAY_S)
    assert rig.hit(hit_id)["HITStatus"] == "Reviewable"
    rig.clock.move(DAY_S)
    assert rig.sweep()["hits"] == 1
    assert rig.client.list_hits()["HITs"] == []
    assert rig.hit(hit_id)["HITStatus"] == "Disposed"
    assert rig.audit().discrepancies == []


def test_many_overdue_assignments_are_all_brought_up_to_date(rig: Rig) -> None:
    hit_id = rig.create_hit(MaxAssignments=20, AutoApprovalDelayInSeconds=DAY_S)["HITId"]
    rig.notify(rig.hit(hit_id)["HITTypeId"], "AssignmentApproved", "AssignmentAbandoned")
    for number in range(20):
        (rig.accept if number % 5 == 0 else rig.submit)(hit_id, f"AW{number}")
    rig.clock.move(DAY_S)
    hit = rig.hit(hit_id)
    assert (hit["HITStatus"], hit["NumberOfAssignmentsCompleted"]) == ("Reviewable", 16)
    assert sorted(rig.events()) == ["AssignmentAbandoned"] * 4 + ["AssignmentApproved"] * 16
    audit = rig.audit()
    assert (audit.discrepancies, audit.rewards_paid_cents, audit.held_cents) == ([], 80, 0)

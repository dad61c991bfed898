from dataclasses import replace

import pytest

from crowdsight.workplace import lifecycle
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.due import next_due_change
from crowdsight.workplace.events import EventType
from crowdsight.workplace.hits import Hit, HitStatus, HitType
from crowdsight.workplace.lifecycle import CHANGES_AT_ONCE, Change

NOW = 1_800_000_000_000
DAY_MS = 86_400_000


def offered(max_assignments: int = 1, lifetime_s: int = 3_600) -> Hit:
    hit = Hit(
        hit_id="3HIT",
        hit_type_id="3TYPE",
        hit_group_id="3GROUP",
        requester_id="A1",
        title="t",
        description="d",
        keywords="",
        reward_cents=5,
        fee_cents=1,
        assignment_duration_s=600,
        auto_approval_delay_s=86_400,
        qualification_requirements=(),
        requester_annotation="",
        max_assignments=max_assignments,
        created_at_ms=NOW,
        expires_at_ms=NOW + lifetime_s * 1_000,
    )
    return lifecycle.create(hit).after


def taken(hit: Hit, assignment_id: str = "3A", at_ms: int = NOW) -> tuple[Hit, Assignment]:
    change = lifecycle.accept(hit, assignment_id, "AWORKER", at_ms)
    return change.after, change.assignments[0][1]


def handed_in(hit: Hit, assignment_id: str = "3A", at_ms: int = NOW) -> tuple[Hit, Assignment]:
    change = lifecycle.submit(*taken(hit, assignment_id, at_ms), "<x/>", at_ms)
    return change.after, change.assignments[0][1]


def events(change: Change) -> list[EventType]:
    return [event.type for event in change.events]


def held(change: Change) -> int:
    return sum(entry.held_cents for entry in change.entries)


def run_to(hit: Hit, assignments: list[Assignment], now_ms: int) -> tuple[Hit, list[Change]]:
    changes: list[Change] = []
    now = {assignment.assignment_id: assignment for assignment in assignments}
    while change := next_due_change(hit, now.values(), now_ms):
        hit = change.after
        now |= {after.assignment_id: after for _, after in change.assignments}
        changes.append(change)
        assert len(changes) < 100
    return hit, changes


def test_a_new_hit_is_assignable_and_holds_reward_and_fee_for_every_slot() -> None:
    change = lifecycle.create(offered(3))
    assert change.after.status is HitStatus.ASSIGNABLE
    assert held(change) == 3 * 6
    assert events(change) == [EventType.HIT_CREATED]


def test_a_hit_is_unassignable_while_all_its_slots_are_taken_and_reviewable_when_all_are_handed_in() -> None:
    hit, assignment = taken(offered(1))
    assert hit.status is HitStatus.UNASSIGNABLE
    change = lifecycle.submit(hit, assignment, "<x/>", NOW)
    assert change.after.status is HitStatus.REVIEWABLE
    assert events(change) == [EventType.ASSIGNMENT_SUBMITTED, EventType.HIT_REVIEWABLE]


def test_a_returned_slot_can_be_taken_again_and_moves_no_money() -> None:
    change = lifecycle.give_back(*taken(offered(1)), NOW)
    assert change.after.status is HitStatus.ASSIGNABLE
    assert change.after.available == 1
    assert not change.entries


def test_a_slot_returned_after_expiry_is_released() -> None:
    hit, assignment = taken(offered(1))
    hit = lifecycle.change_expiration(hit, NOW, NOW).after
    change = lifecycle.give_back(hit, assignment, NOW)
    assert held(change) == -6
    assert change.after.status is HitStatus.REVIEWABLE


def test_an_expired_hit_with_a_worker_at_it_is_unassignable_until_that_one_is_done() -> None:
    hit, assignment = taken(offered(2, lifetime_s=60))
    hit, changes = run_to(hit, [assignment], NOW + 60_000)
    assert hit.status is HitStatus.UNASSIGNABLE
    assert events(changes[0]) == [EventType.HIT_EXPIRED]
    assert held(changes[0]) == -6
    hit, changes = run_to(hit, [assignment], NOW + 600_000)
    assert events(changes[0]) == [EventType.ASSIGNMENT_ABANDONED, EventType.HIT_REVIEWABLE]
    assert held(changes[0]) == -6


@pytest.mark.parametrize("early_ms", [1, 0])
def test_time_brings_things_about_to_the_millisecond(early_ms: int) -> None:
    hit, assignment = taken(offered(2, lifetime_s=10_000))
    _, changes = run_to(hit, [assignment], assignment.deadline_ms - early_ms)
    assert [events(change) for change in changes if change.events] == (
        [] if early_ms else [[EventType.ASSIGNMENT_ABANDONED]]
    )


def test_what_time_brings_about_happens_in_the_order_of_time_however_late_one_looks() -> None:
    hit, assignment = handed_in(offered(2))
    hit, changes = run_to(hit, [assignment], NOW + 200 * DAY_MS)
    happened = [event for change in changes for event in change.events]
    assert [event.type for event in happened] == [
        EventType.HIT_EXPIRED,
        EventType.HIT_REVIEWABLE,
        EventType.ASSIGNMENT_APPROVED,
        EventType.HIT_DISPOSED,
    ]
    assert happened[2].at_ms == assignment.auto_approval_at_ms == NOW + DAY_MS
    assert happened[3].at_ms == NOW + 3_600_000 + 120 * DAY_MS
    assert hit.status is HitStatus.DISPOSED
    assert hit.next_due_at_ms is None


def test_the_next_due_moment_is_never_later_than_what_will_happen() -> None:
    hit = offered(3)
    assert hit.next_due_at_ms == hit.expires_at_ms
    hit, assignment = taken(hit)
    assert hit.next_due_at_ms == assignment.deadline_ms
    after = lifecycle.submit(hit, assignment, "<x/>", NOW).after
    assert after.next_due_at_ms == assignment.deadline_ms  # too early, which costs one look
    settled, changes = run_to(after, [replace(assignment, status=AssignmentStatus.RETURNED)], assignment.deadline_ms)
    assert [change.events for change in changes] == [()]
    assert settled.next_due_at_ms == settled.expires_at_ms


def test_many_assignments_become_due_in_parts_that_fit_a_transaction() -> None:
    hit = offered(40, lifetime_s=10_000)
    assignments = []
    for number in range(40):
        hit, assignment = taken(hit, f"3A{number}")
        assignments.append(assignment)
    hit, changes = run_to(hit, assignments, assignments[0].deadline_ms)
    assert [len(change.assignments) for change in changes] == [CHANGES_AT_ONCE] * 4 + [40 - 4 * CHANGES_AT_ONCE]
    assert (hit.pending, hit.available) == (0, 40)


def test_approval_turns_held_into_spent_and_rejection_back_into_available() -> None:
    hit, assignment = handed_in(offered(1))
    pay = lifecycle.approve(hit, assignment, None, NOW).entries[0]
    assert (pay.available_cents, pay.held_cents, pay.spent_cents) == (0, -6, 6)
    assert (pay.reward_cents, pay.fee_cents, pay.worker_id) == (5, 1, "AWORKER")
    rejected = lifecycle.reject(hit, assignment, "no", NOW)
    release = rejected.entries[0]
    assert (release.available_cents, release.held_cents, release.spent_cents) == (6, -6, 0)
    after_all = lifecycle.approve(rejected.after, rejected.assignments[0][1], None, NOW).entries[0]
    assert (after_all.available_cents, after_all.held_cents, after_all.spent_cents) == (-6, 0, 6)


def test_a_rejected_slot_stays_used() -> None:
    hit, assignment = handed_in(offered(1))
    after = lifecycle.reject(hit, assignment, "no", NOW).after
    assert (after.available, after.rejected, after.status) == (0, 1, HitStatus.REVIEWABLE)


def test_extending_an_open_hit_holds_more_and_an_expired_one_nothing_until_it_is_opened_again() -> None:
    hit, _ = handed_in(offered(1))
    extended = lifecycle.extend(hit, 2, NOW)
    assert held(extended) == 12
    assert extended.after.status is HitStatus.ASSIGNABLE
    expired = lifecycle.change_expiration(hit, NOW, NOW).after
    extended = lifecycle.extend(expired, 2, NOW)
    assert held(extended) == 0
    assert extended.after.status is HitStatus.REVIEWABLE
    opened = lifecycle.change_expiration(extended.after, NOW + DAY_MS, NOW)
    assert held(opened) == 12
    assert opened.after.status is HitStatus.ASSIGNABLE


def test_reviewing_lasts_until_its_requester_or_an_extension_ends_it() -> None:
    hit, assignment = handed_in(offered(1))
    reviewing = lifecycle.set_reviewing(hit, True, NOW).after
    assert reviewing.status is HitStatus.REVIEWING
    assert lifecycle.approve(reviewing, assignment, None, NOW).after.status is HitStatus.REVIEWING
    assert lifecycle.set_reviewing(reviewing, False, NOW).after.status is HitStatus.REVIEWABLE
    assert lifecycle.extend(reviewing, 1, NOW).after.status is HitStatus.ASSIGNABLE


def test_another_type_moves_the_hold_by_the_difference() -> None:
    dearer = HitType("3DEAR", "A1", "t", "d", "", 10, 600, 86_400, ())
    change = lifecycle.change_hit_type(offered(3), dearer, 2, NOW)
    assert held(change) == 3 * (12 - 6)
    assert (change.after.hit_type_id, change.after.reward_cents) == ("3DEAR", 10)

"""What the worker site's pages show of HITs and assignments."""

from dataclasses import dataclass

from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.hits import Hit


@dataclass(frozen=True)
class HitView:
    """A HIT as a Worker sees it."""

    hit_id: str
    title: str
    description: str
    reward_cents: int
    assignment_duration_s: int
    left: int
    ends_in_s: int

    @classmethod
    def of(cls, hit: Hit, now_ms: int) -> "HitView":
        return cls(
            hit.hit_id,
            hit.title,
            hit.description,
            hit.reward_cents,
            hit.assignment_duration_s,
            hit.available,
            max(0, hit.expires_at_ms - now_ms) // 1000,
        )


@dataclass(frozen=True)
class AssignmentInHand:
    """An accepted assignment that can still be submitted, for `left_s` seconds."""

    assignment_id: str
    title: str
    reward_cents: int
    left_s: int

    @classmethod
    def of(cls, assignment: Assignment, now_ms: int) -> "AssignmentInHand":
        return cls(
            assignment.assignment_id,
            assignment.title,
            assignment.reward_cents,
            (assignment.deadline_ms - now_ms) // 1000,
        )


@dataclass(frozen=True)
class EarningsEntry:
    """One submitted assignment. `state`: submitted, approved or rejected."""

    title: str
    reward_cents: int
    submitted_ms: int
    state: str
    feedback: str | None

    @classmethod
    def of(cls, assignment: Assignment) -> "EarningsEntry":
        return cls(
            assignment.title,
            assignment.reward_cents,
            assignment.submitted_at_ms or assignment.accepted_at_ms,
            assignment.status.lower(),
            assignment.requester_feedback,
        )


@dataclass(frozen=True)
class Frame:
    """Where the question comes from and how high it is (0 = as high as its content)."""

    address: str
    height_px: int

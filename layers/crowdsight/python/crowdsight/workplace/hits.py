"""HITs and HIT types: what a requester offers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MS_PER_S = 1000
DAY_MS = 86_400 * MS_PER_S


class HitStatus(StrEnum):
    """MTurk's five states of a HIT."""

    ASSIGNABLE = "Assignable"
    UNASSIGNABLE = "Unassignable"
    REVIEWABLE = "Reviewable"
    REVIEWING = "Reviewing"
    DISPOSED = "Disposed"


@dataclass(frozen=True)
class HitType:
    """What HITs of a kind share. Two with equal values are one, with one id."""

    hit_type_id: str
    requester_id: str
    title: str
    description: str
    keywords: str
    reward_cents: int
    assignment_duration_s: int
    auto_approval_delay_s: int
    qualification_requirements: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Hit:
    """One HIT with the counts of its assignments.

    `max_assignments` = available + pending + submitted + approved + rejected, always. A slot is given back when its
    assignment is returned or abandoned; a rejected one stays used. The question is kept apart, see `questions`.

    `fee_cents`: what the workplace takes for each assignment on top of the reward.
    `expired`: its time is over, and the money held for slots nobody took is released.
    `assignment_policy`, `hit_policy`: the names of its review policies, which are kept apart like the question.
    `reviewable_at_ms`: since when it is Reviewable or Reviewing. `reviewed_round_ms`: what that was when its review
    policies were last done with it; see `reviewing`.
    `next_due_at_ms`: nothing changes by time alone before this moment (it may be too early, never too late).
    `version`: goes up by one at every change; a change is written only over the version it was computed from.
    """

    hit_id: str
    hit_type_id: str
    hit_group_id: str
    requester_id: str
    title: str
    description: str
    keywords: str
    reward_cents: int
    fee_cents: int
    assignment_duration_s: int
    auto_approval_delay_s: int
    qualification_requirements: tuple[dict[str, Any], ...]
    requester_annotation: str
    max_assignments: int
    created_at_ms: int
    expires_at_ms: int
    status: HitStatus = HitStatus.ASSIGNABLE
    expired: bool = False
    pending: int = 0
    submitted: int = 0
    approved: int = 0
    rejected: int = 0
    assignment_policy: str | None = None
    hit_policy: str | None = None
    reviewable_at_ms: int | None = None
    reviewed_round_ms: int | None = None
    next_due_at_ms: int | None = None
    version: int = 0

    @property
    def waits_for_review(self) -> bool:
        """Whether its review policies have something to do since it became reviewable."""
        has_policy = self.assignment_policy is not None or self.hit_policy is not None
        return has_policy and self.reviewable_at_ms is not None and self.reviewed_round_ms != self.reviewable_at_ms

    @property
    def is_reviewed(self) -> bool:
        """Whether the HIT's own review policy has been applied to what was handed in."""
        return self.hit_policy is not None and self.reviewable_at_ms is not None and not self.waits_for_review

    @property
    def unfilled(self) -> int:
        """Slots that no Worker has, whether or not the HIT is still open."""
        return self.max_assignments - self.pending - self.submitted - self.approved - self.rejected

    @property
    def available(self) -> int:
        """Slots that a Worker can take (MTurk's NumberOfAssignmentsAvailable)."""
        return 0 if self.expired or self.status is HitStatus.DISPOSED else self.unfilled

    @property
    def completed(self) -> int:
        """Approved and rejected together (MTurk's NumberOfAssignmentsCompleted)."""
        return self.approved + self.rejected

    @property
    def cost_cents(self) -> int:
        """What one assignment costs its requester: reward and fee."""
        return self.reward_cents + self.fee_cents

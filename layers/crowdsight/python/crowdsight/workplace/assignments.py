"""Assignments: one Worker's take of one HIT."""

from dataclasses import dataclass
from enum import StrEnum

from crowdsight.workplace.identifiers import group_id_of


class AssignmentStatus(StrEnum):
    """A requester sees only the last three, as on MTurk."""

    ACCEPTED = "Accepted"
    RETURNED = "Returned"
    ABANDONED = "Abandoned"
    SUBMITTED = "Submitted"
    APPROVED = "Approved"
    REJECTED = "Rejected"


MAX_TAKES = 5
"""How often a Worker may take the same HIT, which is again after returning or abandoning it: each time is kept."""

SEEN_BY_REQUESTERS = (AssignmentStatus.SUBMITTED, AssignmentStatus.APPROVED, AssignmentStatus.REJECTED)


@dataclass(frozen=True)
class Assignment:
    """One Worker's take of one HIT; reward and fee are those promised when it was accepted.

    `deadline_ms`: from this moment on it can no longer be submitted.
    `known_answer_score`: 0 to 100, once ScoreMyKnownAnswers was applied to it. `agreement_round_ms`: in which round
    SimplePlurality was applied to it last; see `reviewing`.
    `answer_xml`: a QuestionFormAnswers document, from submission on. Lists of a Worker's assignments leave it out.
    """

    assignment_id: str
    hit_id: str
    hit_type_id: str
    requester_id: str
    worker_id: str
    title: str
    reward_cents: int
    fee_cents: int
    status: AssignmentStatus
    accepted_at_ms: int
    deadline_ms: int
    submitted_at_ms: int | None = None
    auto_approval_at_ms: int | None = None
    approved_at_ms: int | None = None
    rejected_at_ms: int | None = None
    answer_xml: str | None = None
    requester_feedback: str | None = None
    known_answer_score: int | None = None
    agreement_round_ms: int | None = None

    @property
    def hit_group_id(self) -> str:
        """The group of its HIT."""
        return group_id_of(self.hit_type_id)

    @property
    def cost_cents(self) -> int:
        """What it costs its requester: reward and fee."""
        return self.reward_cents + self.fee_cents


@dataclass(frozen=True)
class AssignmentPage:
    """Some assignments, and where to go on (None at the end)."""

    assignments: list[Assignment]
    next_start: str | None

"""Reviews: what review policies found out about a HIT and its assignments, and what they did about it."""

from dataclasses import dataclass
from enum import StrEnum

from crowdsight.workplace.identifiers import id_of


class ReviewLevel(StrEnum):
    """MTurk's two levels of review policies."""

    ASSIGNMENT = "Assignment"
    HIT = "HIT"


class ActionStatus(StrEnum):
    """How an action ended. Doing what is done already succeeds; what the state of its target forbids fails."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class Result:
    """Something that a policy found, about a HIT or an assignment, perhaps about one of its questions."""

    subject_type: ReviewLevel
    subject_id: str
    key: str
    value: str
    question_id: str | None = None


@dataclass(frozen=True)
class Action:
    """Something that a policy did: `review`, `approve`, `reject` or `extend`."""

    name: str
    target_type: ReviewLevel
    target_id: str
    result: str
    error_code: str | None = None

    @property
    def status(self) -> ActionStatus:
        return ActionStatus.FAILED if self.error_code else ActionStatus.SUCCEEDED


@dataclass(frozen=True)
class Review:
    """One policy's look at one HIT or assignment; `subject_id` is its id. Written once and never changed."""

    level: ReviewLevel
    subject_id: str
    at_ms: int
    results: tuple[Result, ...]
    actions: tuple[Action, ...]

    def action_id(self, number: int) -> str:
        """Of one of its actions; all results are of the first, which is the review itself."""
        return id_of(f"review {self.level} {self.subject_id} {self.at_ms} {number}")

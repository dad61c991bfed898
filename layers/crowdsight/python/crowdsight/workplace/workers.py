"""Workers: who they are and what they earned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Worker:
    """A person who does HITs.

    `accepted`: assignments in hand now. `waiting`: submitted ones that wait for approval, worth `waiting_cents`.
    `earned_cents`: rewards of all approved assignments. `adjusted_cents`: the operator's adjustments, more and less.
    `session_version` is raised to end the Worker's sessions. One who `is_suspended` can do nothing. `email`: by which
    the Worker can sign in, "" for none.
    """

    worker_id: str
    name: str
    registered_at_ms: int
    accepted: int = 0
    waiting: int = 0
    approved: int = 0
    rejected: int = 0
    waiting_cents: int = 0
    earned_cents: int = 0
    adjusted_cents: int = 0
    session_version: int = 0
    is_suspended: bool = False
    email: str = ""


@dataclass(frozen=True)
class Staff:
    """One of a requester's staff, who sees the requester's pages. The rest is as with Workers."""

    worker_id: str
    name: str
    requester_id: str
    registered_at_ms: int
    session_version: int = 0
    is_suspended: bool = False
    email: str = ""

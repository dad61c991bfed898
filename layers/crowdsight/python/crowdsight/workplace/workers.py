"""Workers: who they are and what they earned."""

from dataclasses import dataclass

from crowdsight.workplace.qualifications import Locale


@dataclass(frozen=True)
class Worker:
    """A person who does HITs.

    `accepted`: assignments in hand now. `waiting`: submitted ones that wait for approval, worth `waiting_cents`.
    `earned_cents`: rewards of all approved assignments. `bonus_cents`: all bonuses, which come on top.
    `adjusted_cents`: the operator's adjustments, more and less.
    `session_version` is raised to end the Worker's sessions. One who `is_suspended` can do nothing. `email`: by which
    the Worker can sign in, "" for none.
    `country` and `subdivision`: where the Worker is, by the codes of ISO 3166; None until somebody says so.
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
    bonus_cents: int = 0
    adjusted_cents: int = 0
    session_version: int = 0
    is_suspended: bool = False
    email: str = ""
    country: str | None = None
    subdivision: str | None = None

    @property
    def locale(self) -> Locale | None:
        """Where the Worker is, as far as it is known."""
        return Locale(self.country, self.subdivision) if self.country else None


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

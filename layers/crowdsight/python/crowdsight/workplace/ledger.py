"""Requesters' money, and what Workers earn: accounts, the ledgers behind them. All in integer cents.

Money comes in by `fund`; it is *available*, then *held* while an assignment may still have to be paid, then *spent*.
Every change of a balance has its entry in the ledger; an entry is written once and never changed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A requester's balances. `available + held + spent` = everything ever funded."""

    requester_id: str
    available_cents: int = 0
    held_cents: int = 0
    spent_cents: int = 0


@dataclass(frozen=True)
class LedgerEntry:
    """One change of a requester's balances, as differences.

    `key` is made from what the entry is for, so that the same thing is never booked twice. `at_ms`: when it was booked,
    which can be after it was due.
    `kind`: `fund`, `hold`, `release`, `pay`, `bonus`. A `pay` or `bonus` entry also names the Worker and splits what
    was spent into `reward_cents`, which the Worker got, and `fee_cents`.
    """

    key: str
    kind: str
    requester_id: str
    at_ms: int
    available_cents: int = 0
    held_cents: int = 0
    spent_cents: int = 0
    reward_cents: int = 0
    fee_cents: int = 0
    hit_id: str | None = None
    assignment_id: str | None = None
    worker_id: str | None = None


@dataclass(frozen=True)
class Earning:
    """One entry of a Worker's statement, more or less (negative) for the Worker.

    `key` is made from what the entry is for and begins with its `kind` and #: `pay`, of the reward of an approved
    assignment, `bonus`, or `adjustment`, of the operator's. `text`: what the Worker reads, a HIT's title or a reason.
    """

    worker_id: str
    key: str
    kind: str
    at_ms: int
    cents: int
    text: str
    requester_id: str | None = None
    hit_id: str | None = None
    assignment_id: str | None = None


@dataclass(frozen=True)
class PayDay:
    """What was paid on one day (UTC, as `2026-11-28`): so many assignments, their rewards, and the fees on top."""

    date: str
    paid: int = 0
    reward_cents: int = 0
    fee_cents: int = 0

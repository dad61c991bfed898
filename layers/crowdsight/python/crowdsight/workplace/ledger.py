"""Requesters' money: accounts, the ledger behind them, and what an assignment costs. All in integer cents.

Money comes in by `fund`; it is *available*, then *held* while an assignment may still have to be paid, then *spent*.
Every change of a balance has its entry in the ledger; an entry is written once and never changed.
"""

from dataclasses import dataclass

FEE_SURCHARGE_FROM_ASSIGNMENTS = 10
FEE_SURCHARGE_PERCENT = 20


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

    `key` is made from what the entry is for, so that the same thing is never booked twice.
    `kind`: `fund`, `hold`, `release`, `pay`. A `pay` entry also names the Worker and splits what was spent into
    `reward_cents`, which the Worker got, and `fee_cents`.
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


def fee_cents(reward_cents: int, fee_percent: int, max_assignments: int) -> int:
    """The workplace's fee for one assignment: a percentage of the reward, half a cent rounded up, at least one cent.

    As MTurk's price list: a HIT with ten assignments or more costs another 20 % of the reward. Nothing at 0 %.
    """
    if fee_percent == 0:
        return 0
    surcharge = FEE_SURCHARGE_PERCENT if max_assignments >= FEE_SURCHARGE_FROM_ASSIGNMENTS else 0
    return max(1, (reward_cents * (fee_percent + surcharge) + 50) // 100)

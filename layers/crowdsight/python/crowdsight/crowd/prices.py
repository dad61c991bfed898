"""What a task costs its deployment, in whole cents."""

from crowdsight.catalogue import CrowdFunction


def fee_cents(reward_cents: int, fee_percent: int) -> int:
    """The workplace's fee on one answer: its percentage rounded half up, at least a cent unless it is free."""
    return max(1, (reward_cents * fee_percent + 50) // 100) if fee_percent else 0


def answer_cents(function: CrowdFunction, fee_percent: int) -> int:
    """One answer: reward and fee."""
    return function.reward_cents + fee_cents(function.reward_cents, fee_percent)


def worst_case_cents(function: CrowdFunction, fee_percent: int) -> int:
    """A task that needs the most answers its function allows."""
    return answer_cents(function, fee_percent) * function.adjudicator.most_answers

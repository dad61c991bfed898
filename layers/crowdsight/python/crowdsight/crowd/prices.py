"""What a task costs its deployment, in whole cents."""

from crowdsight.catalogue import CrowdFunction
from crowdsight.money import fee_cents

GOLD_ASSIGNMENTS = 10
"""With which the HIT of a known-answer question starts: one that starts with fewer can never ask ten Workers."""


def answer_cents(function: CrowdFunction, fee_percent: int) -> int:
    """One answer: reward and fee."""
    return function.reward_cents + fee_cents(function.reward_cents, fee_percent, function.adjudicator.most_answers)


def worst_case_cents(function: CrowdFunction, fee_percent: int) -> int:
    """A task that needs the most answers its function allows."""
    return answer_cents(function, fee_percent) * function.adjudicator.most_answers


def gold_answer_cents(function: CrowdFunction, fee_percent: int) -> int:
    """One answer to a known-answer question: reward and fee."""
    return function.reward_cents + fee_cents(function.reward_cents, fee_percent, GOLD_ASSIGNMENTS)

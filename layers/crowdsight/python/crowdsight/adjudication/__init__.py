"""Adjudication: from Workers' answers to a verdict, asking for no more answers than needed.

One algorithm a file, each an `Adjudicator`. An adjudicator is pure: the same answers give the same verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

UNAVAILABLE = "unavailable"
"""The answer "the image does not load", which every question offers."""

UNREADABLE = "unreadable"
"""What stands for an answer that the question never offered. Only a known-answer question's lesson knows it."""

Value = str | float
"""What a Worker answered: a category, or a grade from 0 to 1; or UNAVAILABLE."""


@dataclass(frozen=True)
class Answer:
    """One Worker's answer."""

    worker_id: str
    value: Value


def missed(answers: Sequence[Answer]) -> list[str]:
    """The Workers who did not answer a question that can be answered.

    UNREADABLE is always such an answer, UNAVAILABLE only where another Worker saw what was to be seen: a link that has
    rotted is nobody's fault.
    """
    is_seen = any(answer.value not in (UNAVAILABLE, UNREADABLE) for answer in answers)
    blamed = (UNAVAILABLE, UNREADABLE) if is_seen else (UNREADABLE,)
    return [answer.worker_id for answer in answers if answer.value in blamed]


@dataclass(frozen=True)
class Decided:
    """Confident: the answer to the task is `value` (never UNAVAILABLE)."""

    value: Value


@dataclass(frozen=True)
class Unloadable:
    """Workers agree that an image does not load."""


@dataclass(frozen=True)
class Undecided:
    """Not confident; with the most answers in, that is the end."""


Verdict = Decided | Unloadable | Undecided


class Adjudicator(Protocol):
    """A stopping rule and an estimate.

    `first_answers`: as few answers as the rule can need; `most_answers`: after these it is given up. A HIT that
    starts below 10 assignments can never reach 10 in MTurk's rules, so `most_answers` is at most 9.
    """

    @property
    def first_answers(self) -> int: ...

    @property
    def most_answers(self) -> int: ...

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        """The verdict on the answers so far, in any order."""
        ...

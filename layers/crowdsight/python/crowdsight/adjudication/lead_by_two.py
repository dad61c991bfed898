"""First to lead by two: stop as soon as one category has two answers more than any other.

This is the sequential probability ratio test (Wald 1945) for two categories and equally able Workers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided, Unloadable, Verdict

LEAD = 2


@dataclass(frozen=True)
class LeadByTwo:
    """For categorical answers; "the image does not load" is a category like the others."""

    most_answers: int = 9
    first_answers: int = LEAD

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        ranking = Counter(answer.value for answer in answers).most_common(2)
        counts = [count for _, count in ranking] + [0, 0]
        if counts[0] - counts[1] < LEAD:
            return Undecided()
        leader = ranking[0][0]
        return Unloadable() if leader == UNAVAILABLE else Decided(leader)

"""ScoreMyKnownAnswers/2011-09-01: how many of the answers that the requester knows a Worker got right.

https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_AssignmentReviewPolicies.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crowdsight.workplace.answer_values import Values


@dataclass(frozen=True)
class KnownAnswers:
    """By question whether it was answered as known; `score` is the percentage that was, rounded down, 0 to 100."""

    correct: Mapping[str, bool]

    @property
    def score(self) -> int:
        return 100 * sum(self.correct.values()) // len(self.correct)


def score_known_answers(answers: Mapping[str, Values], key: Mapping[str, Values]) -> KnownAnswers:
    """Compare a Worker's answers with a key of one question or more: right are the same values, no more and no less."""
    return KnownAnswers({question: answers.get(question, frozenset()) == values for question, values in key.items()})

"""SimplePlurality/2011-09-01: what most Workers answered, and how far each agrees with them.

https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_HITReviewPolicies.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crowdsight.workplace.answer_values import Values

MAX_COMPARED_LENGTH = 256
"""Answers of more characters are left out."""


@dataclass(frozen=True)
class AgreedAnswer:
    """The answer to a question that more Workers gave than any other; `score` is the percentage who did, 1 to 100."""

    values: Values
    score: int


@dataclass(frozen=True)
class WorkerAgreement:
    """On how many questions with an agreed answer a Worker agreed, and on how many not."""

    agreed: int
    disagreed: int

    @property
    def score(self) -> int | None:
        """The percentage agreed on, rounded down, 0 to 100; None where there is no agreed answer at all."""
        return 100 * self.agreed // (self.agreed + self.disagreed) if self.agreed + self.disagreed else None


@dataclass(frozen=True)
class Agreement:
    """By question the agreed answer, None where there is none."""

    answers: Mapping[str, AgreedAnswer | None]

    @property
    def score(self) -> int:
        """The percentage of questions with an agreed answer, rounded down, 0 to 100."""
        return 100 * sum(answer is not None for answer in self.answers.values()) // len(self.answers)

    def of_worker(self, answers: Mapping[str, Values]) -> WorkerAgreement:
        """How far one Worker's answers are the agreed ones."""
        agreed = [
            answers.get(question, frozenset()) == answer.values for question, answer in self.answers.items() if answer
        ]
        return WorkerAgreement(sum(agreed), len(agreed) - sum(agreed))


def find_agreement(answers: Sequence[Mapping[str, Values]], question_ids: Sequence[str], threshold: int) -> Agreement:
    """What the Workers agree on, each of whom gave one of `answers`, about one question or more.

    An answer is agreed on when no other was given as often, and a percentage of the Workers above `threshold` gave it.
    At 100, which nothing is above, all must have given it. Two answers are the same if they have the same values.
    """
    return Agreement({question: _agreed_answer(answers, question, threshold) for question in question_ids})


def _agreed_answer(answers: Sequence[Mapping[str, Values]], question: str, threshold: int) -> AgreedAnswer | None:
    given = [values.get(question, frozenset()) for values in answers]
    counts = Counter(values for values in given if sum(map(len, values)) <= MAX_COMPARED_LENGTH)
    if not counts:
        return None
    (values, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        return None
    score = 100 * most // counts.total()
    return AgreedAnswer(values, score) if score > threshold or score == 100 else None

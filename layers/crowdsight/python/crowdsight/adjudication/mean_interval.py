"""The mean of graded answers, once its confidence interval is narrow enough.

Student's t interval of the mean, two-sided 90 %; the answers of one task are few, so its quantiles are tabled here
rather than computed (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided, Unloadable, Verdict

T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860)
"""The .95 quantile of Student's t for 1, 2, … 8 degrees of freedom."""

LEAD_OF_UNAVAILABLE = 2


@dataclass(frozen=True)
class MeanInterval:
    """For grades from 0 to 1: decided when the 90 % interval of their mean is within `half_width` of it.

    "The image does not load" ends the task when it leads the grades by two; otherwise such answers do not count
    towards the mean or its least number of grades.
    """

    half_width: float = 0.1
    first_answers: int = 3
    most_answers: int = 9

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        grades = [float(answer.value) for answer in answers if answer.value != UNAVAILABLE]
        if len(answers) - 2 * len(grades) >= LEAD_OF_UNAVAILABLE:
            return Unloadable()
        if len(grades) < self.first_answers:
            return Undecided()
        half_width = T_95[len(grades) - 2] * statistics.stdev(grades) / math.sqrt(len(grades))
        return Decided(statistics.fmean(grades)) if half_width < self.half_width else Undecided()

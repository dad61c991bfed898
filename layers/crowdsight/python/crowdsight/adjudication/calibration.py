"""Calibration of stated confidence on tasks whose truth became known.

Platt scaling (Platt 1999) without its shift: the log odds of a belief are multiplied by a slope. And since some tasks
mislead everybody alike, so that answers make sure of the wrong thing, a share of what is believed is given back. Both
are fitted by penalized maximum likelihood on a grid: with few audits they stay near where they start, and whatever the
audits say the stated confidence increases with the belief.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LEAST = 1e-6
SLOPES = tuple(1.1**step for step in range(-12, 6))
"""As multiples of the slope at the start."""
MISLED = tuple(step / 50 for step in range(19))


@dataclass(frozen=True)
class Calibration:
    """The stated confidence of a believed share.

    `slope` > 0; `misled`: a share of tasks, below a half; `audits`: how many stand behind them.
    """

    slope: float = 1.0
    misled: float = 0.02
    audits: int = 0

    def stated(self, share: float) -> float:
        """The confidence to state, from 0 to 1; increasing in the share."""
        scaled = 1 / (1 + math.exp(-self.slope * log_odds(share)))
        return scaled * (1 - self.misled) + (1 - scaled) * self.misled


START = Calibration()


def fit(audits: Iterable[tuple[float, bool]], start: Calibration = START, firmness: float = 2.0) -> Calibration:
    """The calibration that fits (believed share of the leading value, whether it was right).

    `firmness`: how strongly `start` is held on to, in audits of the clearest kind.
    """
    points = [(log_odds(share), right) for share, right in audits]
    best, most = start, -math.inf
    for steeper in SLOPES:
        slope = start.slope * steeper
        scaled = [(1 / (1 + math.exp(-slope * x)), right) for x, right in points]
        for misled in MISLED:
            credit = -firmness * math.log(steeper) ** 2 * 4 - firmness * abs(misled - start.misled) * 10
            for share, right in scaled:
                stated = share * (1 - misled) + (1 - share) * misled
                credit += math.log(stated if right else 1 - stated)
            if credit > most:
                best, most = Calibration(slope, misled, len(points)), credit
    return best


def log_odds(share: float) -> float:
    """Of a share, which is kept off 0 and 1."""
    kept = min(max(share, LEAST), 1 - LEAST)
    return math.log(kept / (1 - kept))

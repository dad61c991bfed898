"""Additive counts: what is known of Workers, as numbers that only ever get added to and subtracted from.

Counts are whole millionths, so that sums are exact in any order and adding and then subtracting leaves nothing: a
Worker's `Tally` can lie in one DynamoDB item, one number an entry, changed by ADD from any number of places at once.
"""

from collections.abc import Iterable, Mapping

UNIT = 1_000_000
"""One whole answer."""

Tally = dict[str, int]
"""Named counts in millionths. A count of nought and no count are the same."""


class SkillState:
    """What is known of a function's Workers: one tally a Worker, and one for all together.

    What a closed task contributes is a `SkillState` too: `add` it, and `subtract` it to take it back.
    """

    def __init__(self, pooled: Mapping[str, int] | None = None, workers: Mapping[str, Tally] | None = None) -> None:
        self.pooled: Tally = dict(pooled or {})
        self.workers: dict[str, Tally] = {worker: dict(tally) for worker, tally in (workers or {}).items()}

    def add(self, contribution: "SkillState") -> None:
        self._change(contribution, 1)

    def subtract(self, contribution: "SkillState") -> None:
        self._change(contribution, -1)

    def of(self, workers: Iterable[str]) -> "SkillState":
        """What is known of these Workers, and of all together: as much as one task needs."""
        return SkillState(self.pooled, {worker: self.workers[worker] for worker in workers if worker in self.workers})

    def _change(self, contribution: "SkillState", sign: int) -> None:
        _merge(self.pooled, contribution.pooled, sign)
        for worker, tally in contribution.workers.items():
            own = self.workers.setdefault(worker, {})
            _merge(own, tally, sign)
            if not own:
                del self.workers[worker]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SkillState) and (self.pooled, self.workers) == (other.pooled, other.workers)

    def __repr__(self) -> str:
        return f"SkillState({self.pooled!r}, {self.workers!r})"


def _merge(into: Tally, change: Mapping[str, int], sign: int) -> None:
    for name, millionths in change.items():
        total = into.get(name, 0) + sign * millionths
        if total:
            into[name] = total
        else:
            into.pop(name, None)

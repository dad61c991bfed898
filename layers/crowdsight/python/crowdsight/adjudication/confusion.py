"""The confusion-matrix model of categorical answers, hierarchical and Bayesian.

A task has one true category. A Worker answers category `a` where `z` is true with probability `theta[z][a]`; each row
has a Dirichlet prior around the row of all Workers together, which in turn is drawn towards one accuracy for all
rows. A task's clarity `b`, on a small grid, sharpens or blurs every Worker's row alike: the odds of two answers are
raised to the power `b`. Categories have a prior that known truths anchor and that closed tasks may only lean towards.

Dawid & Skene 1979 (confusion matrices), Raykar et al. 2010 and Kim & Ghahramani 2012 (their priors), Whitehill et
al. 2009 (the exponent), Welinder et al. 2010 (several coins a Worker).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, mul

from crowdsight.adjudication import UNAVAILABLE, Answer, Value, missed
from crowdsight.adjudication.tally import UNIT, SkillState, Tally

KNOWN, LEARNED = "known", "learned"
"""Counts from questions whose truth was told, and from closed tasks whose truth is only believed."""

MISSED = "missed"
"""Counts of a Worker's answers to known-answer questions that were no answer, see `missed`."""

BALANCING_STEPS = 4
ROUNDED_TO = 3
LEAST_CHANCE = 0.002
"""Chances are told apart by thousandths, and none is smaller than this."""


@dataclass(frozen=True)
class Priors:
    """What is believed of a crowd before it has answered anything. Weights are in answers, those of truths in tasks.

    `accuracy`: of an average Worker; `accuracy_weight`: how firmly. `row_weight`: how firmly the pool's rows have that
    accuracy, `own_row_weight`: how firmly a Worker's rows are the pool's, better or worse by the Worker's own accuracy.
    `worker_weight`: how alike Workers' accuracies are. `floor_weight`: the pool's weight where a Worker is
    held against the floor.

    `learned_weight`: what an answer to a closed task tells of accuracy, of what one to a known question tells;
    `learned_row_weight` and `learned_pool_weight`: what it tells of a Worker's rows and of the pool's. These are small:
    from agreement alone, uneven answers and uneven truths look the same. However many closed tasks there are, they
    weigh no more than `most_learned` answers on the pool and `most_learned_of_one` on a Worker: where Workers answer
    few tasks each, agreement alone would else let the pool's accuracy drift to chance and past it.

    `truth_weight`: of an even class prior. `lean`: the exponent from 0 to 1 with which shares of categories that are
    only believed are taken. `clarities` and `clarity_shares`: the grid of `b`.
    """

    accuracy: float = 0.75
    accuracy_weight: float = 20.0
    row_weight: float = 20.0
    worker_weight: float = 8.0
    own_row_weight: float = 10.0
    learned_weight: float = 0.8
    learned_row_weight: float = 0.4
    learned_pool_weight: float = 0.1
    most_learned: float = 20.0
    most_learned_of_one: float = 30.0
    floor_weight: float = 2.0
    truth_weight: float = 8.0
    lean: float = 0.6
    clarities: tuple[float, ...] = (0.4, 1.0, 2.0)
    clarity_shares: tuple[float, ...] = (0.25, 0.5, 0.25)


Rows = list[list[list[float]]]
"""Probabilities of answers: [truth][clarity][answer]."""


class ConfusionModel:
    """What answers tell of a task, given a skill state. The state may change; then make a new model."""

    def __init__(
        self,
        categories: Sequence[Value],
        state: SkillState,
        priors: Priors | None = None,
        opinion: Sequence[float] | None = None,
    ) -> None:
        """`opinion`: P(truth) of this task before its answers, in place of the function's class prior."""
        self.categories = tuple(categories)
        self.priors = priors or Priors()
        self._index = {category: number for number, category in enumerate(self.categories)}
        self._state = state
        self._pool = self._pool_rows()
        self.class_prior = self._class_prior()
        self._opinion = opinion or self.class_prior
        self._rows: dict[str, Rows] = {}
        self.average_rows = self._sharpened(self._pool)
        """Of a Worker of whom nothing is known."""

    def joint(self, answers: Sequence[Answer]) -> list[list[float]]:
        """P(truth, clarity | answers), [truth][clarity]; answers that are no category of these tell nothing."""
        logs = [[math.log(share * prior) for share in self.priors.clarity_shares] for prior in self._opinion]
        for answer in sorted(answers, key=attrgetter("worker_id")):  # no order shows even in the last digit
            column = self._index.get(answer.value)
            if column is None:
                continue
            rows = self.rows_of(answer.worker_id)
            for truth, row in enumerate(logs):
                for clarity in range(len(row)):
                    row[clarity] += math.log(rows[truth][clarity][column])
        highest = max(max(row) for row in logs)
        weights = [[math.exp(value - highest) for value in row] for row in logs]
        total = math.fsum(weight for row in weights for weight in row)
        return [[weight / total for weight in row] for row in weights]

    def posterior(self, answers: Sequence[Answer]) -> list[float]:
        """P(truth | answers), in the order of the categories; sums to 1."""
        return [math.fsum(row) for row in self.joint(answers)]

    def rows_of(self, worker_id: str) -> Rows:
        """How a Worker answers."""
        if worker_id not in self._state.workers:
            return self.average_rows
        if worker_id not in self._rows:
            self._rows[worker_id] = self._sharpened(self.confusion(worker_id))
        return self._rows[worker_id]

    def rows_to_expect(self, right: float | None) -> Rows:
        """Of a Worker who is right with this chance, whatever is true; None: of the pool."""
        if right is None:
            return self.average_rows
        size = len(self.categories)
        wrong = (1 - right) / (size - 1)
        return self._sharpened([[right if at == truth else wrong for at in range(size)] for truth in range(size)])

    def confusion(self, worker_id: str) -> list[list[float]]:
        """A Worker's expected confusion matrix, [truth][answer]; each row sums to 1.

        First how often the Worker is right, all truths together, against what the pool would have been; then what is
        particular to each truth.
        """
        tally = self._state.workers.get(worker_id, {})
        priors, size = self.priors, len(self.categories)
        capped = min(1.0, priors.most_learned_of_one / max(self._learned(tally), 1.0))
        counts = [self._counts(tally, truth, capped * priors.learned_weight) for truth in range(size)]
        seen = [sum(row) for row in counts]
        total = sum(seen) + priors.worker_weight
        usual = sum(share * self._pool[truth][truth] for truth, share in enumerate(self.class_prior))
        right = (sum(counts[truth][truth] for truth in range(size)) + priors.worker_weight * usual) / total
        expected = sum(seen[truth] * self._pool[truth][truth] for truth in range(size)) + priors.worker_weight * usual
        better = _odds(right) / _odds(expected / total)
        matrix = []
        for truth, pool in enumerate(self._pool):
            own = self._counts(tally, truth, capped * priors.learned_row_weight)
            odds = _odds(pool[truth]) * better
            wrong = 1 / (1 + odds) / (1 - pool[truth])
            centre = [odds / (1 + odds) if answer == truth else share * wrong for answer, share in enumerate(pool)]
            weight = sum(own) + priors.own_row_weight
            matrix.append(
                [(priors.own_row_weight * at + count) / weight for at, count in zip(centre, own, strict=True)]
            )
        return matrix

    def counted(self, worker_id: str | None = None) -> float:
        """How many answers of a Worker, or of all, have been counted; those to closed tasks at their lesser weight."""
        tally = self._state.pooled if worker_id is None else self._state.workers.get(worker_id, {})
        return sum(sum(self._counts(tally, truth, self.priors.learned_weight)) for truth in range(len(self.categories)))

    def counted_known(self, worker_id: str) -> float:
        """How many of a Worker's answers to known-answer questions have been counted, missed ones among them."""
        tally = self._state.workers.get(worker_id, {})
        return sum(self._missed(tally)) + sum(
            sum(self._counts(tally, truth, 0.0)) for truth in range(len(self.categories))
        )

    def informedness(self, worker_id: str | None) -> float:
        """How far a Worker's answers to known-answer questions, or the pool's answers, are from chance.

        1: always right. 0: at random, or always the same (Youden 1950, for any number of categories). What was missed
        is not right. Closed tasks tell nothing of a Worker here: who is right where most are wrong disagrees with them.
        """
        size = len(self.categories)
        pool = (sum(self._pool[truth][truth] for truth in range(size)) - 1) / (size - 1)
        if worker_id is None:
            return pool
        tally = self._state.workers.get(worker_id, {})
        right = 0.0
        for truth, unanswered in enumerate(self._missed(tally)):
            row = self._counts(tally, truth, 0.0)
            weight = self.priors.floor_weight / size
            right += (row[truth] + weight * self._pool[truth][truth]) / (sum(row) + unanswered + weight)
        return (right - 1) / (size - 1)

    def closed(self, answers: Sequence[Answer], posterior: Sequence[float]) -> SkillState:
        """What a task contributes when it closes with this belief: each answer counts for each truth by its share."""
        return self._contribution(LEARNED, answers, [round(share * UNIT) for share in posterior])

    def told(self, answers: Sequence[Answer], truth: Value) -> SkillState:
        """What answers to a question of known truth contribute. The truth itself counts once, see `truth_told`."""
        shares = [UNIT if category == truth else 0 for category in self.categories]
        contribution = self._contribution(KNOWN, answers, shares)
        for category in self.categories:
            contribution.pooled.pop(truth_name(KNOWN, category), None)
        for worker_id in missed(answers):
            contribution.add(SkillState({}, {worker_id: {truth_name(MISSED, truth): UNIT}}))
        return contribution

    def _contribution(self, kind: str, answers: Sequence[Answer], shares: Sequence[int]) -> SkillState:
        contribution = SkillState(
            {
                truth_name(kind, category): share
                for category, share in zip(self.categories, shares, strict=True)
                if share
            }
        )
        for answer in answers:
            if answer.value not in self._index:
                continue
            tally = {
                count_name(kind, category, answer.value): share
                for category, share in zip(self.categories, shares, strict=True)
                if share
            }
            contribution.add(SkillState(tally, {answer.worker_id: tally}))
        return contribution

    def _counts(self, tally: Tally, truth: int, learned_weight: float) -> list[float]:
        """A row of counts, in answers."""
        category = self.categories[truth]
        return [
            (
                tally.get(count_name(KNOWN, category, value), 0)
                + learned_weight * tally.get(count_name(LEARNED, category, value), 0)
            )
            / UNIT
            for value in self.categories
        ]

    def _missed(self, tally: Tally) -> list[float]:
        """How many known-answer questions of each truth were missed."""
        return [tally.get(truth_name(MISSED, category), 0) / UNIT for category in self.categories]

    def _learned(self, tally: Tally) -> float:
        """How many answers to closed tasks are in a tally."""
        names = (count_name(LEARNED, truth, answer) for truth in self.categories for answer in self.categories)
        return sum(tally.get(name, 0) for name in names) / UNIT

    def _pool_rows(self) -> list[list[float]]:
        priors, size, pooled = self.priors, len(self.categories), self._state.pooled
        capped = min(priors.learned_weight, priors.most_learned / max(self._learned(pooled), 1.0))
        counts = [self._counts(pooled, truth, capped) for truth in range(size)]
        right = sum(counts[truth][truth] for truth in range(size)) + priors.accuracy * priors.accuracy_weight
        accuracy = right / (sum(map(sum, counts)) + priors.accuracy_weight)
        matrix = []
        for truth in range(size):
            row = self._counts(pooled, truth, min(priors.learned_pool_weight, capped))
            total = sum(row) + priors.row_weight
            centre = [accuracy if answer == truth else (1 - accuracy) / (size - 1) for answer in range(size)]
            matrix.append(
                [(count + priors.row_weight * share) / total for count, share in zip(row, centre, strict=True)]
            )
        return matrix

    def _class_prior(self) -> list[float]:
        """An even prior, the truths that were told, and believed ones in so far as none were told."""
        priors, pooled, size = self.priors, self._state.pooled, len(self.categories)
        known = [pooled.get(truth_name(KNOWN, category), 0) / UNIT for category in self.categories]
        learned = [pooled.get(truth_name(LEARNED, category), 0) / UNIT for category in self.categories]
        even = priors.truth_weight / size
        leaned = [((count + even) / (sum(learned) + priors.truth_weight)) ** priors.lean for count in learned]
        centre = [share / sum(leaned) for share in leaned]
        total = sum(known) + priors.truth_weight
        return [(count + priors.truth_weight * share) / total for count, share in zip(known, centre, strict=True)]

    def _sharpened(self, matrix: list[list[float]]) -> Rows:
        """Rows by clarity, such that over the grid they average to the matrix: that is what counts estimate."""
        clarities, shares = self.priors.clarities, self.priors.clarity_shares
        return [_sharpened(tuple(round(share, ROUNDED_TO) for share in row), clarities, shares) for row in matrix]


@lru_cache(maxsize=100_000)
def _sharpened(row: tuple[float, ...], clarities: tuple[float, ...], shares: tuple[float, ...]) -> list[list[float]]:
    wanted = [max(share, LEAST_CHANCE) for share in row]
    centre = wanted
    for _ in range(BALANCING_STEPS):
        grid = [_power(centre, clarity) for clarity in clarities]
        means = [sum(map(mul, shares, column)) for column in zip(*grid, strict=True)]
        centre = [at * share / mean for at, share, mean in zip(centre, wanted, means, strict=True)]
    return [_power(centre, clarity) for clarity in clarities]


def _odds(chance: float) -> float:
    kept = min(max(chance, LEAST_CHANCE), 1 - LEAST_CHANCE)
    return kept / (1 - kept)


def _power(row: Sequence[float], exponent: float) -> list[float]:
    powers = [share**exponent for share in row]
    total = sum(powers)
    return [power / total for power in powers]


def truth_told(truth: Value) -> SkillState:
    """What a known truth contributes to the class prior."""
    return SkillState({truth_name(KNOWN, truth): UNIT})


def count_name(kind: str, truth: Value, answer: Value) -> str:
    """The entry of a tally that counts such answers where such is true."""
    return f"{kind}|{truth}|{answer}"


def truth_name(kind: str, truth: Value) -> str:
    """The entry of a tally that counts tasks, or questions missed, of which such is true."""
    return f"{kind}|{truth}"


def categories_of(values: Mapping[Value, object] | Sequence[Value]) -> tuple[Value, ...]:
    """The categories among what can be answered."""
    return tuple(value for value in values if value != UNAVAILABLE)

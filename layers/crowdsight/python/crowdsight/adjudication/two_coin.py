"""Categorical answers weighed by who gave them: stop when one more answer is not worth its price.

While next to nothing is known of a function's Workers this is first to lead by two. A single answer is enough only
from a Worker who has been measured.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided, Unloadable, Value, Verdict
from crowdsight.adjudication.calibration import START, Calibration
from crowdsight.adjudication.confusion import ConfusionModel, Priors, truth_told
from crowdsight.adjudication.lead_by_two import LEAD, LeadByTwo
from crowdsight.adjudication.machine_prior import Curve, Opinion, Share, fit_curve
from crowdsight.adjudication.stopping import gain_of_going_on
from crowdsight.adjudication.tally import SkillState


@dataclass(frozen=True)
class Belief:
    """What the answers say.

    `shares`: P(truth) of each category, in their order. `value`: the likeliest. `confidence`: calibrated, that it is
    true.
    """

    shares: tuple[float, ...]
    value: Value
    confidence: float


@dataclass(frozen=True)
class TwoCoin:
    """For categorical answers; `knowing` gives the same rule with what is known of a task's Workers.

    `right_in_answers`: what a right result is worth, in answers; `right_unaudited`: as long as no audit has told how
    far confidence is to be trusted, since then a further answer brings less than it promises. `looks_ahead`: how many
    answers ahead the worth of going on is reckoned. `sure`: with less confidence it does not stop before one category
    leads by two. `least_confidence`: with less it does not stop before the most answers are in, nor where what is
    believed is what no Worker said.

    `enough_answers`: so many must have been counted of all Workers together before it departs from first to lead by
    two; `enough_of_one`: of a Worker's own, before that Worker's answer alone can be enough; `enough_known`: of a
    Worker's own to known-answer questions, before that Worker can be found below the floor. The floor is an
    informedness in these of `floor`, or, where questions are hard for everyone, `floor_of_pool` times the pool's; for
    who is shut out it is `way_back` times as high, so that what changes little changes nothing.
    """

    categories: tuple[Value, ...]
    most_answers: int = 9
    right_in_answers: float = 100.0
    right_unaudited: float = 40.0
    looks_ahead: int = 4
    sure: float = 0.75
    least_confidence: float = 0.6
    enough_answers: float = 20.0
    enough_of_one: float = 8.0
    enough_known: float = 5.0
    floor: float = 0.3
    floor_of_pool: float = 0.7
    way_back: float = 1.25
    priors: Priors = field(default_factory=Priors)
    calibration: Calibration = START
    next_right: float | None = None
    opinion: tuple[float, ...] | None = None
    skills: SkillState = field(default_factory=SkillState)

    @property
    def first_answers(self) -> int:
        """Two, as long as so little is known that it is first to lead by two."""
        return 1 if self._knows_enough else LEAD

    def knowing(self, skills: SkillState) -> Self:
        return replace(self, skills=skills)

    @property
    def tuning(self) -> dict[str, float]:
        """How alike Workers are, the calibration, and how often the next answer is right, where that is known."""
        calibration = self.calibration
        return {
            "worker_weight": self.priors.worker_weight,
            "slope": calibration.slope,
            "misled": calibration.misled,
            "audits": calibration.audits,
            **({} if self.next_right is None else {"next_right": self.next_right}),
        }

    def with_tuning(self, tuning: Mapping[str, float]) -> Self:
        own = {**self.tuning, **tuning}
        alike = replace(self, priors=replace(self.priors, worker_weight=own["worker_weight"]))
        calibration = Calibration(own["slope"], own["misled"], int(own["audits"]))
        return alike.calibrated(calibration).expecting(own.get("next_right"))

    def calibrated(self, calibration: Calibration) -> Self:
        """The same rule, with confidence stated so."""
        return replace(self, calibration=calibration)

    def advised(self, opinion: Opinion | None) -> Self:
        """The same rule for a task of which the machine thinks so. An opinion of no category of these is none."""
        if not isinstance(opinion, Share) or opinion.category not in self.categories:
            return replace(self, opinion=None)
        others = (1 - opinion.share) / (len(self.categories) - 1)
        shares = tuple(opinion.share if category == opinion.category else others for category in self.categories)
        return replace(self, opinion=shares)

    def foretelling(self, known: Sequence[tuple[float, Value]]) -> Curve:
        """What scores of one kind say of the truth: whether it is the first category."""
        return fit_curve(known, self.categories[0])

    def expecting(self, right: float | None) -> Self:
        """The same rule where the next answer is right with this chance; None: as likely as the pool's."""
        return replace(self, next_right=right)

    def at_most(self, answers: int) -> Self:
        return replace(self, most_answers=answers)

    def contribution(self, answers: Sequence[Answer]) -> SkillState:
        # The machine's opinion teaches nothing of Workers: its evidence is that they, and truths told, agree with it.
        model = ConfusionModel(self.categories, self.skills, self.priors)
        return model.closed(answers, model.posterior(answers))

    def lesson(self, answers: Sequence[Answer], truth: Value) -> SkillState:
        return self.model.told(answers, truth)

    def truth_lesson(self, truth: Value) -> SkillState:
        return truth_told(truth)

    @cached_property
    def model(self) -> ConfusionModel:
        """What answers tell, given the skills."""
        return ConfusionModel(self.categories, self.skills, self.priors, self.opinion)

    def believe(self, answers: Sequence[Answer]) -> Belief:
        """What the answers so far say, in any order."""
        shares = self.model.posterior(answers)
        largest = max(shares)
        return Belief(tuple(shares), self.categories[shares.index(largest)], self.calibration.stated(largest))

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        counts = Counter(answer.value for answer in answers)
        unavailable = counts.pop(UNAVAILABLE, 0)
        most, second = [*sorted(counts.values(), reverse=True), 0, 0][:2]
        if unavailable - most >= LEAD:
            return Unloadable()
        if not self._knows_enough:
            return LeadByTwo(self.most_answers).judge(answers)
        if unavailable >= most or not self._may_stop(answers):
            return Undecided()
        left = min(self.most_answers - len(answers), self.looks_ahead)
        worth = self.right_in_answers if self.calibration.audits else self.right_unaudited
        joint = self.model.joint(answers)
        gain = gain_of_going_on(joint, self.model.rows_to_expect(self.next_right), left, worth, self.calibration.stated)
        belief = self.believe(answers)
        if gain > 0 or (belief.confidence < self.sure and most - second < LEAD):
            return Undecided()
        if belief.confidence < self.least_confidence or belief.value not in counts:
            return Undecided()
        return Decided(belief.value)

    def welcomes(self, worker_id: str, is_shut_out: bool = False) -> bool:
        """Whether a Worker gets more HITs of this kind: so does everyone until known-answer questions tell."""
        model = self.model
        if model.counted_known(worker_id) < self.enough_known:
            return True
        floor = min(self.floor, self.floor_of_pool * model.informedness(None))
        return model.informedness(worker_id) >= floor * (self.way_back if is_shut_out else 1.0)

    @property
    def _knows_enough(self) -> bool:
        return self.model.counted() >= self.enough_answers

    def _may_stop(self, answers: Sequence[Answer]) -> bool:
        return len(answers) > 1 or self.model.counted(answers[0].worker_id) >= self.enough_of_one

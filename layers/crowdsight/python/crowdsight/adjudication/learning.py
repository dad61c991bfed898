"""Adjudicators that know Workers: what the service needs of them, and the scheduled refit.

For a task, load the pooled tally and those of its Workers, and ask `knowing(skills).judge(answers)`. When the task
closes, add what it contributes to the stored tallies, and keep the contribution with the task: it can be taken back.

The refit sweeps over closed tasks, each judged again by what all the others now tell. A task's own contribution is
taken out before it is judged and the new one put back: expectation maximization as collapsed variational inference
does it (Kim & Ghahramani 2012; Asuncion et al. 2009), so no task confirms itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from crowdsight.adjudication import Adjudicator, Answer, Value
from crowdsight.adjudication.machine_prior import MachinePrior, Opinion
from crowdsight.adjudication.tally import SkillState

SWEEPS = 5


class Belief(Protocol):
    """What answers say: the likeliest value, and the stated confidence, 0 to 1, that it is true."""

    @property
    def value(self) -> Value: ...

    @property
    def confidence(self) -> float: ...


class Learner(Adjudicator, Protocol):
    """An adjudicator that weighs answers by who gave them. Without `knowing` it knows nobody."""

    @property
    def skills(self) -> SkillState:
        """What it knows of Workers."""
        ...

    @property
    def tuning(self) -> Mapping[str, float]:
        """What a refit has set, by name; nothing, if none has."""
        ...

    def with_tuning(self, tuning: Mapping[str, float]) -> Self:
        """The same rule, tuned so. Names that it does not know are passed over."""
        ...

    def believe(self, answers: Sequence[Answer]) -> Belief:
        """What the answers so far say, in any order."""
        ...

    def welcomes(self, worker_id: str, is_shut_out: bool = False) -> bool:
        """Whether a Worker gets more HITs of this kind. Who is shut out must be somewhat better than who is not."""
        ...

    def knowing(self, skills: SkillState) -> Self:
        """The same rule for tasks whose Workers are known so."""
        ...

    def advised(self, opinion: Opinion | None) -> Self:
        """The same rule for a task of which the machine has this opinion, or none."""
        ...

    def foretelling(self, known: Sequence[tuple[float, Value]]) -> MachinePrior:
        """What scores of one kind say of the truth, from (score, truth) in the order in which truths became known."""
        ...

    def at_most(self, answers: int) -> Self:
        """The same rule where no more than so many answers can be had."""
        ...

    def contribution(self, answers: Sequence[Answer]) -> SkillState:
        """What a task with these answers teaches when it closes."""
        ...

    def lesson(self, answers: Sequence[Answer], truth: Value) -> SkillState:
        """What these answers to one question of known truth teach, besides that truth."""
        ...

    def truth_lesson(self, truth: Value) -> SkillState:
        """What a known truth teaches, once for each question."""
        ...


@dataclass
class ClosedTask:
    """A closed task and what of it is in the skill state now."""

    answers: Sequence[Answer]
    contribution: SkillState


def close(state: SkillState, rule: Learner, answers: Sequence[Answer]) -> ClosedTask:
    """Put what a task teaches into the state."""
    task = ClosedTask(answers, rule.knowing(state).contribution(answers))
    state.add(task.contribution)
    return task


def refit(state: SkillState, rule: Learner, tasks: Sequence[ClosedTask], sweeps: int = SWEEPS) -> None:
    """Judge each closed task anew, `sweeps` times over, and put what follows into the state and the task."""
    for _ in range(sweeps):
        for task in tasks:
            state.subtract(task.contribution)
            task.contribution = rule.knowing(state).contribution(task.answers)
            state.add(task.contribution)

"""The scheduled refit: sweeps over closed tasks, each judged again by what all the others now tell.

A task's own contribution is taken out before it is judged and the new one put back: expectation maximization as
collapsed variational inference does it (Kim & Ghahramani 2012; Asuncion et al. 2009), so no task confirms itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.confusion import ConfusionModel, Priors
from crowdsight.adjudication.tally import SkillState


@dataclass
class ClosedTask:
    """A closed task and what of it is in the skill state now."""

    answers: Sequence[Answer]
    contribution: SkillState


def refit(
    state: SkillState,
    tasks: Sequence[ClosedTask],
    categories: Sequence[Value],
    sweeps: int = 5,
    priors: Priors | None = None,
) -> None:
    """Judge each closed task anew, `sweeps` times over, and put what follows into the state and the task."""
    for _ in range(sweeps):
        for task in tasks:
            state.subtract(task.contribution)
            model = ConfusionModel(categories, state, priors)
            task.contribution = model.closed(task.answers, model.posterior(task.answers))
            state.add(task.contribution)

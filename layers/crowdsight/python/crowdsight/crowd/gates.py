"""Skill gates: a Worker who answers known questions below the floor gets no more HITs of that function, and is told.

Nobody is rejected or goes unpaid for it. It is done as any program at MTurk would: the HITs require that a Worker does
not have a certain qualification, and whoever is shut out gets it.
"""

from collections.abc import Iterable

from crowdsight.catalogue import CrowdFunction
from crowdsight.crowd.requester import Refused, Requester, RequesterError
from crowdsight.crowd.skills import Skills

SHUT_OUT = (
    "To some of these questions we know the answer. Too few of your answers to those were right, so we will not offer "
    "you more HITs of this kind. All that you have submitted is paid, nothing is rejected, and HITs of other kinds are "
    "open to you as before."
)
LET_IN = "HITs of this kind are open to you again. Thank you for your work."


class Gates:
    """Every review may run twice: a Worker may then be told twice, never not at all if messages can be delivered."""

    def __init__(self, skills: Skills, requester: Requester) -> None:
        self._skills = skills
        self._requester = requester

    def review(self, function: CrowdFunction, worker_ids: Iterable[str]) -> None:
        """Shut out, or let in again, those of these Workers of whom what is known says so.

        A Worker whom the workplace refuses does not keep the others waiting: its error is raised at the end, in an
        ExceptionGroup of RequesterError.
        """
        worker_ids = list(worker_ids)
        rule = self._skills.knowing(function, worker_ids)
        excluded = self._skills.excluded(function, worker_ids)
        errors = []
        for worker_id in worker_ids:
            try:
                is_welcome = rule.welcomes(worker_id, worker_id in excluded)
                self._set(function, worker_id, is_welcome, excluded.get(worker_id))
            except RequesterError as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("some Workers' gates could not be set", errors)

    def _set(self, function: CrowdFunction, worker_id: str, is_welcome: bool, is_told: bool | None) -> None:
        """`is_told`: whether a Worker who is shut out was told so; None for one who is not."""
        if is_welcome:
            if is_told is not None:
                self._requester.let_in(function, worker_id, LET_IN)
                self._skills.set_excluded(function, worker_id, False)
            return
        if is_told is None:
            self._requester.shut_out(function, worker_id)
            self._skills.set_excluded(function, worker_id, True)
        if not is_told:
            try:
                self._requester.tell(worker_id, function.title, SHUT_OUT)
            except Refused:
                pass  # a Worker whom the workplace delivers nothing to
            self._skills.set_told(function, worker_id)

"""Random audits: a share of the finished tasks, to which an operator tells the truth without seeing the result.

| pk              | sk         | what                                                                     |
|-----------------|------------|--------------------------------------------------------------------------|
| AUDITS#function | generation | a drawn task: its input, its answers, and its truth once that is told    |

They lie in the table of tasks, and are kept as long as finished tasks are. What is told calibrates stated confidence
and the shares of answers that are expected, at the next refit: drawn at random, these tasks are as all tasks are.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crowdsight.adjudication import UNAVAILABLE, Answer
from crowdsight.catalogue import CrowdFunction
from crowdsight.clock import Clock
from crowdsight.crowd.skills import Skills
from crowdsight.dynamodb import ConditionFailed, Item, Table
from crowdsight.errors import InvalidRequest, NotFound
from crowdsight.task_store import Generation, TaskStore
from crowdsight.tasks import KEEP_FINISHED_S, canonical_json, check_truth

DRAW_KEY = b"crowdsight random audit"
"""Generations' ids are random and told to nobody, so that nobody can tell which are drawn."""


@dataclass(frozen=True)
class DrawnTask:
    """A finished task that was drawn, `id` being its generation. `truth_json`: None until it is told."""

    id: str
    input_json: str
    answers: tuple[Answer, ...]
    drawn_at_ms: int
    truth_json: str | None


class RandomAudits:
    """`percent`: of finished tasks, how many are drawn."""

    def __init__(self, table: Table, tasks: TaskStore, skills: Skills, clock: Clock, percent: int) -> None:
        self._table = table
        self._tasks = tasks
        self._skills = skills
        self._clock = clock
        self._percent = percent

    def draw(self, generation: Generation, answers: Sequence[Answer]) -> None:
        """Keep the task for an audit if it is drawn and has answers to judge by; again: changes nothing.

        `answers`: those that it was judged by at its end.
        """
        if not is_drawn(generation.id, self._percent) or all(answer.value == UNAVAILABLE for answer in answers):
            return
        item: Item = {
            "pk": _pk(generation.function),
            "sk": generation.id,
            "input": generation.input_json,
            "answers": json.dumps([[answer.worker_id, answer.value] for answer in answers]),
            "drawn_at_ms": self._clock(),
            "ttl_s": self._clock() // 1000 + KEEP_FINISHED_S,
        }
        try:
            self._table.put(item, "attribute_not_exists(pk)")
        except ConditionFailed:
            pass  # drawn by an earlier run of the same step

    def drawn(self, function: CrowdFunction) -> Iterator[DrawnTask]:
        """The function's drawn tasks, told or not."""
        return map(_drawn_task, self._table.query_all(_pk(function.name)))

    def tell(self, function: CrowdFunction, id: str, truth: Any) -> None:
        """The truth of a drawn task, a document as the function's results are; again: changes nothing.

        What the task has taught by itself is taken back, and what its truth tells of its Workers is learned. Raises
        NotFound, and InvalidRequest for no such document or for another truth than was told before.
        """
        value, truth_json = check_truth(function, truth), canonical_json(truth)
        try:
            item = self._table.update(
                _pk(function.name),
                id,
                "SET truth = :truth",
                "attribute_exists(pk) AND attribute_not_exists(truth) OR truth = :truth",
                {"truth": truth_json},
            )
        except ConditionFailed as error:
            if self._table.get(_pk(function.name), id) is None:
                raise NotFound(f"no such task was drawn: {id}") from error
            raise InvalidRequest(f"another truth of {id} is recorded already") from error
        # The record of the generation is kept as long as this; what is forgotten teaches nothing any more.
        generation = self._tasks.generation(id)
        self._skills.tell(function, id, value, _drawn_task(item).answers, instead_of=generation)


def is_drawn(generation_id: str, percent: int) -> bool:
    """Whether that finished task is drawn: always the same for the same task."""
    digest = hashlib.blake2b(generation_id.encode(), key=DRAW_KEY, digest_size=8).digest()
    return int.from_bytes(digest, "big") * 100 < percent * 2**64


def _pk(function: str) -> str:
    return f"AUDITS#{function}"


def _drawn_task(item: Item) -> DrawnTask:
    return DrawnTask(
        id=item["sk"],
        input_json=item["input"],
        answers=tuple(Answer(worker_id, value) for worker_id, value in json.loads(item["answers"])),
        drawn_at_ms=item["drawn_at_ms"],
        truth_json=item.get("truth"),
    )

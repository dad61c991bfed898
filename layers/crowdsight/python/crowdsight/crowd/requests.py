"""What a caller can ask: put, get and delete a task."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from crowdsight.catalogue import CrowdFunction, find_function
from crowdsight.crowd.prices import worst_case_cents
from crowdsight.crowd.workflow import Workflow, WorkflowUnavailable
from crowdsight.errors import InternalError, InvalidRequest, NotFound
from crowdsight.task_store import TaskExists, TaskStore
from crowdsight.tasks import State, Task, TaskKey, canonical_json, check_input, check_name, result_of

PUT_ATTEMPTS = 5


@dataclass(frozen=True)
class Terms:
    """The deployment's settings for new tasks. `ceiling_cents`: an account's monthly crowd budget, 0 = none."""

    hit_lifetime_s: int
    ceiling_cents: Callable[[str], int]
    fee_percent: int


class PutTask:
    """Create a task, or answer with the task that has this name and an equal input."""

    def __init__(self, store: TaskStore, workflow: Workflow, terms: Terms, new_id: Callable[[], str]) -> None:
        self._store = store
        self._workflow = workflow
        self._terms = terms
        self._new_id = new_id

    def __call__(self, key: TaskKey, task_input: Any) -> tuple[Task, bool]:
        """The task and whether it is new. Raises InvalidRequest, NotFound, BudgetExceeded."""
        function, is_test = function_of(key)
        check_name(key.name)
        check_input(function, task_input)
        input_json = canonical_json(task_input)
        for _ in range(PUT_ATTEMPTS):
            task = self._store.find(key)
            if task:
                if task.input_json != input_json:
                    raise InvalidRequest("a task of this name exists with a different input")
                return task, False
            task = Task(key, self._new_id(), input_json)
            try:
                return (self._create_test(task, function) if is_test else self._create(task, function)), True
            except TaskExists:
                continue  # another request took the name just now: look again
        raise InternalError("the task is being created and deleted too often at the same moment; try again")

    def price_cents(self, key: TaskKey) -> int:
        """What a task of this function costs at the worst: with its most answers, and the workplace's fee.

        Raises NotFound.
        """
        function, is_test = function_of(key)
        return 0 if is_test else worst_case_cents(function, self._terms.fee_percent)

    def _create(self, task: Task, function: CrowdFunction) -> Task:
        self._store.create(
            task,
            function.name,
            self._terms.hit_lifetime_s,
            worst_case_cents=worst_case_cents(function, self._terms.fee_percent),
            ceiling_cents=self._terms.ceiling_cents(task.key.account),
        )
        generation = self._store.generation(task.generation)
        if generation:
            try:
                self._workflow.start(generation)
            except WorkflowUnavailable:
                return task  # the task stands; reconcile_hits starts its execution within a minute
            self._store.mark_started(generation.id)
        return task

    def _create_test(self, task: Task, function: CrowdFunction) -> Task:
        """A twin's task is finished from the start; only the answer to its PUT says `processing`."""
        result = result_of(function, function.mock(random.Random(task.generation)))
        self._store.create_finished(replace(task, state=State.COMPLETED, result=result))
        return task


class GetTask:
    """Find a task."""

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    def __call__(self, key: TaskKey) -> Task:
        """Raises NotFound."""
        check_key(key)
        task = self._store.find(key)
        if task is None:
            raise NotFound("no such task")
        return task


class DeleteTask:
    """Free the name of a finished task."""

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    def __call__(self, key: TaskKey) -> None:
        """Raises NotFound, StillProcessing."""
        check_key(key)
        self._store.delete(key)


def check_key(key: TaskKey) -> None:
    """Raises NotFound for a key that no task can have."""
    function_of(key)
    try:
        check_name(key.name)
    except InvalidRequest as error:
        raise NotFound("no such task") from error


def function_of(key: TaskKey) -> tuple[CrowdFunction, bool]:
    """The function called, and whether it is a `-test` twin. Raises NotFound."""
    found = find_function(key.function)
    if found is None:
        raise NotFound("no such function")
    return found

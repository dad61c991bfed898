"""Tasks end well however notifications arrive, and whatever happens to the processes that work on them."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.stack.conftest import start
from tests.stack.crowd_hands import CONTAINS, SIMILARITY, picture_url
from tests.stack.raw_http import Api, Reply
from tests.stack.running_stack import RunningStack, wait_for

TASKS = 8
DEADLINE_S = 240.0
"""A lost notification is made up for within a minute, several of one task within several."""

KILLING_S = 6.0
KILLED_EVERY_S = 0.3

Factory = Callable[[str], RunningStack]


@pytest.fixture(scope="module")
def stack_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A stack with Workers who are always right, whose notifications are delivered in one of the ways there are."""
    with contextlib.ExitStack() as ended:
        yield lambda notifications: ended.enter_context(
            contextlib.contextmanager(start)(
                tmp_path_factory, notifications, "--workers", "perfect", "--schedule-speed", "30",
                "--notifications", notifications,
            )
        )  # fmt: skip


@pytest.mark.parametrize("notifications", ["duplicate", "drop"])
def test_however_notifications_arrive_every_task_ends_right_and_each_answer_is_paid_once(
    stack_with: Factory, notifications: str
) -> None:
    running = stack_with(notifications)
    api = Api(running["api_url"], running["api_key"])
    put_all(api, notifications)
    wait_for_results(api, notifications)
    audit = wait_for_audit(running)
    assert audit.hits == TASKS

    if notifications == "duplicate":
        put_all(api, "killed")
        killed = kill_functions(running)
        wait_for_results(api, "killed")
        assert len(killed) > KILLING_S
        audit = wait_for_audit(running)
        assert audit.hits == 2 * TASKS

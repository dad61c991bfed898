"""Tasks end well however notifications arrive, and whatever happens to the processes that work on them."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from benchmarks.faults.killer import Killer, list_processes
from local.workers.truth import Truth
from tests.stack.conftest import start
from tests.stack.crowd_hands import CONTAINS, SIMILARITY, contains_input, picture_url, similarity_input
from tests.stack.raw_http import Api, Reply
from tests.stack.running_stack import RunningStack, wait_for

TASKS = 4
"""Of each function."""

LABEL = "a dog"
LEAST_CENTS, MOST_CENTS = TASKS * (1 * 2 + 2 * 3), TASKS * (9 * 2 + 9 * 3)
"""As few and as many answers as the rules can need, at 2 and 3 cents."""

DEADLINE_S = 240.0
"""What is lost is made up for within a minute; several losses of one task, within several."""

KILLS = 20
KILLED_EVERY_S = 0.2

Money = tuple[int, int, int, list[str]]
"""HITs, cents paid as rewards, cents held, and discrepancies."""

TRUTH = Truth({}, {})
"""These Workers' own: they have never seen the pictures, and all make up the same."""


def careless(tmp_path_factory: pytest.TempPathFactory, notifications: str) -> Iterator[RunningStack]:
    """A stack with Workers who are always right, whose notifications do not just come once."""
    return start(
        tmp_path_factory, notifications,
        "--workers", "perfect", "--schedule-speed", "6", "--notifications", notifications,
    )  # fmt: skip


@pytest.fixture(scope="module")
def duplicating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    yield from careless(tmp_path_factory, "duplicate")


@pytest.fixture(scope="module")
def dropping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    yield from careless(tmp_path_factory, "drop")


def test_when_every_notification_comes_twice_tasks_end_right_and_each_answer_is_paid_once(
    duplicating: RunningStack,
) -> None:
    names = put_tasks(duplicating, "duplicate")
    wait_for_results(duplicating, names)
    wait_for_audit(duplicating, names)


def test_killing_functions_at_work_changes_nothing(duplicating: RunningStack) -> None:
    before = duplicating.operator.audit()
    names = put_tasks(duplicating, "killed")
    kill_functions(duplicating)
    wait_for_results(duplicating, names)
    wait_for_audit(duplicating, names, before.hits, before.rewards_paid_cents)


def test_when_no_notification_ever_comes_tasks_end_right_and_each_answer_is_paid_once(dropping: RunningStack) -> None:
    names = put_tasks(dropping, "drop")
    wait_for_results(dropping, names)
    wait_for_audit(dropping, names)


def put_tasks(running: RunningStack, prefix: str) -> list[str]:
    """Put tasks of both functions; their names, the same for each function."""
    api = Api(running["api_url"], running["api_key"])
    names = [f"{prefix}-{number}" for number in range(TASKS)]
    for name in names:
        assert insist(partial(api.put, CONTAINS, name, contains_input(name, LABEL))).status in (200, 201)
        assert insist(partial(api.put, SIMILARITY, name, similarity_input(name))).status in (200, 201)
    return names


def insist(ask: Callable[[], Reply]) -> Reply:
    """What a caller does when the service is in trouble: ask again."""

    def answered() -> Reply | None:
        with contextlib.suppress(OSError):
            reply = ask()
            return reply if reply.status < 500 else None
        return None

    return wait_for("an answer", answered)


def kill_functions(running: RunningStack) -> None:
    """Kill one process of any function after another, most of them at work."""
    with Killer(KILLED_EVERY_S, 0, lambda: list_processes(running["lambda_url"])) as killer:
        wait_for(f"{KILLS} killed functions", lambda: killer.kills.total() >= KILLS)


def wait_for_results(running: RunningStack, names: list[str]) -> None:
    """Every task is completed, with what the pictures show."""
    api = Api(running["api_url"], running["api_key"])
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for name in names:
        url = picture_url(name)
        expected[CONTAINS, name] = {"containsTarget": TRUTH.contains(url, LABEL)}
        grade = TRUTH.similarity(url, picture_url(f"{name}-other"))
        expected[SIMILARITY, name] = {"similarityScore": pytest.approx(grade, abs=0.02)}  # drawn a little to the middle

    def has_ended(function: str, name: str) -> bool:
        return insist(partial(api.get, function, name)).document["state"] != "processing"

    for function, name in expected:
        wait_for(f"{function} {name} to end", partial(has_ended, function, name), DEADLINE_S)
    documents = {key: insist(partial(api.get, *key)).document for key in expected}
    assert {key: document["result"] for key, document in documents.items()} == expected, documents


def wait_for_audit(running: RunningStack, names: list[str], hits_before: int = 0, paid_before_cents: int = 0) -> None:
    """In the end there is one HIT a task, and every answer that was asked for is paid, once, and nothing else is."""
    api = Api(running["api_url"], running["api_key"])
    documents = [
        insist(partial(api.get, function, f"{name}/audit")).document
        for function in (CONTAINS, SIMILARITY)
        for name in names
    ]
    cost_cents = sum(document["cents"] for document in documents)
    assert LEAST_CENTS <= cost_cents <= MOST_CENTS
    for document in documents:
        assert len({answer["worker"] for answer in document["answers"]}) == len(document["answers"])

    expected: Money = (hits_before + 2 * TASKS, paid_before_cents + cost_cents, 0, [])
    seen: Money | None = None

    def adds_up() -> bool:
        nonlocal seen
        audit = running.operator.audit()
        seen = (audit.hits, audit.rewards_paid_cents, audit.held_cents, audit.discrepancies)
        return seen == expected

    with contextlib.suppress(AssertionError):
        wait_for("the audit to add up", adds_up, DEADLINE_S, poll_s=1.0)
    assert seen == expected

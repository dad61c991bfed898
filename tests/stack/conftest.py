"""One running stack for most tests, and others with settings of their own for those that need them."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdsight.accounts.keys import PREFIX, RANDOM_BYTES
from tests.stack.crowd_hands import CONTAINS, UNANSWERED, Hands, contains_input, forget_workers
from tests.stack.picture_host import PictureHost
from tests.stack.raw_http import Api
from tests.stack.running_stack import RunningStack, assert_nothing_left, listening_ports

KEY_LIKE = PREFIX.encode() + rb"[A-Za-z0-9_-]{%d,}" % RANDOM_BYTES


@pytest.fixture(scope="session")
def host() -> Iterator[PictureHost]:
    """Where pictures are that the stack may fetch."""
    with PictureHost() as host:
        yield host


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, host: PictureHost) -> Iterator[RunningStack]:
    """A stack without Workers, with the settings that are deployed; its schedules of a minute run every 3 seconds."""
    yield from start(
        tmp_path_factory, "stack", "--workers", "none", "--schedule-speed", "20", "--allow-image-host", host.address
    )


@pytest.fixture(scope="session")
def api(running: RunningStack) -> Api:
    return Api(running["api_url"], running["api_key"])


@pytest.fixture
def hands(running: RunningStack, signed_in: list[Hands]) -> list[Hands]:
    """Three Workers who do what a test tells them, and of whom nothing is known from other tests."""
    forget_workers(running)
    return signed_in[:3]


@pytest.fixture
def four_hands(hands: list[Hands], signed_in: list[Hands]) -> list[Hands]:
    """The three, and one more."""
    return [*hands, signed_in[3]]


@pytest.fixture(scope="session")
def signed_in(running: RunningStack) -> Iterator[list[Hands]]:
    with contextlib.ExitStack() as signed_in:
        yield [signed_in.enter_context(Hands(running, name)) for name in ("Ada", "Ben", "Cleo", "Dora")]


@pytest.fixture(scope="session")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack in which everything is soon used up: the crowd budget, the requests a second, a HIT's time.

    A task is put at its start, UNANSWERED, whose HIT expires while other tests run.
    """
    for running in start(
        tmp_path_factory, "limited", "--workers", "none", "--schedule-speed", "20",
        "--setting", "crowd_budget_cents=130", "--setting", "hit_lifetime_s=60",
        "--setting", "throttle_rate=10", "--setting", "throttle_burst=20",
        "--setting", "key_throttle_rate=5", "--setting", "key_throttle_burst=10",
    ):  # fmt: skip
        put = Api(running["api_url"], running["api_key"]).put(CONTAINS, UNANSWERED, contains_input(UNANSWERED))
        assert put.status == 201
        yield running


def start(tmp_path_factory: pytest.TempPathFactory, name: str, *options: str) -> Iterator[RunningStack]:
    """A running stack that is ended, and leaves nothing, when the tests are done with it."""
    with RunningStack(tmp_path_factory.mktemp(name), *options) as running:
        assert running.document
        yield running
        members = running.members()
        ports = listening_ports(members)
        logs = Path(running["logs"])
        assert running.end() == 0, running.output
    assert_nothing_left(members, ports)
    assert_no_key_was_logged(logs)


def assert_no_key_was_logged(folder: Path) -> None:
    """Of all that every part of a stack has logged, about all requests of all tests."""
    logs = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(logs.values()), "nothing was logged at all"
    telling = {name: re.findall(KEY_LIKE, content)[:3] for name, content in logs.items()}
    assert {name: found for name, found in telling.items() if found} == {}

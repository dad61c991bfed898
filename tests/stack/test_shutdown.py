"""However a stack ends, and whenever, it leaves no process and no listening port."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client.stack import Stack, StackNotFound
from local.running import STOP_DEADLINE_S
from local.synthesis import ROOT
from tests.stack.crowd_hands import CONTAINS, contains_input
from tests.stack.raw_http import Api
from tests.stack.running_stack import (
    RunningStack,
    assert_nothing_left,
    listening_ports,
    wait_for,
)

NEVER_SYNTHESIZED = ("--setting", "hit_lifetime_s=86399")
"""No stack with this setting lives long enough for its templates to be kept, so that each makes them anew."""


def with_a_child(running: RunningStack) -> bool:
    return len(running.members()) > 1


def with_the_aws_services(running: RunningStack) -> bool:
    return any("local.aws" in command_line(id) for id in running.members())


def with_node_at_the_synthesis(running: RunningStack) -> bool:
    return any("jsii" in command_line(id) for id in running.members())


def command_line(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (with_a_child, signal.SIGTERM),
        (with_the_aws_services, signal.SIGINT),
        (with_node_at_the_synthesis, signal.SIGINT),
        (with_node_at_the_synthesis, signal.SIGKILL),
    ],
)
def test_a_stack_that_is_stopped_while_it_starts_leaves_nothing(
    moment: Callable[[RunningStack], bool], number: int, tmp_path: Path
) -> None:
    running = RunningStack(tmp_path, "--workers", "perfect", *NEVER_SYNTHESIZED)
    wait_for(moment.__name__, lambda: moment(running) or running.process.poll() is not None, poll_s=0.01)
    assert running.process.poll() is None, running.output
    status = stop_and_see_nothing_left(running, number)
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else 0), running.output
    assert not (running.state_dir / "stack.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stack_that_is_stopped_with_requests_in_flight_leaves_nothing(number: int, tmp_path: Path) -> None:
    """After SIGINT, and even when its supervisor is killed."""
    running = RunningStack(tmp_path, "--workers", "perfect")
    with keep_asking(running) as answers:
        wait_for("some answers", lambda: len(answers) > 20)
        status = stop_and_see_nothing_left(running, number)
    assert {answer for answer in answers if answer < 500} <= {200, 201}
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else 0), running.output
    if number != signal.SIGKILL:
        assert not running.ready_file.exists()
        with pytest.raises(StackNotFound, match="no local stack is running"):
            Stack.read(running.path)


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_goes_on(running: RunningStack, api: Api) -> None:
    command = [sys.executable, "-m", "local", "up", "--port", "0", "--state-dir", str(running.state_dir)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"a local stack is running already, process {running.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert api.request("GET", "/openapi.json").status == 200
    assert (running.state_dir / "stack.json").exists()


def test_a_port_that_is_taken_is_refused_by_its_number(running: RunningStack, tmp_path: Path) -> None:
    port = running["api_url"].rpartition(":")[2]
    second = RunningStack(tmp_path, "--port", port)
    members = watch_until_it_ends(second)
    assert second.process.returncode == 1
    assert f"port {port} cannot be used" in second.output
    assert "Traceback" not in second.output
    assert_nothing_left(members, set())


def stop_and_see_nothing_left(running: RunningStack, number: int) -> int:
    """The exit status after that signal. Its processes are watched to the end, so that none is born unseen."""
    members = running.members()
    ports = listening_ports(members)
    running.process.send_signal(number)
    members |= watch_until_it_ends(running)
    assert_nothing_left(members, ports)
    status = running.process.returncode
    assert status is not None
    return status


def watch_until_it_ends(running: RunningStack) -> set[int]:
    """All processes that it had meanwhile."""
    members: set[int] = set()
    give_up_at = time.monotonic() + 2 * STOP_DEADLINE_S
    while running.process.poll() is None:
        members |= running.members()
        if time.monotonic() > give_up_at:
            running.process.kill()
            raise AssertionError(f"it does not end:\n{running.output}")
        time.sleep(0.02)
    return members


@contextlib.contextmanager
def keep_asking(running: RunningStack) -> Iterator[list[int]]:
    """Callers who put and get tasks until nobody answers any more; yields the statuses that they were answered."""
    api = Api(running["api_url"], running["api_key"])
    statuses: list[int] = []
    over = threading.Event()

    def ask(number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            count = 0
            while not over.is_set():
                name = f"flight-{number}-{count}"
                statuses.append(api.put(CONTAINS, name, contains_input(name)).status)
                statuses.append(api.get(CONTAINS, name).status)
                count += 1

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for caller in callers:
        caller.start()
    try:
        yield statuses
    finally:
        over.set()
        for caller in callers:
            caller.join(60)

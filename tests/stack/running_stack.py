"""A local stack as its users have it, and what tests look at from outside: processes, ports, time."""

import contextlib
import functools
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config

import local.running
from benchmarks.faults.killer import list_processes

if TYPE_CHECKING:
    from crowdsight.workplace.operator import Operator

POLL_S = 0.1

Found = TypeVar("Found")


def wait_for(what: str, look: Callable[[], Found | None], deadline_s: float = 60.0, poll_s: float = POLL_S) -> Found:
    """What `look` finds as soon as that is true. Raises AssertionError, naming `what`, after the deadline."""
    give_up_at = time.monotonic() + deadline_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > give_up_at:
            raise AssertionError(f"not within {deadline_s:g} s: {what}; last seen: {found!r}")
        time.sleep(poll_s)


class RunningStack(local.running.RunningStack):
    """A local stack, with what tests look at."""

    @functools.cached_property
    def mturk(self) -> Any:
        """A boto3 client of the stack's own requester account."""
        return self.stack.workplace().mturk(Config(retries={"mode": "standard", "max_attempts": 8}))

    @functools.cached_property
    def operator(self) -> "Operator":
        """What an operator of the workplace can do."""
        return self.stack.operator()

    def kill_operation(self, operation: str) -> None:
        """Kill every process of a Lambda, as a machine that fails would."""
        for process in list_processes(self["lambda_url"]):
            if process.operation == operation:
                with contextlib.suppress(ProcessLookupError):  # it ended just now
                    os.kill(process.process_id, signal.SIGKILL)

    def members(self) -> set[int]:
        """The processes of its tree, its own included."""
        return descendants(self.process.pid) | {self.process.pid}


def descendants(process_id: int) -> set[int]:
    """Every process below this one, by /proc."""
    children: dict[int, list[int]] = {}
    for id, parent in _parents():
        children.setdefault(parent, []).append(id)
    found: set[int] = set()
    pending = [process_id]
    while pending:
        new = [id for id in children.get(pending.pop(), []) if id not in found]
        found.update(new)
        pending += new
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it ended just now
                stat = Path(entry.path, "stat").read_text()
                yield int(entry.name), int(stat.rpartition(")")[2].split()[1])


def is_alive(process_id: int) -> bool:
    """Whether there is such a process and it is not a zombie that waits to be reaped."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def listening_ports(process_ids: set[int]) -> set[int]:
    """The TCP ports that these processes listen on."""
    inodes = set()
    for id in process_ids:
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{id}/fd"):
                with contextlib.suppress(OSError):
                    found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor.path))
                    if found:
                        inodes.add(found[1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def assert_nothing_left(process_ids: set[int], ports: set[int], deadline_s: float = 10.0) -> None:
    """None of these processes lives and none of these ports is listened on, within a moment."""

    def is_gone() -> bool:
        return not any(map(is_alive, process_ids)) and not any(map(is_listening, ports))

    try:
        wait_for("everything to be gone", is_gone, deadline_s)
    except AssertionError:
        left = {id: Path(f"/proc/{id}/cmdline").read_text() for id in process_ids if is_alive(id)}
        raise AssertionError(f"left: {left}, ports {[port for port in ports if is_listening(port)]}") from None

"""A local stack as its users have it: a process of its own, started and ended from outside."""

import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config

from client.stack import Stack
from local.synthesis import ROOT

if TYPE_CHECKING:
    from crowdsight.workplace.operator import Operator

START_DEADLINE_S = 240.0
STOP_DEADLINE_S = 30.0
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


class RunningStack:
    """`python -m local up` with `options`, from its start on. `end` it, or use it as a context manager."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.state_dir = folder / "state"
        self._ready_file = folder / "ready.json"
        self._output = folder / "output.log"
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "local", "up", "--port", "0"]
        command += ["--state-dir", str(self.state_dir), "--ready-file", str(self._ready_file), *options]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._document: dict[str, Any] | None = None

    def __enter__(self) -> "RunningStack":
        return self

    def __exit__(self, *reason: object) -> None:
        self.end()

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    @property
    def document(self) -> dict[str, Any]:
        """The contents of stack.json, once the stack is ready."""
        if self._document is None:
            self._document = json.loads(wait_for("the stack to be ready", self._ready, START_DEADLINE_S))
        return self._document

    def __getitem__(self, key: str) -> str:
        """A text of stack.json, such as `api_url`."""
        return str(self.document[key])

    @functools.cached_property
    def mturk(self) -> Any:
        """A boto3 client of the stack's own requester account."""
        return boto3.client(
            "mturk",
            region_name="us-east-1",
            endpoint_url=self["mturk_endpoint_url"],
            aws_access_key_id=self["mturk_access_key_id"],
            aws_secret_access_key=self["mturk_secret_access_key"],
            config=Config(retries={"mode": "standard", "max_attempts": 8}),
        )

    @functools.cached_property
    def operator(self) -> "Operator":
        """What an operator of the workplace can do."""
        assert self.document
        return Stack.read(self.state_dir / "stack.json").operator()

    def _ready(self) -> str | None:
        assert self.process.poll() is None, f"the stack ended with {self.process.returncode}:\n{self.output}"
        return self._ready_file.read_text(encoding="utf-8") if self._ready_file.exists() else None

    def functions(self) -> list[dict[str, Any]]:
        """Each Lambda process: its `operation`, `process_id` and `state`."""
        answer: list[dict[str, Any]] = fetch_json(f"{self.document['lambda_url']}/processes")
        return answer

    def members(self) -> set[int]:
        """The processes of its tree, its own included."""
        return descendants(self.process.pid) | {self.process.pid}

    def end(self, number: int = signal.SIGTERM, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Send a signal and wait for the exit status. Raises AssertionError when it does not come."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"not ended {deadline_s:g} s after {signal.Signals(number).name}") from None


def fetch_json(url: str) -> Any:
    """A document of the stack's own APIs."""
    return httpx.get(url, timeout=60, trust_env=False).raise_for_status().json()


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


def members_by_environment(state_dir: Path) -> set[int]:
    """Processes that name this folder on their command line, whoever their parent is."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if str(state_dir).encode() in Path(entry.path, "cmdline").read_bytes():
                    found.add(int(entry.name))
    return found


def listening_ports(process_ids: Sequence[int] | set[int]) -> set[int]:
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


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def assert_nothing_left(process_ids: set[int], ports: set[int], deadline_s: float = 10.0) -> None:
    """None of these processes lives and none of these ports is listened on, within a moment."""

    def is_gone() -> bool:
        return not any(map(is_alive, process_ids)) and not any(map(is_listening, ports))

    try:
        wait_for("everything to be gone", is_gone, deadline_s)
    except AssertionError:
        left = {id: Path(f"/proc/{id}/cmdline").read_text() for id in process_ids if is_alive(id)}
        raise AssertionError(f"left: {left}, ports {[port for port in ports if is_listening(port)]}") from None

"""A local stack as a program starts it: a process of its own, started and ended from outside.

with RunningStack(folder, "--workers", "simulated") as running:
    print(running["api_url"])
"""

import functools
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, Self

from client.stack import Stack
from local.children import Children
from local.synthesis import ROOT

START_DEADLINE_S = 240.0
"""Long enough for a synthesis, with several stacks on a busy machine."""

STOP_DEADLINE_S = 30.0
POLL_S = 0.1


class StackFailed(Exception):
    """A local stack did not start or did not end; the message is what it said."""


class RunningStack:
    """`python -m local up` with `options`, on a free port, from its start on. It never outlives this process.

    `state_dir` takes its stack.json, its logs, and what it prints. Use it as a context manager, or `end` it.
    """

    def __init__(self, state_dir: Path, *options: str) -> None:
        self.state_dir = state_dir
        self.path = state_dir / "stack.json"
        self.ready_file = state_dir / "ready.json"
        self._output = state_dir / "output.log"
        state_dir.mkdir(parents=True, exist_ok=True)
        self.ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "local", "up", "--port", "0"]
        command += ["--state-dir", str(state_dir), "--ready-file", str(self.ready_file), *options]
        self._children = Children()
        with self._output.open("wb") as output:
            self._child = self._children.start(command, cwd=ROOT, stdout=output, stderr=output)
        self.process = self._child.process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.end()

    def __getitem__(self, key: str) -> str:
        """A text of stack.json, such as `api_url`. Waits until the stack is ready; raises StackFailed."""
        return str(self.document[key])

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The contents of stack.json, once the stack is ready. Raises StackFailed."""
        give_up_at = time.monotonic() + START_DEADLINE_S
        while not self.ready_file.exists():
            if self.process.poll() is not None:
                raise StackFailed(self.output.strip() or f"the local stack ended with {self.process.returncode}")
            if time.monotonic() > give_up_at:
                raise StackFailed(f"not ready after {START_DEADLINE_S:g} s; {self.state_dir / 'logs'} may say why")
            time.sleep(POLL_S)
        found: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return found

    @functools.cached_property
    def stack(self) -> Stack:
        """The stack as its users find it. Raises StackFailed."""
        assert self.document
        return Stack.read(self.path)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def end(self, number: int = signal.SIGTERM, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Send a signal and wait for the exit status. Raises StackFailed when it does not come, and kills it then."""
        self._child.signal(number)
        status = self._child.wait(deadline_s)
        self._children.stop(0)
        if status is None:
            raise StackFailed(f"not ended {deadline_s:g} s after {signal.Signals(number).name}")
        return status

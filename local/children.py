"""Child processes that never outlive the stack, however it ends.

Each child leads a session of its own, so that Ctrl-C at the terminal reaches the supervisor alone, which then ends its
children in order. When the supervisor itself is killed, the warden (a tiny process that holds one end of a pipe) sees
the pipe close and kills what is left.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

WARDEN = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    group = int(line[1:])
    (groups.add if line[0] == "+" else groups.discard)(group)
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Stopping(Exception):
    """The stack is going down: nothing new is started."""


class Child:
    """A running child and all that it started."""

    def __init__(self, process: subprocess.Popen[bytes], forget: Callable[["Child"], None]) -> None:
        self.process = process
        self.id = process.pid
        self._forget = forget
        self._ended = threading.Event()
        threading.Thread(target=self._reap, name=f"reap-{self.id}", daemon=True).start()

    def signal(self, number: int) -> None:
        """Send a signal to the child's whole group; nothing happens when it is gone."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.id, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit status, or None when it still runs after the timeout."""
        self._ended.wait(timeout_s)
        return self.process.returncode

    def _reap(self) -> None:
        self.process.wait()
        self._forget(self)
        self._ended.set()


class Children:
    """Everything that this process has started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Child] = {}
        self._stopping = False
        self._warden = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", WARDEN], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def start(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = subprocess.DEVNULL,
        stderr: int | IO[bytes] | None = subprocess.DEVNULL,
    ) -> Child:
        """Start a child. Raises Stopping once the stack goes down, and OSError."""
        with self._lock:
            if self._stopping:
                raise Stopping
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            child = self._running[process.pid] = Child(process, self._forget)
            self._tell_warden(f"+{process.pid}")
        return child

    def _forget(self, child: Child) -> None:
        with self._lock:
            self._running.pop(child.id, None)
            self._tell_warden(f"-{child.id}")

    def _tell_warden(self, line: str) -> None:
        assert self._warden.stdin is not None
        with suppress(OSError, ValueError):  # the warden is gone only when the stack is, too
            self._warden.stdin.write(line + "\n")
            self._warden.stdin.flush()

    def stop(self, grace_s: float = 1.0) -> None:
        """Ask every child to end, wait, and kill what is left with all that it started."""
        with self._lock:
            self._stopping = True
            running = list(self._running.values())
        for child in running:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        for child in running:
            child.wait(max(0.0, deadline - time.monotonic()))
        for child in running:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.id, signal.SIGKILL)
        for child in running:
            child.wait(1.0)
        if self._warden.stdin is not None:
            with suppress(OSError):
                self._warden.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._warden.wait(1.0)

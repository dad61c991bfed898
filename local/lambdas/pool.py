"""One function: its processes, and the invocations that wait for one."""

import threading
import time
from collections import deque
from pathlib import Path

from local.children import Child
from local.deployment import Function
from local.lambdas.invocations import Invocation, Outcome
from local.lambdas.launch import Launcher
from local.lambdas.process import FunctionProcess

SCALE_OUT_AFTER_S = 0.05
"""How long an invocation waits for a busy process before another is started."""

QUEUE_TIMEOUT_S = 300
WARM_UP_POLL_S = 0.02


class FunctionPool:
    """One function: at most `max_processes` processes, and the invocations that wait for one."""

    def __init__(self, function: Function, launcher: Launcher, *, log_path: Path, max_processes: int) -> None:
        self.function = function
        self.processes: list[FunctionProcess] = []
        self._launcher = launcher
        log_path.unlink(missing_ok=True)
        self._log = log_path.open("ab", buffering=0)
        self._max_processes = max_processes
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._waiting: deque[Invocation] = deque()

    def invoke(self, payload: bytes) -> Outcome:
        """Run the function and wait for its outcome. Raises Stopping."""
        invocation = Invocation(payload)
        with self._changed:
            self._waiting.append(invocation)
            self._changed.notify()
        self._find_process(invocation)
        if not invocation.ended.wait(self.function.timeout_s):
            self._time_out(invocation)
        assert invocation.outcome is not None
        return invocation.outcome

    def warm_up(self) -> None:
        """Start a process if there is none, and wait until it is ready or dead. Raises Stopping."""
        with self._starting:
            if not self.processes:
                self._start_process()
        while any(process.state == "starting" for process in list(self.processes)):
            time.sleep(WARM_UP_POLL_S)

    def launch(self, runtime_api_port: int) -> Child:
        """Start what `FunctionProcess` stands for. Raises Stopping."""
        return self._launcher.launch(self.function, runtime_api_port, self._log)

    def next_for(self, process: FunctionProcess) -> Invocation | None:
        """Wait for work; None when the process has died meanwhile."""
        with self._changed:
            process.is_ready = True
            while not process.is_dead:
                if self._waiting:
                    invocation = self._waiting.popleft()
                    invocation.process = process
                    process.current = invocation
                    invocation.started.set()
                    return invocation
                self._changed.wait()
        return None

    def bury(self, process: FunctionProcess, exit_status: int) -> None:
        """Take a dead process out, and settle what it leaves behind."""
        how = f"signal: {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        with self._changed:
            process.is_dead = True
            self.processes = [other for other in self.processes if other is not process]
            # A process that never got as far as asking for work fails the invocation that it was started for.
            invocation = process.current
            if invocation is None and not process.is_ready and self._waiting:
                invocation = self._waiting.popleft()
            self._changed.notify_all()
        if invocation is not None:
            invocation.end(
                process.init_error
                or Outcome.of_error(
                    "Runtime.ExitError", f"RequestId: {invocation.id} Error: Runtime exited with error: {how}"
                )
            )
        self.note(f"Process {process.id} ended: {how}\n")

    def note(self, line: str) -> None:
        """Write to the function's log."""
        self._log.write(line.encode())

    def _start_process(self) -> None:
        process = FunctionProcess(self)
        with self._changed:
            self.processes.append(process)

    def _find_process(self, invocation: Invocation) -> None:
        deadline = time.monotonic() + QUEUE_TIMEOUT_S
        while not invocation.started.is_set():
            with self._changed:
                is_starting = any(not process.is_ready for process in self.processes)
                may_start = not is_starting and len(self.processes) < self._max_processes
                has_none = not self.processes
            if may_start and (has_none or not invocation.started.wait(SCALE_OUT_AFTER_S)):
                with self._starting:
                    if not invocation.started.is_set() and not any(not each.is_ready for each in self.processes):
                        self._start_process()
            invocation.started.wait(SCALE_OUT_AFTER_S)
            if time.monotonic() > deadline and not invocation.started.is_set():
                with self._changed:
                    if invocation in self._waiting:
                        self._waiting.remove(invocation)
                        invocation.end(Outcome.of_error("ServiceException", "no process was free"))

    def _time_out(self, invocation: Invocation) -> None:
        process = invocation.process
        invocation.end(
            Outcome.of_error(
                "Sandbox.Timedout",
                f"RequestId: {invocation.id} Error: Task timed out after {self.function.timeout_s:.2f} seconds",
            )
        )
        self.note(f"RequestId: {invocation.id} Task timed out after {self.function.timeout_s:.2f} seconds\n")
        if process is not None and process.current is invocation:
            process.kill()

"""Kills Lambda processes at random moments, as a machine that fails would."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import httpx

BUSY_SHARE = 0.8
"""How often the victim is one that has work in hand, if any has."""


@dataclass(frozen=True)
class LambdaProcess:
    """A running process of the stack. `state`: starting, idle or busy."""

    operation: str
    process_id: int
    state: str


def list_processes(lambda_url: str) -> list[LambdaProcess]:
    """The Lambda processes that the stack runs now, by its own account."""
    listed = httpx.get(f"{lambda_url}/processes", trust_env=False, timeout=10.0).raise_for_status().json()
    return [LambdaProcess(each["operation"], each["process_id"], each["state"]) for each in listed]


def choose_victim(processes: Sequence[LambdaProcess], dice: random.Random) -> LambdaProcess | None:
    """Any live process, with a preference for those that have work in hand; None if there is none."""
    alive = sorted(
        (process for process in processes if process.state != "dead"),
        key=lambda each: (each.operation, each.process_id),
    )
    busy = [process for process in alive if process.state == "busy"]
    pool = busy if busy and dice.random() < BUSY_SHARE else alive
    return dice.choice(pool) if pool else None


class Killer:
    """Kills one process about every `every_s` seconds while it is entered; none when that is 0.

    `kills`: how many of each operation.
    """

    def __init__(
        self,
        every_s: float,
        seed: int,
        processes: Callable[[], Sequence[LambdaProcess]],
        kill: Callable[[int, int], None] = os.kill,
    ) -> None:
        self._every_s = every_s
        self._dice = random.Random(f"killer {seed}")
        self._processes = processes
        self._kill = kill
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self.kills: Counter[str] = Counter()

    def __enter__(self) -> "Killer":
        if self._every_s > 0:
            self._thread.start()
        return self

    def __exit__(self, type: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._dice.uniform(0.5, 1.5) * self._every_s):
            self.kill_one()

    def kill_one(self) -> None:
        """Kill one process now, if there is any."""
        try:
            victim = choose_victim(self._processes(), self._dice)
        except httpx.HTTPError:
            return  # the stack is too busy to say; the next time, then
        if victim is None:
            return
        try:
            self._kill(victim.process_id, signal.SIGKILL)
        except ProcessLookupError:
            return  # it has just ended by itself
        self.kills[victim.operation] += 1

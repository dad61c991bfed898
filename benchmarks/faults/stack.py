"""A local stack of its own, for one run: `python -m local up` with its own state folder and free ports."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.plan import Plan
from local.children import Children

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0


class StackFailed(Exception):
    """The local stack did not start; the message is what it said."""


@contextmanager
def running_stack(plan: Plan, state_dir: Path) -> Iterator[Path]:
    """The path of a running stack's `stack.json`; its logs are in `<state_dir>/logs`. Raises StackFailed."""
    children = Children()
    try:
        with tempfile.TemporaryFile() as said:
            child = children.start(_command(plan, state_dir), cwd=ROOT, stdout=said, stderr=said)
            ready = state_dir / "ready.json"
            deadline = time.monotonic() + START_TIMEOUT_S
            while not ready.exists():
                if child.process.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    raise StackFailed(said.read().decode(errors="replace").strip() or "the local stack did not start")
                time.sleep(0.1)
            yield state_dir / "stack.json"
    finally:
        children.stop(STOP_TIMEOUT_S)


def _command(plan: Plan, state_dir: Path) -> list[str | Path]:
    options: dict[str, object] = {
        "--port": 0,
        "--state-dir": state_dir,
        "--ready-file": state_dir / "ready.json",
        "--notifications": plan.notifications,
        "--schedule-speed": plan.schedule_speed,
        "--workers": "simulated",
    }
    workers = {"seed": plan.seed, "count": plan.workers, "speed": plan.worker_speed}
    return [
        *(sys.executable, "-m", "local", "up"),
        *(str(part) for option in options.items() for part in option),
        *(f"--worker-option=--{name}={value}" for name, value in workers.items()),
        *(f"--setting={name}={value}" for name, value in plan.settings.items()),
    ]

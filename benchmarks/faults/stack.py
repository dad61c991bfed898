"""A local stack of its own, for one run, with its own state folder and free ports."""

from pathlib import Path

from benchmarks.faults.plan import Plan
from local.running import RunningStack


def run_stack(plan: Plan, state_dir: Path) -> RunningStack:
    """A stack that starts, with the plan's settings, Workers and notifications."""
    workers = {"seed": plan.seed, "count": plan.workers, "speed": plan.worker_speed}
    return RunningStack(
        state_dir,
        *("--notifications", plan.notifications),
        *("--schedule-speed", str(plan.schedule_speed)),
        *("--workers", "simulated"),
        *(f"--worker-option=--{name}={value}" for name, value in workers.items()),
        *(f"--setting={name}={value}" for name, value in plan.settings.items()),
    )

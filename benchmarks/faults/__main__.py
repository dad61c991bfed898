"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if anything is off."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.faults.plan import Plan
from benchmarks.faults.run import Report, run
from local.options import Notifications
from local.running import StackFailed

STAGES = {"put": "Tasks put", "ended": "Tasks ended", "settled": "HITs settled"}
OK, OFF = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when everything adds up, 1 when something does not or the stack did not start, 2 for wrong options."""
    options = parser().parse_args(arguments)
    plan = Plan(
        tasks=options.tasks,
        seed=options.seed,
        notifications=options.notifications,
        kill_every_s=options.kill_every,
        throttle=options.throttle,
        timeout_s=options.timeout,
        workers=options.workers,
        worker_speed=options.worker_speed,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    state_dir = options.state_dir or Path(tempfile.mkdtemp(prefix="crowdsight-faults-"))
    try:
        report = _run_with_progress(plan, state_dir.resolve())
    except StackFailed as error:
        print(error, file=sys.stderr)
        return OFF
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return OFF
    finally:
        print(f"logs: {state_dir / 'logs'}", file=sys.stderr)
    print(json.dumps(report.document(), ensure_ascii=False), flush=True)
    return OK if report.is_ok else OFF


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description="Puts crowd tasks on a local stack of its own while things go wrong; then audits all of it.",
    )
    top.add_argument("--tasks", type=_positive, default=200, metavar="N", help="how many tasks (default: %(default)s)")
    top.add_argument("--seed", type=int, default=0, metavar="S", help="of questions, Workers and kills (default: 0)")
    top.add_argument(
        "--notifications",
        choices=[str(kind) for kind in Notifications],
        default=Plan.notifications,
        help="deliver notifications as usual, twice, never, or late and out of order (default: %(default)s)",
    )
    top.add_argument(
        "--kill-every",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="kill a Lambda process about that often (default: never)",
    )
    top.add_argument("--throttle", action="store_true", help="both APIs take 25 requests a second, and no more")
    top.add_argument(
        "--timeout",
        type=float,
        default=1200.0,
        metavar="SECONDS",
        help="how long the tasks may take to end, and then their HITs to be settled (default: %(default)g)",
    )
    top.add_argument("--workers", type=_positive, default=12, metavar="N", help="simulated Workers (default: 12)")
    top.add_argument(
        "--worker-speed", type=float, default=20.0, metavar="X", help="times faster than people (default: %(default)g)"
    )
    top.add_argument("--state-dir", type=Path, metavar="DIR", help="where the stack's state and logs go (default: new)")
    return top


def _run_with_progress(plan: Plan, state_dir: Path) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(title, total=plan.tasks) for stage, title in STAGES.items()}
        return run(plan, state_dir, lambda stage: progress.advance(bars[stage]))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if anything is off."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.allowance.run import Plan, run
from local.running import StackFailed


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    plan = Plan(searches=options.searches, callers=options.callers, kill_every_s=options.kill_every, seed=options.seed)
    with Progress(console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(stage, total=plan.searches) for stage in ("under fire", "afterwards")}
        try:
            with tempfile.TemporaryDirectory(prefix="crowdsight-allowance-") as state_dir:
                report = run(plan, Path(state_dir), lambda stage, done: progress.update(bars[stage], completed=done))
        except StackFailed as error:
            print(error, file=sys.stderr)
            return 1
    print(json.dumps(report.document()), flush=True)
    return 0 if report.is_ok else 1


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.allowance",
        description="Searches on a local stack of its own, many at once, and audits what they were charged.",
    )
    top.add_argument("--searches", type=int, default=500, metavar="N", help="how many in each phase (%(default)s)")
    top.add_argument("--callers", type=int, default=32, metavar="N", help="how many at the same moment (%(default)s)")
    top.add_argument(
        "--kill-every", type=float, default=0.0, metavar="SECONDS", help="kill a searching Lambda so often (never)"
    )
    top.add_argument("--seed", type=int, default=0, metavar="S", help="of the kills (0)")
    return top


if __name__ == "__main__":
    sys.exit(main())

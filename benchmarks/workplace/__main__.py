"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if anything is off."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.workplace.run import Plan, run
from local.running import StackFailed

OK, OFF = 0, 1
HELP = {
    "few": "open HITs at first",
    "many": "open HITs in the end",
    "workers": "who work at once",
    "each": "assignments of each Worker",
    "contested": "HITs that all Workers want at the same moment",
    "looks": "how often each page is timed",
    "seed": "of the Workers' choices",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when everything adds up and listing costs the same, 1 when not or when the stack did not start."""
    plan = Plan(**vars(parser().parse_args(arguments)))
    totals = {
        "Workers": plan.workers,
        "few HITs": plan.few,
        "many HITs": plan.many - plan.few,
        "looks": plan.looks,
        "assignments": plan.workers * plan.each,
        "contested HITs": plan.contested,
    }
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(stage, total=total) for stage, total in totals.items()}
        state_dir = Path(tempfile.mkdtemp(prefix="crowdsight-workplace-"))
        try:
            report = run(plan, state_dir, lambda stage, done: progress.update(bars[stage], completed=done))
        except StackFailed as error:
            print(f"{error}; logs: {state_dir / 'logs'}", file=sys.stderr)
            return OFF
    for shortfall in report.shortfalls:
        print(shortfall, file=sys.stderr)
    print(json.dumps(report.document()), flush=True)
    return OFF if report.shortfalls else OK


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.workplace",
        description="Times the worker site of a local stack of its own with few and with many open HITs, then has many "
        "Workers take them at once, and audits all of it.",
    )
    for each in fields(Plan):
        top.add_argument(
            f"--{each.name}", type=int, default=each.default, metavar="N", help=f"{HELP[each.name]} (%(default)s)"
        )
    return top


if __name__ == "__main__":
    sys.exit(main())

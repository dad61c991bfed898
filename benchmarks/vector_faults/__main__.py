"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if a rule broke."""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from benchmarks.vector_faults.run import Plan, run


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    plan = Plan(
        options.seconds,
        options.writers,
        options.readers,
        options.seed,
        options.probability,
        options.speed,
        options.in_memory,
    )
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("seconds", total=plan.seconds)
        report = run(plan, lambda seconds: progress.update(bar, completed=seconds))
        progress.update(bar, completed=plan.seconds)
    print(json.dumps(report.document()), flush=True)
    return 0 if report.is_ok else 1


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.vector_faults",
        description="Writes to a vector index by processes that fail or die at any call; others search; audits it.",
    )
    top.add_argument("--seconds", type=float, default=Plan.seconds, help="how long (%(default)g)")
    top.add_argument("--writers", type=int, default=Plan.writers, metavar="N", help="and refreshers (%(default)s)")
    top.add_argument("--readers", type=int, default=Plan.readers, metavar="N", help="(%(default)s)")
    top.add_argument("--seed", type=int, default=Plan.seed, metavar="S", help="of operations and faults (%(default)s)")
    top.add_argument(
        "--probability", type=float, default=Plan.probability, metavar="P", help="of a fault at a call (%(default)g)"
    )
    top.add_argument(
        "--speed", type=float, default=Plan.speed, metavar="X", help="times faster than clocks (%(default)g)"
    )
    top.add_argument("--in-memory", action="store_true", help="the tests' S3 and DynamoDB instead of moto's")
    return top


if __name__ == "__main__":
    sys.exit(main())

"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if anything is off."""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.hostile_images.run import Report, run

SHOWN_FAILURES = 20
OK, OFF = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when everything was decoded, fetched or refused as it should be, 1 otherwise, 2 for wrong options."""
    options = parser().parse_args(arguments)
    report = _run_with_progress(options.files, options.urls, options.seed, options.processes)
    for failure in report.failures[:SHOWN_FAILURES]:
        print(failure, file=sys.stderr)
    print(json.dumps(report.document()), flush=True)
    return OK if report.is_ok else OFF


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile_images",
        description="Decodes broken images and fetches hostile URLs: nothing may crash, hang or get through.",
    )
    top.add_argument("--files", type=_count, default=20_000, metavar="N", help="broken images (default: %(default)s)")
    top.add_argument("--urls", type=_count, default=2_000, metavar="N", help="hostile URLs (default: %(default)s)")
    top.add_argument("--seed", type=int, default=0, metavar="S", help="of what is broken, and how (default: 0)")
    top.add_argument("--processes", type=_count, default=2, metavar="N", help="decode at a time (default: %(default)s)")
    return top


def _run_with_progress(files: int, urls: int, seed: int, processes: int) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {
            "files": progress.add_task("Files decoded", total=files),
            "urls": progress.add_task("URLs fetched", total=urls),
        }
        return run(files, urls, seed, processes, lambda stage: progress.advance(bars[stage]))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

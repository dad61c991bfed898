"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if it falls short."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from benchmarks.recall.measuring import Report, measure
from benchmarks.recall.pictures import PicturesMissing

PHOTOGRAPHS = Path(__file__).parents[2] / "local" / "photographs"
CLIP_ART = Path("/usr/share/openclipart/png")
STAGES = {
    "taken": "Pictures taken",
    "stored": "Pictures stored",
    "queries": "Pictures asked by",
    "words": "Words asked",
}
OK, TOO_LITTLE, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every required figure is reached, 1 when one is not, 2 for wrong options or missing pictures."""
    options = parser().parse_args(arguments)
    try:
        report = _measure_with_progress(options.pictures, options.most, options.seed)
    except PicturesMissing as error:
        print(error, file=sys.stderr)
        return WRONG
    for shortfall in report.shortfalls:
        print(shortfall, file=sys.stderr)
    print(json.dumps(report.document(), ensure_ascii=False), flush=True)
    return TOO_LITTLE if report.shortfalls else OK


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.recall",
        description="Measures how often the embedded bundle finds the right picture, by pictures and by words.",
    )
    top.add_argument(
        "--pictures",
        type=Path,
        nargs="+",
        default=[CLIP_ART, PHOTOGRAPHS],
        metavar="DIR",
        help=f"default: {CLIP_ART} of Debian's openclipart-png, and local/photographs",
    )
    top.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice and the crops (default: 0)")
    top.add_argument("--most", type=_positive, default=1000, metavar="N", help="pictures stored (default: %(default)s)")
    return top


def _measure_with_progress(roots: Sequence[Path], most: int, seed: int) -> Report:
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(title, total=None) for stage, title in STAGES.items()}
        return measure(roots, most, seed, lambda stage: progress.advance(bars[stage]))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

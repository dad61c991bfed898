"""The command line: progress on standard error, one line of JSON on standard output."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.embedding.measuring import measure
from benchmarks.embedding.pictures import make_jpegs
from crowdsight.models.descriptions import InvalidBundle, read_description

EMBEDDED = Path(__file__).parents[2] / "functions" / "search" / "models" / "embedded"
OK, WRONG = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 for wrong options or a wrong bundle."""
    options = parser().parse_args(arguments)
    try:
        name = read_description(options.bundle).name
        rates = []
        for megapixels in options.megapixels:
            print(f"{megapixels:g} megapixels", file=sys.stderr)
            blobs = make_jpegs(megapixels, options.seed)
            rates.append(measure(options.bundle, blobs, megapixels, options.threads, options.rounds))
    except InvalidBundle as error:
        print(error, file=sys.stderr)
        return WRONG
    report = {"bundle": name, "threads": options.threads, "rounds": options.rounds}
    print(json.dumps({**report, "sizes": [rate.document() for rate in rates]}), flush=True)
    return OK


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.embedding",
        description="Measures how many pictures a second become vectors, and how much of the time is overhead.",
    )
    sizes, cores = [1.0, 12.0], len(os.sched_getaffinity(0))
    top.add_argument("--bundle", type=Path, default=EMBEDDED, metavar="FOLDER", help="default: the embedded bundle")
    top.add_argument("--megapixels", type=_size, nargs="+", default=sizes, metavar="M", help="default: 1 12")
    top.add_argument("--rounds", type=_positive, default=7, metavar="N", help="over 8 pictures (default: %(default)s)")
    top.add_argument("--threads", type=_positive, default=cores, metavar="N", help="default: this machine's cores")
    top.add_argument("--seed", type=int, default=0, metavar="S", help="of the pictures' noise (default: 0)")
    return top


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _size(text: str) -> float:
    megapixels = float(text)
    if not 0.01 <= megapixels <= 50:
        raise argparse.ArgumentTypeError("must be from 0.01 to 50")
    return megapixels


if __name__ == "__main__":
    sys.exit(main())

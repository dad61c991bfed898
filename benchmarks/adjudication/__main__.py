"""The command line: one line of JSON on standard output."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.adjudication import categorical, graded
from benchmarks.adjudication.recorded import Unreadable, read
from crowdsight.adjudication.graded_bias import GradedBias
from crowdsight.adjudication.two_coin import TwoCoin

KINDS = ("binary", "categorical", "graded")
DIGITS = 4
OK, WRONG = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 for wrong options or files."""
    options = parser().parse_args(arguments)
    try:
        recorded = read(options.answers, options.gold, options.kind == "graded")
        if options.kind == "binary" and len(recorded.categories) > 2:
            raise Unreadable(f"{len(recorded.categories)} different labels are not binary")
    except Unreadable as error:
        print(error, file=sys.stderr)
        return WRONG
    figures: categorical.Figures | graded.Figures
    if options.kind == "graded":
        rule = GradedBias(most_answers=options.max_answers)
        figures = graded.measure(recorded, options.seed, options.known, rule)
    else:
        categories = TwoCoin(recorded.categories, most_answers=options.max_answers)
        figures = categorical.measure(recorded, options.seed, options.known, categories)
    document = {name: round(figure, DIGITS) for name, figure in asdict(figures).items()}
    print(json.dumps({"kind": options.kind, "seed": options.seed, "known": options.known} | document), flush=True)
    return OK


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.adjudication",
        description="Replays recorded answers through the product's own adjudicator.",
    )
    top.add_argument("--answers", type=Path, required=True, metavar="A.csv", help="task,worker,label")
    top.add_argument("--gold", type=Path, required=True, metavar="G.csv", help="task,gold")
    top.add_argument("--kind", choices=KINDS, required=True)
    top.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of answers (default: 0)")
    top.add_argument(
        "--max-answers", type=_positive, default=9, metavar="M", help="of one task (default: 9, as in the service)"
    )
    top.add_argument(
        "--known", type=_natural, default=0, metavar="K", help="known-answer questions a Worker had (default: 0)"
    )
    return top


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

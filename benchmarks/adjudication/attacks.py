"""How accuracy and cost stand up to Workers who do not look at the pictures, by simulation.

    python -m benchmarks.adjudication.attacks --seeds 20 --known 10

prints one line of JSON: for each attack, accuracy and answers a task, and their change against the same crowd without
the attackers (in points, and as a factor). Answers to known-answer questions are not counted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from statistics import fmean

from benchmarks.adjudication.categorical import Outcome, replay
from benchmarks.adjudication.crowds import ATTACKS, crowd


def measure(seeds: Sequence[int], known: int) -> dict[str, dict[str, float]]:
    """The figures of each attack, over all seeds."""
    found: dict[str, dict[str, float]] = {}
    for name, attack in ATTACKS.items():
        outcomes: list[Outcome] = []
        for seed in seeds:
            outcomes += replay(crowd(attack, seed), seed, known)[0]
        accuracy = fmean(outcome.right for outcome in outcomes)
        answers = fmean(outcome.answers for outcome in outcomes)
        alone = found.get("none", {"accuracy": accuracy, "answers_per_task": answers})
        found[name] = {
            "accuracy": round(accuracy, 4),
            "answers_per_task": round(answers, 3),
            "points": round(100 * (accuracy - alone["accuracy"]), 2),
            "cost_factor": round(answers / alone["answers_per_task"], 3),
            "majority_of_5_accuracy": round(fmean(outcome.majority for outcome in outcomes), 4),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0."""
    top = argparse.ArgumentParser(prog="python -m benchmarks.adjudication.attacks", description=(__doc__ or "")[:75])
    top.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (default: 10)")
    top.add_argument("--known", type=int, default=10, metavar="K", help="known-answer questions a Worker had")
    options = top.parse_args(arguments)
    print(json.dumps(measure(range(options.seeds), options.known)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the local stack makes of tasks with known truths, beside what the replay of the same answers predicts.

    python -m benchmarks.adjudication.local --tasks 300 --seed 0

puts yes-or-no tasks on a local stack of its own, ten open at a time as in a replay, where simulated Workers of several
kinds answer them, runs the refit as often as a replay does, and reads each task's audit. One line of JSON: `stack` has
its figures; `replay` those of the product's adjudicator over the same Workers' answers in random orders, the mean of
`--seeds` orders and, as `noise`, their standard deviation; `deviations`: how many of these the stack is away.

A replay may want more answers to a task than were given. They are simulated: of the other Workers one is drawn by how
much each did, who is right as often as in this run.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import httpx

from benchmarks.adjudication.categorical import Outcome, calibration_error, replay
from benchmarks.adjudication.recorded import Recorded
from benchmarks.adjudication.replay import FIRST_REFIT, GROWTH, LEAST_GROWTH, OPEN_AT_ONCE
from crowdsight.adjudication import UNAVAILABLE, Answer
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.prices import answer_cents
from local.running import RunningStack, StackFailed
from local.workers.truth import PHOTOGRAPHS, Truth

FUNCTION = "image-contains"
LABEL = "street lamp"
MIX = "careful=6,careless=6,spammer=3"
REFIT = "refit_skills"
POLL_S = 0.2
REFIT_TIMEOUT_S = 120.0
ANSWERS_A_REPLAY = 12
"""How many a task has in a replay: given or simulated."""

FIGURES = ("accuracy", "answers_per_task", "cents_per_task", "expected_calibration_error")


@dataclass(frozen=True)
class Ended:
    """A task as its caller was told: the `result`, None if it failed, and its audit."""

    truth: str
    result: str | None
    audit: Mapping[str, Any]

    @property
    def answers(self) -> list[Answer]:
        """Those that counted, in order; Workers by their codes."""
        counted = [each for each in self.audit["answers"] if each["confidence"] is not None]
        return [Answer(each["worker"], each["answer"]) for each in counted if each["answer"] not in (None, UNAVAILABLE)]

    def outcome(self) -> Outcome:
        """Where there is no result, the commonest answer stands for it; without any, nothing, of no confidence."""
        values = [answer.value for answer in self.answers]
        value = self.result or next((value for value, _ in Counter(values).most_common(1)), None)
        stated = [each["confidence"] for each in self.audit["answers"] if each["confidence"] is not None]
        confidence = stated[-1] if stated else 0.0
        return Outcome(value == self.truth, confidence, len(values), self.result is not None, False, False, 0)


class Caller:
    """Puts tasks one after another, so many open at once, and refits as a replay does."""

    def __init__(self, running: RunningStack, seed: int) -> None:
        api = running.stack.local_api()
        self._http = httpx.Client(base_url=api.url, headers={"x-api-key": api.key}, timeout=35.0, trust_env=False)
        self._refit_url = f"{running['lambda_url']}/2015-03-31/functions/{REFIT}/invocations"
        self._truth = Truth.read(PHOTOGRAPHS / "truth.json")
        self._seed = seed

    def run(self, tasks: int, timeout_s: float) -> list[Ended]:
        """Raises StackFailed if it takes too long, or anything is answered otherwise than expected."""
        give_up_at = time.monotonic() + timeout_s
        waiting = list(range(tasks, 0, -1))
        opened: list[int] = []
        ended: list[Ended] = []
        next_refit = FIRST_REFIT
        while waiting or opened:
            if time.monotonic() > give_up_at:
                raise StackFailed(f"{len(ended)} of {tasks} tasks ended in {timeout_s:g} s")
            while waiting and len(opened) < OPEN_AT_ONCE:
                opened.append(waiting.pop())
                self._answer("PUT", opened[-1], json={"input": self._input(opened[-1])})
            time.sleep(POLL_S)
            for number in list(opened):
                document = self._answer("GET", number)
                if document["state"] != "processing":
                    opened.remove(number)
                    ended.append(self._end(number, document))
            if len(ended) >= next_refit:
                self._refit()
                next_refit = max(next_refit + LEAST_GROWTH, int(next_refit * GROWTH))
        return ended

    def _end(self, number: int, document: Mapping[str, Any]) -> Ended:
        result = document["result"] and ("yes" if document["result"]["containsTarget"] else "no")
        truth = "yes" if self._truth.contains(self._picture(number), LABEL) else "no"
        return Ended(truth, result, self._answer("GET", number, "/audit"))

    def _answer(self, method: str, number: int, more: str = "", **options: Any) -> Any:
        response = self._http.request(method, f"/functions/{FUNCTION}/tasks/task-{number}{more}", **options)
        if response.status_code not in (200, 201):
            raise StackFailed(f"{method} {response.url}: {response.status_code} {response.text[:200]}")
        return response.json()

    def _refit(self) -> None:
        response = httpx.post(self._refit_url, json={}, timeout=REFIT_TIMEOUT_S, trust_env=False)
        if response.status_code != 200 or "X-Amz-Function-Error" in response.headers:
            raise StackFailed(f"the refit failed: {response.text[:500]}")

    def _input(self, number: int) -> dict[str, Any]:
        return {"image": {"url": self._picture(number)}, "target": {"label": LABEL}}

    def _picture(self, number: int) -> str:
        return f"https://pictures.example/{self._seed}/{number}.jpg"


def figures(outcomes: Sequence[Outcome], cents: int) -> dict[str, float]:
    """By the names of FIGURES; `cents` of one answer."""
    answers = fmean(outcome.answers for outcome in outcomes)
    accuracy = fmean(outcome.right for outcome in outcomes)
    return dict(zip(FIGURES, (accuracy, answers, answers * cents, calibration_error(outcomes)), strict=True))


def with_more_answers(ended: Sequence[Ended], dice: random.Random) -> Recorded:
    """The answers given, and simulated ones for a replay that wants more."""
    did: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for task in ended:
        for answer in task.answers:
            did[answer.worker_id] += 1
            right[answer.worker_id] += answer.value == task.truth
    answers = {}
    for number, task in enumerate(ended):
        given = list(task.answers)
        others = [worker for worker in did if worker not in {answer.worker_id for answer in given}]
        while others and len(given) < ANSWERS_A_REPLAY:
            (worker,) = dice.choices(others, [did[other] for other in others])
            others.remove(worker)
            is_right = dice.random() < right[worker] / did[worker]
            given.append(Answer(worker, task.truth if is_right else {"yes": "no", "no": "yes"}[task.truth]))
        answers[f"{number}"] = tuple(given)
    return Recorded(answers, {f"{number}": task.truth for number, task in enumerate(ended)})


def compare(ended: Sequence[Ended], seeds: int) -> dict[str, dict[str, float]]:
    """The stack's figures, the replay's, its noise, and how far they are apart."""
    cents = answer_cents(CATALOGUE[FUNCTION], 0)
    stack = figures([task.outcome() for task in ended], cents)
    paid = sum(task.audit["cents"] for task in ended)
    replays = [
        figures(replay(with_more_answers(ended, random.Random(f"more {seed}")), seed)[0], cents)
        for seed in range(seeds)
    ]
    mean = {name: fmean(found[name] for found in replays) for name in FIGURES}
    noise = {name: stdev(found[name] for found in replays) for name in FIGURES}
    return {
        "stack": stack | {"coverage": fmean(task.result is not None for task in ended), "paid_cents": paid},
        "replay": mean,
        "noise": noise,
        "deviations": {name: (stack[name] - mean[name]) / max(noise[name], 1e-9) for name in FIGURES},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 if the stack did not start or did not do what it should."""
    top = argparse.ArgumentParser(prog="python -m benchmarks.adjudication.local", description=(__doc__ or "")[:106])
    top.add_argument("--tasks", type=int, default=300, metavar="N", help="how many (default: 300)")
    top.add_argument("--seed", type=int, default=0, metavar="N", help="of questions and Workers (default: 0)")
    top.add_argument("--seeds", type=int, default=10, metavar="N", help="orders that are replayed (default: 10)")
    top.add_argument("--mix", default=MIX, help=f"Workers by behaviour (default: {MIX})")
    top.add_argument("--speed", type=float, default=20.0, help="how many times faster than people (default: 20)")
    top.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS", help="for all tasks (default: 900)")
    top.add_argument("--state-dir", type=Path, metavar="DIR", help="where the stack's state and logs go (default: new)")
    options = top.parse_args(arguments)
    state_dir = (options.state_dir or Path(tempfile.mkdtemp(prefix="crowdsight-adjudication-"))).resolve()
    workers = {"mix": options.mix, "seed": options.seed, "speed": options.speed}
    stack_options = [f"--worker-option=--{name}={value}" for name, value in workers.items()]
    began_at = time.monotonic()
    try:
        with RunningStack(state_dir, "--workers", "simulated", *stack_options) as running:
            ended = Caller(running, options.seed).run(options.tasks, options.timeout)
    except StackFailed as error:
        print(f"{error}; logs: {state_dir / 'logs'}", file=sys.stderr)
        return 1
    seconds = round(time.monotonic() - began_at, 1)
    found = {
        name: {figure: round(value, 4) for figure, value in values.items()}
        for name, values in compare(ended, options.seeds).items()
    }
    print(json.dumps({"tasks": options.tasks, "seed": options.seed, "seconds": seconds} | found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

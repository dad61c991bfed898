"""Simulated crowds, honest and under attack, as recorded answers.

An honest Worker is right with a chance of the Worker's own, the same for every category, and less on a hard task. The
honest Workers and the tasks of a seed are the same whatever the attack. Attackers come in addition.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.adjudication.recorded import Recorded
from crowdsight.adjudication import UNAVAILABLE, Answer

CATEGORIES = ("no", "yes")
HARD_SHARE = 0.15
HARD_LOSS = 0.6
"""Of a hard task, so much of what sets Workers apart from chance is lost."""

Attacker = Callable[[str, str, random.Random], str]
"""What an attacker answers, by the task's name, its truth, and dice of the attacker's own."""


@dataclass(frozen=True)
class Attack:
    """`share`: of all Workers, once the attackers are among them."""

    share: float
    attacker: Attacker


def _agreed(task: str) -> str:
    return random.Random(f"agreed on {task}").choice(CATEGORIES)


def _other(truth: str) -> str:
    return CATEGORIES[1 - CATEGORIES.index(truth)]


ATTACKS = {
    "none": Attack(0.0, lambda task, truth, dice: truth),
    "random": Attack(0.3, lambda task, truth, dice: dice.choice(CATEGORIES)),
    "always yes": Attack(0.2, lambda task, truth, dice: "yes"),
    "colluding": Attack(0.2, lambda task, truth, dice: _agreed(task)),
    "contrary": Attack(0.2, lambda task, truth, dice: _other(truth)),
    "always unavailable": Attack(0.2, lambda task, truth, dice: UNAVAILABLE),
}
"""Colluding Workers give the same answer as each other to every task, right or not; contrary ones the wrong one."""


def crowd(
    attack: Attack, seed: int, tasks: int = 300, honest: int = 50, accuracy: float = 0.8, answers_per_task: int = 25
) -> Recorded:
    """Every Worker is as likely as any other to answer a task. `accuracy`: of honest Workers on average."""
    world = random.Random(f"world {seed}")
    skills = [world.betavariate(10 * accuracy, 10 * (1 - accuracy)) for _ in range(honest)]
    truths = {f"T{number}": world.choice(CATEGORIES) for number in range(tasks)}
    hard = {task for task in truths if world.random() < HARD_SHARE}
    attackers = round(honest * attack.share / (1 - attack.share))
    dice = random.Random(f"answers {seed}")
    answers = {}
    for task, truth in truths.items():
        given = []
        for worker in dice.sample(range(honest + attackers), answers_per_task):
            if worker < honest:
                right = 0.5 + (skills[worker] - 0.5) * (1 - HARD_LOSS * (task in hard))
                value = truth if dice.random() < right else _other(truth)
            else:
                value = attack.attacker(task, truth, dice)
            given.append(Answer(f"W{worker}", value))
        answers[task] = tuple(given)
    return Recorded(answers, dict(truths))

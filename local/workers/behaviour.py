"""Kinds of Workers: how often they are right, how long they take, and what else they do."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from local.workers.truth import Truth, made_up

UNAVAILABLE = "unavailable"
GRADES = 5
"""Steps of a graded question, 0 to 4."""


@dataclass(frozen=True)
class Question:
    """A question as a Worker sees it: which function asks, about which pictures, and the answers on offer."""

    function: str
    image_urls: tuple[str, ...]
    label: str
    offered: tuple[str, ...]


@dataclass(frozen=True)
class Behaviour:
    """One kind of Worker.

    `accuracy`: the share of right answers, 0 to 1; None for one who does not look and presses any button. A wrong grade
    is one step off, and of the share `strays` two steps.
    `think_s`: from and to how many seconds an answer takes at speed 1. `leaves`: the share of accepted HITs that are
    never answered. `is_hostile`: works mischief instead of answering.
    """

    name: str
    accuracy: float | None
    think_s: tuple[float, float]
    strays: float = 0.0
    leaves: float = 0.0
    is_hostile: bool = False

    def answer(self, question: Question, loads: bool, truth: Truth, dice: random.Random) -> str:
        """One of the answers on offer. `loads`: whether every picture of the question loads."""
        if self.accuracy is None:
            return self._press_anything(question.offered, dice)
        if not loads and UNAVAILABLE in question.offered:
            right = UNAVAILABLE
        elif question.function == "image-similarity" and len(question.image_urls) == 2:
            return self._grade(truth.similarity(*question.image_urls), dice)
        elif question.function == "image-contains" and question.image_urls:
            right = "yes" if truth.contains(question.image_urls[0], question.label) else "no"
        else:
            right = question.offered[int(made_up(question.label, *question.image_urls) * len(question.offered))]
        if dice.random() < self.accuracy:
            return right
        wrong = [value for value in question.offered if value not in (right, UNAVAILABLE)]
        return dice.choice(wrong or [right])

    def _grade(self, similarity: float, dice: random.Random) -> str:
        """A grade near the truth. A truth between two steps is given as one or the other, so that the mean is right."""
        exact = similarity * (GRADES - 1)
        grade = int(exact) + (dice.random() < exact - int(exact))
        if self.accuracy is not None and dice.random() >= self.accuracy:
            grade += dice.choice((-1, 1)) * (2 if dice.random() < self.strays else 1)
        return str(min(GRADES - 1, max(0, grade)))

    def _press_anything(self, offered: Sequence[str], dice: random.Random) -> str:
        """Half of the time the first button."""
        return offered[0] if dice.random() < 0.5 else dice.choice(offered)


BEHAVIOURS = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour("careful", accuracy=0.95, think_s=(2, 6)),
        Behaviour("careless", accuracy=0.75, think_s=(1, 3), strays=0.2),
        Behaviour("spammer", accuracy=None, think_s=(0, 0.3)),
        Behaviour("slow", accuracy=0.95, think_s=(20, 45)),
        Behaviour("absent", accuracy=0.95, think_s=(2, 6), leaves=1.0),
        Behaviour("perfect", accuracy=1.0, think_s=(0, 0)),
        Behaviour("hostile", accuracy=None, think_s=(0, 0.5), is_hostile=True),
    )
}

MODES = {
    "simulated": "careful=8,careless=1,slow=1",
    "perfect": "perfect=10",
    "hostile": "hostile=10",
}
"""The mix that a mode stands for. A task may need nine Workers, so no mix has fewer who answer."""


def read_mix(text: str) -> list[Behaviour]:
    """The behaviours in a mix like `careful=6,careless=2`, one for each Worker. Raises ValueError."""
    crowd: list[Behaviour] = []
    for part in text.split(","):
        name, _, count = part.strip().partition("=")
        if name not in BEHAVIOURS:
            raise ValueError(f"no such behaviour: {name!r}; there are {', '.join(BEHAVIOURS)}")
        if not count.isdecimal():
            raise ValueError(f"{part.strip()!r}: write behaviour=count, such as careful=6")
        crowd += [BEHAVIOURS[name]] * int(count)
    if not crowd:
        raise ValueError("the mix has no Workers")
    return crowd


def scaled(crowd: Sequence[Behaviour], count: int) -> list[Behaviour]:
    """As many Workers in about the same proportions."""
    return [crowd[int(index * len(crowd) / count)] for index in range(count)]

"""What is to happen in a run; the same seed asks the same questions and kills at the same moments."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.options import Notifications

LABELS = (
    "dog",
    "a red bicycle",
    "street lamp",
    "cat",
    "somebody's hat",
    'a sign that says "OPEN"',
    "<b>bold</b> & <script>alert(1)</script>",
    "Straßenbahn",
    "猫",
    "🚲",
    "{{ 7 * 7 }}",
    "  something with spaces around it  ",
)
MISSING_PICTURE_SHARE = 0.05
MISSING_PICTURE_URL = "http://127.0.0.1:9/{}.jpg"
"""Nothing listens at the discard port: this picture does not load."""

FEE_PERCENT = 20
BUDGET_CENTS = 10_000_000
THROTTLES = (
    "key_throttle_rate",
    "key_throttle_burst",
    "throttle_rate",
    "throttle_burst",
    "workplace_throttle_rate",
    "workplace_throttle_burst",
)
THROTTLED = dict.fromkeys(THROTTLES, "25")
UNTHROTTLED = dict.fromkeys(THROTTLES, "10000")


@dataclass(frozen=True)
class Question:
    """One task to put: a function of the catalogue, a name, and its input."""

    function: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """One run.

    `kill_every_s`: mean seconds between two kills, 0 for none. `throttle`: both APIs take 25 requests a second.
    `timeout_s`: how long the tasks may take to end, and then their HITs to be settled. `workers` people at the worker
    site are `worker_speed` times as fast as people; schedules fire `schedule_speed` times as often.
    """

    tasks: int
    seed: int = 0
    notifications: str = str(Notifications.NORMAL)
    kill_every_s: float = 0.0
    throttle: bool = False
    timeout_s: float = 1200.0
    workers: int = 12
    worker_speed: float = 20.0
    schedule_speed: float = 20.0
    callers: int = 16

    @property
    def settings(self) -> dict[str, str]:
        """The CDK app's: with a fee and a budget, so that there is more to add up."""
        return {
            "workplace_fee_percent": str(FEE_PERCENT),
            "crowd_budget_cents": str(BUDGET_CENTS),
            **(THROTTLED if self.throttle else UNTHROTTLED),
        }

    def questions(self) -> list[Question]:
        """Both functions, mixed; every picture and name is different."""
        dice = random.Random(f"questions {self.seed}")
        return [_question(number, dice) for number in range(self.tasks)]


def _question(number: int, dice: random.Random) -> Question:
    name = f"task-{number:05}.{dice.randrange(16**4):04x}"
    if dice.random() < 0.5:
        target = {"label": dice.choice(LABELS)}
        return Question("image-contains", name, {"image": {"url": _picture(number, "", dice)}, "target": target})
    pictures = {f"image{side}": {"url": _picture(number, f"-{side}", dice)} for side in (1, 2)}
    return Question("image-similarity", name, pictures)


def _picture(number: int, suffix: str, dice: random.Random) -> str:
    file = f"{number}{suffix}-{dice.randrange(16**8):08x}"
    if dice.random() < MISSING_PICTURE_SHARE:
        return MISSING_PICTURE_URL.format(file)
    return f"https://pictures.example/{file}.jpg?size=large&cut=%22none%22"

"""What tests of every kind share: a clock that stands still, and hypothesis without deadlines."""

import pytest
from hypothesis import settings

settings.register_profile("crowdsight", deadline=None, max_examples=60)
settings.load_profile("crowdsight")


class StoppedClock:
    """Stands still until a test moves it. Milliseconds since the epoch, as every `Clock`."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def move(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()

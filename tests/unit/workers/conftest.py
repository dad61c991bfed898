"""A worker site in memory, and Workers to send there."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from local.workers.behaviour import BEHAVIOURS
from local.workers.browser import Browser, Traffic
from local.workers.pace import Pace
from local.workers.pictures import Pictures
from local.workers.truth import PHOTOGRAPHS, Truth
from local.workers.worker import Surroundings, Worker
from tests.conftest import StoppedClock
from tests.unit.workers.site_in_memory import SiteInMemory

MakeWorker = Callable[..., Worker]


@pytest.fixture
def site(clock: StoppedClock) -> SiteInMemory:
    return SiteInMemory(clock)


@pytest.fixture
def truth() -> Truth:
    return Truth.read(Path(PHOTOGRAPHS / "truth.json"))


@pytest.fixture
def waits_s() -> list[float]:
    return []


@pytest.fixture
def make_worker(site: SiteInMemory, truth: Truth, waits_s: list[float]) -> MakeWorker:
    """A Worker by its behaviour, who waits for nothing; how long it would have waited is in `waits_s`."""

    def make(behaviour: str = "perfect", name: str = "Ada", seed: int = 1, patience_s: float = 1.0) -> Worker:
        async def sleep(seconds: float) -> None:
            waits_s.append(seconds)

        around = Surroundings(truth, Pictures(site.transport), Pace(1), sleep=sleep)
        browser = Browser(Traffic(), site.transport, patience_s)
        return Worker(site.invite(name), BEHAVIOURS[behaviour], browser, around, random.Random(seed))

    return make

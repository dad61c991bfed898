"""Many Workers at once, until they are told to stop."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from local.workers.behaviour import Behaviour
from local.workers.browser import Browser, Traffic
from local.workers.pace import Pace
from local.workers.pictures import Pictures
from local.workers.truth import Truth
from local.workers.worker import Surroundings, Worker


@dataclass
class Crowd:
    """`members`: an invitation URL and a behaviour for each Worker. The same `seed` gives the same people."""

    members: Sequence[tuple[str, Behaviour]]
    truth: Truth
    seed: int = 0
    speed: float = 1.0
    transport: httpx.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        self._traffic = Traffic()
        self._around = Surroundings(
            self.truth, Pictures(self.transport), Pace(len(self.members), self.speed), self.speed
        )

    async def work(self) -> None:
        """All of them, until cancelled. Raises an ExceptionGroup of SiteGone and NotInvited."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, (invitation_url, behaviour) in enumerate(self.members):
                    worker = Worker(
                        invitation_url,
                        behaviour,
                        Browser(self._traffic, self.transport),
                        self._around,
                        random.Random(f"{self.seed} {number}"),
                    )
                    tasks.create_task(worker.work())
        finally:
            await self._around.pictures.close()

    def summary(self) -> dict[str, Any]:
        """What they did: counts of each kind of act, of requests, reloads and server errors."""
        return {"workers": len(self.members), "did": dict(self._around.did), **asdict(self._traffic)}

"""When Workers without work look at the list of HITs again.

They take turns, so that somebody looks often while each of them looks seldom; the longer there is nothing, the more
slowly the turns go round. Who finds work makes them quick again.
"""

import asyncio
from collections.abc import Awaitable, Callable

QUICK_ROUND_S = 1.5
"""How long it takes until everyone has had a turn, right after work was found."""

SLOWEST_ROUND_S = 10.0
SLOWING = 1.02
"""Each look that finds nothing makes the next round that much longer."""


class Pace:
    """Turns for `count` Workers; at `speed` above 1 the quick round is that much quicker, the slowest is the same."""

    def __init__(
        self, count: int, speed: float = 1.0, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._sleep = sleep
        self._count = count
        self._quick_round_s = QUICK_ROUND_S / max(1.0, speed)
        self._round_s = self._quick_round_s
        self._turns = asyncio.Lock()  # those who wait are served in order

    async def wait_for_turn(self) -> None:
        async with self._turns:
            await self._sleep(self._round_s / self._count)
            self._round_s = min(SLOWEST_ROUND_S, self._round_s * SLOWING)

    def found_work(self) -> None:
        self._round_s = self._quick_round_s

import asyncio

import pytest

from local.workers.pace import QUICK_ROUND_S, SLOWEST_ROUND_S, Pace


def test_workers_without_work_take_turns_in_order_and_ever_more_slowly() -> None:
    waits_s: list[float] = []
    turns: list[int] = []

    async def sleep(seconds: float) -> None:
        waits_s.append(seconds)
        await asyncio.sleep(0)

    async def run() -> Pace:
        pace = Pace(3, sleep=sleep)

        async def idle(number: int) -> None:
            for _ in range(100):
                await pace.wait_for_turn()
                turns.append(number)

        await asyncio.gather(*(idle(number) for number in range(3)))
        pace.found_work()
        await pace.wait_for_turn()
        return pace

    asyncio.run(run())
    assert turns == [0, 1, 2] * 100
    assert waits_s[0] == pytest.approx(QUICK_ROUND_S / 3)
    assert waits_s[299] == pytest.approx(SLOWEST_ROUND_S / 3)
    assert waits_s[300] == pytest.approx(QUICK_ROUND_S / 3)  # somebody found work

"""The time, passed in wherever it is needed so that the core has no clock of its own."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns the present as whole milliseconds since 1970-01-01T00:00:00Z."""


def system_clock() -> int:
    """The machine's clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000

"""A token bucket lets its burst through, then its rate."""

from local.gateway.throttle import TokenBucket


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_burst_goes_through_at_once_and_then_the_rate() -> None:
    clock = Seconds()
    bucket = TokenBucket(rate_per_s=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]


def test_a_rest_fills_the_bucket_to_its_burst_and_no_further() -> None:
    clock = Seconds()
    bucket = TokenBucket(rate_per_s=2, burst=3, clock=clock)
    clock.now += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]

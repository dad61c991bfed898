"""A token bucket lets its burst through, then its rate; a usage plan has one for each key that is in it now."""

import threading
from collections.abc import Callable

from local.gateway.throttle import REREAD_S, TokenBucket, UsagePlan
from local.template import Resource

THROTTLE = {"RateLimit": 1, "BurstLimit": 2}


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


class Plan:
    """A usage plan whose keys and whose time are the test's.

    `reads`: how often the keys were asked for. `when_read`: what happens meanwhile.
    """

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)
        self.clock = Seconds()
        self.reads = 0
        self.when_read: Callable[[], object] = lambda: None
        properties = {"ApiStages": [{"ApiId": "a", "Stage": "prod"}], "Throttle": THROTTLE}
        resource = Resource("stack", "Plan", "AWS::ApiGateway::UsagePlan", "plan", properties, {})
        self.throttle = UsagePlan(resource, self._read, self.clock)

    def _read(self) -> set[str]:
        self.reads += 1
        self.when_read()
        return set(self.keys)


def test_a_key_that_is_added_is_known_at_once_and_the_others_have_used_what_they_have() -> None:
    plan = Plan("first")
    assert [plan.throttle.take("first") for _ in range(3)] == [True, True, False]
    plan.keys.add("second")
    assert plan.throttle.take("second") is True
    assert plan.throttle.take("first") is False
    plan.clock.now += 1
    assert plan.throttle.take("first") is True
    assert plan.reads == 2


def test_a_key_that_is_removed_is_refused_within_a_minute() -> None:
    plan = Plan("first", "second")
    assert plan.throttle.take("first") is True
    plan.keys.remove("first")
    plan.clock.now += REREAD_S
    assert plan.throttle.take("second") is True
    assert plan.throttle.take("first") is None


def test_known_keys_do_not_wait_while_the_plan_is_read_for_another() -> None:
    plan = Plan("first")
    plan.throttle.take("first")
    reading, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reading.set()
        go_on.wait(10)

    plan.keys.add("unknown")
    plan.when_read = wait
    asking = threading.Thread(target=plan.throttle.take, args=("unknown",))
    asking.start()
    assert reading.wait(10)
    assert plan.throttle.take("first") is True
    go_on.set()
    asking.join(10)
    assert plan.throttle.take("unknown") is True

"""Token buckets, as API Gateway throttles by."""

import threading
import time
from collections.abc import Callable, Iterable

from local.deployment import check_served, refuse
from local.template import Resource

SERVED_PLAN = ("ApiStages", "Description", "Tags", "Throttle", "UsagePlanName")

REREAD_S = 60


class TokenBucket:
    """Lets `burst` through at once and `rate_per_s` in the long run."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more is let through now."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_s)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class UsagePlan:
    """Throttles each of its keys by itself.

    `read_keys`: the values of the keys that are in the plan now; it is asked when a key is not known, and once a minute
    for those that were removed. Raises DeploymentError for a plan that does more.
    """

    def __init__(
        self,
        resource: Resource,
        read_keys: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_served(resource, resource.properties, SERVED_PLAN)
        if any(stage.get("Throttle") for stage in resource.properties["ApiStages"]):
            refuse(resource, "a throttle of single methods")
        throttle = resource.properties["Throttle"]
        self._rate_per_s, self._burst = float(throttle["RateLimit"]), int(throttle["BurstLimit"])
        self._read_keys = read_keys
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._read_at = clock()
        self._lock = threading.Lock()

    def take(self, key: str) -> bool | None:
        """Whether one more request of this key is let through now; None if the plan has no such key."""
        if key not in self._buckets or self._clock() - self._read_at >= REREAD_S:
            self._read_at = self._clock()
            keys = set(self._read_keys())  # outside the lock: the others' requests do not wait for it
            with self._lock:
                self._buckets = {known: self._buckets.get(known) or self._new_bucket() for known in keys}
        bucket = self._buckets.get(key)
        return bucket.take() if bucket else None

    def _new_bucket(self) -> TokenBucket:
        return TokenBucket(self._rate_per_s, self._burst, self._clock)


def stage_throttle(stage: Resource) -> TokenBucket | None:
    """The one rate and burst of a stage, None without. Raises DeploymentError for those of single methods."""
    bucket = None
    for setting in stage.properties.get("MethodSettings", []):
        if "ThrottlingRateLimit" in setting:
            if (setting.get("ResourcePath"), setting.get("HttpMethod")) != ("/*", "*"):
                refuse(stage, f"a throttle of {setting.get('HttpMethod')} {setting.get('ResourcePath')} alone")
            bucket = TokenBucket(float(setting["ThrottlingRateLimit"]), int(setting["ThrottlingBurstLimit"]))
    return bucket

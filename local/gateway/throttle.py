"""Token buckets, as API Gateway throttles by."""

import threading
import time
from collections.abc import Callable

from local.deployment import refuse
from local.template import Resource


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


def stage_throttle(stage: Resource) -> TokenBucket | None:
    """The one rate and burst of a stage, None without. Raises DeploymentError for those of single methods."""
    bucket = None
    for setting in stage.properties.get("MethodSettings", []):
        if "ThrottlingRateLimit" in setting:
            if (setting.get("ResourcePath"), setting.get("HttpMethod")) != ("/*", "*"):
                refuse(stage, f"a throttle of {setting.get('HttpMethod')} {setting.get('ResourcePath')} alone")
            bucket = TokenBucket(float(setting["ThrottlingRateLimit"]), int(setting["ThrottlingBurstLimit"]))
    return bucket

"""Caller accounts and their API keys: one account with one key, from a secret of the deployment."""

import hmac
from collections.abc import Callable, Mapping

from crowdsight.clock import Clock

KEEP_SECRET_MS = 60_000
"""How long a process goes on with a key that was changed."""


class ApiKeys:
    """Whose key is this? `read_secret` gives {"account", "api_key"}."""

    def __init__(self, read_secret: Callable[[], Mapping[str, str]], clock: Clock) -> None:
        self._read_secret = read_secret
        self._clock = clock
        self._secret: Mapping[str, str] = {}
        self._read_at_ms = -KEEP_SECRET_MS

    def account_of(self, api_key: str) -> str | None:
        """The key's account, or None if it is no key. Compares in constant time."""
        if self._clock() - self._read_at_ms >= KEEP_SECRET_MS:
            self._secret = self._read_secret()
            self._read_at_ms = self._clock()
        if not hmac.compare_digest(api_key.encode(), self._secret["api_key"].encode()):
            return None
        return self._secret["account"]

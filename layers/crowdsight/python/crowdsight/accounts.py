"""Caller accounts and their API keys: one account with one key, from a secret of the deployment."""

import hmac
from collections.abc import Callable, Mapping


class ApiKeys:
    """Whose key is this? `read_secret` gives {"account", "api_key"}."""

    def __init__(self, read_secret: Callable[[], Mapping[str, str]]) -> None:
        self._read_secret = read_secret

    def account_of(self, api_key: str) -> str | None:
        """The key's account, or None if it is no key. Compares in constant time."""
        secret = self._read_secret()
        if not hmac.compare_digest(api_key.encode(), secret["api_key"].encode()):
            return None
        return secret["account"]

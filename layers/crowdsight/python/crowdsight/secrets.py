"""Secrets of the deployment, from Secrets Manager."""

import json
from collections.abc import Mapping
from typing import Any

from crowdsight.clock import Clock

KEEP_MS = 60_000
"""How long a process goes on with a value that was changed."""


class Secret:
    """One secret: a JSON object of strings. `client`: a boto3 client for `secretsmanager`; `secret_id`: ARN or name."""

    def __init__(self, client: Any, secret_id: str, clock: Clock) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._value: Mapping[str, str] = {}
        self._read_at_ms: int | None = None

    def read(self) -> Mapping[str, str]:
        """The secret as it is now, or was at most a minute ago."""
        if self._read_at_ms is None or self._clock() - self._read_at_ms >= KEEP_MS:
            self._value = json.loads(self._client.get_secret_value(SecretId=self._secret_id)["SecretString"])
            self._read_at_ms = self._clock()
        return self._value

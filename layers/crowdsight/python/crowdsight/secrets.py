"""Secrets of the deployment, from Secrets Manager."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.clock import Clock

KEEP_MS = 60_000
"""How long a process goes on with a value that was changed."""

KEEP_IN_OUTAGE_MS = 600_000
"""How long it goes on with a value that cannot be read again."""

logger = logging.getLogger(__name__)


class Secret:
    """One secret: a JSON object of strings. `client`: a boto3 client for `secretsmanager`; `secret_id`: ARN or name."""

    def __init__(self, client: Any, secret_id: str, clock: Clock) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._value: Mapping[str, str] = {}
        self._read_at_ms: int | None = None

    def read(self) -> Mapping[str, str]:
        """The secret as it is now, or was at most a minute ago; in an outage of Secrets Manager, ten minutes."""
        age_ms = None if self._read_at_ms is None else self._clock() - self._read_at_ms
        if age_ms is None or age_ms >= KEEP_MS:
            try:
                self._value = json.loads(self._client.get_secret_value(SecretId=self._secret_id)["SecretString"])
                self._read_at_ms = self._clock()
            except (ClientError, BotoCoreError) as error:
                if age_ms is None or age_ms >= KEEP_IN_OUTAGE_MS:
                    raise
                logger.warning("a secret cannot be read again; going on with the one known: %s", error)
        return self._value

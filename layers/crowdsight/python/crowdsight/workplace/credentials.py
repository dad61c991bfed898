"""Requesters' credentials: one secret each, named by its access key id."""

import json
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from crowdsight.clock import Clock

ACCESS_KEY_ID = re.compile(r"[A-Z0-9]{16,32}")
CACHED_FOR_MS = 60_000
MAX_CACHED = 1_000
_ALPHANUMERIC = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Credentials:
    """What a requester's program signs with."""

    requester_id: str
    access_key_id: str
    secret_access_key: str


FindCredentials = Callable[[str], Credentials | None]
"""The credentials with an access key id, None if there are none."""


class CredentialSecrets:
    """Credentials in AWS Secrets Manager, under `prefix` + access key id. `client`: boto3's `secretsmanager`.

    What was found is believed for a minute, so that a withdrawn key stops working within one. What was not found is
    asked for again.
    """

    def __init__(self, client: Any, prefix: str, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._found: dict[str, tuple[int, Credentials]] = {}

    def find(self, access_key_id: str) -> Credentials | None:
        """The credentials, or None. An id not of 16 to 32 of A-Z 0-9 is not looked for."""
        if not ACCESS_KEY_ID.fullmatch(access_key_id):
            return None
        read_at_ms, credentials = self._found.get(access_key_id, (0, None))
        if credentials and self._clock() - read_at_ms < CACHED_FOR_MS:
            return credentials
        self._found.pop(access_key_id, None)
        try:
            secret = self._client.get_secret_value(SecretId=f"{self._prefix}{access_key_id}")
        except (self._client.exceptions.ResourceNotFoundException, self._client.exceptions.InvalidRequestException):
            # The latter is a secret that is marked for deletion.
            return None
        credentials = Credentials(**json.loads(secret["SecretString"]))
        if len(self._found) >= MAX_CACHED:
            self._found.clear()
        self._found[access_key_id] = (self._clock(), credentials)
        return credentials

    def issue(self, requester_id: str) -> Credentials:
        """New credentials for a requester, besides any it has."""
        credentials = Credentials(
            requester_id,
            "CROWDSIGHT" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10)),
            "".join(secrets.choice(_ALPHANUMERIC) for _ in range(40)),
        )
        self._client.create_secret(
            Name=f"{self._prefix}{credentials.access_key_id}", SecretString=json.dumps(asdict(credentials))
        )
        return credentials

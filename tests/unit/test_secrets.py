import json

import pytest
from botocore.exceptions import EndpointConnectionError

from crowdsight.secrets import KEEP_IN_OUTAGE_MS, KEEP_MS, Secret
from tests.conftest import StoppedClock


class SecretsManager:
    """One secret that can be changed, and counts how often it is read."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.reads = 0
        self.is_down = False

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803  the service's own name
        if self.is_down:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager.us-east-1.amazonaws.com")
        self.reads += 1
        return {"SecretString": json.dumps({"id": SecretId, "value": self.value})}


def test_a_secret_is_read_once_a_minute_at_most_and_a_change_counts_then(clock: StoppedClock) -> None:
    manager = SecretsManager("old")
    secret = Secret(manager, "a/name", clock)
    assert secret.read() == {"id": "a/name", "value": "old"}
    manager.value = "new"
    clock.move((KEEP_MS - 1) / 1000)
    assert secret.read()["value"] == "old"
    assert manager.reads == 1
    clock.move(0.001)
    assert secret.read()["value"] == "new"
    assert manager.reads == 2


def test_in_an_outage_a_known_secret_is_good_for_ten_minutes_and_an_unknown_one_is_an_error(
    clock: StoppedClock,
) -> None:
    manager = SecretsManager("known")
    secret = Secret(manager, "a/name", clock)
    manager.is_down = True
    with pytest.raises(EndpointConnectionError):
        secret.read()
    manager.is_down = False
    secret.read()
    manager.is_down = True
    clock.move((KEEP_IN_OUTAGE_MS - 1) / 1000)
    assert secret.read()["value"] == "known"
    clock.move(0.001)
    with pytest.raises(EndpointConnectionError):
        secret.read()

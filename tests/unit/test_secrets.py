import json

from crowdsight.secrets import KEEP_MS, Secret
from tests.conftest import StoppedClock


class SecretsManager:
    """One secret that can be changed, and counts how often it is read."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803  the service's own name
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

from collections.abc import Callable, Mapping

import pytest

from crowdsight.accounts import KEEP_SECRET_MS, ApiKeys
from tests.conftest import StoppedClock


class Secret:
    """A secret that can be changed, and counts how often it is read."""

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key
        self.reads = 0

    def __call__(self) -> Mapping[str, str]:
        self.reads += 1
        return {"account": "default", "api_key": self.api_key}


@pytest.fixture
def secret() -> Secret:
    return Secret("the-right-key")


@pytest.fixture
def account_of(secret: Secret, clock: StoppedClock) -> Callable[[str], str | None]:
    return ApiKeys(secret, clock).account_of


def test_the_right_key_is_its_account_and_any_other_is_none(account_of: Callable[[str], str | None]) -> None:
    assert account_of("the-right-key") == "default"
    for wrong in ("", "the-right-ke", "the-right-key ", "THE-RIGHT-KEY", "schlüssel", "x" * 100_000):
        assert account_of(wrong) is None


def test_the_secret_is_read_once_a_minute_at_most_and_a_changed_key_counts_then(
    account_of: Callable[[str], str | None], secret: Secret, clock: StoppedClock
) -> None:
    account_of("the-right-key")
    secret.api_key = "a-new-key"
    clock.move((KEEP_SECRET_MS - 1) / 1000)
    assert account_of("the-right-key") == "default"
    assert secret.reads == 1
    clock.move(0.001)
    assert account_of("the-right-key") is None
    assert account_of("a-new-key") == "default"
    assert secret.reads == 2


def test_a_secret_that_cannot_be_read_lets_nobody_in(clock: StoppedClock) -> None:
    def unreadable() -> Mapping[str, str]:
        raise PermissionError

    keys = ApiKeys(unreadable, clock)
    for _ in range(2):
        with pytest.raises(PermissionError):
            keys.account_of("")

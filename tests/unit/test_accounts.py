from collections.abc import Mapping

import pytest

from crowdsight.accounts import ApiKeys


def test_the_right_key_is_its_account_and_any_other_is_none() -> None:
    account_of = ApiKeys(lambda: {"account": "default", "api_key": "the-right-key"}).account_of
    assert account_of("the-right-key") == "default"
    for wrong in ("", "the-right-ke", "the-right-key ", "THE-RIGHT-KEY", "schlüssel", "x" * 100_000):
        assert account_of(wrong) is None


def test_a_secret_that_cannot_be_read_lets_nobody_in() -> None:
    def unreadable() -> Mapping[str, str]:
        raise PermissionError

    keys = ApiKeys(unreadable)
    for _ in range(2):
        with pytest.raises(PermissionError):
            keys.account_of("")

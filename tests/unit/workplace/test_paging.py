import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.paging import NextTokens

TOKENS = NextTokens("s" * 40)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.text(st.characters(max_codepoint=126)))
def test_a_token_leads_on_in_its_own_listing(listing: str, start: str) -> None:
    token = TOKENS.give(listing, start[:170])
    assert token and 1 <= len(token) <= 255
    assert TOKENS.take(listing, token) == start[:170]


def test_no_token_is_the_beginning_and_the_end() -> None:
    assert TOKENS.take("hits", None) is None
    assert TOKENS.give("hits", None) is None


@given(st.data())
def test_a_token_that_was_changed_is_refused(data: st.DataObject) -> None:
    token = TOKENS.give("hits", "000001800000000000#3ABC") or ""
    position = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from([c for c in "AQgwz9-_= é" if c != token[position]]))
    changed = token[:position] + other + token[position + 1 :]
    with pytest.raises(RequestError):
        TOKENS.take("hits", changed)


@pytest.mark.parametrize("token", ["", "AAAA", "x" * 255, "é", "//==", "AA AA"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(RequestError):
        TOKENS.take("hits", token)


def test_a_token_is_good_for_its_listing_and_its_requester_only() -> None:
    token = TOKENS.give("hits", "1")
    with pytest.raises(RequestError):
        TOKENS.take("reviewable", token)
    with pytest.raises(RequestError):
        NextTokens("t" * 40).take("hits", token)

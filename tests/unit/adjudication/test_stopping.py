import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication.stopping import gain_of_going_on

ROWS = [[[0.8, 0.2]], [[0.2, 0.8]]]
"""One clarity; Workers are right four times in five."""


def gain(share: float, horizon: int = 4, right_in_answers: float = 30.0) -> float:
    return gain_of_going_on([[share], [1 - share]], ROWS, horizon, right_in_answers)


def test_one_look_ahead_is_the_expected_rise_of_the_larger_share_less_the_price() -> None:
    assert gain(0.5, horizon=1) == pytest.approx(30 * (0.8 - 0.5) - 1)
    assert gain(0.9, horizon=1) == pytest.approx(-1), "no single answer could change the result"


def test_two_answers_can_be_worth_what_one_is_not() -> None:
    assert gain(0.8, horizon=1) < 0 < gain(0.8, horizon=2)


def test_the_surer_the_less_there_is_to_gain() -> None:
    gains = [gain(share) for share in (0.5, 0.7, 0.9, 0.99)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] <= 0


@given(st.floats(0.01, 0.99), st.integers(1, 4))
def test_looking_further_never_finds_less(share: float, horizon: int) -> None:
    assert gain(share, horizon + 1) >= gain(share, horizon) - 1e-9


def test_nothing_is_gained_where_no_answer_is_left_or_a_right_result_is_worth_nothing() -> None:
    assert gain(0.5, horizon=0) == 0
    assert gain(0.5, right_in_answers=0) == pytest.approx(-1)

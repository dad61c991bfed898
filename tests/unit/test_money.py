import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.money import fee_cents, shown_dollars, wire_dollars


@pytest.mark.parametrize(
    ("reward_cents", "percent", "assignments", "fee"),
    [
        (5, 20, 1, 1),
        (1, 20, 1, 1),  # at least one cent
        (0, 20, 1, 1),
        (12, 20, 1, 2),  # 2.4 down
        (13, 20, 1, 3),  # 2.6 up
        (25, 10, 1, 3),  # 2.5 up
        (10, 20, 9, 2),
        (10, 20, 10, 4),  # ten assignments or more cost another 20 %
        (10, 0, 1, 0),
        (10, 0, 10, 0),
    ],
)
def test_the_fee_is_a_percentage_of_the_reward_half_cents_up_and_at_least_one(
    reward_cents: int, percent: int, assignments: int, fee: int
) -> None:
    assert fee_cents(reward_cents, percent, assignments) == fee


@given(st.integers(0, 10**8), st.integers(1, 100), st.integers(1, 100))
def test_a_fee_is_never_more_than_half_a_cent_off(reward_cents: int, percent: int, assignments: int) -> None:
    whole = percent + (20 if assignments >= 10 else 0)
    exact_hundredths = reward_cents * whole
    fee = fee_cents(reward_cents, percent, assignments)
    assert fee == 1 or abs(fee * 100 - exact_hundredths) <= 50


@pytest.mark.parametrize(
    ("cents", "wire", "shown"), [(2, "0.02", "$0.02"), (100, "1.00", "$1.00"), (123456, "1234.56", "$1,234.56")]
)
def test_programs_get_plain_dollars_and_people_get_a_sign_and_commas(cents: int, wire: str, shown: str) -> None:
    assert (wire_dollars(cents), shown_dollars(cents)) == (wire, shown)

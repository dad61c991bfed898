import dataclasses

import pytest

from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.prices import answer_cents, fee_cents, worst_case_cents
from crowdsight.workplace import ledger


@pytest.mark.parametrize(
    ("reward_cents", "fee_percent", "fee"),
    [(2, 0, 0), (2, 20, 1), (5, 20, 1), (10, 20, 2), (12, 20, 2), (13, 20, 3), (10, 25, 3), (10, 24, 2), (1, 1, 1)],
)
def test_a_fee_is_rounded_half_up_and_at_least_a_cent_unless_the_workplace_is_free(
    reward_cents: int, fee_percent: int, fee: int
) -> None:
    assert fee_cents(reward_cents, fee_percent) == fee


def test_what_we_reckon_is_what_the_workplace_charges_below_ten_assignments() -> None:
    for reward_cents in range(1, 60):
        for fee_percent in (0, 1, 5, 20, 25, 40, 100):
            assert fee_cents(reward_cents, fee_percent) == ledger.fee_cents(reward_cents, fee_percent, 9)


def test_the_worst_case_is_the_most_answers_with_their_fees() -> None:
    function = dataclasses.replace(CATALOGUE["image-contains"], reward_cents=10)
    assert answer_cents(function, 20) == 12
    assert worst_case_cents(function, 20) == 12 * 9

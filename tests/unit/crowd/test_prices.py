import dataclasses

from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.prices import answer_cents, worst_case_cents


def test_the_worst_case_is_the_most_answers_with_their_fees() -> None:
    function = dataclasses.replace(CATALOGUE["image-contains"], reward_cents=10)
    assert answer_cents(function, 20) == 12
    assert worst_case_cents(function, 20) == 12 * 9

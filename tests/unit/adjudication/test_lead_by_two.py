import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided, Unloadable
from crowdsight.adjudication.lead_by_two import LeadByTwo

RULE = LeadByTwo()
CATEGORIES = ("yes", "no", UNAVAILABLE)
ANY_ANSWERS = st.lists(st.sampled_from(CATEGORIES), max_size=9)


def answers_of(*values: str) -> list[Answer]:
    return [Answer(f"W{number}", value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((), Undecided()),
        (("yes",), Undecided()),
        (("yes", "yes"), Decided("yes")),
        (("yes", "no"), Undecided()),
        (("yes", "no", "no"), Undecided()),
        (("yes", "no", "no", "no"), Decided("no")),
        (("yes", UNAVAILABLE, "yes"), Undecided()),
        ((UNAVAILABLE, UNAVAILABLE), Unloadable()),
        (("yes", UNAVAILABLE, UNAVAILABLE, UNAVAILABLE), Unloadable()),
        (("yes", "no", "no", "yes", "no", "yes", "no", "yes", "no"), Undecided()),
    ],
)
def test_the_first_category_to_lead_every_other_by_two_wins(values: tuple[str, ...], verdict: object) -> None:
    assert RULE.judge(answers_of(*values)) == verdict


def test_every_possible_count_up_to_nine_answers_is_judged_by_its_lead_alone() -> None:
    for counts in product(range(10), repeat=3):
        if sum(counts) > 9:
            continue
        values = [category for category, count in zip(CATEGORIES, counts, strict=True) for _ in range(count)]
        most, next_most, _ = sorted(counts, reverse=True)
        leader = CATEGORIES[counts.index(most)]
        expected = Undecided() if most < next_most + 2 else Unloadable() if leader == UNAVAILABLE else Decided(leader)
        assert RULE.judge(answers_of(*values)) == expected, values


@given(ANY_ANSWERS, st.randoms())
def test_the_order_of_answers_changes_nothing(values: list[str], dice: random.Random) -> None:
    answers = answers_of(*values)
    shuffled = dice.sample(answers, len(answers))
    assert RULE.judge(shuffled) == RULE.judge(answers)


@given(ANY_ANSWERS)
def test_a_tie_for_the_lead_is_never_decided(values: list[str]) -> None:
    counts = Counter(values).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        assert RULE.judge(answers_of(*values)) == Undecided()

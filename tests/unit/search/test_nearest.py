import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.search.nearest import Nearest

OFFERS = st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), max_size=8), max_size=6)


@given(OFFERS, st.integers(0, 12))
def test_the_highest_scores_are_kept_and_of_equal_ones_the_smaller_keys(offers: list[list[float]], limit: int) -> None:
    nearest, offered = Nearest(limit), []
    for at, scores in enumerate(offers):
        keys = [f"{(7 * at + 5 * place) % 64:02}-{at}-{place}" for place in range(len(scores))]
        nearest.offer(np.array(scores, np.float32), np.array([key.encode() for key in keys], "S"))
        offered += [(-score, key) for score, key in zip(scores, keys, strict=True)]
        assert nearest.room == max(0, limit - len(offered))
    assert [(-match.score, match.key) for match in nearest.matches()] == sorted(offered)[:limit]


def test_the_floor_is_the_lowest_score_once_there_is_no_room() -> None:
    nearest = Nearest(2)
    assert nearest.floor == -np.inf
    nearest.offer(np.array([0.5], np.float32), np.array([b"a"]))
    assert nearest.floor == -np.inf
    nearest.offer(np.array([0.25, -0.5], np.float32), np.array([b"longer", b"c"]))
    assert nearest.floor == 0.25
    assert [match.key for match in nearest.matches()] == ["a", "longer"]


@pytest.mark.parametrize("limit", [0, -1])
def test_where_none_is_wanted_none_is_kept(limit: int) -> None:
    nearest = Nearest(limit)
    nearest.offer(np.array([0.5], np.float32), np.array([b"a"]))
    assert nearest.matches() == [] and nearest.floor == np.inf and nearest.room == 0


@given(OFFERS, OFFERS, st.integers(0, 12))
def test_what_is_found_beside_is_taken_in_as_if_it_had_been_offered(
    offers: list[list[float]], beside: list[list[float]], limit: int
) -> None:
    both, one = Nearest(limit), Nearest(limit)

    def offer(to: Nearest, scores: list[float], names: str) -> None:
        to.offer(np.array(scores, np.float32), np.array([f"{names} {at}".encode() for at in range(len(scores))], "S"))

    for at, scores in enumerate(offers):
        offer(one, scores, f"a{at}")
        offer(both, scores, f"a{at}")
    other = one.beside()
    for at, scores in enumerate(beside):
        offer(other, scores, f"b{at}")
        offer(both, scores, f"b{at}")
    one.take_in(other)
    assert one.matches() == both.matches()
    assert (one.floor, one.room) == (both.floor, both.room)

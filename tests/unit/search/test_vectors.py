import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.search.vectors import BLOCK_ROWS, cosines, half_unit, nth_highest, single, unit_query


def test_every_finite_number_of_half_precision_is_the_same_in_single_precision() -> None:
    halves = np.arange(65_536, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]
    exact = finite.astype(np.float32)
    assert (single(finite).view(np.uint32) == exact.view(np.uint32)).all()  # the sign of zero included
    assert (single(finite[:60_000].reshape(200, 300)) == exact[:60_000].reshape(200, 300)).all()


VECTORS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=8, max_size=8).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(VECTORS, VECTORS)
def test_a_cosine_is_right_to_half_precision_and_that_of_a_vector_with_itself_is_1(
    one: list[float], other: list[float]
) -> None:
    a, b = np.array(one, np.float32), np.array(other, np.float32)
    itself, another = cosines(np.stack([half_unit(a), half_unit(b)]), unit_query(a))
    expected = float(a.astype(float) @ b.astype(float)) / float(np.linalg.norm(a.astype(float)))
    expected /= float(np.linalg.norm(b.astype(float)))
    assert itself == pytest.approx(1.0, abs=5e-7)
    assert another == pytest.approx(expected, abs=1.5e-3)
    assert -1 <= another <= 1


@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e30])
def test_a_vector_is_kept_as_it_is_whatever_is_beside_it(factor: float) -> None:
    vectors = np.random.default_rng(6).normal(size=(500, 64)).astype(np.float32)
    beside = vectors.copy()
    beside[0] *= np.float32(factor)
    assert (half_unit(beside)[1:] == half_unit(vectors)[1:]).all()
    assert (half_unit(beside[7]) == half_unit(vectors)[7]).all()


def test_a_vector_of_zeros_is_like_nothing() -> None:
    zeros = np.zeros(3, np.float32)
    rows = np.stack([half_unit(zeros), half_unit(np.ones(3, np.float32))])
    assert cosines(rows, unit_query(np.ones(3, np.float32))).tolist() == pytest.approx([0.0, 1.0])
    assert cosines(rows, unit_query(zeros)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("factor", [1e-45, 1e-38, 1e-30, 1e-19, 1.0, 1e19, 1e30, 1e37])
def test_vectors_of_any_length_are_kept_and_asked_for_by_their_direction(factor: float) -> None:
    direction = np.array([3, -4, 0, 5, 1, -2], np.float32)
    vector = direction * np.float32(factor)
    np.testing.assert_allclose(half_unit(vector), half_unit(direction), atol=2**-11)
    together = half_unit(np.stack([vector, 0 * vector]))
    np.testing.assert_allclose(together[0], half_unit(direction), atol=2**-11)
    assert not together[1].any()
    [itself] = cosines(half_unit(direction)[np.newaxis], unit_query(vector))
    assert itself == pytest.approx(1.0, abs=5e-7)


@pytest.mark.parametrize("count", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 1])
def test_rows_are_compared_block_by_block_and_none_is_left_out(count: int) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(count, 4)).astype(np.float16)
    query = unit_query(np.array([1, 2, 3, 4], np.float32))
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    expected = matrix.astype(np.float64) @ query.astype(np.float64) / np.maximum(lengths, 1e-9)
    assert cosines(matrix, query) == pytest.approx(expected, abs=1e-5)


def test_cosines_from_a_floor_up_are_exact_and_others_stay_below_it() -> None:
    random = np.random.default_rng(8)
    rows = half_unit(random.normal(size=(3000, 40)).astype(np.float32))
    rows[7] = 0
    query = unit_query(random.normal(size=40).astype(np.float32))
    exact = cosines(rows, query)
    for floor in (-2.0, -0.1, 0.0, float(exact[11]), 0.2, 1.5):
        found = cosines(rows, query, floor)
        assert ((found >= floor) == (exact >= floor)).all()
        np.testing.assert_allclose(found[exact >= floor], exact[exact >= floor], atol=1e-6)


@pytest.mark.parametrize("count", [5, BLOCK_ROWS + 900])
def test_the_most_wanted_highest_cosines_are_exact_and_others_stay_below_them(count: int) -> None:
    random = np.random.default_rng(9)
    rows = half_unit(random.normal(size=(count, 40)).astype(np.float32))
    query = unit_query(random.normal(size=40).astype(np.float32))
    exact = cosines(rows, query)
    for most in (1, 4, 10, count, 2 * count):
        found = cosines(rows, query, most=most)
        highest = np.argsort(-exact)[:most]
        np.testing.assert_allclose(found[highest], exact[highest], atol=1e-6)
        others = np.delete(found, highest)
        assert not len(others) or others.max() <= found[highest].min()


def test_the_nth_highest_of_numbers() -> None:
    numbers = np.array([3, 1, 2, 3], np.float32)
    assert [nth_highest(numbers, n) for n in range(6)] == [np.inf, 3, 3, 2, 1, -np.inf]

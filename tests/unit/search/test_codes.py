import numpy as np
import pytest

from crowdsight.search.codes import ERROR_PER_SCALE, LARGEST_STEP, QueryPlanes, Rotation, encode, words_of

DIMENSIONS = [2, 24, 64, 70, 128, 384, 509]


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_a_rotation_keeps_lengths_and_inner_products_and_is_always_the_same(dimensions: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(20, dimensions)).astype(np.float32)
    rotated = Rotation(dimensions)(vectors)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-3)
    np.testing.assert_allclose(Rotation(dimensions)(vectors[3]), rotated[3], atol=1e-5)
    assert not np.allclose(rotated, vectors)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_the_product_of_a_query_with_signs_is_that_of_its_whole_steps(dimensions: int) -> None:
    random = np.random.default_rng(2)
    offsets = random.normal(size=(50, dimensions)).astype(np.float32)
    codes, _ = encode(offsets)
    assert codes.shape == (words_of(dimensions), 50)
    for query in (random.normal(size=dimensions), -np.ones(dimensions), np.ones(dimensions), np.zeros(dimensions)):
        planes = QueryPlanes.of(query.astype(np.float32))
        steps = np.rint(query / planes.step)
        assert np.abs(steps).max() <= LARGEST_STEP
        expected = np.where(offsets > 0, 1, -1) @ steps * planes.step
        np.testing.assert_allclose(planes.products(codes), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_beyond_the_last_dimension_a_code_has_no_bit(dimensions: int) -> None:
    codes, _ = encode(np.ones((3, dimensions), np.float32))
    assert int(np.bitwise_count(codes).sum()) == 3 * dimensions


@pytest.mark.parametrize("dimensions", [64, 70, 384])
def test_an_estimate_is_right_on_average_and_strays_as_much_as_is_stated(dimensions: int) -> None:
    random = np.random.default_rng(3)
    rotation = Rotation(dimensions)
    offsets = random.normal(size=(4000, dimensions)).astype(np.float32)
    codes, scales = encode(rotation(offsets))
    errors, slopes = [], []
    for _ in range(40):
        direction = random.normal(size=dimensions)
        query = (direction / np.linalg.norm(direction)).astype(np.float32)
        exact = offsets @ query
        estimates = QueryPlanes.of(rotation(query)).products(codes) * scales
        errors.append((estimates - exact) / scales)
        slopes.append(estimates @ exact / (exact @ exact))
    # The query's own rounding adds a little.
    assert np.std(errors) == pytest.approx(ERROR_PER_SCALE, rel=0.1)
    assert np.mean(errors) == pytest.approx(0, abs=0.01)
    assert np.mean(slopes) == pytest.approx(1, abs=0.01)


def test_an_offset_of_zeros_is_estimated_as_0() -> None:
    codes, scales = encode(np.zeros((2, 64), np.float32))
    assert (QueryPlanes.of(np.ones(64, np.float32)).products(codes) * scales).tolist() == [0, 0]

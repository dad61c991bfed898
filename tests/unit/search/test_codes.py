import numpy as np
import pytest

from crowdsight.search.codes import CODE_ERROR, PLANES, QueryPlanes, Rotation, encode, words_of

DIMENSIONS = [2, 24, 64, 70, 128, 384, 509]


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_a_rotation_keeps_lengths_and_inner_products_and_is_always_the_same(dimensions: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(20, dimensions)).astype(np.float32)
    rotated = Rotation(dimensions)(vectors)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-3)
    np.testing.assert_allclose(Rotation(dimensions)(vectors[3]), rotated[3], atol=1e-5)
    assert not np.allclose(rotated, vectors)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_the_product_of_a_query_with_signs_is_that_of_its_rounded_numbers(dimensions: int) -> None:
    random = np.random.default_rng(2)
    offsets = random.normal(size=(50, dimensions)).astype(np.float32)
    codes, _ = encode(offsets)
    assert codes.shape == (words_of(dimensions), 50)
    for query in (random.normal(size=dimensions), -np.ones(dimensions), np.ones(dimensions), np.zeros(dimensions)):
        planes = QueryPlanes.of(query.astype(np.float32))
        bits = np.unpackbits(planes.planes.view(np.uint8), axis=1, bitorder="little")[:, :dimensions]
        rounded = (2.0 ** np.arange(PLANES) @ bits - (2**PLANES - 1) / 2) * planes.step
        assert query @ rounded == pytest.approx(query @ query, rel=1e-5)
        expected = np.where(offsets > 0, 1, -1) @ rounded
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
    errors, stated, slopes = [], [], []
    for _ in range(40):
        direction = random.normal(size=dimensions)
        query = (direction / np.linalg.norm(direction)).astype(np.float32)
        exact = offsets @ query
        planes = QueryPlanes.of(rotation(query))
        estimates = planes.products(codes) * scales
        stated.append(planes.error)
        errors.append((estimates - exact) / scales)
        slopes.append(estimates @ exact / (exact @ exact))
    # The query's own rounding adds a little.
    assert CODE_ERROR < np.mean(stated) < 1.1 * CODE_ERROR
    assert np.std(errors) == pytest.approx(np.mean(stated), rel=0.02)
    assert np.mean(errors) == pytest.approx(0, abs=0.01)
    assert np.mean(slopes) == pytest.approx(1, abs=0.01)


def test_an_offset_of_zeros_is_estimated_as_0() -> None:
    codes, scales = encode(np.zeros((2, 64), np.float32))
    assert (QueryPlanes.of(np.ones(64, np.float32)).products(codes) * scales).tolist() == [0, 0]

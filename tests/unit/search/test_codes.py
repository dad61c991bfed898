import numpy as np
import pytest

from crowdsight.search.codes import (
    BLOCK_ROWS,
    CODE_ERROR,
    PLANES,
    QueryPlanes,
    Rotation,
    encode,
    lengths_of,
    most_unlike,
    words_of,
)

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


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_the_signs_unlike_in_a_word_are_those_of_its_dimensions(dimensions: int) -> None:
    random = np.random.default_rng(4)
    offsets = random.normal(size=(40_000, dimensions)).astype(np.float32)
    query = random.normal(size=dimensions).astype(np.float32)
    codes, _ = encode(offsets)
    for word, column in enumerate(codes):
        those = slice(64 * word, 64 * (word + 1))
        expected = ((offsets[:, those] > 0) != (query[those] >= 0)).sum(axis=1)
        assert (QueryPlanes.of(query).unlike(column, word) == expected).all()


def test_signs_are_counted_alike_in_as_many_blocks_as_there_are() -> None:
    random = np.random.default_rng(5)
    codes = random.integers(0, 2**63, BLOCK_ROWS + 5, dtype=np.uint64)
    planes = QueryPlanes.of(random.normal(size=128).astype(np.float32))
    assert (planes.unlike(codes, 1)[-9:] == planes.unlike(codes[-9:], 1)).all()
    assert len(planes.unlike(codes[:0], 1)) == 0


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.3, 0.6, 0.95])
def test_no_more_signs_are_unlike_than_stated_but_for_the_stated_share(cosine: float) -> None:
    random = np.random.default_rng(6)
    rotation = Rotation(512)
    unlike = []
    for _ in range(100):
        query = random.normal(size=512)
        query /= np.linalg.norm(query)
        others = random.normal(size=(200, 512))
        others -= (others @ query)[:, np.newaxis] * query
        others *= np.sqrt(1 - cosine**2) / np.linalg.norm(others, axis=1, keepdims=True)
        codes, scales = encode(rotation((3 * (others + cosine * query)).astype(np.float32)))
        planes = QueryPlanes.of(rotation(query.astype(np.float32)))
        unlike.append(planes.unlike(codes[0], 0) + planes.unlike(codes[1], 1))
        np.testing.assert_allclose(lengths_of(scales, 512), 3, rtol=0.2)
    for deviations, share in ((2.33, 0.01), (1.0, 0.16)):
        (most,) = most_unlike(np.array([cosine], np.float32), np.array(128), np.array([deviations], np.float32))
        assert share / 2 < np.mean(np.array(unlike) > most) < 2 * share


def test_cosines_that_cannot_be_leave_nothing_or_everything() -> None:
    least, most = most_unlike(np.array([7, -7], np.float32), np.array(128), np.full(2, 2.33, np.float32))
    assert (least, most) == (0, 128)


def test_limits_for_several_numbers_of_signs_are_those_for_each() -> None:
    cosines, deviations = np.array([0.3, 0.8], np.float32), np.array([2.0, 1.0], np.float32)
    both = most_unlike(cosines, np.array([[64], [192]]), deviations)
    assert both.tolist() == [most_unlike(cosines, np.array(signs), deviations).tolist() for signs in (64, 192)]

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crowdsight.search.objects import Objects
from crowdsight.search.segments import BLOCK_ROWS, KEYS, Matrix, Rows, Segment, Segments, gather, half_unit, unit_query
from tests.contract.memory_s3 import MemoryS3

SPACES = {"image": 6, "words": 2}
PREFIX = "vectors/test/ann"


def rows(*keys: str, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    matrices = {space: random.normal(size=(len(keys), size)).astype(np.float16) for space, size in SPACES.items()}
    return Rows(np.array([key.encode() for key in keys], "S") if keys else np.empty(0, "S1"), matrices)


@pytest.fixture
def s3() -> MemoryS3:
    s3 = MemoryS3()
    s3.create_bucket("images")
    return s3


@pytest.fixture
def segments(s3: MemoryS3) -> Segments:
    return Segments(Objects(s3, "images"), SPACES)


def test_a_segment_is_read_as_it_was_written(segments: Segments, s3: MemoryS3) -> None:
    written = rows("a", "bb", "ccc")
    segment = segments.write(PREFIX, "one", written)
    assert segment.rows == 3 and set(segment.parts) == {KEYS, *SPACES}
    read = Segments(Objects(s3, "images"), SPACES).rows(PREFIX, segment)
    assert read is not None
    assert read.keys.tolist() == [b"a", b"bb", b"ccc"]
    for space in SPACES:
        assert read.matrices[space].dtype == np.float16
        assert (read.matrices[space] == written.matrices[space]).all()
    segments.delete(PREFIX, ["one"])
    assert s3.list_objects_v2("images")["Contents"] == []


def test_a_segment_of_other_dimensions_or_another_number_of_rows_is_not_taken(
    segments: Segments, s3: MemoryS3, caplog: pytest.LogCaptureFixture
) -> None:
    segment = segments.write(PREFIX, "one", rows("a", "b"))
    others = Segments(Objects(s3, "images"), {"image": 6, "words": 3})
    assert others.matrix(PREFIX, segment, "words") is None
    longer = Segment(segment.name, 3, segment.parts)
    with caplog.at_level(logging.ERROR):
        assert segments.keys(PREFIX, longer) is None
        assert segments.rows(PREFIX, longer) is None
    assert "one" in caplog.text
    assert segments.matrix(PREFIX, segment, "words") is not None


def test_gathered_rows_are_in_the_order_of_their_keys_each_once() -> None:
    first, second = rows("d", "b", "a", seed=1), rows("c", "b", "longer", seed=2)
    gathered = gather([first, rows(), second], SPACES)
    assert gathered.keys.tolist() == [b"a", b"b", b"c", b"d", b"longer"]
    expected = [first.matrices["image"][at] for at in (2, 1)] + [second.matrices["image"][0]]
    assert (gathered.matrices["image"][:3] == np.array(expected)).all()
    assert len(gather([], SPACES).keys) == 0


VECTORS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=8, max_size=8).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(VECTORS, VECTORS)
def test_a_cosine_is_right_to_half_precision_and_that_of_a_vector_with_itself_is_1(
    one: list[float], other: list[float]
) -> None:
    a, b = np.array(one, np.float32), np.array(other, np.float32)
    matrix = Matrix(np.stack([half_unit(a), half_unit(b)]))
    itself, another = matrix.cosines(unit_query(a))
    expected = float(
        a.astype(float) @ b.astype(float) / np.linalg.norm(a.astype(float)) / np.linalg.norm(b.astype(float))
    )
    assert itself == pytest.approx(1.0, abs=5e-7)
    assert another == pytest.approx(expected, abs=1.5e-3)
    assert -1 <= another <= 1


def test_a_vector_of_zeros_is_like_nothing() -> None:
    zeros: NDArray[np.float32] = np.zeros(3, np.float32)
    matrix = Matrix(np.stack([half_unit(zeros), half_unit(np.ones(3, np.float32))]))
    assert matrix.cosines(unit_query(np.ones(3, np.float32))).tolist() == pytest.approx([0.0, 1.0])
    assert matrix.cosines(unit_query(zeros)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("count", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 1])
def test_rows_are_compared_block_by_block_and_none_is_left_out(count: int) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(count, 4)).astype(np.float16)
    query = unit_query(np.array([1, 2, 3, 4], np.float32))
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    expected = matrix.astype(np.float64) @ query.astype(np.float64) / np.maximum(lengths, 1e-9)
    assert Matrix(matrix).cosines(query) == pytest.approx(expected, abs=1e-5)


def test_the_cache_forgets_what_was_used_least_and_never_holds_more_than_its_limit(s3: MemoryS3) -> None:
    reads: list[str] = []

    class Counting(Objects):
        def get(self, key: str) -> bytes | None:
            reads.append(key.rpartition("/")[2])
            return super().get(key)

    keys_bytes = 3 * len(b"aa")
    segments = Segments(Counting(s3, "images"), SPACES, cache_bytes=2 * keys_bytes)
    one, two, three = (segments.write(PREFIX, name, rows("aa", "bb", "cc")) for name in ("one", "two", "three"))
    for segment in (one, two, one, three, one, two):
        assert segments.keys(PREFIX, segment) is not None
    assert reads == ["one.keys.npy", "two.keys.npy", "three.keys.npy", "two.keys.npy"]

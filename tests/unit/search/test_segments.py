from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.search.attributes import Attributes
from crowdsight.search.objects import Objects
from crowdsight.search.rows import NO_CELL, Rows, gather, hashes_of
from crowdsight.search.segment_format import Damaged
from crowdsight.search.segment_layout import EXACT_ROWS
from crowdsight.search.segments import FEW_KEYS, Segments
from crowdsight.search.vector_log import as_keys
from crowdsight.search.vectors import half_unit
from tests.contract.memory_s3 import MemoryS3

SPACES = {"image": 70, "words": 2}
PREFIX = "vectors/test/ann"


def rows(*keys: str, seed: int = 0) -> Rows:
    """As `gather` gives them."""
    random = np.random.default_rng(seed)
    matrices = {
        space: half_unit(random.normal(size=(len(keys), size)).astype(np.float32)) for space, size in SPACES.items()
    }
    attributes = Attributes.of(range(len(keys)), [{f"label {len(key)}": 0.5} for key in keys])
    return gather([Rows(as_keys(keys), matrices, attributes)], SPACES)


def test_entries_of_several_sources_keep_apart_in_which_cells_they_were() -> None:
    first, second, third = rows("a", "b"), rows("c", "d", "e"), rows("f", "g")
    former = {"a": 0, "b": 1, "f": 0, "g": NO_CELL}

    def in_cells(some: Rows) -> Rows:
        cell_of = np.array([former[key.decode()] for key in some.keys], np.int32)
        return replace(some, cells=dict.fromkeys(SPACES, cell_of))

    for space in SPACES:
        joined = gather([in_cells(first), second, in_cells(third)], SPACES)
        found = dict(zip(joined.keys.tolist(), joined.cells[space].tolist(), strict=True))
        assert found == {b"a": 0, b"b": 1, b"c": -1, b"d": -1, b"e": -1, b"f": 2, b"g": -1}
    assert gather([second], SPACES).cells == {}


def many(count: int) -> Rows:
    return rows(*(f"key-{number}" for number in range(count)))


@pytest.fixture
def s3() -> MemoryS3:
    s3 = MemoryS3()
    s3.create_bucket("images")
    return s3


@pytest.fixture
def segments(s3: MemoryS3) -> Segments:
    return Segments(Objects(s3, "images"), SPACES)


@pytest.mark.parametrize("count", [1, 3, EXACT_ROWS, EXACT_ROWS + 1])
def test_a_segment_is_read_as_it_was_written(segments: Segments, s3: MemoryS3, count: int) -> None:
    written = many(count)
    segment = segments.write(PREFIX, "one", written)
    reader = Segments(Objects(s3, "images"), SPACES)
    read = reader.living(PREFIX, segment)
    assert (read.keys == written.keys).all()
    assert (read.attributes.times_ms == written.attributes.times_ms).all()
    for space in SPACES:
        assert (read.matrices[space] == written.matrices[space]).all()
        assert reader.is_coded(segment, space) == (count > EXACT_ROWS)
        assert (space in read.cells) == (count > EXACT_ROWS)
        if space in read.cells:
            cell_of = read.cells[space]
            for number, cell in enumerate(reader.vectors(PREFIX, segment, space, range(max(cell_of) + 1))):
                assert sorted(cell.keys.tolist()) == sorted(read.keys[cell_of == number].tolist())
        some = np.arange(0, count, 7)[::-1]
        assert (reader.vectors_of(PREFIX, segment, some, space) == written.matrices[space][some]).all()
    segments.delete(PREFIX, ["one"])
    assert s3.list_objects_v2("images")["Contents"] == []


def test_every_row_is_in_one_cell_with_its_key_vector_and_code(segments: Segments) -> None:
    written = many(EXACT_ROWS + 904)
    segment = segments.write(PREFIX, "one", written)
    for space in SPACES:
        cells = segments.cells(PREFIX, segment, space)
        order = segments.order(PREFIX, segment, space)
        assert sorted(order.tolist()) == list(range(len(written)))
        everything = range(len(cells))
        blocks = segments.vectors(PREFIX, segment, space, everything)
        assert (np.concatenate([block.keys for block in blocks]) == written.keys[order]).all()
        assert (np.concatenate([block.vectors for block in blocks]) == written.matrices[space][order]).all()
        for cell, block in enumerate(blocks):
            coded = segments.coded(PREFIX, segment, space, [cell])
            assert len(coded.scale_bytes) == coded.codes.shape[1] == len(block.keys)


@pytest.mark.parametrize("wanted", [3, FEW_KEYS + 1])
def test_the_rows_of_keys_are_found_and_of_others_it_is_told(segments: Segments, wanted: int) -> None:
    written = many(500)
    segment = segments.write(PREFIX, "one", written)
    keys = as_keys([f"key-{number}" for number in range(500 - wanted, 510)])
    found = segments.find(PREFIX, segment, keys)
    assert (written.keys[found[:wanted]] == keys[:wanted]).all()
    assert found[wanted:].tolist() == [-1] * 10
    assert len(segments.find(PREFIX, segment, as_keys([]))) == 0


def test_a_key_that_is_read_by_itself_and_is_not_what_its_hash_says_is_damage(segments: Segments, s3: MemoryS3) -> None:
    written = many(50)
    segment = segments.write(PREFIX, "one", written)
    object_key = f"{PREFIX}/segments/one.keys"
    data = bytearray(s3.get_object("images", object_key)["Body"].read())
    data[0] ^= 1
    s3.put_object("images", object_key, bytes(data), "")
    assert segments.find(PREFIX, segment, written.keys[1:3]).tolist() == [1, 2]
    assert segments.find(PREFIX, segment, as_keys(["other"])).tolist() == [-1]
    with pytest.raises(Damaged, match=r"one\.keys"):
        segments.find(PREFIX, segment, written.keys[:1])


def test_rows_that_were_deleted_are_not_among_the_living(segments: Segments) -> None:
    written = many(20)
    segment = segments.write(PREFIX, "one", written)
    deletions = segments.write_deletions(PREFIX, "two", np.array([3, 19], np.uint32), 5)
    lessened = type(segment)(segment.name, segment.rows, segment.parts, deletions)
    assert lessened.living_rows == 18 and lessened.names == ("one", "two")
    assert segments.deleted(PREFIX, lessened).tolist() == [3, 19]
    living = segments.living(PREFIX, lessened)
    assert (living.keys == np.delete(written.keys, [3, 19])).all()


def test_a_segment_of_other_dimensions_or_another_number_of_rows_is_damaged(segments: Segments, s3: MemoryS3) -> None:
    segment = segments.write(PREFIX, "one", rows("a", "b"))
    others = Segments(Objects(s3, "images"), {"image": 70, "words": 3})
    with pytest.raises(Damaged):
        others.cells(PREFIX, segment, "words")
    with pytest.raises(Damaged):
        Segments(Objects(s3, "images"), SPACES).cells(PREFIX, type(segment)("one", 3, segment.parts), "words")
    assert len(segments.cells(PREFIX, segment, "words")) == 1


def test_gathered_rows_are_each_once_in_the_order_of_their_hashes_with_what_belongs_to_them() -> None:
    first, second = rows("d", "b", "a", seed=1), rows("c", "b", "longer", seed=2)
    gathered = gather([first, rows(), second], SPACES)
    assert sorted(gathered.keys.tolist()) == [b"a", b"b", b"c", b"d", b"longer"]
    hashes = hashes_of(gathered.keys)
    assert (hashes[1:] >= hashes[:-1]).all()
    for source, keys in ((first, [b"a", b"b", b"d"]), (second, [b"c", b"longer"])):
        for key in keys:
            here, there = gathered.keys.tolist().index(key), source.keys.tolist().index(key)
            assert gathered.attributes.times_ms[here] == source.attributes.times_ms[there]
            for space in SPACES:
                assert (gathered.matrices[space][here] == source.matrices[space][there]).all()
    assert len(gather([], SPACES)) == 0


@given(st.lists(st.text("abc-._", min_size=1, max_size=30), min_size=1, max_size=20), st.integers(0, 40))
def test_a_keys_hash_is_its_own_however_wide_the_array_is(keys: list[str], more: int) -> None:
    narrow = as_keys(keys)
    wide = narrow.astype(f"S{narrow.dtype.itemsize + more}")
    assert (hashes_of(narrow) == hashes_of(wide)).all()
    assert [int(hashes_of(as_keys([key]))[0]) for key in keys] == hashes_of(narrow).tolist()


def test_hashes_of_like_keys_differ_and_spread_evenly() -> None:
    hashes = hashes_of(as_keys([f"{number:012}" for number in range(50_000)]))
    assert len(np.unique(hashes)) == len(hashes)
    counts = np.bincount((hashes >> np.uint64(60)).astype(np.int64), minlength=16)
    assert counts.min() > 2800 and counts.max() < 3450


def test_the_cache_forgets_what_was_used_least_and_never_holds_more_than_its_limit(s3: MemoryS3) -> None:
    reads: list[str] = []

    class Counting(Objects):
        def get(self, key: str) -> bytes | None:
            reads.append(key.rpartition("/")[2])
            return super().get(key)

    hashes_bytes = 3 * 8
    segments = Segments(Counting(s3, "images"), SPACES, cache_bytes=2 * hashes_bytes)
    one, two, three = (segments.write(PREFIX, name, rows("aa", "bb", "cc")) for name in ("one", "two", "three"))
    for segment in (one, two, one, three, one, two):
        segments.find(PREFIX, segment, as_keys(["other"]))
    assert reads == ["one.hashes", "two.hashes", "three.hashes", "two.hashes"]


def test_when_the_codes_of_most_cells_were_read_all_are_at_hand_and_each_was_read_once(s3: MemoryS3) -> None:
    read_bytes = 0

    class Counting(Objects):
        def get_range(self, key: str, start: int, size_bytes: int) -> bytes | None:
            nonlocal read_bytes
            read_bytes += size_bytes if key.endswith("image.codes") else 0
            return super().get_range(key, start, size_bytes)

    segments = Segments(Counting(s3, "images"), SPACES)
    segment = segments.write(PREFIX, "one", many(EXACT_ROWS + 904))
    assert not segments.has_cells(PREFIX, segment, "image")
    cells = segments.cells(PREFIX, segment, "image")
    assert segments.has_cells(PREFIX, segment, "image")
    half = len(cells) // 2
    segments.coded(PREFIX, segment, "image", range(half))
    assert segments.all_coded_if_at_hand(PREFIX, segment, "image") is None
    segments.coded(PREFIX, segment, "image", [half])
    whole = segments.all_coded_if_at_hand(PREFIX, segment, "image")
    assert whole is not None
    assert read_bytes == segment.parts["image.codes"].size_bytes
    joined = Segments(Objects(s3, "images"), SPACES).coded(PREFIX, segment, "image", range(len(cells)))
    assert (whole.codes == joined.codes).all() and (whole.scale_bytes == joined.scale_bytes).all()
    assert segments.all_coded_if_at_hand(PREFIX, segment, "image") is whole
    assert read_bytes == segment.parts["image.codes"].size_bytes

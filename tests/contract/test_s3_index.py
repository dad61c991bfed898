"""What the vector index in S3 and DynamoDB leaves behind, and that it holds when it is damaged."""

import logging
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from crowdsight.search.folding import (
    ERASED_AFTER_S,
    FAN_OUT,
    FULL_ROWS,
    RETIRED_GRACE_S,
    Folding,
)
from crowdsight.search.index import Entry, Filter
from crowdsight.search.manifest import ManifestMissing, Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import S3VectorIndex
from crowdsight.search.segment_layout import EXACT_ROWS
from crowdsight.search.segments import Segments
from crowdsight.search.vector_log import VectorLog
from crowdsight.search.vectors import unit_query
from tests.conftest import StoppedClock
from tests.contract.interruptions import kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.s3_index_world import MANIFEST, World, check_has, check_holds, entries, keys_of
from tests.contract.test_vector_index import SPACES, entry, keys_found, labelled, search


@pytest.fixture
def world(dynamodb: Any, s3: Any, clock: StoppedClock) -> World:
    return World(dynamodb, s3, clock)


@pytest.fixture
def memory_world(clock: StoppedClock) -> World:
    return World(MemoryDynamoDB(), MemoryS3(), clock)


def test_a_refresh_moves_the_log_into_a_segment_and_replaced_segments_are_deleted_after_their_grace(
    world: World,
) -> None:
    world.index.put("ann", [entry("a"), entry("b")])
    assert world.log_kinds() == ["PUT"]
    refreshed = world.index.refresh()
    assert (refreshed.accounts, refreshed.put, refreshed.removed, refreshed.failed) == (1, 2, 0, 0)
    first = world.segment_names()
    assert len(first) == 1 and world.log_kinds() == ["SEEN"]
    world.index.refresh()
    assert world.is_clean()
    world.index.put("ann", [entry("c")])
    world.index.remove("ann", ["a"])
    world.index.refresh()
    assert len(world.segment_names()) == 2 and not world.is_clean()
    world.clock.move(RETIRED_GRACE_S - 1)
    world.index.refresh()
    assert first < world.segment_names()
    world.clock.move(2)
    world.index.refresh()
    assert len(world.segment_names()) == 1 and not first & world.segment_names()
    assert world.is_clean()
    assert world.index.refresh().accounts == 0
    assert keys_found(world.new_index()) == ["b", "c"]


def test_every_object_lies_under_the_prefix_of_its_bundle_and_account(memory_world: World) -> None:
    for account in ("ann", "bob"):
        memory_world.index.put(account, [entry("a")])
    memory_world.index.refresh()
    keys = memory_world.object_keys()
    assert all(key.startswith(("vectors/test-1/ann/", "vectors/test-1/bob/")) for key in keys)
    assert len(keys) == 2 * (1 + 3 + 2 * 3)  # a manifest; hashes, keys, attributes; of each space cells, order, vectors


def sizes(world: World) -> list[int]:
    """How many living entries each segment has."""
    return sorted(segment.living_rows for segment in world.manifest().segments)


def test_short_segments_are_merged_with_what_is_new_and_full_ones_stay_as_they_are(memory_world: World) -> None:
    index = memory_world.index

    def put(first: int, count: int) -> None:
        index.put("ann", entries(first, count))
        index.refresh()

    put(0, 10)
    put(10, FULL_ROWS - 10)
    assert sizes(memory_world) == [FULL_ROWS]
    [full] = memory_world.manifest().segments
    put(5, 10)  # all of them known
    put(10_000, 7)
    put(10_007, 5)
    assert sizes(memory_world) == [12, FULL_ROWS]
    memory_world.tidy()
    assert full in memory_world.manifest().segments
    assert memory_world.is_clean()


def test_many_entries_put_at_once_are_a_segment_past_the_log(memory_world: World) -> None:
    some = entries(0, FULL_ROWS)
    memory_world.index.put("ann", [*some, *some[:3]])
    assert memory_world.index.stats("ann").log_length == 0
    assert sizes(memory_world) == [FULL_ROWS]
    memory_world.index.put("ann", some)
    assert sizes(memory_world) == [FULL_ROWS]
    memory_world.tidy()
    check_has(memory_world, keys_of(some))


def test_many_entries_put_at_once_do_not_bring_back_what_was_removed(memory_world: World) -> None:
    some = entries(0, FULL_ROWS)
    memory_world.index.put("ann", some[:3])
    memory_world.index.remove("ann", keys_of(some[:2]))
    memory_world.index.put("ann", some)
    check_has(memory_world, keys_of(some[2:]))
    memory_world.tidy()
    check_has(memory_world, keys_of(some[2:]))


def test_segments_of_one_size_become_one(memory_world: World) -> None:
    for number in range(FAN_OUT):
        assert memory_world.index.stats("ann").segments == number
        memory_world.index.put("ann", entries(number * FULL_ROWS, FULL_ROWS))
        if number + 1 < FAN_OUT:
            memory_world.index.refresh()
    memory_world.index.refresh()
    assert sizes(memory_world) == [FAN_OUT * FULL_ROWS]
    memory_world.tidy()
    check_has(
        memory_world, [key for number in range(FAN_OUT) for key in keys_of(entries(number * FULL_ROWS, FULL_ROWS))]
    )


@pytest.mark.parametrize("most_rows", [FULL_ROWS // 2, FULL_ROWS + 1, 3 * FULL_ROWS])
def test_no_merge_makes_a_segment_larger_than_is_allowed(memory_world: World, most_rows: int) -> None:
    index = memory_world.new_index(most_bytes=most_rows * 2 * sum(SPACES.values()))
    for number in range(FAN_OUT + 1):
        index.put("ann", entries(number * FULL_ROWS, FULL_ROWS))
    index.put("ann", entries(1_000_000, 250))
    index.refresh()
    assert sum(sizes(memory_world)) == (FAN_OUT + 1) * FULL_ROWS + 250
    assert max(sizes(memory_world)) <= most_rows
    index.refresh()
    memory_world.clock.move(RETIRED_GRACE_S + 1)
    index.refresh()
    assert memory_world.is_clean()


def test_removals_from_a_full_segment_are_noted_beside_it_and_erased_a_day_later(memory_world: World) -> None:
    index, some = memory_world.index, entries(0, FULL_ROWS + 10)
    index.put("ann", some)
    [segment] = memory_world.manifest().segments
    for gone in (keys_of(some[:2]), keys_of(some[1:3])):
        index.remove("ann", gone)
        assert index.refresh().removed == len(gone) - (gone[0] == some[1].key)
    [noted] = memory_world.manifest().segments
    assert replace(noted, deletions=None) == segment
    assert noted.deletions is not None and noted.deletions.rows == 3
    memory_world.tidy()
    assert memory_world.segment_names() == {*noted.names}  # not those of before
    check_has(memory_world, keys_of(some[3:]))
    memory_world.clock.move(ERASED_AFTER_S)
    memory_world.tidy()
    check_has(memory_world, keys_of(some[3:]))
    assert not {segment.name, *noted.names} & memory_world.segment_names()
    assert memory_world.is_clean()


def test_a_segment_that_has_lost_more_than_a_quarter_is_rewritten_at_once(memory_world: World) -> None:
    index, some = memory_world.index, entries(0, 2 * FULL_ROWS)
    index.put("ann", some)
    quarter = FULL_ROWS // 2
    index.remove("ann", keys_of(some[:quarter]))
    index.refresh()
    [noted] = memory_world.manifest().segments
    assert noted.deletions is not None
    index.remove("ann", keys_of(some[quarter : quarter + 1]))
    index.refresh()
    [segment] = memory_world.manifest().segments
    assert segment.deletions is None and segment.rows == 2 * FULL_ROWS - quarter - 1
    memory_world.tidy()
    check_has(memory_world, keys_of(some[quarter + 1 :]))
    assert memory_world.is_clean()


def test_a_full_segment_that_becomes_short_is_rewritten_and_one_that_becomes_empty_goes(memory_world: World) -> None:
    index, some = memory_world.index, entries(0, FULL_ROWS)
    index.put("ann", some)
    index.remove("ann", [some[0].key])
    index.refresh()
    [segment] = memory_world.manifest().segments
    assert segment.deletions is None and segment.rows == FULL_ROWS - 1
    index.remove("ann", keys_of(some))
    index.refresh()
    assert memory_world.manifest().segments == ()
    memory_world.tidy()
    assert memory_world.is_clean()


def test_a_small_cache_changes_no_answer(memory_world: World) -> None:
    memory_world.index.put("ann", entries(0, FULL_ROWS))
    memory_world.index.put("ann", entries(FULL_ROWS, 2 * EXACT_ROWS))
    memory_world.index.put("ann", entries(100_000, 100))
    memory_world.index.refresh()
    query = entries(7, 1)[0].vectors["image"]
    expected = search(memory_world.index, query, 20)
    for cache_bytes in (0, 150_000):
        small = memory_world.new_index(cache_bytes=cache_bytes)
        assert [search(small, query, 20) for _ in range(2)] == [expected] * 2


def test_a_second_search_reads_the_log_and_nothing_else(memory_world: World) -> None:
    for _ in range(2):
        reader = memory_world.new_index()
        keys_found(reader)
        memory_world.interruptions.arm(99, kill)
        keys_found(reader)
        memory_world.interruptions.disarm()
        assert memory_world.interruptions.calls == 1
        memory_world.index.put("ann", [*entries(0, 2 * EXACT_ROWS), entry("a")])
        memory_world.index.put("ann", [entry("b")])
        memory_world.index.refresh()


PARTS = ["hashes", "keys", "attributes", "image.cells", "image.order", "image.codes", "image.vectors", "deleted"]


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_segment_is_logged_and_the_rest_is_served_and_refreshed(
    memory_world: World, damage: str, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    some = entries(0, EXACT_ROWS + 100)
    gone, expected = keys_of(some[:3]), keys_of(some[3:])
    memory_world.index.put("ann", some)
    memory_world.index.remove("ann", gone)
    memory_world.index.refresh()
    memory_world.clock.move(RETIRED_GRACE_S + 1)
    (key,) = [key for key in memory_world.object_keys() if key.endswith(f".{part}")]
    data = memory_world.s3.get_object(Bucket="images", Key=key)["Body"].read()
    if damage == "missing":
        memory_world.s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": key}]})
    else:
        damaged = data[:-2] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1])
        memory_world.s3.put_object(Bucket="images", Key=key, Body=damaged, ContentType="")
    reader = memory_world.new_index()
    with caplog.at_level(logging.ERROR):
        reader.put("ann", [labelled("b", 1), labelled("c", 2, dog=1.0)])
        check_serves_the_rest(reader, {"b", "c"}, {"b", "c", *expected})
        reader.remove("ann", ["b", some[3].key])
        assert reader.refresh().failed == 0
        memory_world.clock.move(ERASED_AFTER_S + 1)
        reader.put("ann", [labelled("d", 3)])
        assert reader.refresh().failed == 0
        check_serves_the_rest(memory_world.new_index(), {"c", "d"}, {"c", "d", *expected[1:]})
    assert any(key in record.message for record in caplog.records)
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data, ContentType="")
    check_has(memory_world, ["c", "d", *expected[1:]])
    memory_world.tidy()
    check_has(memory_world, ["c", "d", *expected[1:]])
    assert memory_world.is_clean()


@pytest.mark.parametrize("round_entries", [1, 50])
@pytest.mark.parametrize("part", ["hashes", "keys", "attributes", "image.vectors", "deleted"])
@pytest.mark.parametrize("count", [10, FULL_ROWS + 100])
def test_what_was_removed_or_put_again_while_a_segment_was_damaged_is_hidden_in_it_and_there_once(
    memory_world: World, count: int, part: str, round_entries: int
) -> None:
    some = entries(0, count)
    memory_world.index.put("ann", some)
    memory_world.index.refresh()
    if count > FULL_ROWS:
        memory_world.index.remove("ann", [some[0].key])
        memory_world.index.refresh()
    elif part == "deleted":
        return  # a short segment has none
    key = next(key for key in memory_world.object_keys() if key.endswith(f".{part}"))
    data = memory_world.s3.get_object(Bucket="images", Key=key)["Body"].read()
    memory_world.s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": key}]})
    gone = keys_of(some[:2])
    memory_world.index.remove("ann", gone)
    memory_world.new_index().put("ann", [some[2], some[3], entry("new")])
    memory_world.new_index().put("ann", [entry("newer")])
    there = {*keys_of(some[2:]), "new", "newer"}
    refresher = folding_of(memory_world, round_entries)
    for _ in range(2):
        assert refresher.refresh(lambda: False).failed == 0
        found = [match.key for match in search(memory_world.new_index(), some[2].vectors["image"], count + 10)]
        assert len(found) == len(set(found)) and {"new", "newer"} <= set(found) <= there
        if part != "hashes":
            assert memory_world.index.stats("ann").log_length <= 3 + 2
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data, ContentType="")
    check_has(memory_world, sorted(there))
    refresher.refresh(lambda: False)
    assert memory_world.new_index().stats("ann").log_length == 0
    memory_world.clock.move(ERASED_AFTER_S)
    memory_world.tidy()
    check_has(memory_world, sorted(there))
    assert memory_world.is_clean()


def folding_of(world: World, round_entries: int) -> Folding:
    """What refreshes ann's index, with nothing in its memory; it reads so much of a log at a time."""
    objects = Objects(world.s3, "images")
    return Folding(
        VectorLog(world.table, "test-1", SPACES, world.clock, lambda: uuid4().hex),
        Manifests(objects),
        Segments(objects, SPACES),
        SPACES,
        lambda account: f"vectors/test-1/{account}",
        world.clock,
        lambda: uuid4().hex,
        round_entries=round_entries,
    )


def test_a_damaged_segment_keeps_no_others_from_being_merged(memory_world: World) -> None:
    some = entries(0, FULL_ROWS + 1)
    memory_world.index.put("ann", some)
    memory_world.index.remove("ann", [some[0].key])
    memory_world.index.refresh()
    [damaged] = memory_world.manifest().segments
    memory_world.clock.move(ERASED_AFTER_S + 1)
    for number in range(1, FAN_OUT + 1):
        memory_world.index.put("ann", entries(number * 10_000, FULL_ROWS))
    key = f"vectors/test-1/ann/segments/{damaged.name}.image.vectors"
    memory_world.s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": key}]})
    memory_world.index.refresh()
    assert sizes(memory_world) == [FULL_ROWS, FAN_OUT * FULL_ROWS]


@pytest.mark.parametrize("part", ["hashes", "keys"])
def test_many_entries_can_be_put_again_beside_a_damaged_segment_that_has_them(memory_world: World, part: str) -> None:
    some = entries(0, FULL_ROWS)
    memory_world.index.put("ann", some)
    [segment] = memory_world.manifest().segments
    key = f"vectors/test-1/ann/segments/{segment.name}.{part}"
    data = memory_world.s3.get_object(Bucket="images", Key=key)["Body"].read()
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data[:-1] + bytes([data[-1] ^ 1]), ContentType="")
    memory_world.new_index().put("ann", some)
    found = search(memory_world.new_index(), some[7].vectors["image"], len(some) + 10)
    assert sorted(match.key for match in found) == keys_of(some)
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data, ContentType="")
    memory_world.new_index().refresh()
    check_has(memory_world, keys_of(some))


def check_serves_the_rest(index: S3VectorIndex, certain: set[str], possible: set[str]) -> None:
    """Whatever is asked of a damaged index."""
    vector = np.ones(SPACES["image"], np.float32)
    ways: list[set[str]] = [
        {match.key for match in search(index, vector, 50_000)},
        {match.key for match in search(index, vector, 50_000, Filter(since_ms=0))},
        {match.key for match in search(index, vector, 50_000, Filter(keys=possible))},
        {match.key for match in index.search("ann", "words", np.ones((1, SPACES["words"]), np.float32), 50_000)[0]},
        set(index.keys("ann")),
        set(index.vectors("ann", sorted(possible))),
    ]
    for found in ways:
        assert certain <= found <= possible
    assert keys_found(index, where=Filter(label="dog")) == ["c"]
    assert len(certain) <= index.stats("ann").vectors <= len(possible)


def test_an_unreadable_manifest_stops_its_own_account_only(
    memory_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for account in ("ann", "bob"):
        memory_world.index.put(account, [entry("a")])
    memory_world.s3.put_object(Bucket="images", Key=MANIFEST, Body=b'{"format": 99}', ContentType="")
    refreshed = memory_world.index.refresh()
    assert (refreshed.put, refreshed.failed) == (1, 1)
    assert "ann" in caplog.text
    assert memory_world.index.stats("bob").segments == 1


def test_a_manifest_that_is_missing_is_no_empty_index(memory_world: World, caplog: pytest.LogCaptureFixture) -> None:
    for account in ("ann", "bob"):
        memory_world.index.put(account, [entry("a")])
    memory_world.index.refresh()
    memory_world.index.put("ann", [entry("b")])
    memory_world.index.put("bob", [entry("b")])
    manifest = memory_world.s3.get_object(Bucket="images", Key=MANIFEST)["Body"].read()
    memory_world.s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": MANIFEST}]})
    other = memory_world.new_index()
    with pytest.raises(ManifestMissing, match="version 0, not 1"):
        keys_found(other)
    with pytest.raises(ManifestMissing):
        other.put("ann", entries(0, FULL_ROWS))
    refreshed = other.refresh()
    assert (refreshed.put, refreshed.failed) == (1, 1)
    assert MANIFEST not in memory_world.object_keys() and "ann" in caplog.text
    assert keys_found(memory_world.new_index(), "bob") == ["a", "b"]
    memory_world.s3.put_object(Bucket="images", Key=MANIFEST, Body=manifest, ContentType="")
    memory_world.tidy()
    check_has(memory_world, ["a", "b"])


def test_vectors_that_do_not_fit_the_spaces_are_refused(memory_world: World) -> None:
    good = entry("a").vectors
    bad: list[dict[str, Any]] = [
        {"image": good["image"]},
        {**good, "other": good["image"]},
        {**good, "words": good["image"]},
        {**good, "words": good["words"] * np.float32("nan")},
    ]
    for vectors in bad:
        with pytest.raises(ValueError, match="vector"):
            memory_world.index.put("ann", [Entry("a", vectors)])
    with pytest.raises(ValueError, match="vector"):
        memory_world.index.search("ann", "words", good["image"][np.newaxis], 1)


def test_a_refresh_that_is_over_leaves_the_rest_to_the_next(memory_world: World) -> None:
    for account in ("ann", "bob", "cat"):
        memory_world.index.put(account, [entry("a")])
    answers = iter([False, True, True])
    assert memory_world.index.refresh(lambda: next(answers)).accounts == 1
    assert memory_world.index.refresh().put == 2


def test_refreshes_that_have_time_for_one_account_take_now_this_and_now_that(memory_world: World) -> None:
    for account in (accounts := ["ann", "bob", "cat"]):
        memory_world.index.put(account, [entry("a")])
    folded = set()
    for number in range(60):
        memory_world.index.put("ann", [entry(f"k{number}")])  # which always has something to do
        memory_world.index.refresh(partial(next, chain([False], repeat(True))))
        folded |= {account for account in accounts if not memory_world.index.stats(account).log_length}
        if len(folded) == len(accounts):
            break
    assert folded == set(accounts)


def test_all_logs_are_folded_before_anything_is_merged(memory_world: World) -> None:
    for account in (accounts := ["ann", "bob", "cat"]):
        for number in range(FAN_OUT):
            memory_world.index.put(account, entries(number * FULL_ROWS, FULL_ROWS))
        memory_world.index.put(account, [entry("a")])
    states: list[tuple[int, int]] = []

    def look() -> bool:
        stats = [memory_world.index.stats(account) for account in accounts]
        states.append((sum(each.log_length for each in stats), min(each.segments for each in stats)))
        return False

    refreshed = memory_world.index.refresh(look)
    assert (refreshed.accounts, refreshed.put) == (3, 3)
    assert states[0] == (3, FAN_OUT) and states[-1] == (0, 2)
    assert all(log_length == 0 or segments >= FAN_OUT for log_length, segments in states)


def test_whatever_is_wrong_with_one_account_all_others_are_refreshed(
    memory_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = ["ann", "bob", "cat"]
    for account in accounts:
        memory_world.index.put(account, [entry("a")])
    memory_world.table.put({"pk": "LOG#test-1#ann", "sk": "PUT#0", "count": 1})  # an item that lacks all else
    refreshed = memory_world.index.refresh()
    assert (refreshed.accounts, refreshed.put, refreshed.failed) == (3, 2, 1)
    assert "account ann" in caplog.text


@pytest.mark.parametrize("round_entries", [1, 3, 7, 8, 50])
def test_a_long_log_is_folded_round_by_round_and_a_removal_in_a_later_round_holds(
    memory_world: World, round_entries: int
) -> None:
    folding = folding_of(memory_world, round_entries)
    for key in "abcdefg":
        memory_world.index.put("ann", [entry(key)])
    memory_world.index.remove("ann", ["b"])
    answers = chain([False], repeat(True))  # before the account, and after the first round
    first = folding.refresh(lambda: next(answers))
    assert first.put <= round_entries
    assert keys_found(memory_world.index) == [*"acdefg"]
    assert first.put + folding.refresh(lambda: False).put == 6
    check_holds(memory_world, [*"acdefg"])


def test_of_many_entries_with_one_key_the_first_is_kept_and_none_may_be_bad(memory_world: World) -> None:
    some = entries(0, FULL_ROWS)
    other = entry("other", seed=99)
    twice = replace(other, key=some[7].key)
    memory_world.index.put("ann", [*some, twice])
    assert memory_world.index.stats("ann").vectors == FULL_ROWS
    [kept] = memory_world.index.vectors("ann", [some[7].key]).values()
    np.testing.assert_allclose(kept["image"], unit_query(some[7].vectors["image"]), atol=2e-3)
    bad = {space: vector * np.float32(np.nan) for space, vector in other.vectors.items()}
    with pytest.raises(ValueError, match="finite"):
        memory_world.index.put("ben", [*some, replace(twice, vectors=bad)])

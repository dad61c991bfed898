"""What the vector index in S3 and DynamoDB leaves behind, and that it holds when it is killed, raced or damaged."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from crowdsight.dynamodb import Table
from crowdsight.search.folding import (
    ABANDONED_AFTER_S,
    ERASED_AFTER_S,
    FAN_OUT,
    FULL_ROWS,
    MOST_BYTES,
    RETIRED_GRACE_S,
    Folding,
)
from crowdsight.search.index import EVERYTHING, Entry, Filter
from crowdsight.search.manifest import Manifest, Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import RECALL, S3VectorIndex
from crowdsight.search.segments import CACHE_BYTES, EXACT_ROWS, Segments
from crowdsight.search.vector_log import VectorLog
from crowdsight.search.vectors import half_unit, single, unit_query
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.test_vector_index import SPACES, entry, keys_found, labelled, search

MANIFEST = "vectors/test-1/ann/manifest.json"


class World:
    """An index with its table and bucket, and what lies in them."""

    def __init__(self, dynamodb: Any, s3: Any, clock: StoppedClock) -> None:
        self.interruptions = Interruptions()
        self.s3 = s3
        self.clock = clock
        s3.create_bucket(Bucket="images")
        create_table(dynamodb, "images", {"due": "N"})
        self.table = Table(dynamodb, "images")
        self._dynamodb = dynamodb
        self.index = self.new_index()

    def new_index(
        self,
        recall: float = RECALL,
        cache_bytes: int = CACHE_BYTES,
        most_bytes: int = MOST_BYTES,
        interruptions: Interruptions | None = None,
    ) -> S3VectorIndex:
        """Another process, with nothing in its memory."""
        watch = (interruptions or self.interruptions).watch
        table, objects = Table(watch(self._dynamodb), "images"), Objects(watch(self.s3), "images")
        return S3VectorIndex(
            table, objects, "test-1", SPACES, self.clock, lambda: uuid4().hex, recall, cache_bytes, most_bytes
        )

    def object_keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket="images").get("Contents", ())]

    def segment_names(self) -> set[str]:
        return {key.rpartition("/")[2].partition(".")[0] for key in self.object_keys() if "/segments/" in key}

    def manifest(self) -> Manifest:
        """What is in force for ann."""
        return Manifests(Objects(self.s3, "images")).read("vectors/test-1/ann").manifest

    def log_kinds(self) -> list[str]:
        return sorted({item["sk"].partition("#")[0] for item in self.table.query_all("LOG#test-1#ann")})

    def is_clean(self) -> bool:
        """Nothing is to do, and what lies in the bucket is what the manifest speaks of."""
        named = {name for segment in self.manifest().segments for name in segment.names}
        is_idle = not list(self.table.query_all("DIRTY#test-1")) and set(self.log_kinds()) <= {"GONE", "SEEN"}
        return is_idle and self.segment_names() == named

    def tidy(self) -> None:
        """All that schedules do within an hour, by a new process."""
        index = self.new_index()
        for seconds in (ABANDONED_AFTER_S + 1, RETIRED_GRACE_S + 1, RETIRED_GRACE_S + 1):
            self.clock.move(seconds)
            index.refresh()


@pytest.fixture
def world(dynamodb: Any, s3: Any, clock: StoppedClock) -> World:
    return World(dynamodb, s3, clock)


@pytest.fixture
def memory_world(clock: StoppedClock) -> World:
    return World(MemoryDynamoDB(), MemoryS3(), clock)


@cache
def entries(first: int, count: int) -> Sequence[Entry]:
    """So many entries whose keys are numbers from `first`."""
    random = np.random.default_rng(first)
    return [
        Entry(f"k{number:06}", {space: random.normal(size=size).astype(np.float32) for space, size in SPACES.items()})
        for number in range(first, first + count)
    ]


def keys_of(some: Sequence[Entry]) -> list[str]:
    return [each.key for each in some]


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
        check_serves_the_rest(memory_world.new_index(), {"c", "d"}, {"c", "d", *expected})
    assert any(key in record.message for record in caplog.records)
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data, ContentType="")
    mended = set(memory_world.new_index().keys("ann"))
    assert {"c", "d", *expected[1:]} <= mended <= {"c", "d", *expected}


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


@pytest.mark.parametrize("round_entries", [1, 3, 7, 8, 50])
def test_a_long_log_is_folded_round_by_round_and_a_removal_in_a_later_round_holds(
    memory_world: World, round_entries: int
) -> None:
    prefix = "vectors/test-1/ann"
    log = VectorLog(memory_world.table, "test-1", SPACES, memory_world.clock, lambda: uuid4().hex)
    objects = Objects(memory_world.s3, "images")
    folding = Folding(
        log,
        Manifests(objects),
        Segments(objects, SPACES),
        SPACES,
        lambda account: prefix,
        memory_world.clock,
        lambda: uuid4().hex,
        round_entries=round_entries,
    )
    for key in "abcdefg":
        memory_world.index.put("ann", [entry(key)])
    memory_world.index.remove("ann", ["b"])
    answers = iter([False, True])  # before the account, and after the first round
    first = folding.refresh(lambda: next(answers))
    assert first.put <= round_entries
    assert keys_found(memory_world.index) == [*"acdefg"]
    assert first.put + folding.refresh(lambda: False).put == 6
    check_holds(memory_world, [*"acdefg"])


def check_has(world: World, expected: Sequence[str], index: S3VectorIndex | None = None) -> None:
    """Exactly these are found, each once, by a new process unless another is given."""
    index = index or world.new_index()
    keys = sorted(expected)
    assert sorted(index.keys("ann")) == keys
    found = search(index, entry("query").vectors["image"], len(keys) + 100)
    assert sorted(match.key for match in found) == keys
    assert index.stats("ann").vectors == len(keys)


# Killed, and raced


Operation = Callable[[S3VectorIndex], object]

OPERATIONS: dict[str, Operation] = {
    "put": lambda index: index.put("ann", [entry("new")]),
    "remove": lambda index: index.remove("ann", ["folded", "logged"]),
    "refresh": lambda index: index.refresh(),
}


def prepare(world: World) -> None:
    """Entries in a segment, a retired segment, entries and a removal in the log."""
    world.index.put("ann", [entry("folded"), entry("kept"), entry("gone-1")])
    world.index.refresh()
    world.index.put("ann", [entry("kept-2")])
    world.index.refresh()
    world.clock.move(RETIRED_GRACE_S + 1)
    world.index.put("ann", [entry("logged"), entry("gone-2")])
    world.index.remove("ann", ["gone-1", "gone-2"])


def check_holds(world: World, expected: list[str]) -> None:
    """After all is tidied: exactly these are found, and nothing else lies anywhere."""
    assert keys_found(world.new_index()) == expected
    world.tidy()
    assert keys_found(world.new_index()) == expected
    assert world.is_clean()
    assert world.new_index().stats("ann").vectors == len(expected)
    assert len(world.segment_names()) == world.new_index().stats("ann").segments == min(1, len(expected))
    assert MANIFEST in world.object_keys()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_and_done_again_it_loses_and_invents_nothing(
    name: str, after: bool, clock: StoppedClock
) -> None:
    operation = OPERATIONS[name]
    kills = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare(world)
        world.interruptions.arm(kills, kill, after)
        try:
            operation(world.new_index())
        except Killed:
            kills += 1
        if finished := world.interruptions.disarm():
            assert kills >= 2
        else:
            operation(world.new_index())
        expected = {"put": ["folded", "kept", "kept-2", "logged", "new"], "remove": ["kept", "kept-2"]}
        check_holds(world, expected.get(name, ["folded", "kept", "kept-2", "logged"]))
        if finished:
            return


@pytest.mark.parametrize("after", [False, True])
def test_a_refresh_killed_at_any_call_and_never_done_again_by_hand_loses_and_invents_nothing(
    after: bool, clock: StoppedClock
) -> None:
    kills = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare(world)
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_index().refresh()
        except Killed:
            kills += 1
        finished = world.interruptions.disarm()
        world.new_index().put("ann", [entry("later")])
        world.new_index().remove("ann", ["kept"])
        check_holds(world, ["folded", "kept-2", "later", "logged"])
        if finished:
            assert kills > 10
            return


def put_and_remove(index: S3VectorIndex) -> None:
    index.put("ann", [entry("x"), entry("y")])
    index.remove("ann", ["x", "folded", "logged"])


def put_remove_and_refresh(index: S3VectorIndex) -> None:
    put_and_remove(index)
    index.refresh()


def refresh_put_remove_and_refresh(index: S3VectorIndex) -> None:
    index.refresh()
    put_remove_and_refresh(index)


OTHERS: dict[str, tuple[Operation, list[str]]] = {
    "a refresh": (lambda index: index.refresh(), ["folded", "kept", "kept-2", "logged"]),
    "a put": (lambda index: index.put("ann", [entry("x")]), ["folded", "kept", "kept-2", "logged", "x"]),
    "a removal": (lambda index: index.remove("ann", ["folded", "logged"]), ["kept", "kept-2"]),
    "a put, removals and a refresh": (put_remove_and_refresh, ["kept", "kept-2", "y"]),
    "removals between two refreshes": (refresh_put_remove_and_refresh, ["kept", "kept-2", "y"]),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_refresh_during_which_anything_happens_at_any_call_loses_and_invents_nothing(
    other: str, clock: StoppedClock
) -> None:
    action, expected = OTHERS[other]
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare(world)
        another = world.new_index()
        world.interruptions.arm(at, partial(action, another))
        world.new_index().refresh()
        if world.interruptions.disarm():
            assert at > 10
            return
        check_holds(world, expected)
        at += 1


def test_an_entry_that_is_removed_while_it_is_folded_stays_away(clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        world.index.put("ann", [entry("a")])
        another = world.new_index()

        def act(another: S3VectorIndex = another) -> None:
            another.remove("ann", ["a"])
            another.refresh()

        world.interruptions.arm(at, act)
        world.new_index().refresh()
        if world.interruptions.disarm():
            assert at > 10
            return
        check_holds(world, [])
        at += 1


def test_a_removal_during_which_a_refresh_happens_while_another_is_slow_holds(clock: StoppedClock) -> None:
    refresh_calls, removal_calls = 15, 3
    for at in range(refresh_calls):
        for removal_at in range(1, removal_calls + 1):
            world = World(MemoryDynamoDB(), MemoryS3(), clock)
            world.index.put("ann", [entry("a"), entry("b")])
            inner = Interruptions()
            remover, quick = world.new_index(interruptions=inner), world.new_index(interruptions=Interruptions())
            inner.arm(removal_at, quick.refresh)
            world.interruptions.arm(at, partial(remover.remove, "ann", ["a"]))
            world.new_index().refresh()
            inner.disarm()
            world.interruptions.disarm()
            check_holds(world, ["b"] if inner.calls else ["a", "b"])


@pytest.mark.parametrize("name", ["put", "remove"])
def test_a_put_or_removal_during_which_a_refresh_happens_is_never_forgotten(name: str, clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        world.index.put("ann", [entry("folded"), entry("kept")])
        world.index.refresh()
        world.index.put("ann", [entry("logged")])
        world.clock.move(RETIRED_GRACE_S + 1)
        refresher = world.new_index()

        def act(world: World = world, refresher: S3VectorIndex = refresher) -> None:
            for _ in range(3):
                world.clock.move(RETIRED_GRACE_S + 1)
                refresher.refresh()

        world.interruptions.arm(at, act)
        OPERATIONS[name](world.new_index())
        if world.interruptions.disarm():
            assert at >= 2
            return
        check_holds(world, {"put": ["folded", "kept", "logged", "new"], "remove": ["kept"]}[name])
        at += 1


@pytest.mark.parametrize("is_very_slow", [False, True])
@pytest.mark.parametrize("other", OTHERS)
def test_a_search_during_which_anything_happens_at_any_call_misses_nothing_and_counts_nothing_twice(
    other: str, is_very_slow: bool, clock: StoppedClock
) -> None:
    action, expected = OTHERS[other]
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare(world)
        another = world.new_index()

        def act(world: World = world, another: S3VectorIndex = another) -> None:
            action(another)
            if is_very_slow:  # so slow that the segments that it knew of are deleted meanwhile
                world.tidy()

        world.interruptions.arm(at, act)
        found = keys_found(world.new_index())
        if world.interruptions.disarm():
            assert at >= 3
            return
        assert set(found) >= {"kept", "kept-2", *expected} - {"x", "y"}
        assert len(found) == len(set(found))
        assert not set(found) & {"gone-1", "gone-2"}
        at += 1


def test_puts_removals_searches_and_refreshes_in_many_threads_lose_and_invent_nothing(memory_world: World) -> None:
    seen: list[str] = []

    def put_and_remove(worker: int) -> None:
        index = memory_world.new_index()
        for number in range(15):
            key = f"w{worker}-{number:02}"
            index.put("ann", [entry(key)])
            assert key in keys_found(index, limit=500)
            if number % 3 == 0:
                index.remove("ann", [key])
                assert key not in keys_found(index, limit=500)

    def refresh(_: int) -> None:
        index = memory_world.new_index()
        for _ in range(25):
            seen.append("failed" if index.refresh().failed else "refreshed")
            memory_world.clock.move(1)

    with ThreadPoolExecutor(6) as threads:
        jobs = [threads.submit(put_and_remove, worker) for worker in range(4)]
        jobs += [threads.submit(refresh, worker) for worker in range(2)]
        for job in jobs:
            job.result()
    assert "refreshed" in seen
    check_holds(memory_world, [f"w{worker}-{number:02}" for worker in range(4) for number in range(15) if number % 3])


# Many entries put at once, killed and raced


MANY = FULL_ROWS


def many() -> Sequence[Entry]:
    return entries(0, MANY)


def prepare_for_many(world: World) -> None:
    """A segment, and in the log entries and a removal, some of them of those that are put at once."""
    world.index.put("ann", [*many()[:3], entry("folded")])
    world.index.refresh()
    world.index.put("ann", [*many()[3:6], entry("logged")])
    world.index.remove("ann", [many()[0].key, many()[5].key, many()[9].key])


def many_expected() -> list[str]:
    gone = {many()[at].key for at in (0, 5, 9)}
    return ["folded", "logged", *(each.key for each in many() if each.key not in gone)]


@pytest.mark.parametrize("after", [False, True])
def test_many_put_at_once_killed_at_any_call_and_put_again_are_there_at_once_for_everyone(
    after: bool, clock: StoppedClock
) -> None:
    kills = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare_for_many(world)
        reader = world.new_index()
        keys_found(reader)
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_index().put("ann", many())
        except Killed:
            kills += 1
        finished = world.interruptions.disarm()
        world.new_index().put("ann", many())
        check_has(world, many_expected(), reader)
        if finished or kills % 5 == 1:
            world.tidy()
            check_has(world, many_expected())
            assert world.is_clean()
        if finished:
            assert kills > 10
            return


@pytest.mark.parametrize("after", [False, True])
def test_many_put_at_once_killed_at_any_call_leave_nothing_behind(after: bool, clock: StoppedClock) -> None:
    kills = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        world.index.put("ann", [entry("kept")])
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_index().put("ann", many())
        except Killed:
            kills += 1
        finished = world.interruptions.disarm()
        world.tidy()
        assert world.is_clean()
        assert world.new_index().stats("ann").vectors in ((MANY + 1,) if finished else (1, MANY + 1))
        if finished:
            assert kills > 10
            return


def remove_and_refresh(index: S3VectorIndex) -> None:
    index.remove("ann", ["folded", many()[1].key, many()[20].key])
    index.refresh()


OTHERS_OF_MANY: dict[str, tuple[Operation, set[str]]] = {
    "a refresh": (lambda index: index.refresh(), set()),
    "a removal": (lambda index: index.remove("ann", ["folded", many()[20].key]), {"folded", many()[20].key}),
    "a removal and a refresh": (remove_and_refresh, {"folded", many()[1].key, many()[20].key}),
    "the same put": (lambda index: index.put("ann", many()), set()),
}


@pytest.mark.parametrize("other", OTHERS_OF_MANY)
def test_many_put_at_once_while_anything_happens_at_any_call_are_there_and_each_once(
    other: str, clock: StoppedClock
) -> None:
    action, gone = OTHERS_OF_MANY[other]
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        prepare_for_many(world)
        reader = world.new_index()
        keys_found(reader)
        world.interruptions.arm(at, partial(action, world.new_index()))
        world.new_index().put("ann", many())
        if world.interruptions.disarm():
            assert at > 10
            return
        expected = [key for key in many_expected() if key not in gone]
        check_has(world, expected, reader)
        if at % 5 == 0:
            world.tidy()
            check_has(world, expected)
            assert world.is_clean()
        at += 1


def test_a_merge_of_full_segments_killed_or_raced_at_any_call_loses_and_invents_nothing(clock: StoppedClock) -> None:
    parts = [entries(number * FULL_ROWS, FULL_ROWS) for number in range(FAN_OUT)]
    everything = [each.key for part in parts for each in part]
    gone = {everything[1], everything[-1]}
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        for part in parts:
            world.index.put("ann", part)
        reader = world.new_index()
        keys_found(reader)
        is_killed = at % 2 == 0
        remove = partial(world.new_index().remove, "ann", sorted(gone))
        world.interruptions.arm(at, kill if is_killed else remove)
        try:
            world.new_index().refresh()
        except Killed:
            pass
        if world.interruptions.disarm():
            assert at > 20
            return
        expected = everything if is_killed else [key for key in everything if key not in gone]
        found = search(reader, np.ones(SPACES["image"], np.float32), len(everything) + 100)
        assert sorted(match.key for match in found) == sorted(expected)
        world.tidy()
        check_has(world, expected)
        at += 3


# Readers that know a manifest already


def knowing_reader(world: World) -> S3VectorIndex:
    """It has read the manifest that was in force before `prepare` folded more, and reads another only if it must."""
    world.index.put("ann", [entry("first")])
    world.index.refresh()
    reader = world.new_index(interruptions=Interruptions())
    assert keys_found(reader) == ["first"]
    prepare(world)
    return reader


THERE = ["first", "folded", "kept", "kept-2", "logged"]


@pytest.mark.parametrize("after", [False, True])
def test_whoever_searches_at_any_call_of_a_refresh_finds_all_that_is_there(after: bool, clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        reader = knowing_reader(world)
        found: list[list[str]] = []

        def look(reader: S3VectorIndex = reader, found: list[list[str]] = found) -> None:
            found.append(keys_found(reader))

        world.interruptions.arm(at, look, after)
        world.new_index().refresh()
        if world.interruptions.disarm():
            assert at > 20
            return
        assert found == [THERE]
        assert keys_found(reader) == THERE
        at += 1


@pytest.mark.parametrize("after", [False, True])
def test_whoever_searches_after_a_refresh_was_killed_at_any_call_finds_all_that_is_there(
    after: bool, clock: StoppedClock
) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        reader = knowing_reader(world)
        world.interruptions.arm(at, kill, after)
        try:
            world.new_index().refresh()
        except Killed:
            pass
        assert keys_found(reader) == THERE
        if world.interruptions.disarm():
            assert at > 20
            return
        at += 1


@pytest.mark.parametrize("refreshes", [1, 2, 3])
def test_a_refresh_at_any_call_of_a_search_hides_nothing_from_it(refreshes: int, clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        knowing_reader(world)
        interruptions = Interruptions()
        reader = world.new_index(interruptions=interruptions)

        def act(world: World = world) -> None:
            for _ in range(refreshes):
                world.new_index().refresh()
                world.clock.move(RETIRED_GRACE_S + 1)

        interruptions.arm(at, act)
        assert keys_found(reader) == THERE
        if interruptions.disarm():
            assert at >= 3
            return
        at += 1


def test_a_refresh_between_two_pages_of_a_long_log_brings_nothing_back(clock: StoppedClock) -> None:
    labels = {f"{number:064}": 0.5 for number in range(32)}  # so that few entries fill a page
    some = [replace(each, labels=labels) for each in entries(0, 600)]
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        world.index.put("ann", some)
        world.index.remove("ann", [some[0].key])
        interruptions = Interruptions()
        reader = world.new_index(interruptions=interruptions)
        interruptions.arm(at, world.new_index().refresh)
        assert keys_found(reader, limit=1000) == keys_of(some[1:])
        if interruptions.disarm():
            assert at >= 3  # the log's pages, and what is gone
            return
        at += 1


# How much of the nearest is found


SPREAD = 0.6


@cache
def clustered(count: int) -> Sequence[Entry]:
    """Unit vectors around a few hundred middles, with labels that 1 %, 10 % and 50 % of them have."""
    random = np.random.default_rng(7)
    vectors = {}
    for space, size in SPACES.items():
        middles = random.normal(size=(200, size)) / np.sqrt(size)
        offsets = SPREAD * random.normal(size=(count, size)) / np.sqrt(size)
        numbers = (middles[random.integers(0, 200, count)] + offsets).astype(np.float32)
        vectors[space] = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    dice = random.random(count)
    return [
        Entry(
            f"c{at:06}",
            {space: matrix[at] for space, matrix in vectors.items()},
            {label: 0.5 for label, share in SHARES.items() if dice[at] < share},
            at,
        )
        for at in range(count)
    ]


SHARES = {"one": 0.01, "ten": 0.1, "half": 0.5}
CLUSTERED, QUERIES, LIMIT = 12_000, 100, 10


@pytest.fixture(scope="module")
def clustered_world() -> World:
    """Two segments with codes, removals beside the longer one, and a short one; entries and removals in the log."""
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock())
    some = clustered(CLUSTERED)
    world.index.put("ann", some[: EXACT_ROWS + 500])
    world.index.put("ann", some[EXACT_ROWS + 500 : -600])
    world.index.put("ann", some[-600:-300])
    world.index.remove("ann", keys_of(some[::20]))
    world.index.refresh()
    world.index.put("ann", [each for each in some[-300:] if each.time_ms % 20])
    world.index.remove("ann", keys_of(some[1::40]))
    assert len(world.manifest().segments) == 3
    return world


def exactly(queries: np.ndarray, where: Filter) -> tuple[list[list[str]], np.ndarray]:
    """What comparing everything gives: keys, best first, and their scores."""
    some = [
        each
        for at, each in enumerate(clustered(CLUSTERED))
        if at % 20 and at % 40 != 1 and where.allows(each.key, each.labels, each.time_ms)
    ]
    kept = single(half_unit(np.stack([each.vectors["image"] for each in some])))
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    scores = np.stack([unit_query(query) for query in queries]) @ kept.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :LIMIT]
    return [[some[at].key for at in row] for row in best], np.take_along_axis(scores, best, axis=1)


def some_queries() -> np.ndarray:
    random = np.random.default_rng(8)
    chosen = random.choice(CLUSTERED, QUERIES, replace=False)
    vectors = np.stack([clustered(CLUSTERED)[at].vectors["image"] for at in chosen])
    return vectors + (SPREAD / 2 * random.normal(size=vectors.shape) / np.sqrt(SPACES["image"])).astype(np.float32)


FILTERS = [
    EVERYTHING,
    *(Filter(label=label) for label in SHARES),
    Filter(since_ms=CLUSTERED // 3, before_ms=CLUSTERED // 2),
    Filter(label="half", keys=keys_of(clustered(CLUSTERED))[::7]),
]


@pytest.mark.parametrize("recall", [0.9, RECALL])
@pytest.mark.parametrize("where", FILTERS, ids=["everything", *SHARES, "time", "label and keys"])
def test_long_segments_are_searched_with_the_wanted_recall(
    clustered_world: World, where: Filter, recall: float
) -> None:
    queries = some_queries()
    expected, _ = exactly(queries, where)
    found = clustered_world.new_index(recall=recall).search("ann", "image", queries, LIMIT, where)
    shares = [
        len({match.key for match in matches} & set(keys)) / len(keys)
        for matches, keys in zip(found, expected, strict=True)
    ]
    assert all(len(matches) == len(keys) for matches, keys in zip(found, expected, strict=True))
    assert np.mean(shares) >= recall


@pytest.mark.parametrize("where", FILTERS, ids=["everything", *SHARES, "time", "label and keys"])
def test_with_a_recall_of_1_a_search_finds_what_comparing_everything_finds(
    clustered_world: World, where: Filter
) -> None:
    queries = some_queries()
    expected, scores = exactly(queries, where)
    found = clustered_world.new_index(recall=1).search("ann", "image", queries, LIMIT, where)
    assert [[match.key for match in matches] for matches in found] == expected
    np.testing.assert_allclose([[match.score for match in matches] for matches in found], scores, atol=1e-6)


@pytest.mark.parametrize("recall", [RECALL, 1.0])
def test_several_queries_find_in_long_segments_what_each_finds_alone(clustered_world: World, recall: float) -> None:
    index, queries = clustered_world.new_index(recall=recall), some_queries()[:20]
    together = index.search("ann", "image", queries, LIMIT)
    assert together == [search(index, query, LIMIT) for query in queries]


@pytest.mark.parametrize("limit", [0, 1, 500, 2 * CLUSTERED])
def test_however_many_are_wanted_they_are_found_in_long_segments(clustered_world: World, limit: int) -> None:
    everything = sum(1 for at in range(CLUSTERED) if at % 20 and at % 40 != 1)
    found = search(clustered_world.new_index(), some_queries()[0], limit)
    assert len(found) == len({match.key for match in found}) == min(limit, everything)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)

"""What the vector index in S3 and DynamoDB leaves behind, and that it holds when it is killed, raced or damaged."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from crowdsight.dynamodb import Table
from crowdsight.search.folding import ABANDONED_AFTER_S, FULL_ROWS, MOST_ROWS, RETIRED_GRACE_S, Folding
from crowdsight.search.index import Entry
from crowdsight.search.manifest import Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import S3VectorIndex
from crowdsight.search.segments import Segments
from crowdsight.search.vector_log import VectorLog
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.test_vector_index import SPACES, entry, keys_found

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

    def new_index(self, cache_bytes: int = 2**30, interruptions: Interruptions | None = None) -> S3VectorIndex:
        """Another process, with nothing in its memory."""
        watch = (interruptions or self.interruptions).watch
        table, objects = Table(watch(self._dynamodb), "images"), Objects(watch(self.s3), "images")
        return S3VectorIndex(table, objects, "test-1", SPACES, self.clock, lambda: uuid4().hex, cache_bytes)

    def object_keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket="images").get("Contents", ())]

    def segment_names(self) -> set[str]:
        return {key.rpartition("/")[2].partition(".")[0] for key in self.object_keys() if "/segments/" in key}

    def log_kinds(self) -> list[str]:
        return sorted({item["sk"].partition("#")[0] for item in self.table.query_all("LOG#test-1#ann")})

    def is_clean(self) -> bool:
        return not list(self.table.query_all("DIRTY#test-1")) and set(self.log_kinds()) <= {"GONE"}

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


def entries(first: int, count: int) -> list[Entry]:
    random = np.random.default_rng(first)
    return [
        Entry(f"k{number:06}", {space: random.normal(size=size).astype(np.float32) for space, size in SPACES.items()})
        for number in range(first, first + count)
    ]


def test_a_refresh_moves_the_log_into_a_segment_and_replaced_segments_are_deleted_after_their_grace(
    world: World,
) -> None:
    world.index.put("ann", [entry("a"), entry("b")])
    assert world.log_kinds() == ["PUT"]
    refreshed = world.index.refresh()
    assert (refreshed.accounts, refreshed.put, refreshed.removed, refreshed.failed) == (1, 2, 0, 0)
    first = world.segment_names()
    assert len(first) == 1 and world.log_kinds() == []
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
    assert len(keys) == 2 * (1 + 3)  # a manifest; keys and two spaces


def test_full_segments_stay_as_they_are_short_ones_are_merged_and_long_logs_are_cut(memory_world: World) -> None:
    index, table = memory_world.index, memory_world.table

    def put(first: int, count: int) -> None:
        index.put("ann", entries(first, count))
        index.refresh()

    put(0, 10)
    put(10, FULL_ROWS - 10)
    full = memory_world.segment_names()
    memory_world.tidy()
    full &= memory_world.segment_names()
    assert len(full) == 1
    put(5, 10)
    put(10_000, 7)
    put(10_007, 5)
    assert index.stats("ann").segments == 2
    put(20_000, MOST_ROWS + 1)
    assert index.stats("ann").segments == 3
    assert index.stats("ann").vectors == FULL_ROWS + 12 + MOST_ROWS + 1
    assert full < memory_world.segment_names()
    index.remove("ann", ["k000001"])
    index.refresh()
    memory_world.tidy()
    assert not full & memory_world.segment_names()
    assert index.stats("ann").vectors == FULL_ROWS + 12 + MOST_ROWS
    assert memory_world.is_clean()
    assert [item["sk"] for item in table.query_all("LOG#test-1#ann")] == ["GONE#k000001"]


def test_a_small_cache_changes_no_answer(memory_world: World) -> None:
    memory_world.index.put("ann", entries(0, FULL_ROWS))
    memory_world.index.refresh()
    memory_world.index.put("ann", entries(FULL_ROWS, 100))
    memory_world.index.refresh()
    query = entries(7, 1)[0].vectors["image"]
    expected = memory_world.index.search("ann", "image", query, 20)
    for cache_bytes in (0, 150_000):
        small = memory_world.new_index(cache_bytes)
        assert [small.search("ann", "image", query, 20) for _ in range(2)] == [expected] * 2


def test_a_second_search_reads_no_segment_again(memory_world: World) -> None:
    memory_world.index.put("ann", [entry("a")])
    memory_world.index.refresh()
    reader = memory_world.new_index()
    keys_found(reader)
    memory_world.interruptions.arm(99, kill)
    keys_found(reader)
    assert memory_world.interruptions.calls == 2  # the log, and whether the manifest has changed


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
@pytest.mark.parametrize("part", ["keys", "image"])
def test_a_damaged_segment_is_logged_and_the_rest_is_served_and_refreshed(
    memory_world: World, damage: str, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    index = memory_world.index
    index.put("ann", entries(0, 50))
    index.refresh()
    (key,) = [key for key in memory_world.object_keys() if key.endswith(f".{part}.npy")]
    data = memory_world.s3.get_object(Bucket="images", Key=key)["Body"].read()
    if damage == "missing":
        memory_world.s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": key}]})
    else:
        damaged = data[:-2] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1])
        memory_world.s3.put_object(Bucket="images", Key=key, Body=damaged, ContentType="")
    reader = memory_world.new_index()
    with caplog.at_level(logging.ERROR):
        reader.put("ann", [entry("b"), entry("c")])
        assert keys_found(reader) == ["b", "c"]
        reader.remove("ann", ["b", "k000001"])
        reader.refresh()
        assert keys_found(memory_world.new_index()) == ["c"]
    assert any(key in record.message for record in caplog.records)
    memory_world.s3.put_object(Bucket="images", Key=key, Body=data, ContentType="")
    mended = {match.key for match in memory_world.new_index().search("ann", "words", np.ones(8, np.float32), 5000)}
    assert mended >= {"c", "k000000", "k000002"}


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
        memory_world.index.search("ann", "words", good["image"], 1)


def test_a_refresh_that_is_over_leaves_the_rest_to_the_next(memory_world: World) -> None:
    for account in ("ann", "bob", "cat"):
        memory_world.index.put(account, [entry("a")])
    answers = iter([False, True])
    assert memory_world.index.refresh(lambda: next(answers)).accounts == 1
    assert memory_world.index.refresh().put == 2


@pytest.mark.parametrize("round_items", [1, 3, 7, 8, 50])
def test_a_long_log_is_folded_round_by_round_and_a_removal_in_a_later_round_holds(
    memory_world: World, round_items: int
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
        round_items,
    )
    memory_world.index.put("ann", [entry(key) for key in "abcdefg"])
    memory_world.index.remove("ann", ["b"])
    answers = iter([False, True])  # before the account, and after the first round
    first = folding.refresh(lambda: next(answers))
    assert first.put <= round_items
    assert keys_found(memory_world.index) == [*"acdefg"]
    assert first.put + folding.refresh(lambda: False).put == 6
    check_holds(memory_world, [*"acdefg"])


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

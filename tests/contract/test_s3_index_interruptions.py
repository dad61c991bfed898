"""The index in S3 while refreshes, writers and readers are killed, and while others work on it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from uuid import uuid4

import numpy as np
import pytest

from crowdsight.search.folding import (
    ABANDONED_AFTER_S,
    FAN_OUT,
    FULL_ROWS,
    RETIRED_GRACE_S,
    Contended,
)
from crowdsight.search.index import Entry
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import Outrun, S3VectorIndex
from tests.conftest import StoppedClock
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.s3_index_world import World, check_has, check_holds, entries, keys_of
from tests.contract.test_vector_index import SPACES, entry, keys_found, search


@pytest.fixture
def memory_world(clock: StoppedClock) -> World:
    return World(MemoryDynamoDB(), MemoryS3(), clock)


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


def test_a_removal_and_refreshes_at_any_moment_of_a_put_are_the_last_word(clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        another = world.new_index()

        def act(another: S3VectorIndex = another) -> None:
            another.remove("ann", ["x"])
            another.refresh()
            another.refresh()

        world.interruptions.arm(at, act)
        world.new_index().put("ann", [entry("x"), entry("y")])
        if world.interruptions.disarm():
            assert at >= 4
            return
        assert keys_found(world.new_index()) == ["y"]
        check_holds(world, ["y"])
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


def test_a_search_that_is_outrun_each_time_is_an_error_and_no_partial_answer(memory_world: World) -> None:
    memory_world.index.put("ann", [entry("a")])
    memory_world.index.refresh()
    numbers = count()

    class Outrunning(Objects):
        """All segments are replaced and deleted before one is read."""

        def get(self, key: str) -> bytes | None:
            memory_world.index.put("ann", [entry(f"k{next(numbers)}")])
            memory_world.index.refresh()
            memory_world.clock.move(RETIRED_GRACE_S + 1)
            memory_world.index.refresh()
            return super().get(key)

    objects = Outrunning(memory_world.s3, "images")
    reader = S3VectorIndex(memory_world.table, objects, "test-1", SPACES, memory_world.clock, lambda: uuid4().hex)
    with pytest.raises(Outrun):
        keys_found(reader)
    assert "a" in keys_found(memory_world.index)


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


def test_many_put_so_slowly_that_another_refresh_takes_them_for_abandoned_are_not_half_there(
    clock: StoppedClock,
) -> None:
    quick = World(MemoryDynamoDB(), MemoryS3(), clock)
    quick.interruptions.arm(99, kill)
    quick.new_index().put("ann", many())
    after_writing = 3  # the calls that swap the manifest, tell the log, and forget what was being written
    for at in range(quick.interruptions.calls - after_writing):
        world = World(MemoryDynamoDB(), MemoryS3(), clock)
        another = world.new_index()

        def act(world: World = world, another: S3VectorIndex = another) -> None:
            world.clock.move(ABANDONED_AFTER_S + 1)
            another.refresh()

        world.interruptions.arm(at, act)
        with pytest.raises(Contended, match="too long"):
            world.new_index().put("ann", many())
        assert world.manifest().segments == ()
        world.new_index().put("ann", many())
        check_has(world, keys_of(many()))
        world.tidy()
        check_has(world, keys_of(many()))
        assert world.is_clean()


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

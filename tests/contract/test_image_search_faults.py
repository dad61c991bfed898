"""Saves, removals and schedules that are killed or raced: nothing is lost, invented or left behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crowdsight.errors import AlreadyStored, NotFound
from crowdsight.images.decoding import decode
from crowdsight.images.encoding import store_form
from crowdsight.search.library import FINISH_AFTER_S, SaveAbandoned
from tests.conftest import StoppedClock
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.search_world import Search, SearchWorld, picture


class Prepared:
    """One image in a segment, one in the log, an expired request, and a request to save."""

    def __init__(self, clock: StoppedClock) -> None:
        self.world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)
        search = self.world.search
        self.folded = search.save.save_bytes("ann", picture(1), "x").image_id
        search.index.refresh()
        self.logged = search.save.save_bytes("ann", picture(2, alpha=True), "x").image_id
        search.find("ann", self.world.put_on_web(picture(3)))
        clock.move(200)
        self.request_id = search.find("ann", self.world.put_on_web(picture(4))).request_id


COMMIT = 6
"""Which call of a save it is, the first being 0."""

Operation = Callable[[Search, Prepared], object]
OPERATIONS: dict[str, Operation] = {
    "find": lambda search, prepared: search.find("ann", prepared.world.put_on_web(picture(5))),
    "save": lambda search, prepared: search.save("ann", prepared.request_id),
    "remove one in a segment": lambda search, prepared: search.remove("ann", prepared.folded),
    "remove one in the log": lambda search, prepared: search.remove("ann", prepared.logged),
    "sweep": lambda search, prepared: search.sweep(),
    "refresh": lambda search, prepared: search.index.refresh(),
}


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_any_call_it_is_done_or_undone_as_a_whole(name: str, after: bool, clock: StoppedClock) -> None:
    kills = 0
    while True:
        prepared = Prepared(clock)
        world = prepared.world
        before = {image.image_id for image in world.search.library.all_images("ann")}
        world.interruptions.arm(kills, kill, after)
        try:
            OPERATIONS[name](world.new_process(), prepared)
        except Killed:
            pass
        finished = world.interruptions.disarm()
        process = world.new_process()
        stored = {image.image_id for image in process.library.all_images("ann")}
        hits = process.find("ann", world.put_on_web(picture(9)), 50).results
        assert {hit.image.image_id for hit in hits} == stored  # what is found is what is stored, at every moment
        if name.startswith("remove"):
            assert stored in (before, before - {prepared.folded}, before - {prepared.logged})
        else:
            assert stored == before or name == "save" and before < stored and len(stored) == 3
        world.tidy()
        world.check_is_whole("ann", stored)
        if finished:
            assert kills >= 2
            return
        kills += 1


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_a_save_that_was_killed_can_be_done_again_at_once(after: bool, clock: StoppedClock) -> None:
    kills = 0
    while True:
        prepared = Prepared(clock)
        world = prepared.world
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_process().save("ann", prepared.request_id)
        except Killed:
            pass
        if world.interruptions.disarm():
            assert kills >= 6
            return
        try:
            world.new_process().save("ann", prepared.request_id)
        except AlreadyStored:
            pass  # it was killed after it was done
        stored = {image.image_id for image in world.new_process().library.all_images("ann")}
        assert len(stored) == 3
        world.tidy()
        world.check_is_whole("ann", stored)
        kills += 1


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_a_sweep_killed_while_it_undoes_a_save_is_continued_by_the_next(after: bool, clock: StoppedClock) -> None:
    kills = 0
    while True:
        prepared = Prepared(clock)
        world = prepared.world
        world.interruptions.arm(6, kill)  # the save's files and vectors are there, and it is not committed
        with pytest.raises(Killed):
            world.new_process().save("ann", prepared.request_id)
        clock.move(FINISH_AFTER_S)
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_process().sweep()
        except Killed:
            pass
        finished = world.interruptions.disarm()
        world.tidy()
        world.check_is_whole("ann", {prepared.folded, prepared.logged})
        if finished:
            assert kills >= 8
            return
        kills += 1


def save_the_same(search: Search, prepared: Prepared) -> None:
    try:
        search.save("ann", prepared.request_id)
    except AlreadyStored:
        pass  # the interrupted one was quicker


def save_and_remove_the_same(search: Search, prepared: Prepared) -> None:
    try:
        image = search.save("ann", prepared.request_id)
    except AlreadyStored:
        return
    search.remove("ann", image.image_id)


def save_remove_and_save_the_same(search: Search, prepared: Prepared) -> None:
    save_and_remove_the_same(search, prepared)
    save_the_same(search, prepared)


def save_the_stored_form(search: Search, prepared: Prepared) -> None:
    """Another picture with another name, whose pixels are those in which the interrupted save stores its own."""
    try:
        search.save.save_bytes("ann", store_form(decode(picture(4))).data, "x")
    except AlreadyStored:
        pass  # the interrupted one was quicker


def let_time_pass(search: Search, prepared: Prepared) -> None:
    prepared.world.tidy()


@pytest.mark.parametrize(
    "other",
    [save_the_same, save_and_remove_the_same, save_remove_and_save_the_same, save_the_stored_form, let_time_pass],
)
def test_a_save_during_which_anything_happens_at_any_call_is_done_or_refused_as_a_whole(
    other: Callable[[Search, Prepared], None], clock: StoppedClock
) -> None:
    at = 0
    while True:
        prepared = Prepared(clock)
        world = prepared.world
        another = world.new_process(Interruptions())
        world.interruptions.arm(at, partial(other, another, prepared))
        try:
            world.new_process().save("ann", prepared.request_id)
        except (AlreadyStored, NotFound, SaveAbandoned):
            pass
        if world.interruptions.disarm():
            assert at >= 8
            return
        stored = {image.image_id for image in world.new_process().library.all_images("ann")}
        assert stored >= {prepared.folded, prepared.logged}
        if other in (save_the_same, save_remove_and_save_the_same, save_the_stored_form):
            assert len(stored) == 3
        world.tidy()
        world.check_is_whole("ann", stored)
        at += 1


def remove_and_save_anew(search: Search, image_id: str) -> None:
    try:
        search.remove("ann", image_id)
    except NotFound:
        pass  # the interrupted one was quicker
    search.save.save_bytes("ann", picture(1), "x")


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_removal_during_which_the_image_is_removed_and_saved_anew_leaves_a_whole(
    is_folded: bool, clock: StoppedClock
) -> None:
    at = 0
    while True:
        world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)
        image_id = world.search.save.save_bytes("ann", picture(1), "x").image_id
        if is_folded:
            world.search.index.refresh()
        another = world.new_process(Interruptions())
        world.interruptions.arm(at, partial(remove_and_save_anew, another, image_id))
        world.new_process().remove("ann", image_id)
        if world.interruptions.disarm():
            assert at >= 6
            return
        stored = {image.image_id for image in another.library.all_images("ann")}
        world.tidy()
        world.check_is_whole("ann", stored)
        at += 1


@pytest.mark.parametrize("writers", [2, 8])
def test_of_saves_of_one_picture_at_once_exactly_one_wins(
    writers: int, dynamodb: Any, s3: Any, clock: StoppedClock
) -> None:
    world = SearchWorld(dynamodb, s3, clock)
    request_ids = [world.search.find("ann", world.put_on_web(picture(1))).request_id for _ in range(writers)]

    def save(request_id: str) -> str:
        try:
            return world.new_process().save("ann", request_id).file
        except AlreadyStored as error:
            return f"409 {error.details['url']}"

    with ThreadPoolExecutor(writers) as threads:
        answers = sorted(threads.map(save, request_ids))
    (winner,) = [answer for answer in answers if not answer.startswith("409")]
    assert answers.count(f"409 {winner}") == writers - 1
    assert len(world.search.find("ann", world.put_on_web(picture(1)), 50).results) == 1
    world.tidy()
    world.check_is_whole("ann", {winner.partition(".")[0]})


def test_saves_and_removals_of_the_same_pictures_in_many_threads_leave_a_whole(clock: StoppedClock) -> None:
    world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)

    def save_and_remove(worker: int) -> None:
        process = world.new_process()
        for number in range(12):
            seed = (worker + number) % 3
            try:
                image_id = process.save.save_bytes("ann", picture(seed), "x").image_id
            except AlreadyStored as error:
                image_id = error.details["url"].partition(".")[0]
            if number % 2:
                try:
                    process.remove("ann", image_id)
                except NotFound:
                    pass  # another has removed it
            if number % 4 == 0:
                process.index.refresh()
                process.sweep()

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(save_and_remove, range(5)))
    stored = {image.image_id for image in world.new_process().library.all_images("ann")}
    world.tidy()
    world.check_is_whole("ann", stored)


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_saving_under_another_bundle_can_be_killed_at_any_call_and_done_again(after: bool, clock: StoppedClock) -> None:
    kills = 0
    finished = False
    while not finished:
        world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)
        image = world.search.save.save_bytes("ann", picture(1), "x")
        world.interruptions.arm(kills, kill, after)
        try:
            world.new_process(bundle="colours-2").save.save_bytes("ann", picture(1), "x")
        except Killed:
            pass
        finished = world.interruptions.disarm()
        later = world.new_process(bundle="colours-2")
        try:
            later.save.save_bytes("ann", picture(1), "x")
        except AlreadyStored:
            pass
        (hit,) = later.find_similar("ann", data=picture(1), limit=5)
        assert (hit.image.key, hit.image.bundle) == (image.key, "colours-2")
        kills += 1
    assert kills > 4


def test_one_piece_of_work_that_fails_keeps_no_other_waiting(clock: StoppedClock) -> None:
    world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)
    image = world.search.save.save_bytes("ann", picture(1), "x")
    for generation in ("one", "two", "three"):
        world.search.library.begin_save(replace(image, generation=generation))
    clock.move(FINISH_AFTER_S)

    def fail() -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "BatchWriteItem")

    world.interruptions.arm(2, fail)  # in the midst of the first
    swept = world.new_process().sweep()
    assert (swept.saves + swept.removals, swept.failed) == (2, 1)
    clock.move(FINISH_AFTER_S)
    swept = world.new_process().sweep()
    assert (swept.saves + swept.removals, swept.failed) == (1, 0)


def test_a_request_whose_bytes_cannot_be_deleted_is_kept_and_no_other(clock: StoppedClock) -> None:
    s3 = MemoryS3()
    world = SearchWorld(MemoryDynamoDB(), s3, clock)
    ids = [world.search.find("ann", world.put_on_web(picture(seed))).request_id for seed in range(3)]
    clock.move(FINISH_AFTER_S)
    s3.undeletable.add(f"requests/{ids[1]}")
    swept = world.new_process().sweep()
    assert (swept.requests, swept.failed) == (2, 1)
    assert world.object_keys() == [f"requests/{ids[1]}"]
    s3.undeletable.clear()
    swept = world.new_process().sweep()
    assert (swept.requests, swept.failed) == (1, 0)
    assert world.object_keys() == []


@pytest.mark.parametrize("later", range(9))
def test_a_save_is_refused_only_while_another_has_the_picture(later: int, clock: StoppedClock) -> None:
    at = 0
    is_over = False
    while not is_over:
        world = SearchWorld(MemoryDynamoDB(), MemoryS3(), clock)
        other = world.new_process(Interruptions())

        def save_and_soon_remove(world: SearchWorld = world, other: Search = other) -> None:
            try:
                image_id = other.save.save_bytes("ann", picture(1), "x").image_id
            except AlreadyStored:
                return
            world.interruptions.arm(later, partial(other.remove, "ann", image_id))

        process = world.new_process()
        world.interruptions.arm(at, save_and_soon_remove)
        try:
            process.save.save_bytes("ann", picture(1), "x")
        except AlreadyStored:
            pass
        is_over = world.interruptions.disarm() and at > COMMIT
        stored = {image.image_id for image in other.library.all_images("ann")}
        assert stored, "the caller was told that the picture is stored"
        world.tidy()
        world.check_is_whole("ann", stored)
        at += 1

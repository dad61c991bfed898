"""Searches that are limited to labels, times and ids, over each of the vector indexes."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdsight.errors import NotFound
from crowdsight.models.bundle import Detection
from crowdsight.search.entries import image_entry
from crowdsight.search.image_filter import ALL_IMAGES, ImageFilter
from crowdsight.search.index import VectorIndex
from crowdsight.search.library import ImageRecord
from crowdsight.search.s3_vectors_index import S3VectorsIndex
from tests.conftest import StoppedClock
from tests.contract.conftest import create_indexes, create_table
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.memory_s3vectors import MemoryS3Vectors
from tests.contract.memory_vector_index import MemoryVectorIndex
from tests.contract.search_world import Colours, Search, SearchWorld, picture

PICTURES = 24
STRANGE = ("0" * 32, "f" * 32)


class Channels(Colours):
    """Sees in a picture the primary colours that there are, as surely as they are bright, and some of them twice."""

    def detect(self, image: Image.Image) -> list[Detection]:
        means = np.asarray(image.convert("RGB"), float).mean(axis=(0, 1)) / 255
        box = (0.0, 0.0, float(image.width), float(image.height))
        found = []
        for at, (name, mean) in enumerate(zip(("red", "green", "blue"), means, strict=True)):
            if mean > 0.45:
                found.append(Detection(f"{self.name} {name}", round(float(mean), 4), box, at))
            if mean > 0.6:
                found.append(Detection(f"{self.name} {name}", round(float(mean) / 2, 4), box, at))
        return found


@pytest.fixture(params=["S3", "S3 Vectors", "memory"])
def world(request: pytest.FixtureRequest, clock: StoppedClock) -> SearchWorld:
    dynamodb, indexes = MemoryDynamoDB(), dict[str, VectorIndex]()

    def make(bundle: Colours) -> VectorIndex:
        if request.param == "memory":
            return MemoryVectorIndex(bundle.spaces)
        client, own = MemoryS3Vectors(), MemoryDynamoDB()
        table = create_table(own, "vectors", {"due": "N"})
        return S3VectorsIndex(table, client, create_indexes(client, bundle.spaces), bundle.spaces, clock)

    def index_of(bundle: Colours) -> VectorIndex:
        if bundle.name not in indexes:
            indexes[bundle.name] = make(bundle)
        return indexes[bundle.name]

    return SearchWorld(dynamodb, MemoryS3(), clock, Channels, None if request.param == "S3" else index_of)


@pytest.fixture
def search(world: SearchWorld) -> Search:
    return world.search


def save_many(world: SearchWorld, account: str = "ann", count: int = PICTURES) -> list[ImageRecord]:
    """In the order of their times: one each second, every third in the same millisecond as the one before it."""
    images = []
    for seed in range(count):
        world.clock.move(1 if seed % 3 else 0)
        images.append(world.search.save.save_bytes(account, picture(seed), f"picture {seed}"))
    return images


def is_meant(image: ImageRecord, where: ImageFilter) -> bool:
    """What a filter means, by what is stored of the image."""
    scores = [label.score for label in image.labels if label.name == where.label]
    return (
        (where.label is None or any(score >= where.min_label_score for score in scores))
        and (where.saved_since_ms is None or image.saved_at_ms >= where.saved_since_ms)
        and (where.saved_before_ms is None or image.saved_at_ms < where.saved_before_ms)
        and (where.image_ids is None or image.image_id in where.image_ids)
    )


def some_filters(images: Sequence[ImageRecord], seed: int, count: int) -> list[ImageFilter]:
    """Each part alone, all together, and others at random; times and scores are often just those of an image."""
    random = Random(seed)
    labels = sorted({label.name for image in images for label in image.labels})
    made = [ALL_IMAGES]

    def parts() -> dict[str, Any]:
        image = random.choice(images)
        label = image.labels[0] if image.labels else None
        earlier, later = sorted(random.choice(images).saved_at_ms for _ in range(2))
        ids = [image.image_id for image in random.sample(images, random.randrange(1, len(images)))]
        return {
            "label": label.name if label else "colours-1 pink",
            "min_label_score": label.score if label and random.random() < 0.5 else random.random(),
            "saved_since_ms": earlier,
            "saved_before_ms": later + random.randrange(2000),
            "image_ids": frozenset([*ids, *STRANGE]),
        }

    made += [ImageFilter(label=label) for label in labels]
    for name in ("saved_since_ms", "saved_before_ms", "image_ids"):
        made.append(ImageFilter(**{name: parts()[name]}))
    made.append(ImageFilter(**parts()))
    while len(made) < count:
        given = {name: value for name, value in parts().items() if random.random() < 0.5}
        made.append(ImageFilter(**given))
    return made


def ids_of(hits: Sequence[Any]) -> list[str]:
    return [hit.image.image_id for hit in hits]


@pytest.mark.parametrize("refreshed", ["never", "in the middle", "at the end"])
def test_a_search_finds_the_nearest_of_just_those_that_are_meant(
    world: SearchWorld, search: Search, refreshed: str
) -> None:
    images = save_many(world, count=PICTURES // 2)
    if refreshed == "in the middle":
        search.index.refresh()
    images += [search.save.save_bytes("ann", picture(100 + seed), "x") for seed in range(PICTURES // 2)]
    save_many(world, "bob", 4)
    if refreshed == "at the end":
        search.index.refresh()
    url = world.put_on_web(picture(5))
    everything = {
        "url": search.find("ann", url, 50).results,
        "words": search.find_similar("ann", text="red", limit=50),
        "bytes": search.find_similar("ann", data=picture(7), limit=50),
        "own": search.find_similar("ann", url="x", own_file=images[3].file, limit=50),
    }
    assert all(len(hits) == len(images) for hits in everything.values())
    meant = 0
    for where in some_filters(images, 1, 40):
        expected = {query: [hit for hit in hits if is_meant(hit.image, where)] for query, hits in everything.items()}
        meant += len(expected["url"])
        for limit in (50, 3, 1):
            found = {
                "url": search.find("ann", url, limit, images=where).results,
                "words": search.find_similar("ann", text="red", limit=limit, images=where),
                "bytes": search.find_similar("ann", data=picture(7), limit=limit, images=where),
                "own": search.find_similar("ann", url="x", own_file=images[3].file, limit=limit, images=where),
            }
            assert search.find("ann", "x", limit, own_file=images[3].file, images=where).results == found["own"]
            for query, hits in found.items():
                wanted = expected[query][:limit]
                assert [hit.image for hit in hits] == [hit.image for hit in wanted], (query, where)
                # The last bits of a product depend on how many rows there are.
                similarities = [hit.similarity for hit in wanted]
                assert [hit.similarity for hit in hits] == pytest.approx(similarities, abs=2e-6)
    assert 0 < meant < 40 * len(images)


def test_a_threshold_of_similarity_and_a_filter_hold_together(world: SearchWorld, search: Search) -> None:
    images = save_many(world)
    where = ImageFilter(image_ids=frozenset(image.image_id for image in images[::2]))
    url = world.put_on_web(picture(4))
    hits = search.find("ann", url, 50, images=where).results
    threshold = hits[3].similarity
    assert search.find("ann", url, 50, threshold, images=where).results == hits[:4]


def test_another_accounts_ids_find_nothing_and_are_answered_as_ids_of_none(world: SearchWorld, search: Search) -> None:
    anns, bobs = save_many(world, count=4), save_many(world, "bob", 4)
    url = world.put_on_web(picture(1))
    for others in (frozenset(image.image_id for image in bobs), frozenset(STRANGE)):
        where = ImageFilter(image_ids=others)
        assert search.find("ann", url, images=where).results == []
        assert search.find_similar("ann", text="red", limit=50, images=where) == []
        assert search.find_similar("ann", url="x", own_file=anns[0].file, limit=50, images=where) == []
        with pytest.raises(NotFound):
            search.find("ann", "x", own_file=bobs[0].file, images=where)
        mixed = ImageFilter(image_ids=others | {anns[2].image_id})
        assert ids_of(search.find("ann", url, images=mixed).results) == [anns[2].image_id]


def test_a_removed_image_is_found_by_no_filter_and_again_once_it_is_saved_again(
    world: SearchWorld, search: Search
) -> None:
    images = save_many(world, count=6)
    removed = images[2]
    wheres = [
        ImageFilter(image_ids=frozenset([removed.image_id])),
        ImageFilter(removed.labels[0].name),
        ImageFilter(saved_before_ms=removed.saved_at_ms + 1),
    ]
    for is_refreshed in (False, True):
        assert all(
            removed.image_id in ids_of(search.find_similar("ann", data=picture(2), limit=9, images=where))
            for where in wheres
        )
        search.remove("ann", removed.image_id)
        for _ in range(2):
            for where in wheres:
                found = ids_of(search.find_similar("ann", data=picture(2), limit=9, images=where))
                others = [image for image in images if image != removed and is_meant(image, where)]
                assert sorted(found) == sorted(image.image_id for image in others)
            if is_refreshed:
                search.index.refresh()
        world.clock.move(1)
        again = search.save.save_bytes("ann", picture(2), "x")
        assert (again.image_id, again.generation == removed.generation) == (removed.image_id, False)
        wheres[2] = replace(wheres[2], saved_before_ms=again.saved_at_ms + 1)
        since = ImageFilter(saved_since_ms=again.saved_at_ms)
        assert ids_of(search.find_similar("ann", data=picture(2), limit=9, images=since)) == [removed.image_id]


def test_under_another_bundle_an_image_is_found_by_the_labels_that_it_has_there(world: SearchWorld) -> None:
    before, after = world.new_process(), world.new_process(bundle="colours-2")
    images = [before.save.save_bytes("ann", picture(seed), "x") for seed in range(6)]
    was = images[1].labels[0]
    meant = [image.image_id for image in images if was.name in [label.name for label in image.labels]]
    world.clock.move(60)
    renewed = [after.save.save_bytes("ann", picture(seed), "x") for seed in range(6)]
    name = was.name.replace("colours-1", "colours-2")
    for is_refreshed in (False, True):
        if is_refreshed:
            after.index.refresh()
        found = after.find_similar("ann", data=picture(1), limit=9, images=ImageFilter(name))
        assert (found[0].image, sorted(ids_of(found))) == (renewed[1], sorted(meant))
        assert after.find_similar("ann", data=picture(1), limit=9, images=ImageFilter(was.name)) == []
        own = after.find_similar("ann", url="x", own_file=images[1].file, limit=9, images=ImageFilter(name))
        assert ids_of(own) == ids_of(found)
        # When it was saved has not changed, and neither has its id.
        for where in (
            ImageFilter(name, saved_before_ms=images[5].saved_at_ms + 1),
            ImageFilter(name, image_ids=frozenset(meant)),
        ):
            assert ids_of(after.find_similar("ann", data=picture(1), limit=9, images=where)) == ids_of(found)


def test_vectors_without_a_stored_image_neither_shorten_a_filtered_answer_nor_keep_it_for_ever(
    world: SearchWorld, search: Search
) -> None:
    images = save_many(world, count=5)
    name = images[0].labels[0].name
    rows = search.bundle.embed_images([Image.open(BytesIO(picture(0)))])
    vectors = {space: row[0] for space, row in rows.items()}
    orphans = [replace(images[0], generation=f"other{number:02}") for number in range(60)]
    search.index.put("ann", [image_entry(orphan, vectors) for orphan in orphans])
    for where in (
        ImageFilter(name),
        ImageFilter(saved_before_ms=images[0].saved_at_ms + 1),
        ImageFilter(image_ids=frozenset(image.image_id for image in images)),
        ImageFilter("colours-1 pink"),
        ImageFilter(image_ids=frozenset(STRANGE)),
    ):
        expected = sorted(image.image_id for image in images if is_meant(image, where))
        for limit in (5, 50):
            hits = search.find_similar("ann", data=picture(0), limit=limit, images=where)
            assert sorted(ids_of(hits)) == expected


def test_a_picture_is_remembered_although_its_filter_finds_nothing(world: SearchWorld, search: Search) -> None:
    nothing = ImageFilter("colours-1 pink", image_ids=frozenset(STRANGE))
    finding = search.find("ann", world.put_on_web(picture(1)), images=nothing)
    assert finding.results == []
    assert search.save("ann", finding.request_id).source.startswith("https://pictures.example/")

"""How much of the nearest the index in S3 finds in long segments."""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdsight.search import scanning
from crowdsight.search.index import EVERYTHING, Entry, Filter
from crowdsight.search.joined_cells import recall_of_cells
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import RECALL
from crowdsight.search.segment_layout import EXACT_ROWS
from crowdsight.search.segments import Segments
from crowdsight.search.vectors import half_unit, single, unit_query
from tests.conftest import StoppedClock
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.s3_index_world import World, keys_of
from tests.contract.test_vector_index import SPACES, search

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
SEGMENT_ROWS = EXACT_ROWS + 500
"""Enough for codes."""


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
    index = clustered_world.new_index(recall=recall)
    for _ in ("cold, each segment by itself", "warm, all as one"):
        found = index.search("ann", "image", queries, LIMIT, where)
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


@pytest.mark.parametrize("size", [24, 200])  # codes of one word, and of four
@pytest.mark.parametrize("recall", [0.9, RECALL])
def test_vectors_in_more_clusters_than_there_are_cells_are_swept_with_the_wanted_recall(
    recall: float, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it matter whether the codes were in memory before, or that some vectors are removed or not allowed."""
    swept = 0
    sweep = scanning._Search._sweep

    def counting(search: scanning._Search, wanted: np.ndarray) -> None:
        nonlocal swept
        swept += 1
        sweep(search, wanted)

    monkeypatch.setattr(scanning._Search, "_sweep", counting)
    monkeypatch.setattr(scanning, "AT_ONCE_ROWS", 1000)  # as where likely cells have more
    count, clusters = 12_000, 2_400
    random = np.random.default_rng(12)
    middles = random.normal(size=(clusters, size)) / np.sqrt(size)
    vectors = middles[np.arange(count) % clusters] + 0.5 * random.normal(size=(count, size)) / np.sqrt(size)
    entries = [
        Entry(f"{at}", {"image": vector.astype(np.float32)}, {"even": 1.0} if at % 2 == 0 else {}, at)
        for at, vector in enumerate(vectors)
    ]
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock(), {"image": size})
    world.index.put("ann", entries)
    world.index.refresh()
    world.index.remove("ann", [f"{at}" for at in range(0, count, 3)])
    world.index.refresh()
    queries = vectors[random.choice(count, 60, replace=False)].astype(np.float32)
    index = world.new_index(recall=recall)
    kept = single(half_unit(vectors.astype(np.float32)))
    scores = np.stack([unit_query(query) for query in queries]) @ kept.T
    scores[:, ::3] = -np.inf
    for where in (EVERYTHING, Filter(label="even")):
        allowed = scores.copy()
        if where != EVERYTHING:
            allowed[:, 1::2] = -np.inf
        expected = np.argsort(-allowed, axis=1)[:, :LIMIT]
        for _ in range(2):
            found = index.search("ann", "image", queries, LIMIT, where)
            shares = [
                len({int(match.key) for match in matches} & set(wanted.tolist())) / LIMIT
                for matches, wanted in zip(found, expected, strict=True)
            ]
            assert np.mean(shares) >= recall
            assert all(len({match.key for match in matches}) == LIMIT for matches in found)
    assert swept >= 3 * len(queries)


@pytest.mark.filterwarnings("error")
def test_vectors_that_are_all_alike_are_swept_without_a_warning() -> None:
    """Their cells have no extent."""
    random = np.random.default_rng(13)
    kinds = random.normal(size=(3, SPACES["image"])).astype(np.float32)
    other = {space: np.ones(size, np.float32) for space, size in SPACES.items()}
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock())
    world.index.put("ann", [Entry(f"{at}", other | {"image": kinds[at % 3]}, {}, at) for at in range(9_000)])
    world.index.refresh()
    for kind, vector in enumerate(kinds):
        found = search(world.new_index(), vector, LIMIT)
        assert [int(match.key) % 3 for match in found] == [kind] * LIMIT
        assert all(match.score == pytest.approx(1) for match in found)


def test_a_query_that_is_near_to_nothing_compares_fewer_vectors_and_misses_little_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    compare = scanning._Search._compare

    def counting(search: scanning._Search, positions: np.ndarray, cell_of: np.ndarray) -> None:
        nonlocal compared
        compared += len(positions)
        compare(search, positions, cell_of)

    monkeypatch.setattr(scanning._Search, "_compare", counting)
    random = np.random.default_rng(14)
    vectors = random.normal(size=(60_000, SPACES["image"])).astype(np.float32)
    other = {space: np.ones(size, np.float32) for space, size in SPACES.items()}
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock())
    world.index.put("ann", [Entry(f"{at}", other | {"image": vector}, {}, at) for at, vector in enumerate(vectors)])
    world.index.refresh()
    queries = random.normal(size=(60, SPACES["image"])).astype(np.float32)
    kept = single(half_unit(vectors))
    nearest = np.argsort(-(np.stack([unit_query(query) for query in queries]) @ kept.T), axis=1)[:, :LIMIT]

    def recall_and_compared() -> tuple[float, int]:
        nonlocal compared
        compared = 0
        found = world.new_index().search("ann", "image", queries, LIMIT)
        pairs = zip(found, nearest, strict=True)
        shares = [len({int(match.key) for match in matches} & set(keys.tolist())) / LIMIT for matches, keys in pairs]
        return float(np.mean(shares)), compared

    recall, rows = recall_and_compared()
    monkeypatch.setattr(scanning, "MANY_ROWS", len(vectors))
    _, rows_without_end = recall_and_compared()
    assert rows < 0.8 * rows_without_end
    assert recall >= 0.95  # half of what such queries may miss


def world_of_many_segments(s3: MemoryS3) -> tuple[World, np.ndarray]:
    """Eight, in the order of the vectors [rows, dimensions]."""
    count, size = 8 * SEGMENT_ROWS, 32
    random = np.random.default_rng(15)
    middles = random.normal(size=(600, size)) / np.sqrt(size)
    vectors = (
        middles[random.integers(0, 600, count)] + 0.6 * random.normal(size=(count, size)) / np.sqrt(size)
    ).astype(np.float32)
    world = World(MemoryDynamoDB(), s3, StoppedClock(), {"image": size})
    entries = [Entry(f"{at}", {"image": vector}, {}, at) for at, vector in enumerate(vectors)]
    for start in range(0, count, SEGMENT_ROWS):
        world.index.put("ann", entries[start : start + SEGMENT_ROWS])
    assert len(world.manifest().segments) == 8
    return world, vectors


def test_many_segments_are_searched_at_once_and_answer_always_alike_whichever_of_them_is_damaged() -> None:
    """However the threads take turns: they do it anew for each index."""
    world, vectors = world_of_many_segments(MemoryS3())
    count = len(vectors)
    names = [segment.name for segment in world.manifest().segments]
    queries = vectors[np.random.default_rng(16).choice(count, 30, replace=False)]
    kept = single(half_unit(vectors))
    scores = np.stack([unit_query(query) for query in queries]) @ kept.T
    there = np.ones(count, np.bool_)
    for damaged in (None, names[6]):
        if damaged:
            Objects(world.s3, "images").delete(key for key in world.object_keys() if damaged in key)
            there[6 * SEGMENT_ROWS : 7 * SEGMENT_ROWS] = False
        found = world.new_index().search("ann", "image", queries, LIMIT)
        nearest = np.argsort(np.where(there, -scores, np.inf), axis=1)[:, :LIMIT]
        pairs = zip(found, nearest, strict=True)
        shares = [len({int(match.key) for match in matches} & set(keys.tolist())) / LIMIT for matches, keys in pairs]
        assert np.mean(shares) >= RECALL
        assert all(there[int(match.key)] for matches in found for match in matches)
        for _ in range(4):
            assert world.new_index().search("ann", "image", queries, LIMIT) == found


def test_segments_in_memory_are_searched_as_one_and_what_is_damaged_of_one_keeps_no_other_from_being_found() -> None:
    world, vectors = world_of_many_segments(MemoryS3())
    random = np.random.default_rng(17)
    queries = vectors[random.choice(len(vectors), 60, replace=False)]
    index = world.new_index()
    index.search("ann", "image", queries[:5], LIMIT)
    lost = world.manifest().segments[6].name
    Objects(world.s3, "images").delete(key for key in world.object_keys() if lost in key)
    found = index.search("ann", "image", queries, LIMIT)
    kept = single(half_unit(vectors))
    scores = np.stack([unit_query(query) for query in queries]) @ kept.T
    scores[:, 6 * SEGMENT_ROWS : 7 * SEGMENT_ROWS] = -np.inf
    # What is in memory of the lost one may be found, and takes the place of others.
    nearest = np.argsort(-scores, axis=1)[:, : LIMIT // 2]
    pairs = zip(found, nearest, strict=True)
    shares = [len({int(match.key) for match in matches} & set(keys.tolist())) / len(keys) for matches, keys in pairs]
    assert np.mean(shares) >= RECALL


@pytest.mark.parametrize("limit", [1, LIMIT])
def test_a_query_whose_own_cluster_was_removed_finds_the_nearest_of_others(limit: int) -> None:
    """The log alone says what was removed, so that the cells look as if they had it."""
    size, clusters = 96, 100
    random = np.random.default_rng(18)
    middles = random.normal(size=(clusters, size)) / np.sqrt(size)
    cluster_of = random.integers(0, clusters, 24_000)
    offsets = 0.5 * random.normal(size=(len(cluster_of), size)) / np.sqrt(size)
    vectors = (middles[cluster_of] + offsets).astype(np.float32)
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock(), {"image": size})
    entries = [Entry(f"{at}", {"image": vector}, {}, at) for at, vector in enumerate(vectors)]
    for start, end in ((0, 14_000), (14_000, 24_000)):
        world.index.put("ann", entries[start:end])
    is_gone = cluster_of < 8
    world.index.remove("ann", [f"{at}" for at in np.flatnonzero(is_gone).tolist()])
    queries = vectors[random.choice(np.flatnonzero(is_gone), 40, replace=False)]
    scores = np.stack([unit_query(query) for query in queries]) @ single(half_unit(vectors)).T
    nearest = np.argsort(np.where(is_gone, np.inf, -scores), axis=1)[:, :limit]
    index = world.new_index()
    for _ in ("cold", "warm"):
        found = index.search("ann", "image", queries, limit)
        pairs = zip(found, nearest, strict=True)
        shares = [len({int(match.key) for match in matches} & set(keys.tolist())) / limit for matches, keys in pairs]
        assert np.mean(shares) >= RECALL


def test_a_warm_search_reads_what_it_lacks_of_several_segments_at_once() -> None:
    class Slow(MemoryS3):
        reading: ClassVar[set[str]] = set()
        most = 0

        def get_object(self, *args: Any, **parameters: Any) -> Any:
            name = parameters["Key"].rsplit("/", 1)[-1].split(".")[0]
            self.reading.add(name)
            self.__class__.most = max(self.most, len(self.reading))
            time.sleep(0.005)
            self.reading.discard(name)
            return super().get_object(*args, **parameters)

    world, vectors = world_of_many_segments(Slow())
    index = world.new_index()
    index.search("ann", "image", vectors[:1], LIMIT)
    Slow.most = 0
    index.search("ann", "image", vectors[-1:], LIMIT)
    assert Slow.most > 1


def test_a_query_like_the_vectors_finds_its_own_in_few_likely_cells_though_each_has_many_clusters() -> None:
    count, clusters, size = 20_000, 1_000, 128
    random = np.random.default_rng(16)
    middles = random.normal(size=(clusters, size)) / np.sqrt(size)

    def some(count: int) -> np.ndarray:
        offsets = 0.7 * random.normal(size=(count, size)) / np.sqrt(size)
        return (middles[random.integers(0, clusters, count)] + offsets).astype(np.float32)

    vectors, queries = some(count), some(60)
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock(), {"image": size})
    world.index.put("ann", [Entry(f"{at}", {"image": vector}, {}, at) for at, vector in enumerate(vectors)])
    world.index.refresh()
    kept = single(half_unit(vectors))
    nearest = np.argsort(-(np.stack([unit_query(query) for query in queries]) @ kept.T), axis=1)[:, :LIMIT]
    found = world.new_index().search("ann", "image", queries, LIMIT)
    pairs = zip(found, nearest, strict=True)
    assert np.mean([len({int(match.key) for match in some} & set(keys)) / LIMIT for some, keys in pairs]) >= RECALL
    [segment] = world.manifest().segments
    cells = Segments(Objects(world.s3, "images"), {"image": size}).cells("vectors/test-1/ann", segment, "image")
    cosines = cells.products(np.stack([unit_query(query) for query in queries])) / cells.lengths
    likely = cosines >= cells.least_cosine(recall_of_cells(RECALL))
    assert (likely @ cells.sizes).mean() < 0.2 * count


@pytest.mark.parametrize("limit", [10, 100, 300])
@pytest.mark.parametrize("where", [EVERYTHING, Filter(label="some")], ids=["everything", "a tenth"])
def test_in_clusters_of_very_different_sizes_no_query_misses_much_however_many_are_wanted_or_allowed(
    unequal: tuple[World, np.ndarray, np.ndarray], where: Filter, limit: int
) -> None:
    world, vectors, queries = unequal
    scores = np.stack([unit_query(query) for query in queries]) @ single(half_unit(vectors)).T
    if where != EVERYTHING:
        scores[:, np.arange(len(vectors)) % 10 != 0] = -np.inf
    nearest = np.argsort(-scores, axis=1)[:, :limit]
    found = world.new_index().search("ann", "image", queries, limit, where)
    pairs = zip(found, nearest, strict=True)
    shares = [len({int(match.key) for match in matches} & set(keys.tolist())) / limit for matches, keys in pairs]
    assert np.mean(shares) >= RECALL - 0.005
    assert min(shares) >= 0.7


@pytest.fixture(scope="module")
def unequal() -> tuple[World, np.ndarray, np.ndarray]:
    """Vectors in clusters whose sizes are as Zipf's law has them, and queries near to some."""
    count, clusters, size = 12_000, 300, 96
    random = np.random.default_rng(17)
    middles = random.normal(size=(clusters, size)) / np.sqrt(size)
    shares = 1 / np.arange(1, clusters + 1)
    cluster_of = random.choice(clusters, count, p=shares / shares.sum())
    vectors = (middles[cluster_of] + 0.7 * random.normal(size=(count, size)) / np.sqrt(size)).astype(np.float32)
    world = World(MemoryDynamoDB(), MemoryS3(), StoppedClock(), {"image": size})
    labels = [{"some": 1.0} if at % 10 == 0 else {} for at in range(count)]
    world.index.put("ann", [Entry(f"{at}", {"image": vector}, labels[at], at) for at, vector in enumerate(vectors)])
    world.index.refresh()
    near = vectors[random.choice(count, 60, replace=False)]
    return world, vectors, (near + 0.3 * random.normal(size=near.shape) / np.sqrt(size)).astype(np.float32)

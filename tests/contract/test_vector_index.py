"""What every vector index holds to: those in S3 and in S3 Vectors, over moto and in memory, and the tests' own."""

from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.search.index import EVERYTHING, Entry, Filter, Match, VectorIndex
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import S3VectorIndex
from crowdsight.search.s3_vectors_index import S3VectorsIndex
from tests.conftest import StoppedClock
from tests.contract.conftest import create_indexes, create_table
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3
from tests.contract.memory_s3vectors import MemoryS3Vectors
from tests.contract.memory_vector_index import MemoryVectorIndex

SPACES = {"image": 24, "words": 8}


@pytest.fixture(
    params=["S3 over moto", "S3 in memory", "S3 Vectors over moto", "S3 Vectors in memory", "memory"],
)
def index(request: pytest.FixtureRequest, clock: StoppedClock) -> VectorIndex:
    match request.param:
        case "memory":
            return MemoryVectorIndex(SPACES)
        case "S3 in memory":
            return s3_index(MemoryDynamoDB(), MemoryS3(), clock)
        case "S3 Vectors in memory":
            return s3_vectors_index(MemoryDynamoDB(), MemoryS3Vectors(), clock)
    clients = request.getfixturevalue("aws")
    if request.param == "S3 over moto":
        return s3_index(clients["dynamodb"], clients["s3"], clock)
    return s3_vectors_index(clients["dynamodb"], clients["s3vectors"], clock)


def s3_index(dynamodb: object, s3: object, clock: StoppedClock) -> S3VectorIndex:
    s3.create_bucket(Bucket="images")  # type: ignore[attr-defined]
    table = create_table(dynamodb, "images", {"due": "N"})
    return S3VectorIndex(table, Objects(s3, "images"), "test-1", SPACES, clock, lambda: uuid4().hex)


def s3_vectors_index(dynamodb: object, s3vectors: object, clock: StoppedClock) -> S3VectorsIndex:
    table = create_table(dynamodb, "images", {"due": "N"})
    return S3VectorsIndex(table, s3vectors, create_indexes(s3vectors, SPACES), SPACES, clock)


def entry(key: str, seed: int | None = None) -> Entry:
    """An entry whose vectors follow from its key, or from a seed."""
    random = np.random.default_rng(seed if seed is not None else [*key.encode()])
    return Entry(key, {space: unit(random.normal(size=size)) for space, size in SPACES.items()})


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def search(
    index: VectorIndex, vector: np.ndarray, limit: int, where: Filter = EVERYTHING, account: str = "ann"
) -> list[Match]:
    """What one query, in the space of images, finds."""
    return index.search(account, "image", vector[np.newaxis], limit, where)[0]


def keys_found(index: VectorIndex, account: str = "ann", limit: int = 100, where: Filter = EVERYTHING) -> list[str]:
    return sorted(match.key for match in search(index, entry("query").vectors["image"], limit, where, account))


def test_what_was_put_is_found_at_once_and_after_every_refresh(index: VectorIndex) -> None:
    assert keys_found(index) == []
    index.put("ann", [entry("a"), entry("b")])
    assert keys_found(index) == ["a", "b"]
    index.refresh()
    index.put("ann", [entry("c")])
    assert keys_found(index) == ["a", "b", "c"]
    index.refresh()
    index.refresh()
    assert keys_found(index) == ["a", "b", "c"]
    assert index.stats("ann").vectors == 3


def test_what_was_removed_is_found_no_more_and_never_again(index: VectorIndex) -> None:
    index.put("ann", [entry(key) for key in "abcd"])
    index.remove("ann", ["a", "never-put"])
    assert keys_found(index) == ["b", "c", "d"]
    index.refresh()
    index.remove("ann", ["b"])
    index.remove("ann", ["b"])
    assert keys_found(index) == ["c", "d"]
    index.refresh()
    assert keys_found(index) == ["c", "d"]
    index.put("ann", [entry("a"), entry("b")])  # by a save that was slow
    assert keys_found(index) == ["c", "d"]
    index.refresh()
    assert keys_found(index) == ["c", "d"]
    assert index.stats("ann").vectors == 2
    index.remove("ann", ["c", "d"])
    index.refresh()
    assert keys_found(index) == []


def test_putting_again_changes_nothing(index: VectorIndex) -> None:
    for _ in range(2):
        index.put("ann", [entry("a"), entry("a"), entry("b")])
        assert keys_found(index) == ["a", "b"]
        index.refresh()
        index.put("ann", [entry("a")])
        assert keys_found(index, limit=2) == ["a", "b"]
    assert index.stats("ann").vectors == 2


def test_matches_are_the_nearest_by_cosine_best_first_and_an_equal_vector_scores_1(index: VectorIndex) -> None:
    entries = [entry(f"k{number:03}") for number in range(60)]
    index.put("ann", entries[:40])
    index.refresh()
    index.put("ann", entries[40:])
    for space in SPACES:
        for query in (entries[7], entries[50]):
            vector = query.vectors[space]
            exact = sorted(((float(each.vectors[space] @ vector), each.key) for each in entries), reverse=True)
            [matches] = index.search("ann", space, vector[np.newaxis], 10)
            assert [match.key for match in matches] == [key for _, key in exact[:10]]
            assert [match.score for match in matches] == pytest.approx([score for score, _ in exact[:10]], abs=2e-3)
            assert matches[0].score == pytest.approx(1.0, abs=4e-7)
            assert all(-1 <= match.score <= 1 for match in index.search("ann", space, -vector[np.newaxis], 60)[0])


def test_of_equal_scores_the_smallest_key_comes_first(index: VectorIndex) -> None:
    index.put("ann", [entry(key, seed=1) for key in ("c", "a", "d")])
    index.refresh()
    index.put("ann", [entry("b", seed=1)])
    matches = search(index, entry("x", seed=1).vectors["image"], 10)
    assert [match.key for match in matches] == ["a", "b", "c", "d"]


def test_there_are_never_more_matches_than_asked_for(index: VectorIndex) -> None:
    index.put("ann", [entry(f"k{number}") for number in range(9)])
    assert [len(keys_found(index, limit=limit)) for limit in (1, 5, 9, 50)] == [1, 5, 9, 9]


def test_several_queries_find_what_each_would_find_alone(index: VectorIndex) -> None:
    entries = [entry(f"k{number:02}") for number in range(30)]
    index.put("ann", entries[:20])
    index.refresh()
    index.put("ann", entries[20:])
    queries = np.stack([each.vectors["image"] for each in entries[::7]])
    alone = [search(index, query, 5) for query in queries]
    together = index.search("ann", "image", queries, 5)
    assert [[match.key for match in matches] for matches in together] == [
        [match.key for match in matches] for matches in alone
    ]
    assert index.search("ann", "image", queries[:0], 5) == []


def labelled(key: str, time_ms: int, **labels: float) -> Entry:
    return Entry(key, entry(key).vectors, labels, time_ms)


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        (Filter(), ["a", "b", "c", "d"]),
        (Filter(label="dog"), ["a", "b", "d"]),
        (Filter(label="dog", min_label_score=0.5), ["a", "d"]),
        (Filter(label="cat", min_label_score=0.25), ["b"]),
        (Filter(label="horse"), []),
        (Filter(since_ms=20), ["b", "c", "d"]),
        (Filter(before_ms=20), ["a"]),
        (Filter(since_ms=20, before_ms=40), ["b", "c"]),
        (Filter(keys=["a", "c", "never-put"]), ["a", "c"]),
        (Filter(keys=[]), []),
        (Filter(label="dog", since_ms=20, keys=["a", "b", "c"]), ["b"]),
    ],
)
@pytest.mark.parametrize("refreshed", ["before", "between", "after"])
def test_a_filter_leaves_just_what_it_allows(
    index: VectorIndex, where: Filter, keys: list[str], refreshed: str
) -> None:
    entries = [
        labelled("a", 10, dog=0.5),
        labelled("b", 20, dog=0.25, cat=0.25),
        labelled("c", 30, cat=0.125),
        labelled("d", 40, dog=1.0, person=0.75),
    ]
    index.put("ann", [*entries[:2], *(entries[2:] if refreshed == "after" else [])])
    if refreshed != "before":
        index.refresh()
    index.put("ann", entries)
    assert keys_found(index, where=where) == keys
    index.remove("ann", ["b", "d"])
    assert keys_found(index, where=where) == [key for key in keys if key not in "bd"]
    index.refresh()
    assert keys_found(index, where=where) == [key for key in keys if key not in "bd"]


def test_a_filter_that_few_pass_finds_the_nearest_of_them(index: VectorIndex) -> None:
    entries = [labelled(f"k{number:03}", number, **({"dog": 0.5} if number % 40 == 3 else {})) for number in range(400)]
    index.put("ann", entries)
    index.refresh()
    query = entries[0].vectors["image"]
    dogs = [each for each in entries if each.labels]
    exact = sorted(((float(each.vectors["image"] @ query), each.key) for each in dogs), reverse=True)
    matches = search(index, query, 4, Filter(label="dog"))
    assert [match.key for match in matches] == [key for _, key in exact[:4]]


def test_the_keys_and_vectors_of_what_is_there_can_be_read(index: VectorIndex) -> None:
    index.put("ann", [entry("a"), entry("b"), entry("c")])
    index.put("bob", [entry("d")])
    for _ in range(2):
        assert sorted(index.keys("ann")) == ["a", "b", "c"]
        found = index.vectors("ann", ["a", "c", "d", "never-put"])
        assert sorted(found) == ["a", "c"]
        for key, vectors in found.items():
            for space, vector in vectors.items():
                np.testing.assert_allclose(vector, entry(key).vectors[space], atol=1e-3)
        index.refresh()
    index.put("ann", [entry("e")])
    index.remove("ann", ["b"])
    for _ in range(2):
        parts = list(index.all_vectors("ann", 2))
        assert max(len(part) for part in parts) <= 2
        assert sorted(key for part in parts for key in part) == ["a", "c", "e"]
        for part in parts:
            for key, vectors in part.items():
                for space, vector in vectors.items():
                    np.testing.assert_allclose(vector, entry(key).vectors[space], atol=1e-3)
        assert sorted(index.keys("ann")) == ["a", "c", "e"]
        assert sorted(index.vectors("ann", ["a", "b", "e"])) == ["a", "e"]
        index.refresh()
    assert list(index.keys("nobody")) == []


@pytest.mark.parametrize(
    "bad",
    [
        Entry("a", {"image": np.ones(24, np.float32)}),
        Entry("a", {"image": np.ones(23, np.float32), "words": np.ones(8, np.float32)}),
        Entry("a", {"image": np.full(24, np.nan, np.float32), "words": np.ones(8, np.float32)}),
        labelled("a", -1),
        labelled("a", 2**53),
        labelled("a", 1, dog=1.5),
        Entry("a", entry("a").vectors, {"": 0.5}),
        Entry("a", entry("a").vectors, {"d\nog": 0.5}),
        Entry("a", entry("a").vectors, {f"label{number}": 0.5 for number in range(33)}),
    ],
)
def test_an_entry_that_is_none_is_refused_and_nothing_is_written(index: VectorIndex, bad: Entry) -> None:
    with pytest.raises(ValueError):
        index.put("ann", [entry("good"), bad])
    assert keys_found(index) == []


def test_a_vector_of_zeros_is_like_nothing(index: VectorIndex) -> None:
    zeros = {space: np.zeros(size, np.float32) for space, size in SPACES.items()}
    index.put("ann", [Entry("zeros", zeros), entry("a")])
    for _ in range(2):
        matches = {match.key: match.score for match in search(index, entry("a").vectors["image"], 5)}
        assert matches == {"a": pytest.approx(1.0, abs=4e-7), "zeros": 0.0}
        assert all(match.score == 0 for match in search(index, zeros["image"], 5))
        index.refresh()


def test_an_account_never_finds_or_drops_what_is_anothers(index: VectorIndex) -> None:
    accounts = ["ann", "ann-", "an", "Ann", "ann_1"]
    for account in accounts:
        index.put(account, [entry("same"), entry(f"of-{account}")])
    index.refresh()
    for account in accounts:
        index.put(account, [entry(f"new-{account}")])
    index.remove("ann", ["same", "of-an", "of-ann-"])
    index.refresh()
    for account in accounts[1:]:
        assert keys_found(index, account) == sorted([f"new-{account}", f"of-{account}", "same"])
    assert keys_found(index) == ["new-ann", "of-ann"]


@pytest.mark.parametrize("account", ["", "a/b", "..", "a#b", "a b", "ä", "a" * 65, "a\n"])
def test_a_name_that_is_no_account_is_refused(index: VectorIndex, account: str) -> None:
    vector = entry("x").vectors["image"]
    attempts: list[Callable[[], object]] = [
        lambda: index.put(account, [entry("a")]),
        lambda: index.remove(account, ["a"]),
        lambda: index.search(account, "image", vector[np.newaxis], 1),
        lambda: index.vectors(account, ["a"]),
        lambda: index.keys(account),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="not an account"):
            attempt()


def test_what_is_no_key_is_refused_and_nothing_is_written(index: VectorIndex) -> None:
    for key in ("", "a/b", "a#b", "a" * 129):
        with pytest.raises(ValueError, match="not a key"):
            index.put("ann", [entry("good"), entry(key)])
        with pytest.raises(ValueError, match="not a key"):
            index.remove("ann", [key])
    assert keys_found(index) == []


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "remove", "refresh", "wait"]), st.integers(0, 12)), max_size=40
)


@given(OPERATIONS)
def test_whatever_is_put_removed_and_refreshed_in_whatever_order_both_indexes_answer_alike(
    operations: list[tuple[str, int]],
) -> None:
    clock = StoppedClock()
    real, model = s3_index(MemoryDynamoDB(), MemoryS3(), clock), MemoryVectorIndex()
    for operation, number in operations:
        for index in (real, model):
            if operation == "put":
                index.put("ann", [entry(f"k{number}"), entry(f"k{number + 1}")])
            elif operation == "remove":
                index.remove("ann", [f"k{number}"])
            elif operation == "refresh":
                index.refresh()
        if operation == "wait":
            clock.move(61)
        assert keys_found(real) == keys_found(model)
    real.refresh()
    assert real.stats("ann").vectors == model.stats("ann").vectors

"""What the vector index in S3 Vectors keeps to: the service's limits, and that it holds when it is killed or raced."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from client.stack import MODELS_ROOT
from crowdsight.dynamodb import Table
from crowdsight.search.index import Entry, Filter
from crowdsight.search.s3_vectors_index import KEEP_GONE_S, S3VectorsIndex
from crowdsight.search.vector_space import VectorSpace
from crowdsight.wiring import Settings, Wiring
from tests.conftest import StoppedClock
from tests.contract.conftest import create_indexes, create_table
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3vectors import MemoryS3Vectors
from tests.contract.memory_vector_index import MemoryVectorIndex
from tests.contract.test_vector_index import SPACES, entry, keys_found, labelled, search


class Sizes:
    """A client that counts its calls, and what they carry."""

    def __init__(self, client: Any) -> None:
        self.sizes: dict[str, list[int]] = {}
        self._client = client

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            carried = request.get("vectors") or request.get("keys") or [None]
            self.sizes.setdefault(name, []).append(len(carried))
            return getattr(self._client, name)(**request)

        return call


class World:
    """An index with its table and its S3 Vectors, and what lies in them."""

    def __init__(self, dynamodb: Any, s3vectors: Any, clock: StoppedClock) -> None:
        self.interruptions = Interruptions()
        self.clock = clock
        self.s3vectors = Sizes(s3vectors)
        create_table(dynamodb, "images", {"due": "N"})
        self.index_arns = create_indexes(s3vectors, SPACES)
        self._dynamodb = dynamodb
        self.index = self.new_index()

    def new_index(self, interruptions: Interruptions | None = None, index_arns: Any = None) -> S3VectorsIndex:
        """Another process."""
        watch = (interruptions or self.interruptions).watch
        table = Table(watch(self._dynamodb), "images")
        return S3VectorsIndex(table, watch(self.s3vectors), index_arns or self.index_arns, SPACES, self.clock)

    def vector_keys(self) -> list[str]:
        """Under which vectors lie, in whichever space."""
        found = set()
        for arn in self.index_arns.values():
            found |= {vector["key"] for vector in self.s3vectors.list_vectors(indexArn=arn)["vectors"]}
        return sorted(found)


@pytest.fixture
def world(dynamodb: Any, s3vectors: Any, clock: StoppedClock) -> World:
    return World(dynamodb, s3vectors, clock)


@pytest.fixture
def memory_world(clock: StoppedClock) -> World:
    return World(MemoryDynamoDB(), MemoryS3Vectors(), clock)


def entries(count: int) -> list[Entry]:
    random = np.random.default_rng(count)
    return [
        Entry(f"k{number:06}", {space: random.normal(size=size).astype(np.float32) for space, size in SPACES.items()})
        for number in range(count)
    ]


def test_vectors_are_put_read_and_deleted_in_batches_that_the_service_takes(world: World) -> None:
    many = entries(1203)
    world.index.put("ann", many)
    assert world.s3vectors.sizes["put_vectors"] == [500, 500, 500, 500, 203, 203]
    keys = [each.key for each in many]
    assert len(world.index.vectors("ann", keys)) == len(many)
    assert world.s3vectors.sizes["get_vectors"] == 2 * [*12 * [100], 3]
    world.index.remove("ann", keys)
    assert world.s3vectors.sizes["delete_vectors"] == 2 * [500, 500, 203]
    assert world.vector_keys() == []
    assert world.index.stats("ann").vectors == 0


def test_long_vectors_are_put_in_requests_of_less_than_20_mib() -> None:
    class Measuring:
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def put_vectors(self, **request: Any) -> None:
            self.sizes.append(len(str(request).encode()))

    client = Measuring()
    vector = np.full(4096, -1.2345678e-30, np.float32)
    labels = {f"{number:02}{62 * 'ä'}": 1 / 3 for number in range(32)}
    long = [Entry(128 * str(number % 10), {"image": vector}, labels, 2**53 - 1) for number in range(300)]
    VectorSpace(client, "arn", "image", 4096).put(64 * "a", long)
    assert len(client.sizes) == 2
    assert max(client.sizes) < 20 * 2**20


def test_the_longest_labels_and_the_latest_time_fit_the_services_metadata(world: World) -> None:
    labels = {f"{number:02}{62 * '犬'}": 1 / 3 for number in range(32)}
    account = 64 * "a"
    world.index.put(account, [Entry(128 * "k", entry("k").vectors, labels, 2**53 - 1)])
    for label in labels:
        assert keys_found(world.index, account, where=Filter(label=label, min_label_score=1 / 3)) == [128 * "k"]
    assert keys_found(world.index, account, where=Filter(label=f"00{61 * '犬'}")) == []
    assert keys_found(world.index, account, where=Filter(since_ms=2**53 - 1)) == [128 * "k"]


def test_more_than_a_page_is_found_and_never_more_than_the_service_gives(world: World) -> None:
    many = entries(250)
    world.index.put("ann", many)
    query = many[0].vectors["image"]
    exact = sorted(many, key=lambda each: -float(each.vectors["image"] @ query / np.linalg.norm(each.vectors["image"])))
    assert [match.key for match in search(world.index, query, 90)] == [each.key for each in exact[:90]]
    assert [match.key for match in search(world.index, query, 20_000)] == [each.key for each in exact[:100]]
    assert world.index.search("ann", "image", query[np.newaxis], 0) == [[]]


def test_a_search_is_one_query_and_reads_no_vectors(memory_world: World) -> None:
    memory_world.index.put("ann", entries(20))
    memory_world.s3vectors.sizes.clear()
    memory_world.interruptions.arm(99, kill)
    search(memory_world.index, entries(20)[3].vectors["image"], 5)
    assert memory_world.s3vectors.sizes == {"query_vectors": [1]}
    assert memory_world.interruptions.calls == 2  # and whether what it found is still there


def test_what_was_put_is_not_put_again(memory_world: World) -> None:
    memory_world.index.put("ann", entries(3))
    memory_world.s3vectors.sizes.clear()
    memory_world.index.put("ann", entries(3))
    assert memory_world.s3vectors.sizes == {}


@pytest.mark.parametrize("after", [False, True])
def test_a_put_that_is_killed_is_found_whole_or_not_at_all_and_can_be_done_again(world: World, after: bool) -> None:
    zeros = Entry("z", {space: np.zeros(size, np.float32) for space, size in SPACES.items()})
    at = 0
    while True:
        keys = [f"a{at}", f"b{at}"]
        new = [entry(keys[0]), Entry(keys[1], {**entry(keys[1]).vectors, "words": zeros.vectors["words"]})]
        world.interruptions.arm(at, kill, after)
        try:
            world.index.put("ann", new)
        except Killed:
            pass
        if world.interruptions.disarm():
            break
        in_spaces = [
            {match.key for match in world.index.search("ann", space, np.ones((1, size), np.float32), 99)[0]}
            for space, size in SPACES.items()
        ]
        assert in_spaces[0] == in_spaces[1] == set(world.index.keys("ann"))
        assert not in_spaces[0] or in_spaces[0] == set(keys)
        world.index.put("ann", new)
        assert keys_found(world.index) == keys
        world.index.remove("ann", keys)
        at += 1
    assert at >= 5
    world.index.remove("ann", keys)
    assert world.vector_keys() == []


@pytest.mark.parametrize("after", [False, True])
def test_a_removal_that_is_killed_is_finished_by_the_next_and_what_began_to_go_stays_away(
    world: World, after: bool
) -> None:
    at = 0
    while True:
        keys = [f"a{at}", f"b{at}"]
        world.index.put("ann", [entry(key) for key in keys])
        world.interruptions.arm(at, kill, after)
        try:
            world.index.remove("ann", keys)
        except Killed:
            pass
        if world.interruptions.disarm():
            break
        is_begun = at > 0 or after
        assert keys_found(world.index) == ([] if is_begun else keys)
        world.index.remove("ann", keys)
        assert world.vector_keys() == []
        at += 1
    assert at >= 3


@pytest.mark.parametrize("killed", [False, True])
def test_a_removal_at_any_moment_of_a_put_is_the_last_word(world: World, killed: bool) -> None:
    other = world.new_index(Interruptions())
    at = 0
    while True:
        key = f"k{at}"

        def interrupt(key: str) -> None:
            other.remove("ann", [key])
            if killed:
                kill()

        world.interruptions.arm(at, partial(interrupt, key))
        try:
            world.index.put("ann", [entry(key)])
        except Killed:
            pass
        if world.interruptions.disarm():
            break
        assert keys_found(world.index) == [] and list(world.index.keys("ann")) == []
        if not killed:
            assert world.vector_keys() == []
        other.put("ann", [entry(key)])
        assert keys_found(world.index) == []
        at += 1
    assert at >= 4


def test_vectors_that_nothing_is_known_of_keep_no_others_from_being_found(memory_world: World) -> None:
    query = entry("query").vectors["image"]
    for number in range(30):
        memory_world.interruptions.arm(3, kill)
        with pytest.raises(Killed):
            memory_world.index.put("ann", [Entry(f"ghost{number:02}", entry("query").vectors)])
    memory_world.index.put("ann", [entry("a"), entry("b")])
    assert len(memory_world.vector_keys()) == 32
    assert sorted(match.key for match in search(memory_world.index, query, 2)) == ["a", "b"]
    assert memory_world.index.stats("ann").vectors == 2


def test_a_removed_key_is_remembered_for_a_day(memory_world: World) -> None:
    memory_world.index.remove("ann", ["a"])
    [item] = [item for table in memory_world._dynamodb._tables.values() for item in table.values()]
    assert int(item["ttl_s"]["N"]) == memory_world.clock() // 1000 + KEEP_GONE_S


def test_what_is_throttled_for_longer_than_the_client_waits_is_an_error_and_can_be_done_again(
    clock: StoppedClock,
) -> None:
    client = MemoryS3Vectors()
    world = World(MemoryDynamoDB(), client, clock)
    for attempt in (
        lambda: world.index.put("ann", [entry("a")]),
        lambda: keys_found(world.index),
        lambda: world.index.vectors("ann", ["a"]),
        lambda: world.index.remove("ann", ["a"]),
    ):
        client.throttled = 1
        with pytest.raises(ClientError, match="TooManyRequests"):
            attempt()
        attempt()
    assert keys_found(world.index) == [] and world.vector_keys() == []


def test_the_deployments_client_tries_again_what_is_throttled(aws: dict[str, Any]) -> None:
    refused: list[str] = []

    def throttle(request: Any, **_: Any) -> AWSResponse | None:
        if request.url.endswith("/QueryVectors") and len(refused) < 2:
            refused.append(request.url)
            return AWSResponse(request.url, 429, {"x-amzn-ErrorType": "TooManyRequestsException"}, Empty())
        return None

    def make_client(service: str, **options: Any) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client(service, region_name="us-east-1", **keys, **options)
        client.meta.events.register_first("before-send.s3vectors", throttle)
        return client

    create_table(aws["dynamodb"], "images", {"due": "N"})
    arns = create_indexes(aws["s3vectors"], {"image": 1280, "words": 384})
    settings = Settings(
        images_table="images",
        vector_engine="s3vectors",
        vector_indexes=",".join(f"{space}={arn}" for space, arn in arns.items()),
        lambda_task_root=str(MODELS_ROOT),
    )
    index = Wiring(settings, make_client).vector_index
    assert index.search("ann", "image", np.ones((1, 1280), np.float32), 5) == [[]]
    assert len(refused) == 2


class Empty:
    """A response's body."""

    def stream(self) -> list[bytes]:
        return [b"{}"]


def test_an_account_finds_all_of_its_own_beside_another_of_the_same_size(memory_world: World) -> None:
    for account in ("ann", "bob"):
        memory_world.index.put(account, entries(100))
    found = search(memory_world.index, entries(100)[0].vectors["image"], 100, account="bob")
    assert len(found) == 100


def test_of_an_index_that_was_made_anew_nothing_is_known(memory_world: World) -> None:
    memory_world.index.put("ann", [entry("a")])
    created = create_indexes(memory_world.s3vectors._client, SPACES)
    renamed = {space: f"{arn}-2" for space, arn in created.items()}
    assert list(memory_world.new_index(index_arns=renamed).keys("ann")) == []


def test_an_index_is_needed_for_each_space(memory_world: World) -> None:
    with pytest.raises(ValueError, match="indexes are needed"):
        memory_world.new_index(index_arns={"image": "arn"})


def test_many_writers_at_once_lose_nothing_and_nothing_removed_is_ever_found(world: World) -> None:
    put: set[str] = set()
    leaving: set[str] = set()
    removed: set[str] = set()
    over = Event()
    vector = entry("query").vectors["image"]

    def write(writer: int) -> None:
        index = world.new_index(Interruptions())
        for number in range(12):
            key = f"w{writer}n{number}"
            if number % 3:
                index.put("ann", [entry(key)])
                put.add(key)
            if number % 3 == 2:
                leaving.add(key)
                index.remove("ann", [key])
                removed.add(key)

    def read() -> None:
        index = world.new_index(Interruptions())
        while not over.is_set():
            expected, never = put.copy() - leaving, removed.copy()
            found = {match.key for match in search(index, vector, 100)}
            assert expected - leaving <= found and not found & never

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        writers = [pool.submit(write, number) for number in range(4)]
        try:
            for writer in writers:
                writer.result()
        finally:
            over.set()
        for reader in readers:
            reader.result()
    assert keys_found(world.index) == sorted(put - removed)
    assert len(world.vector_keys()) == 16


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "remove", "refresh"]), st.integers(0, 12), st.floats(0, 1)), max_size=30
)


@given(OPERATIONS)
def test_whatever_is_put_and_removed_in_whatever_order_it_answers_as_the_tests_own_index_does(
    operations: list[tuple[str, int, float]],
) -> None:
    world = World(MemoryDynamoDB(), MemoryS3Vectors(), StoppedClock())
    model = MemoryVectorIndex(SPACES)
    for operation, number, score in operations:
        for index in (world.index, model):
            if operation == "put":
                index.put("ann", [labelled(f"k{number}", number, dog=score), labelled(f"k{number + 1}", number)])
            elif operation == "remove":
                index.remove("ann", [f"k{number}"])
            else:
                index.refresh()
        for where in (Filter(), Filter(label="dog", min_label_score=0.5), Filter(since_ms=3, before_ms=9)):
            assert keys_found(world.index, where=where) == keys_found(model, where=where)
    assert sorted(world.index.keys("ann")) == sorted(model.keys("ann"))

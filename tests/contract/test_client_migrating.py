"""`python -m client index migrate`: both ways, over engines in memory and over those that are deployed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import numpy as np
import pytest
from moto import mock_aws

import client.__main__ as command_line
from client.migrating import Migration, MigrationTally
from client.stack import TASKS_STACK, AwsClients, Stack
from crowdsight.dynamodb import Table
from crowdsight.search.entries import image_entry
from crowdsight.search.index import Entry, Filter, VectorIndex
from crowdsight.search.library import ImageRecord, Label, Library
from crowdsight.search.s3_vectors_index import S3VectorsIndex
from crowdsight.wiring import Wiring
from tests.conftest import StoppedClock
from tests.contract.conftest import create_indexes, create_table
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3vectors import MemoryS3Vectors
from tests.contract.memory_vector_index import MemoryVectorIndex
from tests.contract.test_vector_index import SPACES, entry, keys_found, search

BUNDLE = "test-1"


class World:
    """A library, the tests' own index, and one in S3 Vectors."""

    def __init__(self, dynamodb: Any, s3vectors: Any, clock: StoppedClock) -> None:
        self.interruptions = Interruptions()
        watch = self.interruptions.watch
        create_table(dynamodb, "images", {"due": "N"})
        self.library = Library(Table(dynamodb, "images"), clock)
        self.other: VectorIndex = MemoryVectorIndex(SPACES)
        arns = create_indexes(s3vectors, SPACES)
        self.s3_vectors: VectorIndex = S3VectorsIndex(
            Table(watch(dynamodb), "images"), watch(s3vectors), arns, SPACES, clock
        )

    def save(self, account: str, number: int, *indexes: VectorIndex, bundle: str = BUNDLE) -> ImageRecord:
        """An image, with vectors in these indexes."""
        image = image_of(account, number, bundle)
        self.library.begin_save(image)
        for index in indexes:
            index.put(account, [image_entry(image, entry(image.key).vectors)])
        self.library.commit_save(image)
        return image

    def remove(self, image: ImageRecord, *indexes: VectorIndex) -> None:
        work = self.library.begin_removal(image)
        assert work
        for index in indexes:
            index.remove(image.account, [image.key])
        self.library.finish_removal(work)

    def migrate(self, source: VectorIndex, target: VectorIndex) -> tuple[int, int, int, int]:
        """Copied, skipped, missing, removed."""
        accounts = self.library.accounts()
        tally = MigrationTally(sum(accounts.values()))
        Migration(self.library, source, target, BUNDLE, tally, batch_images=3)(sorted(accounts))
        counts = tally.counts
        assert counts.done >= (tally.total or 0)
        return counts.copied, counts.skipped, counts.missing, counts.removed


def image_of(account: str, number: int, bundle: str = BUNDLE) -> ImageRecord:
    labels = (
        Label("dog", 0.25, (0, 0, 1, 1), 16),
        Label("cat", 0.5, (0, 0, 1, 1), 15),
        Label("dog", 0.75, (0, 0, 1, 1), 16),
    )
    return ImageRecord(
        account=account,
        image_id=f"{account.encode().hex()}{number:02x}".zfill(32),
        generation=f"{account}{number}",
        format="jpeg",
        width=1,
        height=1,
        size_bytes=1,
        labels=labels if number % 2 else (),
        saved_at_ms=1000 + number,
        source="",
        sent_digest=f"sent-{account}-{number}",
        stored_digest=f"stored-{account}-{number}",
        bundle=bundle,
    )


@pytest.fixture
def world(dynamodb: Any, s3vectors: Any, clock: StoppedClock) -> World:
    return World(dynamodb, s3vectors, clock)


@pytest.fixture(params=["to S3 Vectors", "from S3 Vectors"])
def ways(request: pytest.FixtureRequest, world: World) -> tuple[VectorIndex, VectorIndex]:
    """Source and target."""
    return (world.other, world.s3_vectors) if request.param == "to S3 Vectors" else (world.s3_vectors, world.other)


def test_every_accounts_images_are_copied_once_with_labels_and_times(
    world: World, ways: tuple[VectorIndex, VectorIndex]
) -> None:
    source, target = ways
    images = [world.save(account, number, source) for account in ("ann", "bob") for number in range(10)]
    assert world.library.accounts() == {"ann": 10, "bob": 10}
    assert world.migrate(source, target) == (20, 0, 0, 0)
    assert world.migrate(source, target) == (0, 20, 0, 0)
    for account in ("ann", "bob"):
        own = [image for image in images if image.account == account]
        keys = [image.key for image in own]
        assert sorted(target.keys(account)) == sorted(source.keys(account)) == sorted(keys)
        for key, vectors in target.vectors(account, keys).items():
            for space, vector in vectors.items():
                np.testing.assert_allclose(vector, entry(key).vectors[space], atol=1e-3)
        for where in (Filter(label="dog", min_label_score=0.75), Filter(since_ms=1003, before_ms=1006)):
            assert keys_found(target, account, where=where) == keys_found(source, account, where=where) != []
        [match] = search(target, entry(keys[3]).vectors["image"], 1, account=account)
        assert match.key == keys[3] and match.score == pytest.approx(1, abs=1e-6)


def test_a_second_run_makes_up_for_what_was_saved_and_removed_since(
    world: World, ways: tuple[VectorIndex, VectorIndex]
) -> None:
    source, target = ways
    images = [world.save("ann", number, source) for number in range(6)]
    world.migrate(source, target)
    world.remove(images[0], source)
    late = world.save("ann", 7, source)
    assert world.migrate(source, target) == (1, 5, 0, 1)
    # From here on the target is the one in use.
    world.remove(images[1], target)
    newest = world.save("ann", 8, target)
    assert world.migrate(source, target) == (0, 6, 0, 0)
    assert sorted(target.keys("ann")) == sorted(image.key for image in (*images[2:], late, newest))


def test_images_of_other_models_are_skipped_and_those_without_vectors_are_told(
    world: World, ways: tuple[VectorIndex, VectorIndex]
) -> None:
    source, target = ways
    world.save("ann", 1, source)
    world.save("ann", 2, bundle="other-1")
    world.save("ann", 3)
    assert world.migrate(source, target) == (1, 1, 1, 0)


def test_what_is_just_being_saved_into_the_target_is_left_alone(
    world: World, ways: tuple[VectorIndex, VectorIndex]
) -> None:
    source, target = ways
    world.save("ann", 1, source)
    saving, leftover = image_of("ann", 2), image_of("ann", 3)
    world.library.begin_save(saving)
    target.put("ann", [Entry(image.key, entry(image.key).vectors) for image in (saving, leftover)])
    assert world.migrate(source, target) == (1, 0, 0, 1)
    world.library.commit_save(saving)
    assert saving.key in set(target.keys("ann")) and leftover.key not in set(target.keys("ann"))


def test_an_image_that_was_saved_anew_has_only_its_new_vectors(
    world: World, ways: tuple[VectorIndex, VectorIndex]
) -> None:
    source, target = ways
    first = world.save("ann", 1, source)
    world.migrate(source, target)
    world.remove(first, source)
    anew = replace(first, generation="anew")
    world.library.begin_save(anew)
    source.put("ann", [Entry(anew.key, entry(anew.key).vectors)])
    world.library.commit_save(anew)
    assert world.migrate(source, target) == (1, 0, 0, 1)
    assert list(target.keys("ann")) == [anew.key]


def test_vectors_are_read_in_the_order_in_which_they_lie_and_only_the_rest_by_key(clock: StoppedClock) -> None:
    asked: list[int] = []

    class Source(MemoryVectorIndex):
        def all_vectors(self, account: str, size: int) -> Any:
            yield from list(super().all_vectors(account, size))[1:]  # some were tidied meanwhile

        def vectors(self, account: str, keys: Any) -> Any:
            asked.append(len(keys))
            return super().vectors(account, keys)

    world = World(MemoryDynamoDB(), MemoryS3Vectors(), clock)
    source, target = Source(SPACES), MemoryVectorIndex(SPACES)
    for number in range(10):
        world.save("ann", number, source)
    assert world.migrate(source, target) == (10, 0, 0, 0)
    in_parts, by_key = asked[:4], asked[4:]
    assert in_parts == [3, 3, 3, 1] and sum(by_key) == 3
    assert sorted(target.keys("ann")) == sorted(source.keys("ann"))


def test_a_run_that_is_killed_anywhere_is_gone_on_with_by_the_next(clock: StoppedClock) -> None:
    at = 0
    while True:
        world = World(MemoryDynamoDB(), MemoryS3Vectors(), clock)
        keys = sorted(world.save("ann", number, world.other).key for number in range(8))
        world.interruptions.arm(at, kill)
        try:
            world.migrate(world.other, world.s3_vectors)
        except Killed:
            pass
        is_over = world.interruptions.disarm()
        world.migrate(world.other, world.s3_vectors)
        assert sorted(world.s3_vectors.keys("ann")) == keys_found(world.s3_vectors) == keys
        if is_over:
            break
        at += 1
    assert at > 10


# The command, over a deployment


@pytest.fixture
def deployment() -> Iterator[dict[str, str]]:
    """A deployment where the usual credentials reach; its outputs may be changed before it is looked at."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="images")
        for table in ("images", "accounts"):
            create_table(boto3.client("dynamodb"), table, {"due": "N"})
        arns = create_indexes(boto3.client("s3vectors"), {"image": 1280, "words": 384})
        yield {
            "ImagesTable": "images",
            "ImagesBucket": "images",
            "ImageNamesSecret": "none",
            "SearchBundle": "embedded",
            "AccountsTable": "accounts",
            "TasksTable": "none",
            "UsagePlan": "none",
            **dict.fromkeys(("FreeSearches", "SearchPriceCents", "CrowdBudgetCents"), "0"),
            "VectorEngine": "segments",
            "VectorIndexes": ",".join(f"{space}={arn}" for space, arn in arns.items()),
        }


def deploy(outputs: dict[str, str]) -> Wiring:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=TASKS_STACK, TemplateBody=json.dumps(template))
    return Stack(AwsClients.signed_in()).image_search()


def test_the_command_copies_both_ways_between_the_deployments_engines(
    clients: dict[str, Any], deployment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    wiring = deploy(deployment)
    spaces = wiring.model_bundle.spaces
    segments, s3_vectors = wiring.vector_index_of("segments"), wiring.vector_index_of("s3vectors")
    random = np.random.default_rng(5)
    for number in range(3):
        image = image_of("ann", number, wiring.model_bundle.name)
        wiring.library.begin_save(image)
        vectors = {space: random.normal(size=size).astype(np.float32) for space, size in spaces.items()}
        segments.put("ann", [Entry(image.key, vectors)])
        wiring.library.commit_save(image)
    ran = []
    for engine in ("s3vectors", "s3vectors", "segments"):
        assert command_line.main(["index", "migrate", "--to", engine], {}) == 0
        document = json.loads(capsys.readouterr().out)
        ran.append((document["to"], document["accounts"], document["copied"], document["skipped"]))
    assert ran == [("s3vectors", 1, 3, 0), ("s3vectors", 1, 0, 3), ("segments", 1, 0, 3)]
    assert sorted(s3_vectors.keys("ann")) == sorted(segments.keys("ann"))


def test_the_command_tells_if_the_target_cannot_be_refreshed(
    clients: dict[str, Any], deployment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    wiring = deploy(deployment)
    table, bundle = Table(boto3.client("dynamodb"), "images"), wiring.model_bundle.name
    table.put({"pk": f"DIRTY#{bundle}", "sk": "bob", "mark": "1"})
    table.put({"pk": f"LOG#{bundle}#bob", "sk": "PUT#1", "count": 1})  # an item that lacks all else
    assert command_line.main(["index", "migrate", "--to", "segments"], {}) == 1
    assert json.loads(capsys.readouterr().out)["failed"] == 1


def test_a_deployment_without_indexes_of_s3_vectors_is_told_how_to_have_them(
    clients: dict[str, Any], deployment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    del deployment["VectorIndexes"]
    deploy(deployment)
    assert command_line.main(["index", "migrate", "--to", "s3vectors"], {}) == 1
    assert "keep_vector_bucket" in capsys.readouterr().err

"""An index in S3 and DynamoDB, what lies in them, and what must hold of it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

import numpy as np

from crowdsight.dynamodb import Table
from crowdsight.search.folding import (
    ABANDONED_AFTER_S,
    MOST_BYTES,
    RETIRED_GRACE_S,
)
from crowdsight.search.index import Entry
from crowdsight.search.manifest import Manifest, Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import RECALL, S3VectorIndex
from crowdsight.search.segments import CACHE_BYTES
from tests.conftest import StoppedClock
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions
from tests.contract.test_vector_index import SPACES, entry, keys_found, search

MANIFEST = "vectors/test-1/ann/manifest.json"


class World:
    """An index with its table and bucket, and what lies in them."""

    def __init__(self, dynamodb: Any, s3: Any, clock: StoppedClock, spaces: Mapping[str, int] = SPACES) -> None:
        self.spaces = spaces
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
            table, objects, "test-1", self.spaces, self.clock, lambda: uuid4().hex, recall, cache_bytes, most_bytes
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


def check_has(world: World, expected: Sequence[str], index: S3VectorIndex | None = None) -> None:
    """Exactly these are found, each once, by a new process unless another is given."""
    index = index or world.new_index()
    keys = sorted(expected)
    assert sorted(index.keys("ann")) == keys
    found = search(index, entry("query").vectors["image"], len(keys) + 100)
    assert sorted(match.key for match in found) == keys
    assert index.stats("ann").vectors == len(keys)


def check_holds(world: World, expected: list[str]) -> None:
    """After all is tidied: exactly these are found, and nothing else lies anywhere."""
    assert keys_found(world.new_index()) == expected
    world.tidy()
    assert keys_found(world.new_index()) == expected
    assert world.is_clean()
    assert world.new_index().stats("ann").vectors == len(expected)
    assert len(world.segment_names()) == world.new_index().stats("ann").segments == min(1, len(expected))
    assert MANIFEST in world.object_keys()

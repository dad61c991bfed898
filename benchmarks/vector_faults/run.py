"""One run: writers that meet errors and die, readers that audit, and at the end all that is left."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import boto3
import numpy as np
from moto import mock_aws

from benchmarks.vector_faults.books import Books
from benchmarks.vector_faults.faults import AnswerLost, Died, Faults, Refused
from crowdsight.dynamodb import Table
from crowdsight.search.folding import ABANDONED_AFTER_S, ERASED_AFTER_S, FULL_ROWS, RETIRED_GRACE_S, Contended
from crowdsight.search.index import Entry, Filter
from crowdsight.search.manifest import Manifests
from crowdsight.search.objects import Objects
from crowdsight.search.s3_index import S3VectorIndex
from local import aws_dynamodb, aws_s3
from tests.contract.conftest import create_table
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3

SPACES = {"image": 24, "words": 8}
BUNDLE = "faults-1"
BUCKET = TABLE = "images"
ACCOUNTS = ("ann", "bob")
VECTORS = 65_536
"""So many different vectors; a key's is the one of its number, counted round and round."""

SMALL = (1, 20)
REMOVED = (1, 200)
ASKED = 200
ALL = 10_000_000
AGAIN_SHARE = 0.7
"""How often what a process died of, or failed at, is done again; else it is given up."""

PUT, PUT_AGAIN, PUT_MANY, REMOVE, REFRESH = "put", "put again", "put many", "remove", "refresh"
SHARES = {PUT: 0.45, PUT_AGAIN: 0.05, PUT_MANY: 0.03, REMOVE: 0.2, REFRESH: 0.27}


@dataclass(frozen=True)
class Plan:
    """`probability`: of a fault, a call. `speed`: how much faster the index's clock runs; a search should take less
    than the grace of what is replaced, 60 s, by that clock: moto's S3 and DynamoDB are slow with so many callers.
    `in_memory`: the tests' own instead of them, where a speed of 20 is not too much.
    """

    seconds: float = 60.0
    writers: int = 20
    readers: int = 4
    seed: int = 1
    probability: float = 0.02
    speed: float = 4.0
    in_memory: bool = False


@dataclass(frozen=True)
class Report:
    """`puts`, `removals`, `refreshes`: operations that ended; `given_up`: those that did not. `failed`: how
    often a call's error ended one, or kept a refresh from an account; `contended`: how often others were quicker, time
    after time. `vectors`: how many there were at the end; `largest_segment`: in entries.

    `lost`, `twice`, `again`, `invented`, `changed`: keys, at the end or in a search; `fewer`: keys that a search did
    not find though they were there; `errors`: of readers, and of writers and refreshes other than these; `left_over`:
    objects that nobody accounts for, and items of the log. All of these must be 0.
    `met_deleted`: how often a search met a segment that was deleted meanwhile, and was done again.
    """

    plan: Plan
    puts: int
    vectors_put: int
    removals: int
    refreshes: int
    failures_injected: int
    given_up: int
    failed: int
    contended: int
    searches: int
    slowest_search_s: float
    met_deleted: int
    vectors: int
    largest_segment: int
    lost: int
    twice: int
    again: int
    invented: int
    changed: int
    fewer: int
    errors: list[str]
    left_over: list[str]

    @property
    def is_ok(self) -> bool:
        wrong = self.lost + self.twice + self.again + self.invented + self.changed + self.fewer
        return not (wrong or self.errors or self.left_over)

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.is_ok}


class FastClock:
    """Milliseconds since the epoch, passing faster than they do; it can be moved."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began_at = time.monotonic()
        self._began_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self._began_ms + round((time.monotonic() - self._began_at) * self._speed * 1000)

    def move(self, seconds: float) -> None:
        self._began_ms += round(seconds * 1000)


def run(plan: Plan, show: Callable[[float], None] = lambda seconds: None) -> Report:
    """Run the plan. `show` is told how many seconds have passed."""
    with _clients(plan.in_memory) as (dynamodb, s3):
        s3.create_bucket(Bucket=BUCKET)
        create_table(dynamodb, TABLE, {"due": "N"})
        this_run = _Run(plan, dynamodb, s3)
        with _lines_to(this_run.hear):
            return this_run.run(show)


@contextmanager
def _clients(in_memory: bool) -> Iterator[tuple[Any, Any]]:
    if in_memory:
        yield MemoryDynamoDB(), MemoryS3()
        return
    aws_dynamodb.install()
    aws_s3.install()
    with mock_aws():
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        dynamodb, s3 = (boto3.client(name, region_name="us-east-1", **keys) for name in ("dynamodb", "s3"))
        yield dynamodb, s3


@contextmanager
def _lines_to(hear: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """What the index has to say of segments that it cannot read, and of accounts that it cannot refresh."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hear(record)

    handler, logger = Lines(), logging.getLogger("crowdsight.search")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Run:
    def __init__(self, plan: Plan, dynamodb: Any, s3: Any) -> None:
        self._plan = plan
        self._dynamodb = dynamodb
        self._s3 = s3
        self._clock = FastClock(plan.speed)
        self._books = Books(ACCOUNTS)
        self._counts: Counter[str] = Counter()
        self._errors: list[str] = []
        self._slowest_s = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        dice = np.random.default_rng(plan.seed)
        self._vectors = {}
        for space, size in SPACES.items():
            middles = dice.normal(size=(100, size))
            numbers = middles[dice.integers(0, 100, VECTORS)] + 0.5 * dice.normal(size=(VECTORS, size))
            self._vectors[space] = (numbers / np.linalg.norm(numbers, axis=1, keepdims=True)).astype(np.float32)

    def run(self, show: Callable[[float], None]) -> Report:
        began_at = time.monotonic()
        with ThreadPoolExecutor(self._plan.writers + self._plan.readers) as threads:
            jobs = [threads.submit(self._write, number) for number in range(self._plan.writers)]
            jobs += [threads.submit(self._read, number) for number in range(self._plan.readers)]
            while (passed_s := time.monotonic() - began_at) < self._plan.seconds:
                show(passed_s)
                time.sleep(min(0.5, self._plan.seconds - passed_s))
            self._stopped.set()
            for job in jobs:
                job.result()
        return self._audit()

    def hear(self, record: logging.LogRecord) -> None:
        """A line of the index's log."""
        if "is damaged" in record.getMessage():
            self._count("met_deleted")
        elif record.exc_info and record.exc_info[1]:
            self._meet(REFRESH, record.exc_info[1])

    def _index(self, faults: Faults | None = None) -> S3VectorIndex:
        """A process's own."""
        dynamodb, s3 = self._dynamodb, self._s3
        if faults:
            dynamodb, s3 = faults.over(dynamodb), faults.over(s3)
        table, objects = Table(dynamodb, TABLE), Objects(s3, BUCKET)
        return S3VectorIndex(table, objects, BUNDLE, SPACES, self._clock, lambda: uuid4().hex)

    def _entries(self, keys: Sequence[str]) -> list[Entry]:
        numbers = [_number(key) for key in keys]
        return [
            Entry(key, {space: matrix[number % VECTORS] for space, matrix in self._vectors.items()}, {}, number)
            for key, number in zip(keys, numbers, strict=True)
        ]

    # Writers

    def _write(self, number: int) -> None:
        dice = random.Random(f"writer {self._plan.seed} {number}")
        faults = Faults(self._plan.probability, f"faults {self._plan.seed} {number}")
        index = self._index(faults)
        mine: dict[str, list[str]] = {account: [] for account in ACCOUNTS}
        put = 0
        while not self._stopped.is_set():
            account = dice.choice(ACCOUNTS)
            kind = dice.choices([*SHARES], [*SHARES.values()])[0]
            if kind in (PUT, PUT_MANY):
                count = dice.randint(*SMALL) if kind == PUT else FULL_ROWS
                keys = [f"w{number}-{at}" for at in range(put, put + count)]
                put += count
                mine[account] += keys
            elif kind != REFRESH:
                known = mine[account]
                keys = dice.sample(known, min(len(known), dice.randint(*(REMOVED if kind == REMOVE else SMALL))))
                if kind == REMOVE:
                    removed = set(keys)
                    mine[account] = [key for key in known if key not in removed]
            else:
                keys = []
            while True:
                try:
                    self._do(index, kind, account, keys)
                    break
                except Died:
                    index = self._index(faults)  # the next process
                except Exception as error:
                    self._meet(kind, error)
                if dice.random() > AGAIN_SHARE:
                    self._count("given_up")
                    break
        self._count("failures_injected", faults.injected)

    def _do(self, index: S3VectorIndex, kind: str, account: str, keys: Sequence[str]) -> None:
        if kind == REFRESH:
            index.refresh(self._stopped.is_set)  # what keeps it from an account it tells the log, and that `_meet`
            self._count("refreshes")
        elif kind == REMOVE:
            self._books.begin_removal(account, keys)
            index.remove(account, keys)
            self._books.end_removal(account, keys)
            self._count("removals")
        else:
            self._books.begin_put(account, keys)
            index.put(account, self._entries(keys))
            self._books.end_put(account, keys)
            self._count("puts")
            self._count("vectors_put", len(keys))

    def _meet(self, kind: str, error: BaseException) -> None:
        """Count what is to be expected of an operation; anything else is an error of this run."""
        if isinstance(error, Contended):
            self._count("contended")
        elif isinstance(error, (Refused, AnswerLost)):
            self._count("failed")
        else:
            self._tell(f"{kind}: {error!r}")

    # Readers

    def _read(self, number: int) -> None:
        dice = random.Random(f"reader {self._plan.seed} {number}")
        index = self._index()
        while not self._stopped.is_set():
            try:
                self._search(index, dice)
            except Exception as error:
                self._tell(f"search: {error!r}")
            if dice.random() < 0.05:
                index = self._index()  # a cold one

    def _search(self, index: S3VectorIndex, dice: random.Random) -> None:
        account = dice.choice(ACCOUNTS)
        before = self._books.before(account)
        asked = None
        if dice.random() < 0.5:
            asked = dice.sample(sorted(before.there), min(ASKED, len(before.there)))
        query = self._vectors["image"][dice.randrange(VECTORS)][np.newaxis]
        began_at = time.monotonic()
        [matches] = index.search(account, "image", query, ALL, Filter(keys=asked))
        took_s = time.monotonic() - began_at
        self._books.check(before, [match.key for match in matches], asked)
        with self._lock:
            self._slowest_s = max(self._slowest_s, took_s)
        self._count("searches")

    # The end

    def _audit(self) -> Report:
        met_deleted = self._counts["met_deleted"]
        index = self._index()
        for account in ACCOUNTS:
            index.remove(account, self._books.unfinished_removals(account))
            self._books.end_removal(account, self._books.unfinished_removals(account))
        for seconds in (0, ABANDONED_AFTER_S, RETIRED_GRACE_S, ERASED_AFTER_S, RETIRED_GRACE_S, RETIRED_GRACE_S):
            self._clock.move(seconds + 1)
            if index.refresh().failed:
                self._tell("a refresh at the end failed")
        during = self._books.wrong["fewer"]
        changed = vectors = largest = 0
        left_over: list[str] = []
        for account in ACCOUNTS:
            fresh = self._index()
            before = self._books.before(account)
            keys = list(fresh.keys(account))
            self._books.check(before, keys)
            [matches] = fresh.search(account, "image", self._vectors["image"][:1], ALL)
            self._books.check(before, [match.key for match in matches])
            changed += self._changed(fresh, account, keys)
            vectors += len(keys)
            if fresh.stats(account).vectors != len(keys):
                self._tell(f"{account}: {fresh.stats(account)}, but {len(keys)} keys")
            sizes, found = self._left_over(account)
            largest = max([largest, *sizes])
            left_over += found
        wrong, counts = self._books.wrong, self._counts
        return Report(
            plan=self._plan,
            puts=counts["puts"],
            vectors_put=counts["vectors_put"],
            removals=counts["removals"],
            refreshes=counts["refreshes"],
            failures_injected=counts["failures_injected"],
            given_up=counts["given_up"],
            failed=counts["failed"],
            contended=counts["contended"],
            searches=counts["searches"],
            slowest_search_s=round(self._slowest_s, 2),
            met_deleted=met_deleted,
            vectors=vectors,
            largest_segment=largest,
            lost=wrong["fewer"] - during,
            twice=wrong["twice"],
            again=wrong["again"],
            invented=wrong["invented"],
            changed=changed,
            fewer=during,
            errors=self._errors,
            left_over=left_over,
        )

    def _changed(self, index: S3VectorIndex, account: str, keys: Sequence[str]) -> int:
        """How many keys have other vectors than were put."""
        changed = set(keys)
        for key, vectors in index.vectors(account, keys).items():
            if all(
                np.abs(vector - self._vectors[space][_number(key) % VECTORS]).max() < 2e-3
                for space, vector in vectors.items()
            ):
                changed.discard(key)
        return len(changed)

    def _left_over(self, account: str) -> tuple[list[int], list[str]]:
        """How many entries each segment has; objects that the manifest does not speak of, or speaks of in vain, and
        what the log has in it."""
        prefix = f"vectors/{BUNDLE}/{account}"
        manifest = Manifests(Objects(self._s3, BUCKET)).read(prefix).manifest
        listed = self._s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        objects = {each["Key"] for each in listed if each["Key"].startswith(f"{prefix}/")}
        expected = {f"{prefix}/manifest.json"}
        for segment in manifest.segments:
            expected |= {f"{prefix}/segments/{segment.name}.{part}" for part in segment.parts}
            if segment.deletions:
                expected.add(f"{prefix}/segments/{segment.deletions.name}.deleted")
        items = Table(self._dynamodb, TABLE).query_all(f"LOG#{BUNDLE}#{account}")
        log = {item["sk"] for item in items if not item["sk"].startswith(("GONE#", "SEEN#"))}
        return [segment.rows for segment in manifest.segments], sorted((objects ^ expected) | log)

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _tell(self, error: str) -> None:
        with self._lock:
            self._errors.append(error)


def _number(key: str) -> int:
    """A key's: those of different writers are far from each other."""
    writer, _, at = key.removeprefix("w").partition("-")
    return int(writer) * 4093 + int(at)

"""Storing the pictures, asking for them, and counting what is found."""

import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import boto3
import numpy as np
from moto import mock_aws
from numpy.typing import NDArray

from benchmarks.recall.pictures import Picture, Selection, list_pictures, select
from benchmarks.recall.variants import VARIANTS
from benchmarks.recall.words import (
    Relevance,
    chance,
    everyday_names,
    folder_names,
    imagenet_names,
    relevant_by_file,
    relevant_by_folder,
)
from crowdsight.images.decoding import decode
from crowdsight.models.bundle import Bundle
from crowdsight.search.finding import embed_for_search, picture_to_embed
from crowdsight.search.index import Entry, VectorIndex
from crowdsight.wiring import Settings, Wiring

SEARCH_FUNCTIONS = Path(__file__).parents[2] / "functions" / "search"
CATEGORIES = SEARCH_FUNCTIONS / "models" / "embedded" / "coco80.json"
NAME = "images"
ACCOUNT = "default"
ENTRIES_AT_ONCE = 100
CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
PERCENTILES = (10, 50, 90)

LEAST_PICTURES = 500
LEAST_IMAGE_RECALL = 0.95
LEAST_TIMES_CHANCE = 50

Advance = Callable[[str], None]
"""Told of each picture or word that is done with: `taken`, `stored`, `queries` or `words`."""


@dataclass(frozen=True)
class ImageRecall:
    """Image to image. `queries`: of each variant; the shares are of queries whose own picture came first."""

    queries: int
    recall_at_1: float
    by_variant: Mapping[str, float]


@dataclass(frozen=True)
class TextRecall:
    """Text to image, for one kind of words. `mrr`: the mean of one over the rank of the first relevant picture."""

    words: int
    recall_at_1: float
    recall_at_5: float
    mrr: float
    chance: float

    @property
    def times_chance(self) -> float:
        return self.recall_at_1 / self.chance if self.chance else 0.0


@dataclass(frozen=True)
class TopScores:
    """Percentiles of the highest score, and how likely a word that is there scores higher than one that is not."""

    right: Sequence[float]
    wrong: Sequence[float]
    absent: Sequence[float]
    absent_words: int
    present_above_absent: float


@dataclass(frozen=True)
class Report:
    """All figures of a run."""

    bundle: str
    seed: int
    files: int
    selection: Selection
    images: ImageRecall
    texts: Mapping[str, TextRecall]
    top_scores: TopScores

    @property
    def shortfalls(self) -> list[str]:
        """Which of the required figures are missed."""
        stored, recall = len(self.selection.taken), self.images.recall_at_1
        times_chance = self.texts["imagenet"].times_chance
        missed = {
            f"{stored} pictures are fewer than {LEAST_PICTURES}": stored < LEAST_PICTURES,
            f"image to image: recall@1 is {recall:.4f}, below {LEAST_IMAGE_RECALL}": recall < LEAST_IMAGE_RECALL,
            f"text to image: {times_chance:.1f} times chance, below {LEAST_TIMES_CHANCE}": times_chance
            < LEAST_TIMES_CHANCE,
        }
        return [what for what, is_missed in missed.items() if is_missed]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bundle": self.bundle,
            "seed": self.seed,
            "files": self.files,
            "pictures": len(self.selection.taken),
            "duplicates_removed": self.selection.duplicates,
            "undecodable": self.selection.undecodable,
            "image_to_image": _rounded(asdict(self.images)),
            "text_to_image": {
                kind: _rounded(asdict(recall), digits=5) | {"times_chance": round(recall.times_chance, 1)}
                for kind, recall in self.texts.items()
            },
            "top_scores": _rounded(asdict(self.top_scores), digits=3),
            "ok": not self.shortfalls,
        }


class Gallery:
    """Stored pictures, known by their numbers."""

    def __init__(self, pictures: Sequence[Picture], bundle: Bundle, index: VectorIndex) -> None:
        self.pictures = pictures
        self.bundle = bundle
        self._index = index

    def store(self, on_stored: Callable[[], None]) -> None:
        """Embed and put all pictures, and fold them into segments, as the schedule would."""
        for start in range(0, len(self.pictures), ENTRIES_AT_ONCE):
            entries = []
            numbers = range(start, min(start + ENTRIES_AT_ONCE, len(self.pictures)))
            for number, vectors in zip(numbers, _in_parallel(self._embed, numbers), strict=True):
                entries.append(Entry(f"{number:06}", vectors))
                on_stored()
            self._index.put(ACCOUNT, entries)
        self._index.refresh()

    def search(self, space: str, query: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """Numbers of pictures with their scores, best first."""
        return [
            (int(match.key), match.score) for match in self._index.search(ACCOUNT, space, query[np.newaxis], limit)[0]
        ]

    def ask(self, text: str) -> list[tuple[int, float]]:
        """All pictures with their scores, best first."""
        return self.search(self.bundle.text_space, self.bundle.embed_text(text), len(self.pictures))

    def _embed(self, number: int) -> dict[str, NDArray[np.float32]]:
        picture = picture_to_embed(self.bundle, self.pictures[number].path.read_bytes())
        return {space: rows[0] for space, rows in self.bundle.embed_images([picture]).items()}


def measure(roots: Sequence[Path], most: int, seed: int, advance: Advance) -> Report:
    """Everything, with pictures of these folders. Raises PicturesMissing."""
    found = list_pictures(roots)
    selection = select(found, most, seed, lambda: advance("taken"))
    with run_search() as (bundle, index):
        gallery = Gallery(selection.taken, bundle, index)
        gallery.store(lambda: advance("stored"))
        images = ask_by_images(gallery, seed, lambda: advance("queries"))
        kinds = {
            "imagenet": relevant_by_file(imagenet_names(), selection.taken),
            "everyday": relevant_by_file(everyday_names(CATEGORIES), selection.taken),
            "folders": relevant_by_folder(folder_names(selection.taken), selection.taken),
        }
        texts = {kind: ask_by_words(gallery, relevance, lambda: advance("words")) for kind, relevance in kinds.items()}
        absent = set(imagenet_names()) - set(relevant_by_file(imagenet_names(), found))
        scores = compare_scores(gallery, kinds["imagenet"], sorted(absent), lambda: advance("words"))
    return Report(bundle.name, seed, len(found), selection, images, texts, scores)


@contextmanager
def run_search() -> Iterator[tuple[Bundle, VectorIndex]]:
    """The embedded bundle, each run of a model on one core, and the product's index, empty, on moto."""
    settings = Settings(images_table=NAME, images_bucket=NAME, lambda_task_root=str(SEARCH_FUNCTIONS))
    make_client = partial(boto3.client, **CREDENTIALS)
    with mock_aws():
        make_client("s3").create_bucket(Bucket=NAME)
        make_client("dynamodb").create_table(
            TableName=NAME,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        )
        wiring = Wiring(settings, make_client)
        yield wiring.model_bundle, wiring.vector_index


def ask_by_images(gallery: Gallery, seed: int, on_asked: Callable[[], None]) -> ImageRecall:
    """Every picture in every variant; right is a query whose own picture comes first."""
    space = gallery.bundle.image_space
    right = dict.fromkeys(VARIANTS, 0)

    def embed_variants(number: int) -> list[NDArray[np.float32]]:
        path = gallery.pictures[number].path
        image = decode(path.read_bytes())
        dice = random.Random(f"variants {seed} {path.name}")
        return [embed_for_search(gallery.bundle, make(image, dice)) for make in VARIANTS.values()]

    numbers = range(len(gallery.pictures))
    for number, queries in zip(numbers, _in_parallel(embed_variants, numbers), strict=True):
        for variant, query in zip(VARIANTS, queries, strict=True):
            right[variant] += gallery.search(space, query, 1)[0][0] == number
        on_asked()
    shares = {variant: count / len(numbers) for variant, count in right.items()}
    return ImageRecall(len(numbers), fmean(shares.values()), shares)


def ask_by_words(gallery: Gallery, relevance: Relevance, on_asked: Callable[[], None]) -> TextRecall:
    """Every word once; ranks are those of the first relevant picture."""
    ranks = []
    for text, relevant in relevance.items():
        ranks.append(first_rank([number for number, _ in gallery.ask(text)], relevant))
        on_asked()
    if not ranks:
        return TextRecall(0, 0.0, 0.0, 0.0, 0.0)
    return TextRecall(
        words=len(ranks),
        recall_at_1=fmean(rank == 1 for rank in ranks),
        recall_at_5=fmean(rank <= 5 for rank in ranks),
        mrr=fmean(1 / rank for rank in ranks),
        chance=chance(relevance, len(gallery.pictures)),
    )


def compare_scores(
    gallery: Gallery, present: Relevance, absent: Sequence[str], on_asked: Callable[[], None]
) -> TopScores:
    """The highest score for each word that is there and each that is not."""

    def top(text: str) -> tuple[int, float]:
        on_asked()
        return gallery.search(gallery.bundle.text_space, gallery.bundle.embed_text(text), 1)[0]

    right: list[float] = []
    wrong: list[float] = []
    for text, relevant in present.items():
        number, score = top(text)
        (right if number in relevant else wrong).append(score)
    absent_scores = [top(text)[1] for text in absent]
    return TopScores(
        right=percentiles(right),
        wrong=percentiles(wrong),
        absent=percentiles(absent_scores),
        absent_words=len(absent),
        present_above_absent=share_above(right + wrong, absent_scores),
    )


def first_rank(ranking: Sequence[int], relevant: Collection[int]) -> int:
    """From 1; one of the relevant is always there."""
    return next(rank for rank, number in enumerate(ranking, start=1) if number in relevant)


def percentiles(values: Sequence[float]) -> list[float]:
    """The 10th, 50th and 90th; none of no values."""
    return [float(value) for value in np.percentile(values, PERCENTILES)] if values else []


def share_above(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Of all pairs, those whose first is greater; equal ones count half (Mann and Whitney 1947). 0.5 of no pairs."""
    if not higher or not lower:
        return 0.5
    differences = np.subtract.outer(np.array(higher), np.array(lower))
    return float(np.mean((np.sign(differences) + 1) / 2))


def _in_parallel(work: Callable[[int], Any], numbers: Sequence[int]) -> Iterator[Any]:
    """Results in order, with a thread for each core."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(work, numbers)


def _rounded(value: Any, digits: int = 4) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(each, digits) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each, digits) for each in value]
    return round(value, digits) if isinstance(value, float) else value

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recall.measuring import (
    Gallery,
    ImageRecall,
    Report,
    TextRecall,
    TopScores,
    ask_by_images,
    ask_by_words,
    compare_scores,
    first_rank,
    percentiles,
    share_above,
)
from benchmarks.recall.pictures import Picture, Selection
from crowdsight.models.bundle import Detection
from tests.contract.memory_vector_index import MemoryVectorIndex
from tests.unit.benchmarks.test_recall_words import LEMON

COLOURS = {"red": (200, 0, 0), "blue": (0, 0, 200), "dark": (50, 50, 50), "purple": (150, 0, 150)}


class ColourBundle:
    """A picture is its mean colour, and a text the colour it names."""

    name = "colour-1"
    spaces = {"colour": 3}
    image_space = text_space = "colour"
    image_size_px = 8

    def embed_images(self, images: Sequence[Image.Image]) -> dict[str, NDArray[np.float32]]:
        means = [np.asarray(image, np.float32).mean((0, 1)) for image in images]
        return {"colour": np.stack([mean / np.linalg.norm(mean) for mean in means])}

    def embed_text(self, text: str) -> NDArray[np.float32]:
        colour = np.array(COLOURS[text], np.float32)
        return colour / np.linalg.norm(colour)

    def detect(self, image: Image.Image) -> list[Detection]:
        return []


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Red, blue and dark grey are pictures 0, 1 and 2."""
    pictures = []
    for name in ("red", "blue", "dark"):
        Image.new("RGB", (16, 16), COLOURS[name]).save(tmp_path / f"{name}.png")
        pictures.append(Picture(tmp_path / f"{name}.png", ()))
    gallery = Gallery(pictures, ColourBundle(), MemoryVectorIndex())
    stored: list[int] = []
    gallery.store(lambda: stored.append(1))
    assert len(stored) == 3
    return gallery


def report(pictures: int = 500, recall: float = 0.95, words_right: float = 0.2) -> Report:
    taken: list[Picture] = [LEMON] * pictures
    return Report(
        bundle="a-bundle-1",
        seed=0,
        files=600,
        selection=Selection(taken, duplicates=3, undecodable=2),
        images=ImageRecall(pictures, recall, {"grey": recall}),
        texts={"imagenet": TextRecall(10, words_right, 0.5, 0.25, chance=0.004)},
        top_scores=TopScores([0.1, 0.5, 0.91234], [], [0.1, 0.2, 0.3], 5, 0.75),
    )


def test_a_report_that_reaches_every_figure_is_ok() -> None:
    document = report().document()
    assert document["ok"] is True
    assert document["text_to_image"]["imagenet"]["times_chance"] == 50
    assert (document["pictures"], document["duplicates_removed"], document["undecodable"]) == (500, 3, 2)
    assert document["top_scores"]["right"] == [0.1, 0.5, 0.912]


@pytest.mark.parametrize(
    "short, missed",
    [
        (report(pictures=499), "499 pictures"),
        (report(recall=0.9499), "recall@1 is 0.9499"),
        (report(words_right=0.19), "47.5 times chance"),
    ],
)
def test_a_figure_that_is_missed_is_named(short: Report, missed: str) -> None:
    (shortfall,) = short.shortfalls
    assert missed in shortfall
    assert short.document()["ok"] is False


def test_no_word_at_all_is_no_success() -> None:
    none_asked = replace(report(), texts={"imagenet": TextRecall(0, 0.0, 0.0, 0.0, 0.0)})
    assert none_asked.shortfalls


def test_the_first_relevant_picture_counts() -> None:
    assert first_rank([7, 4, 2], {2, 4}) == 2


def test_scores_are_compared_pair_by_pair() -> None:
    assert share_above([3.0, 4.0], [1.0, 2.0]) == 1
    assert share_above([1.0], [2.0]) == 0
    assert share_above([2.0], [1.0, 2.0, 3.0, 2.0]) == 0.5
    assert share_above([], [1.0]) == 0.5


def test_percentiles_of_no_values_are_none() -> None:
    assert percentiles([]) == []
    assert percentiles([float(number) for number in range(11)]) == [1, 5, 9]


def test_a_query_is_right_if_its_own_picture_comes_first(gallery: Gallery) -> None:
    asked: list[int] = []
    recall = ask_by_images(gallery, seed=0, on_asked=lambda: asked.append(1))
    # Whatever is grey is most like the dark picture.
    assert recall.by_variant == {
        "cropped": 1,
        "mirrored": 1,
        "jpeg_30": 1,
        "quarter_size": 1,
        "grey": pytest.approx(1 / 3),
    }
    assert recall.recall_at_1 == pytest.approx((4 + 1 / 3) / 5)
    assert recall.queries == len(asked) == 3


def test_words_are_judged_by_the_rank_of_the_first_relevant_picture(gallery: Gallery) -> None:
    relevance = {"red": frozenset({0, 2}), "blue": frozenset({2})}
    recall = ask_by_words(gallery, relevance, lambda: None)
    # To blue, dark is second.
    assert recall == TextRecall(2, recall_at_1=0.5, recall_at_5=1, mrr=0.75, chance=0.5)


def test_no_words_are_never_right(gallery: Gallery) -> None:
    assert ask_by_words(gallery, {}, lambda: None) == TextRecall(0, 0, 0, 0, 0)


def test_top_scores_are_told_apart_by_what_was_found(gallery: Gallery) -> None:
    present = {"red": frozenset({0}), "blue": frozenset({2})}
    scores = compare_scores(gallery, present, ["purple"], lambda: None)
    assert scores.right == pytest.approx([1, 1, 1])
    assert scores.wrong == pytest.approx([1, 1, 1])
    # Purple is 35 degrees from dark, and 45 from red and from blue.
    assert scores.absent == pytest.approx([np.sqrt(2 / 3)] * 3, abs=1e-6)
    assert (scores.absent_words, scores.present_above_absent) == (1, 1)

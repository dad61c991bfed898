"""What the embedded models make of crowd tasks, on photographs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from crowdsight.catalogue import Document, ImageContainsInput, ImageSimilarityInput
from crowdsight.crowd.scoring import Scorer
from crowdsight.errors import UnfetchableImage
from crowdsight.models.bundle import Bundle


@dataclass
class Photographs:
    """A fetcher of photographs by their names."""

    files: Mapping[str, bytes]

    def fetch(self, url: str) -> bytes:
        name = url.rpartition("/")[2]
        if name not in self.files:
            raise UnfetchableImage("no such photograph")
        return self.files[name]


@pytest.fixture(scope="module")
def scorer(embedded: Bundle, photograph_files: Mapping[str, bytes]) -> Scorer:
    return Scorer(embedded, Photographs(photograph_files))


def contains(name: str, label: str) -> ImageContainsInput:
    document = {"image": {"url": f"https://www.example.com/{name}"}, "target": {"label": label}}
    return ImageContainsInput.model_validate(document)


def alike(one: str, other: str) -> ImageSimilarityInput:
    addresses = {
        f"image{number}": {"url": f"https://www.example.com/{name}"} for number, name in ((1, one), (2, other))
    }
    return ImageSimilarityInput.model_validate(addresses)


def value(scorer: Scorer, task_input: Document) -> float:
    score = scorer.score(task_input)
    assert score
    return score.value


def test_a_label_of_the_detector_is_scored_by_what_it_sees(scorer: Scorer) -> None:
    assert value(scorer, contains("dogs", " DOG ")) > 0.3
    assert value(scorer, contains("coffee", "dog")) < 0.3
    score = scorer.score(contains("dogs", "dog"))
    assert score
    assert score.kind.startswith("seen ")


def test_other_words_are_scored_by_how_near_the_picture_is(scorer: Scorer) -> None:
    assert value(scorer, contains("peaks", "snowy mountains")) > value(scorer, contains("coffee", "snowy mountains"))
    score = scorer.score(contains("peaks", "snowy mountains"))
    assert score
    assert score.kind.startswith("words ")


def test_two_pictures_are_scored_by_how_alike_they_are(scorer: Scorer) -> None:
    assert value(scorer, alike("cat", "cat")) == pytest.approx(1.0, abs=1e-4)
    assert value(scorer, alike("cat", "peaks")) < value(scorer, alike("cat", "dogs")) < 0.99


def test_scores_of_kinds_are_named_after_the_bundle(scorer: Scorer, embedded: Bundle) -> None:
    score = scorer.score(alike("cat", "dogs"))
    assert score
    assert score.kind == f"alike {embedded.name}"


def test_a_picture_that_cannot_be_fetched_is_an_error(scorer: Scorer) -> None:
    with pytest.raises(UnfetchableImage):
        scorer.score(contains("nothing", "dog"))


def test_a_document_of_no_known_kind_has_no_score(scorer: Scorer) -> None:
    assert scorer.score(Document()) is None

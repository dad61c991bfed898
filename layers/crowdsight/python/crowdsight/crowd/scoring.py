"""What the search half's models make of a task: one score, and of which kind it is.

Scores of different kinds are not compared: each kind has evidence of its own, see `adjudication.machine_prior`.

| function         | kind    | score                                                                        |
|------------------|---------|------------------------------------------------------------------------------|
| image-contains   | seen    | of a label the detector knows: its surest detection's score, or 0            |
| image-contains   | words   | of any other label: the cosine of the picture and the words                  |
| image-similarity | alike   | the cosine of the two pictures                                               |
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crowdsight.catalogue import Document, ImageContainsInput, ImageSimilarityInput
from crowdsight.crowd.opinions import Score
from crowdsight.images.decoding import decode
from crowdsight.models.coco import CATEGORIES

if TYPE_CHECKING:
    from PIL import Image

    from crowdsight.models.bundle import Bundle
    from crowdsight.search.finding import Fetcher

_SEEN = {name.casefold() for name in CATEGORIES}


class Scorer:
    """Scores tasks by one bundle of models."""

    def __init__(self, bundle: "Bundle", fetcher: "Fetcher") -> None:
        self._bundle = bundle
        self._fetcher = fetcher

    def score(self, task_input: Document) -> Score | None:
        """None for an input that no model has an opinion of.

        Raises InvalidRequest, UnfetchableImage, UndecodableImage.
        """
        match task_input:
            case ImageContainsInput():
                return self._contains(task_input.image.url, " ".join(task_input.target.label.split()))
            case ImageSimilarityInput():
                one, other = self._pictures([task_input.image1.url, task_input.image2.url])
                rows = self._bundle.embed_images([one, other])[self._bundle.image_space]
                return Score(self._named("alike"), float(rows[0] @ rows[1]))
        return None

    def _contains(self, url: str, label: str) -> Score:
        (picture,) = self._pictures([url])
        if label.casefold() in _SEEN:
            seen = [found.score for found in self._bundle.detect(picture) if found.name == label.casefold()]
            return Score(self._named("seen"), float(max(seen, default=0.0)))
        (row,) = self._bundle.embed_images([picture])[self._bundle.text_space]
        return Score(self._named("words"), float(row @ self._bundle.embed_text(label)))

    def _pictures(self, urls: Sequence[str]) -> list["Image.Image"]:
        return [decode(self._fetcher.fetch(url), self._bundle.image_size_px) for url in urls]

    def _named(self, kind: str) -> str:
        """Another bundle's scores are of another kind."""
        return f"{kind} {self._bundle.name}"

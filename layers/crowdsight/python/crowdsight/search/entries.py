"""Stored images as the vector index has them."""

from collections.abc import Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import MOST_LABELS, Entry
from crowdsight.search.library import ImageRecord


def image_entry(image: ImageRecord, vectors: Mapping[str, NDArray[np.float32]]) -> Entry:
    """An image's entry: with the best score of each of its labels, for the 32 surest of them, and when it was saved."""
    scores: dict[str, float] = {}
    for label in sorted(image.labels, key=lambda label: -label.score):
        scores.setdefault(label.name, label.score)
    return Entry(image.key, vectors, dict(islice(scores.items(), MOST_LABELS)), image.saved_at_ms)

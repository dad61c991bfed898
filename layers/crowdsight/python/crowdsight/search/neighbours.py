"""From the vector index's keys to stored images."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.image_filter import ImageFilter
from crowdsight.search.index import EVERYTHING, Filter, Match, VectorIndex
from crowdsight.search.library import ImageRecord, Library

MARGIN = 8
"""How many more than wanted the index is asked for: some of its keys may be of no stored image."""


@dataclass(frozen=True)
class Hit:
    """An image that was found. `similarity`: cosine of the angle between the vectors, 0 to 1, six decimals."""

    image: ImageRecord
    similarity: float


class Neighbours:
    """An account's stored images near a vector."""

    def __init__(self, index: VectorIndex, library: Library) -> None:
        self._index = index
        self._library = library

    def criteria(self, account: str, images: ImageFilter) -> Filter:
        """What the index is asked for; of ids it is asked for those that images of the account have."""
        keys = None
        if images.image_ids is not None:
            keys = frozenset(image.key for image in self._library.images(account, images.image_ids).values())
        return Filter(images.label, images.min_label_score, images.saved_since_ms, images.saved_before_ms, keys)

    def nearest(
        self,
        account: str,
        space: str,
        query: NDArray[np.float32],
        limit: int,
        without: Collection[str] = (),
        where: Filter = EVERYTHING,
    ) -> list[Hit]:
        """At most `limit` images that a filter allows, most similar first.

        `without` names images (by id) to leave out.
        """
        asked = limit + len(without) + MARGIN
        while True:
            [matches] = self._index.search(account, space, query[np.newaxis], asked, where)
            hits = [hit for hit in self._hits(account, matches) if hit.image.image_id not in without]
            if len(hits) >= limit or len(matches) < asked:
                return hits[:limit]
            asked *= 2

    def _hits(self, account: str, matches: list[Match]) -> list[Hit]:
        """Those of the matches whose image, in this very generation, is stored."""
        images = self._library.images(account, [match.key.partition(".")[0] for match in matches])
        hits = []
        for match in matches:
            image = images.get(match.key.partition(".")[0])
            if image and image.key == match.key:
                hits.append(Hit(image, round(min(1.0, max(0.0, match.score)), 6)))
        return hits

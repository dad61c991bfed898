"""The nearest entries that a search has met so far."""

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import Match
from crowdsight.search.vectors import nth_highest


class Nearest:
    """At most `limit` keys with the highest scores, of all that were offered; of equal scores the smaller keys.

    What scores less than `floor` is not kept even where there is room.
    """

    def __init__(self, limit: int, floor: float = -np.inf) -> None:
        self.limit = limit
        self.floor = floor if limit > 0 else np.inf
        """What does not score as much cannot come in any more."""
        self._scores = np.empty(0, np.float32)
        self._keys = np.empty(0, "S1")

    @property
    def room(self) -> int:
        """How many are missing."""
        return max(0, self.limit - len(self._scores))

    def offer(self, scores: NDArray[np.float32], keys: NDArray[np.bytes_]) -> None:
        """Scores and keys [n]; keys that were never offered before."""
        good = np.flatnonzero(scores >= self.floor)
        if not len(good) or self.limit <= 0:
            return
        scores = np.concatenate([self._scores, scores[good]])
        keys = np.concatenate([self._keys, keys[good]])
        if len(scores) >= self.limit:
            self.floor = nth_highest(scores, self.limit)
            kept = np.flatnonzero(scores >= self.floor)
            if len(kept) > self.limit:
                kept = kept[np.lexsort((keys[kept], -scores[kept]))][: self.limit]
            scores, keys = scores[kept], keys[kept]
        self._scores, self._keys = scores, keys

    def beside(self) -> "Nearest":
        """An empty one for other keys, whose contents may be offered to this one."""
        return Nearest(self.limit, self.floor)

    def take_in(self, other: "Nearest") -> None:
        """Offer what another one has."""
        self.offer(other._scores, other._keys)

    def matches(self) -> list[Match]:
        """Best first."""
        order = np.lexsort((self._keys, -self._scores))
        return [Match(self._keys[at].decode(), float(self._scores[at])) for at in order]

"""What filters ask of entries: their labels and times, as arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowdsight.search.index import Filter


@dataclass(frozen=True)
class Attributes:
    """The times [rows] of some entries, and their labels: pairs of a row and one of `names`, each with its score.

    `pair_rows`, `pair_names`, `pair_scores`: [pairs], in the order of the rows.
    """

    times_ms: NDArray[np.int64]
    names: tuple[str, ...]
    pair_rows: NDArray[np.int64]
    pair_names: NDArray[np.int32]
    pair_scores: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        arrays = (self.times_ms, self.pair_rows, self.pair_names, self.pair_scores)
        return sum(array.nbytes for array in arrays)

    @staticmethod
    def of(times_ms: Sequence[int], labels: Sequence[Mapping[str, float]]) -> "Attributes":
        """Of entries [rows]."""
        names = sorted({name for each in labels for name in each})
        place = {name: at for at, name in enumerate(names)}
        pairs = [(row, place[name], score) for row, each in enumerate(labels) for name, score in each.items()]
        return Attributes(
            np.array(times_ms, np.int64),
            tuple(names),
            np.array([row for row, _, _ in pairs], np.int64),
            np.array([name for _, name, _ in pairs], np.int32),
            np.array([score for _, _, score in pairs], np.float32),
        )

    def take(self, chosen: NDArray[Any]) -> "Attributes":
        """The rows that an index array, each row at most once, or a mask chooses, with the names that they have."""
        indexes = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        place = np.full(len(self.times_ms), -1, np.int64)
        place[indexes] = np.arange(len(indexes))
        rows = place[self.pair_rows]
        kept = np.flatnonzero(rows >= 0)
        order = kept[np.argsort(rows[kept], kind="stable")]
        is_used = np.zeros(len(self.names), np.bool_)
        is_used[self.pair_names[order]] = True
        place_of_name = (np.cumsum(is_used) - 1).astype(np.int32)
        return Attributes(
            self.times_ms[indexes],
            tuple(compress(self.names, is_used.tolist())),
            rows[order],
            place_of_name[self.pair_names[order]],
            self.pair_scores[order],
        )

    @staticmethod
    def joined(parts: Sequence["Attributes"]) -> "Attributes":
        """Those of several, one after the other."""
        names = sorted({name for part in parts for name in part.names})
        place = {name: at for at, name in enumerate(names)}
        starts = np.cumsum([0, *(len(part.times_ms) for part in parts)])
        renamed = [np.array([place[name] for name in part.names], np.int32)[part.pair_names] for part in parts]
        shifted = [part.pair_rows + start for part, start in zip(parts, starts, strict=False)]
        return Attributes(
            np.concatenate([np.empty(0, np.int64), *(part.times_ms for part in parts)]),
            tuple(names),
            np.concatenate([np.empty(0, np.int64), *shifted]),
            np.concatenate([np.empty(0, np.int32), *renamed]),
            np.concatenate([np.empty(0, np.float32), *(part.pair_scores for part in parts)]),
        )

    def allowed(self, where: Filter) -> NDArray[np.bool_]:
        """Which rows [rows] have the label and the time that a filter wants; its keys are not looked at."""
        mask = np.ones(len(self.times_ms), np.bool_)
        if where.since_ms is not None:
            mask &= self.times_ms >= where.since_ms
        if where.before_ms is not None:
            mask &= self.times_ms < where.before_ms
        if where.label is not None:
            has_label = np.zeros(len(mask), np.bool_)
            if where.label in self.names:
                meant = self.pair_names == self.names.index(where.label)
                has_label[self.pair_rows[meant & (self.pair_scores >= np.float32(where.min_label_score))]] = True
            mask &= has_label
        return mask

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays of numbers, to be written."""
        return {
            "times_ms": self.times_ms,
            "names": np.frombuffer(json.dumps(self.names).encode(), np.uint8),
            "pair_rows": self.pair_rows.astype(np.uint32),
            "pair_names": self.pair_names.astype(np.uint32),
            "pair_scores": self.pair_scores,
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> "Attributes":
        """What `arrays` gave."""
        return Attributes(
            arrays["times_ms"],
            tuple(json.loads(arrays["names"].tobytes())),
            arrays["pair_rows"].astype(np.int64),
            arrays["pair_names"].astype(np.int32),
            arrays["pair_scores"],
        )


NO_ATTRIBUTES = Attributes.of([], [])

"""Detection of COCO's categories by NanoDet, whose graph ends in boxes and scores for a grid of candidates."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.models.bundle import Detection
from crowdsight.models.descriptions import Detector, InvalidBundle
from crowdsight.models.files import find_verified
from crowdsight.models.once import Once
from crowdsight.models.sessions import Session
from crowdsight.models.transforms import RESAMPLING, PadToSquare, Pipeline, pipeline

MAX_DETECTIONS = 100
ONE_THING = 0.85
"""Boxes of two categories that overlap more than this are of one thing, which has the surer one's name."""

MAX_CANDIDATES = 1000
"""The best that are compared with one another; photographs have a few dozen."""


class NanoDet:
    """A detector of a bundle."""

    def __init__(self, description: Detector, folder: Path, threads: int) -> None:
        self._description = description
        self._folder = folder
        self._categories = Once(self._read_categories)
        tensors = {description.input: description.preprocessing.size_px, description.boxes_output: 4}
        self._session = Session(folder, description.file, threads, {**tensors, description.scores_output: None})
        preprocessing = description.preprocessing
        self._letterbox = PadToSquare(preprocessing.size_px, preprocessing.padding, RESAMPLING[preprocessing.resample])
        self._pipeline: Pipeline = pipeline(preprocessing)

    def detect(self, image: Image.Image) -> list[Detection]:
        """What is seen in an upright picture in RGB or RGBA, the surest first, at most MAX_DETECTIONS."""
        names = self._categories()
        outputs = [self._description.boxes_output, self._description.scores_output]
        boxes, scores = self._session.run(outputs, {self._description.input: self._pipeline.batch([image])})
        if scores.shape[1] != len(names):
            raise InvalidBundle(f"{self._description.file.path} knows {scores.shape[1]} categories, not {len(names)}")
        candidates, categories = np.nonzero(scores >= self._description.min_score)
        surest = np.argsort(-scores[candidates, categories], kind="stable")[:MAX_CANDIDATES]
        candidates, categories = candidates[surest], categories[surest]
        kept = suppress(boxes[candidates], categories, self._description.max_overlap)
        candidates, categories = candidates[kept], categories[kept]
        placed = self._letterbox.place(image.width, image.height).undo(boxes[candidates])
        found = []
        for box, category, score in zip(placed, categories, scores[candidates, categories], strict=True):
            x_min, y_min, x_max, y_max = (round(float(edge), 1) for edge in box)
            if x_max - x_min >= 1 and y_max - y_min >= 1:
                box_px = (x_min, y_min, x_max, y_max)
                found.append(Detection(names[category], round(float(score), 4), box_px, int(category)))
        return found[:MAX_DETECTIONS]

    def _read_categories(self) -> list[str]:
        path = find_verified(self._folder, self._description.categories)
        names = json.loads(path.read_bytes())
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidBundle(f"{path} is no JSON array of names")
        return names


def suppress(boxes: NDArray[np.float32], categories: NDArray[np.intp], max_overlap: float) -> list[int]:
    """Which boxes stay of [n, 4], the surest first, when each removes those that it overlaps too much.

    Greedy non-maximum suppression; the overlap is intersection over union. Boxes of one category may overlap by
    `max_overlap`, those of two by ONE_THING.
    """
    kept: list[int] = []
    waiting = np.arange(len(boxes))
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        overlaps = overlap(boxes[best], boxes[rest])
        limits = np.where(categories[rest] == categories[best], max_overlap, ONE_THING).astype(np.float32)
        waiting = rest[overlaps <= limits]
    return kept


def overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box [4] with each of [n, 4], from 0 to 1."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    area = np.prod(box[2:] - box[:2])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return common / np.maximum(area + areas - common, np.finfo(np.float32).tiny)

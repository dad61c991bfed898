"""A bundle of models: what the rest of the service knows of embedding and detecting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.models.descriptions import ConseDescription, read_description


@dataclass(frozen=True)
class Detection:
    """A thing seen in a picture.

    `score` is from 0 to 1. `box` is x_min, y_min, x_max, y_max in pixels of the picture. `category_id` is 0..79, as
    YOLOv7 numbers the categories of COCO, and `name` the category's name.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]
    category_id: int


class Bundle(Protocol):
    """Models that belong together. Safe to use by several threads at once.

    Every call may raise InvalidBundle when it is the first to need a file that is missing or not the one described.
    """

    @property
    def name(self) -> str:
        """Letters, digits and `-`; changes whenever a vector does."""
        ...

    @property
    def spaces(self) -> Mapping[str, int]:
        """The dimensions of each space that pictures have a vector in."""
        ...

    @property
    def image_space(self) -> str:
        """Where pictures are asked for by a picture."""
        ...

    @property
    def text_space(self) -> str:
        """Where pictures are asked for by a text."""
        ...

    @property
    def image_size_px(self) -> int:
        """Pixels that a picture's longer side must have for the best vectors; more are of no use."""
        ...

    def embed_images(self, images: Sequence[Image.Image]) -> dict[str, NDArray[np.float32]]:
        """For every space [n, dimensions], rows of length 1, from upright pictures in RGB or RGBA."""
        ...

    def embed_text(self, text: str) -> NDArray[np.float32]:
        """[dimensions of the text space], of length 1. Raises InvalidRequest if there is no text but white space."""
        ...

    def detect(self, image: Image.Image) -> list[Detection]:
        """What is seen in an upright picture in RGB or RGBA, the surest first, at most 100."""
        ...


def load_bundle(folder: Path, threads: int) -> Bundle:
    """The bundle that `folder/bundle.json` describes.

    Cheap: models are loaded when they are first used, each once. `threads` is how many one run of a model uses.
    Raises InvalidBundle if the description is missing or wrong.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    description = read_description(folder)
    # A caller that only names the types above needs no ONNX Runtime.
    if isinstance(description, ConseDescription):
        from crowdsight.models.conse import ConseBundle

        return ConseBundle(description, folder, threads)
    from crowdsight.models.clip import ClipBundle

    return ClipBundle(description, folder, threads)

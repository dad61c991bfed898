"""From a picture to a model's input, in steps that compose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.images.decoding import on_white
from crowdsight.models.descriptions import Preprocessing

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


HEAD_ROOM = 1.5
"""How much larger than a model's input a picture should be decoded.

A JPEG decoded at the smallest scale allowed then has a cosine of .997 on average to the same one decoded in full, and
.990 at worst; without head-room .989 and .971. Twice would gain .002 more and double the time for many pictures.
"""


class Transform(Protocol):
    """RGB in, RGB out."""

    def __call__(self, image: Image.Image) -> Image.Image: ...


@dataclass(frozen=True)
class Placement:
    """Where a picture of `of_width` x `of_height` pixels lies in the square that it was padded to, in pixels."""

    left: int
    top: int
    width: int
    height: int
    of_width: int
    of_height: int

    def undo(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [n, 4] (x_min, y_min, x_max, y_max), from the square's pixels to the picture's, cut at its edge."""
        x_scale, y_scale = self.of_width / self.width, self.of_height / self.height
        shift = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([x_scale, y_scale] * 2, np.float32)
        return np.clip((boxes - shift) * scale, 0, np.array([self.of_width, self.of_height] * 2, np.float32))


@dataclass(frozen=True)
class PadToSquare:
    """Scales the longer side to `size_px`, puts the picture in the middle, and fills the rest with `padding` (RGB)."""

    size_px: int
    padding: tuple[int, int, int]
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> Image.Image:
        place = self.place(image.width, image.height)
        resized = image.resize((place.width, place.height), self.resample)
        if resized.size == (self.size_px, self.size_px):
            return resized
        square = Image.new("RGB", (self.size_px, self.size_px), self.padding)
        square.paste(resized, (place.left, place.top))
        return square

    def place(self, width: int, height: int) -> Placement:
        """Where a picture of this size comes to lie; never less than a pixel wide or high."""
        scale = self.size_px / max(width, height)
        inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (self.size_px - inner_width) // 2, (self.size_px - inner_height) // 2
        return Placement(left, top, inner_width, inner_height, width, height)


@dataclass(frozen=True)
class CropToSquare:
    """Scales the shorter side to `size_px` and keeps the middle, as CLIP's authors do.

    It resamples only what is kept, so that a picture of 1 x 10 000 pixels does not become one of 224 x 2 240 000.
    """

    size_px: int
    resample: Image.Resampling

    def __call__(self, image: Image.Image) -> Image.Image:
        shorter = min(image.size)
        # Whole pixels of the scaled picture, as torchvision's Resize and CenterCrop round them.
        scaled = [int(self.size_px * side / shorter) for side in image.size]
        first = [round((side - self.size_px) / 2) for side in scaled]
        x_scale, y_scale = image.width / scaled[0], image.height / scaled[1]
        box = (
            first[0] * x_scale,
            first[1] * y_scale,
            min(image.width, (first[0] + self.size_px) * x_scale),
            min(image.height, (first[1] + self.size_px) * y_scale),
        )
        return image.resize((self.size_px, self.size_px), self.resample, box=box)


@dataclass(frozen=True)
class ToTensor:
    """RGB to float32 [3, height, width]: `value * factor + offset` by channel, for a value of 0..255."""

    factor: tuple[float, float, float]
    offset: tuple[float, float, float]

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        planes = np.asarray(image).transpose(2, 0, 1)
        numbers = np.multiply(planes, np.array(self.factor, np.float32)[:, None, None], dtype=np.float32, order="C")
        numbers += np.array(self.offset, np.float32)[:, None, None]
        return numbers


@dataclass(frozen=True)
class Pipeline:
    """A picture, RGB or RGBA (flattened on white), through all steps."""

    steps: tuple[Transform, ...]
    to_tensor: ToTensor

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """float32 [3, size, size]."""
        for step in (on_white, *self.steps):
            image = step(image)
        return self.to_tensor(image)

    def batch(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """float32 [n, 3, size, size]."""
        return np.stack([self(image) for image in images])


def squaring(preprocessing: Preprocessing) -> PadToSquare | CropToSquare:
    """The step that makes a picture square."""
    resample = RESAMPLING[preprocessing.resample]
    if preprocessing.fit == "pad":
        return PadToSquare(preprocessing.size_px, preprocessing.padding, resample)
    return CropToSquare(preprocessing.size_px, resample)


def pipeline(preprocessing: Preprocessing) -> Pipeline:
    """What a description says, as steps."""
    red, green, blue = (1 / (preprocessing.divisor * std) for std in preprocessing.std)
    offset = tuple(-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True))
    return Pipeline((squaring(preprocessing),), ToTensor((red, green, blue), (offset[0], offset[1], offset[2])))


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [n, d] scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, np.finfo(np.float32).tiny)

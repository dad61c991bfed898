"""Photographs as a camera would write them: as large as asked for, and with noise."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PHOTOGRAPHS = Path(__file__).parents[2] / "local" / "photographs"
NAMES = ("astronaut.jpg", "cat.jpg", "coffee.jpg", "dogs.jpg", "meadow.jpg", "pagoda.jpg", "peaks.jpg", "stream.jpg")
QUALITY = 90
NOISE = 4
"""Standard deviation of a pixel's brightness; 12 megapixels make about 2.5 MB of JPEG then, as in many phones."""


def make_jpegs(megapixels: float, seed: int) -> list[bytes]:
    """One JPEG of each of `NAMES`, 4 : 3, of so many megapixels."""
    width, height = size(megapixels)
    noise = np.random.default_rng(seed)
    return [_jpeg(PHOTOGRAPHS / name, width, height, noise) for name in NAMES]


def size(megapixels: float) -> tuple[int, int]:
    """Width and height in pixels, 4 : 3."""
    height = round((megapixels * 1_000_000 * 3 / 4) ** 0.5)
    return round(height * 4 / 3), height


def _jpeg(path: Path, width: int, height: int, noise: np.random.Generator) -> bytes:
    with Image.open(path) as photograph:
        image = ImageOps.fit(photograph.convert("RGB"), (width, height), Image.Resampling.BICUBIC)
    grain = noise.standard_normal((height, width, 1), np.float32) * NOISE
    grainy = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    encoded = BytesIO()
    grainy.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()

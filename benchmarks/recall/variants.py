"""How a query differs from the stored picture: in one way at a time, as a file that a caller might send."""

import random
from collections.abc import Callable, Mapping
from io import BytesIO

from PIL import Image, ImageOps

from crowdsight.images.decoding import on_white

KEPT_SHARE = 0.8
"""Of each side of a cropped picture: 64 % of its area."""

JPEG_QUALITY = 30
SHRUNK_SHARE = 0.25
PNG_COMPRESS_LEVEL = 1


def crop(image: Image.Image, dice: random.Random) -> bytes:
    """80 % of the width and of the height, from a random place."""
    width, height = _scaled(image, KEPT_SHARE)
    left, top = dice.randint(0, image.width - width), dice.randint(0, image.height - height)
    return _png(image.crop((left, top, left + width, top + height)))


def mirror(image: Image.Image, dice: random.Random) -> bytes:
    """Left and right exchanged."""
    return _png(ImageOps.mirror(image))


def compress(image: Image.Image, dice: random.Random) -> bytes:
    """A JPEG of quality 30, on white."""
    encoded = BytesIO()
    on_white(image).save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue()


def shrink(image: Image.Image, dice: random.Random) -> bytes:
    """A quarter of the width and of the height."""
    return _png(image.resize(_scaled(image, SHRUNK_SHARE), Image.Resampling.LANCZOS))


def grey(image: Image.Image, dice: random.Random) -> bytes:
    """Without colours; what is transparent stays so."""
    return _png(image.convert("LA" if image.mode == "RGBA" else "L"))


VARIANTS: Mapping[str, Callable[[Image.Image, random.Random], bytes]] = {
    "cropped": crop,
    "mirrored": mirror,
    "jpeg_30": compress,
    "quarter_size": shrink,
    "grey": grey,
}
"""Each takes a decoded picture, RGB or RGBA, and gives an encoded one."""


def _scaled(image: Image.Image, share: float) -> tuple[int, int]:
    return max(1, round(image.width * share)), max(1, round(image.height * share))


def _png(image: Image.Image) -> bytes:
    encoded = BytesIO()
    image.save(encoded, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    return encoded.getvalue()

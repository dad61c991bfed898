"""Decoded images as they are stored and shown: re-encoded, so that nothing of a stranger's file is passed on."""

import hashlib
import sys
from dataclasses import dataclass
from io import BytesIO
from math import ceil, sqrt
from typing import Any, Literal, overload

from PIL import Image

MAX_STORED_BYTES = 4_400_000
JPEG_QUALITY = 92
JPEG_SUBSAMPLING = "4:2:0"
"""As cameras have it themselves; without it files grow by a third, for colours that hardly anybody sees."""
PNG_COMPRESS_LEVEL = 6
PROBE_PX = 1024 * 1024
FULL_ENOUGH = 0.85
THUMBNAIL_SIDE_PX = 256
THUMBNAIL_QUALITY = 80
REDUCING_GAP = 3.0
"""Shrink in two steps, the first of them fast, to a size still this many times as large (Pillow's `resize`)."""
DIGESTED_AT_ONCE_PX = 1024 * 1024


@dataclass(frozen=True)
class StoredImage:
    """A file as it is stored, and the size of the picture in it, which may be smaller than what was sent."""

    data: bytes
    format: Literal["jpeg", "png"]
    width: int
    height: int


def store_form(image: Image.Image) -> StoredImage:
    """A decoded image as JPEG, or as PNG where something is transparent; scaled down until it takes 4.4 MB at most.

    One that fits as it is is never scaled. Any other fills the limit to 85 % or so.
    """
    stored = _encode(image, MAX_STORED_BYTES)
    if stored is not None:
        return stored
    # How well it compresses shows in a small copy; a large one would take ten seconds.
    small = image.reduce(max(ceil(sqrt(image.width * image.height / PROBE_PX)), 1))
    pixels = _pixels_that_fit(small, len(_encode(small).data))
    best: StoredImage | None = None
    while True:
        factor = min(sqrt(pixels / (image.width * image.height)), 0.99)
        size = max(int(image.width * factor), 1), max(int(image.height * factor), 1)
        scaled = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
        stored = _encode(scaled)
        size_bytes = len(stored.data)
        if size_bytes > MAX_STORED_BYTES:
            if best is not None:
                return best
            pixels = min(_pixels_that_fit(scaled, size_bytes), 0.9 * pixels)
        elif best is not None or size_bytes >= FULL_ENOUGH * MAX_STORED_BYTES:
            return stored
        else:  # once more, for what larger ones compress better than the small one
            best = stored
            pixels = _pixels_that_fit(scaled, size_bytes)


def _pixels_that_fit(scaled: Image.Image, size_bytes: int) -> float:
    """How many pixels fill the limit, if bytes go with the pixels as they do in `scaled`."""
    return 0.97 * MAX_STORED_BYTES * scaled.width * scaled.height / size_bytes


def thumbnail(image: Image.Image) -> bytes:
    """A decoded image as WebP, its longest side 256 pixels or what it has; what is transparent stays so."""
    factor = THUMBNAIL_SIDE_PX / max(image.size)
    if factor < 1:
        size = max(round(image.width * factor), 1), max(round(image.height * factor), 1)
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    encoded = BytesIO()
    image.save(encoded, "WEBP", quality=THUMBNAIL_QUALITY)
    return encoded.getvalue()


def pixel_digest(image: Image.Image) -> str:
    """SHA-256, in hexadecimal, over mode, size and pixels: equal for what was decoded to the same picture."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height}\n".encode())
    rows = max(DIGESTED_AT_ONCE_PX // image.width, 1)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        digest.update(strip.tobytes())
    return digest.hexdigest()


class _Abandoned(Exception):
    pass


class _File(BytesIO):
    """A file that is given up when it gets longer than it may."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__()
        self._limit_bytes = limit_bytes

    def write(self, part: Any, /) -> int:
        if self.tell() + len(part) > self._limit_bytes:
            raise _Abandoned
        return super().write(part)


@overload
def _encode(image: Image.Image) -> StoredImage: ...


@overload
def _encode(image: Image.Image, limit_bytes: int) -> StoredImage | None: ...


def _encode(image: Image.Image, limit_bytes: int = sys.maxsize) -> StoredImage | None:
    """None if it would take more than `limit_bytes`: found out as soon as it has taken them."""
    encoded = _File(limit_bytes)
    try:
        if image.mode == "RGBA":
            image.save(encoded, "PNG", compress_level=PNG_COMPRESS_LEVEL)
            return StoredImage(encoded.getvalue(), "png", *image.size)
        image.save(encoded, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
        return StoredImage(encoded.getvalue(), "jpeg", *image.size)
    except _Abandoned:
        return None

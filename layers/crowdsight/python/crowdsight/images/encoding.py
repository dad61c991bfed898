"""Decoded images as they are stored and shown: re-encoded, so that nothing of a stranger's file is passed on."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from typing import Any, Literal

from PIL import Image

MAX_STORED_BYTES = 4_400_000
JPEG_QUALITY = 92
JPEG_SUBSAMPLING = "4:2:0"
"""As cameras have it themselves; without it files grow by a third, for colours that hardly anybody sees."""
PNG_COMPRESS_LEVEL = 6
ABANDONED_BYTES = 4 * MAX_STORED_BYTES
"""A PNG that has grown to this is not finished: much too large, and the largest would take ten seconds."""
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

    @property
    def media_type(self) -> str:
        return f"image/{self.format}"

    @property
    def extension(self) -> str:
        return {"jpeg": "jpg", "png": "png"}[self.format]


def store_form(image: Image.Image) -> StoredImage:
    """A decoded image as JPEG, or as PNG where something is transparent; scaled down until it takes 4.4 MB at most."""
    scaled = image
    while True:
        try:
            stored = _encode(scaled)
            size_bytes = len(stored.data)
        except _Abandoned:
            size_bytes = ABANDONED_BYTES
        if size_bytes <= MAX_STORED_BYTES:
            return stored
        # Bytes go about with the pixels, of PNG somewhat slower.
        factor = min(0.9, 0.97 * sqrt(MAX_STORED_BYTES / size_bytes))
        size = max(int(scaled.width * factor), 1), max(int(scaled.height * factor), 1)
        scaled = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


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
    """A file that is given up when it gets much too long."""

    def write(self, part: Any, /) -> int:
        if self.tell() + len(part) > ABANDONED_BYTES:
            raise _Abandoned
        return super().write(part)


def _encode(image: Image.Image) -> StoredImage:
    """Raises _Abandoned."""
    encoded = _File()
    if image.mode == "RGBA":
        image.save(encoded, "PNG", compress_level=PNG_COMPRESS_LEVEL)
        return StoredImage(encoded.getvalue(), "png", *image.size)
    image.save(encoded, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
    return StoredImage(encoded.getvalue(), "jpeg", *image.size)

"""Image files made piece by piece, where Pillow would not write what a test needs."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""PNG's colour types."""


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as Pillow writes it."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png(
    width_px: int, height_px: int, bits: int, colour_type: int, rows: bytes, chunks: Sequence[tuple[bytes, bytes]] = ()
) -> bytes:
    """A PNG of rows that each begin with their filter's number; `chunks` come before the pixels."""
    header = struct.pack(">LLBBBBB", width_px, height_px, bits, colour_type, 0, 0, 0)
    extra = b"".join(png_chunk(name, data) for name, data in chunks)
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + extra + body + png_chunk(b"IEND", b"")


def exif_of(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """EXIF data with nothing but an orientation, of the type SHORT or another."""
    mark = {"<": b"II", ">": b"MM"}[order]
    value = struct.pack(f"{order}{ {1: 'B', 3: 'H', 4: 'L'}[kind] }", orientation).ljust(4, b"\0")
    entry = struct.pack(f"{order}HHL", 274, kind, 1) + value
    return b"Exif\0\0" + mark + struct.pack(f"{order}HLH", 42, 8, 1) + entry + bytes(4)


def tiff(entries: Sequence[tuple[int, int, int, int]], data: bytes = b"", order: str = "<") -> bytes:
    """A TIFF whose one directory, right behind its header, has these (tag, type, count, value); `data` follow it.

    The data begin at 8 + 2 + 12 * len(entries) + 4.
    """
    mark = {"<": b"II", ">": b"MM"}[order]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        if kind == 3 and count == 1:
            directory += struct.pack(f"{order}HHLHH", tag, kind, count, value, 0)
        else:
            directory += struct.pack(f"{order}HHLL", tag, kind, count, value)
    return mark + struct.pack(f"{order}HL", 42, 8) + directory + bytes(4) + data


def grey_tiff(
    samples: bytes, bits: int, sample_format: int = 1, photometric: int = 1, order: str = "<", side_px: int = 2
) -> bytes:
    """A TIFF of a square of grey samples."""
    entries = [
        (256, 3, 1, side_px),
        (257, 3, 1, side_px),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8 + 2 + 12 * 9 + 4),
        (277, 3, 1, 1),
        (279, 4, 1, len(samples)),
        (339, 3, 1, sample_format),
    ]
    return tiff(entries, samples, order)

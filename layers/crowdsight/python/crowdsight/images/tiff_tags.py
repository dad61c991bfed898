"""The first directory of a TIFF file (TIFF 6.0, BigTIFF), which is also how EXIF keeps its tags (CIPA DC-008).

Pillow reads directories, too; this one is read before Pillow builds anything from what a directory claims, and takes
nothing but numbers from it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ORIENTATION = 274
TILE_WIDTH, TILE_LENGTH = 322, 323
EXIF_HEADER = b"Exif\0\0"
INTEGER_FORMATS = {1: "B", 3: "H", 4: "L", 16: "Q"}
"""BYTE, SHORT, LONG, LONG8, as `struct` names them."""
TEXTS_AND_BYTES = frozenset({1, 2, 6, 7})


@dataclass(frozen=True)
class Entry:
    """A directory's entry. `value`: the first integer of those that stand in the entry itself, None otherwise."""

    tag: int
    type: int
    count: int
    value: int | None

    @property
    def is_list_of_numbers(self) -> bool:
        return self.type not in TEXTS_AND_BYTES


def first_directory(data: bytes) -> Iterator[Entry]:
    """Every entry, as far as they are there; nothing of what is not TIFF."""
    try:
        yield from _entries(data)
    except struct.error:
        return  # the data end here


def orientation_of(exif: bytes) -> int:
    """How the picture lies, 1 to 8; 1, upright, unless the data say something else that makes sense."""
    for entry in first_directory(exif.removeprefix(EXIF_HEADER)):
        if entry.tag == ORIENTATION and entry.value in range(1, 9):
            return entry.value or 1
    return 1


def _entries(data: bytes) -> Iterator[Entry]:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    if version == 42:
        (start,) = struct.unpack_from(f"{order}L", data, 4)
        count_format, entry_format, inline_bytes = f"{order}H", f"{order}HHL", 4
    elif version == 43:
        (start,) = struct.unpack_from(f"{order}Q", data, 8)
        count_format, entry_format, inline_bytes = f"{order}Q", f"{order}HHQ", 8
    else:
        return
    if start > len(data):
        return  # `unpack_from` would not take an offset so large
    (count,) = struct.unpack_from(count_format, data, start)
    position = start + struct.calcsize(count_format)
    for _ in range(count):
        tag, kind, length = struct.unpack_from(entry_format, data, position)
        position += struct.calcsize(entry_format)
        integer = INTEGER_FORMATS.get(kind)
        value = None
        if integer and 0 < length * struct.calcsize(f"={integer}") <= inline_bytes:
            (value,) = struct.unpack_from(f"{order}{integer}", data, position)
        yield Entry(tag, kind, length, value)
        position += inline_bytes

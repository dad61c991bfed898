"""What is done to good files: the same number of the same seed is always the same file."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

from benchmarks.hostile_images.seeds import seed_files

HEAD_BYTES = 200
"""Where most of what a decoder believes stands."""
TELLING_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)
SIZES_PX = (0, 1, 2, 39, 41, 255, 4_096, 8_192, 16_383, 16_384, 16_385, 65_535)
GREATEST_GROWTH_BYTES = 1_000_000
MAGICS = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\xff\xff\0\0WEBPVP8 ",
    b"RIFF\xff\xff\0\0WEBPVP8L",
    b"RIFF\xff\xff\0\0WEBPVP8X",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\0\x20ftypavif",
)

Mutation = Callable[[bytearray, random.Random], bytes | bytearray]


def hostile_file(seed: int, number: int) -> bytes:
    """One to four mutations of one good file; the first numbers are the good files themselves."""
    files = seed_files()
    if number < len(files):
        return files[number]
    dice = random.Random(f"file {seed} {number}")
    data = bytearray(dice.choice(files))
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        data = bytearray(dice.choice(MUTATIONS)(data, dice))
    if dice.random() < 0.5:
        mend_checksums(data)
    return bytes(data)


def _position(data: Sequence[int], dice: random.Random) -> int:
    """Anywhere, in the head as often as in all the rest."""
    length = len(data)
    return dice.randrange(min(length, HEAD_BYTES) if dice.random() < 0.5 else length) if length else 0


def flip_bits(data: bytearray, dice: random.Random) -> bytearray:
    for _ in range(dice.choice((1, 1, 2, 4, 16, 64))):
        if data:
            data[_position(data, dice)] ^= 1 << dice.randrange(8)
    return data


def overwrite(data: bytearray, dice: random.Random) -> bytearray:
    start = _position(data, dice)
    length = dice.choice((1, 2, 4, 8, 32))
    data[start : start + length] = dice.choice((bytes(length), b"\xff" * length, dice.randbytes(length)))
    return data


def write_number(data: bytearray, dice: random.Random) -> bytearray:
    """A length, a count or an offset that is too small, too large, or just beyond what fits."""
    for _ in range(dice.choice((1, 1, 2, 3))):
        start = _position(data, dice)
        code = dice.choice("BHLBHLQ")
        number = dice.choice((*TELLING_NUMBERS, len(data), len(data) - 1, dice.getrandbits(32)))
        number &= (1 << 8 * struct.calcsize(f"={code}")) - 1
        written = struct.pack(dice.choice("<>") + code, number)
        data[start : start + len(written)] = written
    return data


def cut_off(data: bytearray, dice: random.Random) -> bytearray:
    return data[: _position(data, dice)]


def remove(data: bytearray, dice: random.Random) -> bytearray:
    start = _position(data, dice)
    del data[start : start + dice.choice((1, 2, 4, 16, 200))]
    return data


def insert(data: bytearray, dice: random.Random) -> bytearray:
    start = _position(data, dice)
    data[start:start] = dice.randbytes(dice.choice((1, 2, 4, 16, 200, 5_000)))
    return data


def repeat(data: bytearray, dice: random.Random) -> bytearray:
    """A piece, as often as makes it large."""
    start = _position(data, dice)
    piece = data[start : start + dice.choice((2, 8, 12, 32, 128, 1_000))]
    times = dice.choice((2, 10, 1_000, 100_000))
    data[start:start] = piece * min(times, GREATEST_GROWTH_BYTES // (len(piece) + 1))
    return data


def splice(data: bytearray, dice: random.Random) -> bytearray:
    """The beginning of one file and the end of another."""
    other = dice.choice(seed_files())
    return data[: _position(data, dice)] + other[_position(other, dice) :]


def embed(data: bytearray, dice: random.Random) -> bytearray:
    start = _position(data, dice)
    data[start:start] = dice.choice(seed_files())
    return data


def resize(data: bytearray, dice: random.Random) -> bytearray:
    """Other dimensions in the header, whichever the format."""
    width_px, height_px = dice.choice(SIZES_PX), dice.choice(SIZES_PX)
    if data.startswith(b"\x89PNG") and len(data) > 33:
        data[16:24] = struct.pack(">LL", width_px, height_px)
        mend_checksums(data)
    elif data.startswith(b"GIF"):
        start = data.find(b",", 13) + 5 if dice.random() < 0.5 else 6
        data[start : start + 4] = struct.pack("<HH", width_px, height_px)
    elif data.startswith(b"BM"):
        data[18:26] = struct.pack("<Ll", width_px, dice.choice((1, -1)) * height_px)
    elif data.startswith(b"\xff\xd8"):
        start = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
        data[start : start + 4] = struct.pack(">HH", height_px, width_px)
    elif data.startswith(b"RIFF"):
        _resize_webp(data, width_px, height_px)
    elif b"ispe" in data:
        start = data.find(b"ispe") + 8
        data[start : start + 8] = struct.pack(">LL", width_px, height_px)
    else:
        return edit_directory(data, dice)
    return data


def _resize_webp(data: bytearray, width_px: int, height_px: int) -> None:
    start = data.find(b"VP8X")
    if start >= 0:
        sides = max(width_px, 1) - 1, max(height_px, 1) - 1
        data[start + 12 : start + 18] = b"".join(side.to_bytes(3, "little") for side in sides)
        return
    start = data.find(b"\x9d\x01\x2a")
    if start >= 0:
        data[start + 3 : start + 7] = struct.pack("<HH", width_px & 0x3FFF, height_px & 0x3FFF)


def edit_directory(data: bytearray, dice: random.Random) -> bytearray:
    """An entry of a TIFF or EXIF directory: another tag, type, count or value."""
    start = data.find(b"II*\0")
    if start < 0:
        return write_number(data, dice)
    (offset,) = struct.unpack("<L", data[start + 4 : start + 8].ljust(4, b"\0"))
    for _ in range(dice.choice((1, 1, 2, 4))):
        entry = start + offset + 2 + 12 * dice.randrange(14)
        number = dice.choice((*TELLING_NUMBERS, *SIZES_PX))
        part, code = dice.choice(((0, "H"), (2, "H"), (4, "L"), (8, "L"), (8, "L")))
        if part == 0:
            number = dice.choice(
                (256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 338, 339, 530)
            )
        elif part == 2:
            number = dice.randrange(20)
        data[entry + part : entry + part + struct.calcsize(code)] = struct.pack("<" + code, number & 0xFFFF_FFFF)
    return data


def garbage(data: bytearray, dice: random.Random) -> bytes:
    return dice.choice((b"", *MAGICS)) + dice.randbytes(dice.choice((0, 1, 10, 100, 10_000)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits,
    overwrite,
    write_number,
    write_number,
    cut_off,
    remove,
    insert,
    repeat,
    splice,
    embed,
    resize,
    resize,
    edit_directory,
    garbage,
)


def mend_checksums(data: bytearray) -> None:
    """Of a PNG, so that what was done to its chunks is looked at and not refused for its checksum."""
    position = 8
    while data.startswith(b"\x89PNG") and position + 12 <= len(data):
        (length,) = struct.unpack_from(">L", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">L", zlib.crc32(data[position + 4 : end]))
        position = end + 4

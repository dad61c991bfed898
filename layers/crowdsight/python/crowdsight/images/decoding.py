"""An image from bytes that nobody vouches for: upright, RGB or RGBA, within limits that are checked before decoding."""

import base64
import binascii
import re
import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from crowdsight.errors import UndecodableImage
from crowdsight.images.pixels import in_srgb
from crowdsight.images.tiff_tags import TILE_LENGTH, TILE_WIDTH, first_directory, orientation_of

FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImageFile,
        PngImageFile,
        WebPImageFile,
        GifImageFile,
        BmpImageFile,
        TiffImageFile,
        AvifImageFile,
    )
)
"""What is tried; MPO is opened as JPEG. Each plugin is imported above, so that Pillow never imports all the others."""

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 64 * 1024 * 1024
MAX_SIDE_PX = 16_384

MAX_READS_TO_OPEN, MAX_READS_TO_LOAD = 4_000, 2_000_000
"""Pillow reads headers piece by piece in Python; a file that is nothing but tiny pieces would keep it for minutes."""
MAX_SCANNED_PIXELS = 64 * MAX_PIXELS
"""Of a JPEG, pixels times scans: a progressive one usually has ten scans, a hostile one thousands, all empty."""
MAX_RUN_LENGTH_PIXELS = 16 * 1024 * 1024
"""Of a BMP whose pixels Pillow unpacks one by one in Python."""
MAX_TIFF_LIST = 262_144
"""The most strips or tiles of a TIFF: an image of the greatest size in tiles of 16 by 16."""

START_OF_SCAN = b"\xff\xda"
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation (CIPA DC-008, 4.6.5.1)."""
JPEG_SCALES = (8, 4, 2)

DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
URL_SAFE = str.maketrans("-_", "+/")
BROKEN = "the image is broken or incomplete"
UNKNOWN = "the image is broken, or in none of the formats JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF"
WHITE = (255, 255, 255)


def decode(data: bytes, at_least_px: int | None = None) -> Image.Image:
    """The first picture in a file: upright, in sRGB, without metadata; RGBA only if something in it is transparent.

    `at_least_px`: the caller will shrink the longer side to this many pixels, so that a JPEG may be decoded at a half,
    a quarter or an eighth of its size, but never below that. Up to 20 MiB, 64 Mi pixels and 16,384 pixels a side.
    Raises UndecodableImage.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UndecodableImage(f"the image is larger than {MAX_FILE_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which nobody will see
            return _decode(data, at_least_px)
    except UndecodableImage:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise UndecodableImage("the image is too large to decode") from error
    except UnidentifiedImageError as error:
        raise UndecodableImage(UNKNOWN) from error
    except Exception as error:
        # Decoders meet hostile bytes with whatever goes wrong first, a KeyError as well as an OSError; none of it is
        # our mistake, and no list of what they raise would be complete.
        raise UndecodableImage(BROKEN) from error


def decode_base64(text: str) -> bytes:
    """A file from base64 (RFC 4648), of the usual or the URL-safe alphabet, with or without `data:...;base64,`.

    Spaces and line breaks are ignored, and the padding may be left out. Up to 20 MiB. Raises UndecodableImage.
    """
    prefix = DATA_URL.match(text.lstrip()[:300])
    encoded = "".join(text.lstrip()[prefix.end() if prefix else 0 :].split()).translate(URL_SAFE).rstrip("=")
    if not encoded:
        raise UndecodableImage("the image is empty")
    if len(encoded) * 3 // 4 > MAX_FILE_BYTES:
        raise UndecodableImage(f"the image is larger than {MAX_FILE_BYTES} bytes")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: characters outside ASCII
        raise UndecodableImage("the image is not valid base64") from error


def on_white(image: Image.Image) -> Image.Image:
    """A decoded image as RGB, with white behind what is transparent."""
    if image.mode != "RGBA":
        return image
    page = Image.new("RGB", image.size, WHITE)
    page.paste(image, mask=image.getchannel("A"))
    return page


class _File(BytesIO):
    """A file that can be read from only so many times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads_left = MAX_READS_TO_OPEN

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise UndecodableImage(BROKEN)
        return super().read(size)


def _decode(data: bytes, at_least_px: int | None) -> Image.Image:
    _check_directory(data)
    file = _File(data)
    with Image.open(file, formats=FORMATS) as image:
        _check_size(image, data)
        if at_least_px and isinstance(image, JpegImageFile):
            _shrink_while_decoding(image, at_least_px)
        # Pillow turns TIFF by itself as it loads it.
        orientation = 1 if isinstance(image, TiffImageFile) else orientation_of(image.info.get("exif") or b"")
        raw_mode = _raw_mode(image)
        file.reads_left = MAX_READS_TO_LOAD
        image.load()
        upright = in_srgb(image, raw_mode)
    return upright.transpose(TRANSPOSITIONS[orientation]) if orientation in TRANSPOSITIONS else upright


def _check_directory(data: bytes) -> None:
    """Of a TIFF: lists for which Pillow would make millions of objects, tiles that are larger than any image."""
    tile_px = {TILE_WIDTH: 1, TILE_LENGTH: 1}
    for entry in first_directory(data):
        if entry.is_list_of_numbers and entry.count > MAX_TIFF_LIST:
            raise UndecodableImage(BROKEN)
        if entry.tag in tile_px:
            tile_px[entry.tag] = max(tile_px[entry.tag], entry.value or 0)
    if tile_px[TILE_WIDTH] * tile_px[TILE_LENGTH] > MAX_PIXELS:
        raise UndecodableImage(BROKEN)


def _check_size(image: ImageFile, data: bytes) -> None:
    width_px, height_px = image.size
    pixels = width_px * height_px
    if pixels == 0:
        raise UndecodableImage("the image has no pixels")
    if max(width_px, height_px) > MAX_SIDE_PX or pixels > MAX_PIXELS:
        limits = f"{MAX_PIXELS:,} pixels and {MAX_SIDE_PX:,} pixels a side"
        raise UndecodableImage(f"the image is {width_px} x {height_px} pixels; at most {limits} are decoded")
    if isinstance(image, JpegImageFile) and data.count(START_OF_SCAN) * pixels > MAX_SCANNED_PIXELS:
        raise UndecodableImage("the image has too many scans")
    if isinstance(image, BmpImageFile) and _raw_codec(image) == "bmp_rle" and pixels > MAX_RUN_LENGTH_PIXELS:
        raise UndecodableImage(f"a run-length encoded BMP may have at most {MAX_RUN_LENGTH_PIXELS:,} pixels")


def _shrink_while_decoding(image: JpegImageFile, at_least_px: int) -> None:
    """By the greatest of libjpeg's scales that leaves enough of the longer side."""
    for scale in JPEG_SCALES:
        if max(image.size) >= scale * at_least_px:
            image.draft(None, (max(image.width // scale, 1), max(image.height // scale, 1)))
            return


def _raw_codec(image: ImageFile) -> str:
    return image.tile[0].codec_name if image.tile else ""


def _raw_mode(image: ImageFile) -> str:
    """How the file has its samples, in Pillow's words."""
    arguments = image.tile[0].args if image.tile else None
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw_mode if isinstance(raw_mode, str) else ""

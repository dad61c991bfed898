"""Any good file becomes the picture that a person would see; any other one a refusal, within limits."""

import base64
import io
import resource
import struct
import time
import warnings
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, features
from PIL.PngImagePlugin import PngInfo

from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import MAX_FILE_BYTES, decode, decode_base64, on_white
from tests.unit.images.files import GREY, PALETTE, PNG_SIGNATURE, RGB, exif_of, grey_tiff, png, png_chunk, saved, tiff

Colour = tuple[int, ...]

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
CLEAR = (0, 0, 0, 0)
WIDTH_PX, HEIGHT_PX = 96, 64
LOSSY = {"JPEG", "AVIF"}
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"] + (["AVIF"] if features.check("avif") else [])


def quarters(mode: str = "RGB", size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> Image.Image:
    """Red, green; blue, white: no rotation or reflection of it is the same."""
    image = Image.new("RGB", size, WHITE)
    width_px, height_px = size
    for column, row, colour in ((0, 0, RED), (1, 0, GREEN), (0, 1, BLUE)):
        image.paste(
            colour, (column * width_px // 2, row * height_px // 2, width_px // (2 - column), height_px // (2 - row))
        )
    return image.convert(mode)


def corners(image: Image.Image) -> list[Colour]:
    """The colours in the middles of the quarters, row by row."""
    columns, rows = (image.width // 4, image.width * 3 // 4), (image.height // 4, image.height * 3 // 4)
    found = [image.getpixel((column, row)) for row in rows for column in columns]
    return [colour if isinstance(colour, tuple) else () for colour in found]


def are_close(found: Sequence[Colour], expected: Sequence[Colour], tolerance: int = 10) -> bool:
    return len(found) == len(expected) and all(
        len(one) == len(other) and max(abs(a - b) for a, b in zip(one, other, strict=True)) <= tolerance
        for one, other in zip(found, expected, strict=True)
    )


def pixels(image: Image.Image) -> list[Colour]:
    array = np.asarray(image)
    return [tuple(int(sample) for sample in pixel) for pixel in array.reshape(-1, array.shape[-1])]


def refusal(data: bytes) -> str:
    with pytest.raises(UndecodableImage) as refused:
        decode(data)
    assert refused.value.message
    return refused.value.message


# Formats


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_decoded_to_rgb(kind: str) -> None:
    image = decode(saved(quarters(), kind))
    assert (image.mode, image.size) == ("RGB", (WIDTH_PX, HEIGHT_PX))
    assert are_close(corners(image), [RED, GREEN, BLUE, WHITE], 12 if kind in LOSSY | {"WEBP"} else 0)


def test_progressive_jpegs_and_mpos_are_jpegs() -> None:
    mpo = saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (20, 20))])
    assert Image.open(io.BytesIO(mpo)).format == "MPO"
    for data in (saved(quarters(), "JPEG", progressive=True), mpo):
        assert are_close(corners(decode(data)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"] + ["AVIF"] * ("AVIF" in FORMATS))
def test_of_several_pictures_the_first_one_counts(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    later = [Image.new("RGB", (WIDTH_PX, HEIGHT_PX), colour) for colour in (BLUE, BLACK)]
    data = saved(quarters(), kind, save_all=True, append_images=later, **options)
    assert are_close(corners(decode(data)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "DDS", "JPEG2000", "EPS", "PDF"])
def test_other_formats_are_refused(kind: str) -> None:
    assert "formats JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF" in refusal(saved(quarters(), kind))


@pytest.mark.parametrize(
    "data", [b"", b"a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(1000), b"\xff\xd8\xff"]
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    refusal(data)


@pytest.mark.parametrize("kind", [*FORMATS, "TIFF LZW", "TIFF deflate", "TIFF JPEG", "BMP RLE", "PNG interlaced"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(kind: str, kept: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8))
    compressions = {"TIFF LZW": "tiff_lzw", "TIFF deflate": "tiff_adobe_deflate", "TIFF JPEG": "jpeg"}
    if kind in compressions:
        data = saved(noise, "TIFF", compression=compressions[kind])
    elif kind == "BMP RLE":
        data = run_length_bmp(64, 64)
    elif kind == "PNG interlaced":
        data = saved(noise, "PNG")
    else:
        data = saved(noise, kind)
    decode(data)
    refusal(data[: int(len(data) * kept)])


def run_length_bmp(width_px: int, height_px: int) -> bytes:
    """Every pixel of the palette's second colour, one run a pixel; written as RLE8."""
    rows = (b"\x01\x01" * width_px + b"\0\0") * height_px + b"\0\x01"
    palette = bytes(4) + bytes([0, 0, 255, 0]) + bytes(4 * 254)
    offset = 14 + 40 + len(palette)
    header = struct.pack("<LLLHHLLLLLL", 40, width_px, height_px, 1, 8, 1, len(rows), 2835, 2835, 256, 0)
    return b"BM" + struct.pack("<LLL", offset + len(rows), 0, offset) + header + palette + rows


def test_a_run_length_encoded_bmp_is_decoded_unless_it_would_take_long() -> None:
    assert decode(run_length_bmp(3, 2)).getpixel((2, 1)) == RED
    data = bytearray(run_length_bmp(3, 2))
    data[18:26] = struct.pack("<LL", 8000, 8000)
    assert "run-length" in refusal(bytes(data))


# Modes


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("P", "PNG"),
        ("P", "GIF"),
        ("P", "BMP"),
        ("P", "TIFF"),
        ("YCbCr", "TIFF"),
        ("CMYK", "TIFF"),
        ("CMYK", "JPEG"),
        ("YCbCr", "JPEG"),
        ("RGBX", "TIFF"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("RGBA", "TIFF"),
        ("RGBA", "BMP"),
    ],
)
def test_every_mode_is_shown_in_its_colours_without_an_alpha_that_says_nothing(mode: str, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decode(saved(quarters(mode), kind, **options))
    assert image.mode == "RGB"
    assert are_close(corners(image), [RED, GREEN, BLUE, WHITE])


def test_lab_is_shown_in_its_colours() -> None:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (8, 8), (200, 60, 30)), transform)
    assert lab is not None
    assert are_close([pixels(decode(saved(lab, "TIFF")))[0]], [(200, 60, 30)])


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "PNG"),
        ("L", "JPEG"),
        ("L", "TIFF"),
        ("L", "BMP"),
        ("L", "GIF"),
        ("1", "PNG"),
        ("1", "TIFF"),
        ("1", "BMP"),
        ("LA", "PNG"),
        ("LA", "TIFF"),
        ("PA", "TIFF"),
    ],
)
def test_grey_and_black_and_white_are_rgb(mode: str, kind: str) -> None:
    grey = Image.new("L", (16, 16), 0)
    grey.paste(255, (8, 0, 16, 16))
    image = decode(saved(grey.convert(mode), kind))
    assert image.mode == "RGB"
    assert are_close(corners(image), [BLACK, WHITE, BLACK, WHITE], 3)


def test_a_cmyk_jpeg_is_inverted_as_adobe_and_all_browsers_have_it() -> None:
    """Pillow writes Adobe's marker and inverts; so does this file by hand, as three of four inks at full."""
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    data = saved(ink, "JPEG")
    assert b"Adobe" in data
    assert are_close([pixels(decode(data))[0]], [RED])
    assert are_close([pixels(decode(data, at_least_px=2))[0]], [RED])


def test_wide_grey_loses_its_lower_bits_and_is_not_stretched() -> None:
    wide = Image.fromarray(np.array([[0x0000, 0x1234], [0x80FF, 0xFFFF]], dtype=np.uint16))
    expected = [(value,) * 3 for value in (0x00, 0x12, 0x80, 0xFF)]
    for kind in ("PNG", "TIFF"):
        assert pixels(decode(saved(wide, kind))) == expected
    assert pixels(decode(saved(wide, "TIFF", compression="tiff_lzw"))) == expected


@pytest.mark.parametrize(
    ("code", "bits", "sample_format", "photometric", "samples", "expected"),
    [
        ("H", 16, 1, 1, (0, 0x1234, 0x80FF, 0xFFFF), (0x00, 0x12, 0x80, 0xFF)),
        ("h", 16, 2, 1, (-0x8000, -1, 0, 0x7FFF), (0x00, 0x7F, 0x80, 0xFF)),
        ("L", 32, 1, 1, (0, 0x12345678, 0x80000000, 0xFFFFFFFF), (0x00, 0x12, 0x80, 0xFF)),
        ("l", 32, 2, 1, (-0x80000000, -1, 0, 0x7FFFFFFF), (0x00, 0x7F, 0x80, 0xFF)),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiffs_wide_samples_are_scaled_by_the_range_of_their_type(
    code: str,
    bits: int,
    sample_format: int,
    photometric: int,
    samples: tuple[int, ...],
    expected: tuple[int, ...],
    order: str,
) -> None:
    if (code, order) == ("L", ">"):
        pytest.skip("Pillow does not open these")
    data = grey_tiff(struct.pack(f"{order}4{code}", *samples), bits, sample_format, photometric, order)
    assert pixels(decode(data)) == [(value,) * 3 for value in expected]


def test_twelve_bits_are_scaled_by_their_range_too() -> None:
    assert pixels(decode(grey_tiff(bytes.fromhex("000 7ff 800 fff".replace(" ", "")), 12)))[1:] == [
        (0x7F,) * 3,
        (0x80,) * 3,
        (0xFF,) * 3,
    ]


def test_white_may_be_zero() -> None:
    data = grey_tiff(struct.pack("<4H", 0, 0x1234, 0x80FF, 0xFFFF), 16, photometric=0)
    assert pixels(decode(data)) == [(value,) * 3 for value in (0xFF, 0xED, 0x7F, 0x00)]


def test_floating_point_samples_are_refused_by_name() -> None:
    assert "floating-point" in refusal(saved(Image.new("F", (4, 4), 0.5), "TIFF"))


# Transparency


def test_an_alpha_that_says_something_is_kept() -> None:
    image = quarters("RGBA")
    image.putpixel((1, 1), (255, 0, 0, 128))
    for kind, options in (
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ):
        decoded = decode(saved(image, kind, **options))
        assert decoded.mode == "RGBA"
        assert decoded.getpixel((1, 1)) == (255, 0, 0, 128)
        assert corners(decoded) == [(*colour, 255) for colour in (RED, GREEN, BLUE, WHITE)]


def test_grey_with_alpha_keeps_it() -> None:
    image = Image.new("LA", (4, 4), (100, 7))
    for kind in ("PNG", "TIFF"):
        assert pixels(decode(saved(image, kind)))[0] == (100, 100, 100, 7)


def test_a_palette_may_have_one_transparent_colour_or_an_alpha_for_each() -> None:
    palette = (b"PLTE", bytes([*RED, *GREEN, *BLUE]))
    rows = b"\0\x00\x01\x02"
    one = decode(png(3, 1, 8, PALETTE, rows, [palette, (b"tRNS", b"\xff\0")]))
    assert pixels(one) == [(*RED, 255), (*GREEN, 0), (*BLUE, 255)]
    each = decode(png(3, 1, 8, PALETTE, rows, [palette, (b"tRNS", b"\x10\x80")]))
    assert pixels(each) == [(*RED, 16), (*GREEN, 128), (*BLUE, 255)]
    unused = decode(png(2, 1, 8, PALETTE, b"\0\x00\x01", [palette, (b"tRNS", b"\xff\xff\0")]))
    assert (unused.mode, pixels(unused)) == ("RGB", [RED, GREEN])


@pytest.mark.parametrize(
    ("bits", "row", "clear", "expected"),
    [
        (1, b"\x40", b"\0\1", [(0, 0, 0, 255), (255, 255, 255, 0)]),
        (2, b"\x60", b"\0\1", [(85, 85, 85, 0), (170, 170, 170, 255)]),
        (4, b"\x1e", b"\0\1", [(17, 17, 17, 0), (238, 238, 238, 255)]),
        (8, b"\x01\xfe", b"\0\1", [(1, 1, 1, 0), (254, 254, 254, 255)]),
        (16, b"\x12\x34\x12\x35", b"\x12\x34", [(18, 18, 18, 0), (18, 18, 18, 255)]),
    ],
)
def test_a_transparent_grey_is_meant_in_the_files_own_depth(
    bits: int, row: bytes, clear: bytes, expected: list[Colour]
) -> None:
    assert pixels(decode(png(2, 1, bits, GREY, b"\0" + row, [(b"tRNS", clear)]))) == expected


def test_a_transparent_colour_is_found_in_8_and_16_bits() -> None:
    short = png(2, 1, 8, RGB, b"\0\x01\x02\x03\x04\x05\x06", [(b"tRNS", bytes([0, 1, 0, 2, 0, 3]))])
    assert pixels(decode(short)) == [(1, 2, 3, 0), (4, 5, 6, 255)]
    samples = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 1, 2, 3)
    wide = png(2, 1, 16, RGB, b"\0" + samples, [(b"tRNS", samples[:6])])
    assert pixels(decode(wide)) == [(0x12, 0x56, 0x9A, 0), (0, 0, 0, 255)]


def test_a_gif_whose_first_frame_is_all_transparent_stays_so() -> None:
    first = Image.new("RGBA", (8, 8), CLEAR)
    data = saved(first, "GIF", save_all=True, append_images=[Image.new("RGBA", (8, 8), (255, 0, 0, 255))])
    image = decode(data)
    assert image.mode == "RGBA"
    assert image.getchannel("A").getextrema() == (0, 0)


def test_on_white_shows_what_is_behind_the_transparent() -> None:
    image = Image.new("RGBA", (2, 1), CLEAR)
    image.putpixel((1, 0), (255, 0, 0, 128))
    assert are_close(pixels(on_white(image)), [WHITE, (255, 127, 127)], 1)
    assert on_white(image).mode == "RGB"
    assert pixels(on_white(quarters()))[0] == RED


# Orientation


UPRIGHT_FROM = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}
"""What the quarters look like once upright; EXIF says where the stored first row and column are to be seen."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "draft"])
def test_every_orientation_is_made_upright(orientation: int, kind: str) -> None:
    if kind == "TIFF":
        data = saved(quarters(), "TIFF", tiffinfo={274: orientation}, compression="tiff_lzw")
    elif kind == "draft":
        data = saved(quarters(size=(960, 640)), "JPEG", exif=exif_of(orientation))
    else:
        data = saved(quarters(), kind, exif=exif_of(orientation))
    image = decode(data, at_least_px=96)
    size = (WIDTH_PX, HEIGHT_PX) if kind != "draft" else (120, 80)
    assert image.size == (size if orientation < 5 else size[::-1])
    assert are_close(corners(image), UPRIGHT_FROM[orientation], 14)


@pytest.mark.skipif("AVIF" not in FORMATS, reason="Pillow has no AVIF")
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_an_avif_is_turned_once(orientation: int) -> None:
    image = decode(saved(quarters(), "AVIF", exif=exif_of(orientation)))
    assert are_close(corners(image), UPRIGHT_FROM[orientation], 14)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"a" * 99]
)
def test_broken_exif_does_no_harm(exif: bytes) -> None:
    assert are_close(corners(decode(saved(quarters(), "JPEG", exif=exif))), [RED, GREEN, BLUE, WHITE])


# Colour profiles


def swapped_profile() -> bytes:
    """An RGB profile in which red and green have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    return bytes(profile.replace("sRGB".encode("utf-16-be"), "Odd!".encode("utf-16-be")).replace(b"sRGB", b"Odd!"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_profile_says_what_the_colours_mean(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decode(saved(quarters(), kind, icc_profile=swapped_profile(), **options))
    assert are_close(corners(image), [GREEN, RED, BLUE, WHITE], 14)


def test_a_profile_leaves_alpha_and_palettes_what_they_are() -> None:
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 77))
    assert are_close([pixels(decode(saved(clear, "PNG", icc_profile=swapped_profile())))[0]], [(0, 255, 0, 77)], 3)
    palette = decode(saved(quarters("P"), "PNG", icc_profile=swapped_profile()))
    assert are_close(corners(palette), [GREEN, RED, BLUE, WHITE], 3)


@pytest.mark.parametrize(
    "profile", [b"broken", bytes(200), swapped_profile()[:300], swapped_profile().replace(b"RGB ", b"CMYK")]
)
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_profile_that_is_broken_or_meant_for_other_samples_is_ignored(profile: bytes, mode: str) -> None:
    image = decode(saved(quarters(mode), "JPEG", icc_profile=profile))
    assert are_close(corners(image), [RED, GREEN, BLUE, WHITE], 12)


def test_a_profile_for_rgb_is_not_used_on_grey() -> None:
    image = decode(saved(Image.new("L", (8, 8), 90), "PNG", icc_profile=swapped_profile()))
    assert pixels(image)[0] == (90, 90, 90)


# Decoding at a smaller scale


@pytest.mark.parametrize(
    ("size", "at_least_px", "decoded"),
    [
        ((800, 600), 100, (100, 75)),
        ((800, 600), 101, (200, 150)),
        ((807, 5), 100, (202, 2)),
        ((5, 807), 100, (2, 202)),
        ((799, 600), 100, (200, 150)),
        ((300, 200), 200, (300, 200)),
        ((100, 100), 448, (100, 100)),
        ((1, 1), 448, (1, 1)),
        ((900, 1), 448, (900, 1)),
    ],
)
def test_a_jpeg_is_decoded_smaller_but_never_too_small(
    size: tuple[int, int], at_least_px: int, decoded: tuple[int, int]
) -> None:
    for mode in ("RGB", "L", "CMYK"):
        assert decode(saved(Image.new(mode, size), "JPEG"), at_least_px).size == decoded


@given(st.integers(8, 700), st.integers(8, 700), st.integers(1, 500))
def test_the_longer_side_keeps_what_was_asked_for(width_px: int, height_px: int, at_least_px: int) -> None:
    image = decode(saved(Image.new("L", (width_px, height_px)), "JPEG"), at_least_px)
    assert max(image.size) >= min(at_least_px, max(width_px, height_px))
    assert max(image.size) <= max(2 * at_least_px, max(width_px, height_px) / 8 + 1)


def test_other_formats_keep_their_size() -> None:
    assert decode(saved(quarters(), "PNG"), at_least_px=8).size == (WIDTH_PX, HEIGHT_PX)


# What goes and what stays


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_no_metadata_stays(kind: str) -> None:
    image = decode(saved(quarters(), kind, exif=exif_of(1), icc_profile=swapped_profile(), dpi=(300, 300)))
    assert (image.info, type(image)) == ({}, Image.Image)
    for again in ("JPEG", "PNG", "WEBP"):
        assert not {"exif", "icc_profile", "dpi"} & set(Image.open(io.BytesIO(saved(image, again))).info)


def test_nothing_is_warned_of() -> None:
    bomb = bytearray(saved(Image.new("1", (1, 1)), "BMP"))
    bomb[18:26] = struct.pack("<LL", 10_000, 10_000)
    corrupt_exif = exif_of(1)[:-8] + b"\xff" * 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refusal(bytes(bomb))
        decode(saved(quarters(), "JPEG", exif=corrupt_exif))
        decode(saved(quarters("P"), "PNG", transparency=bytes([1, 2, 3])))


# Limits


def claiming(width_px: int, height_px: int) -> dict[str, bytes]:
    """Small files that say they are of this size."""
    header = struct.pack(">LLBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    bmp = bytearray(saved(quarters(), "BMP"))
    bmp[18:26] = struct.pack("<LL", width_px, height_px)
    jpeg = bytearray(saved(quarters(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", min(height_px, 65_535), min(width_px, 65_535))
    gif = bytearray(saved(quarters(), "GIF"))
    gif[6:10] = struct.pack("<HH", min(width_px, 65_535), min(height_px, 65_535))
    webp = bytearray(saved(quarters("RGBA"), "WEBP", lossless=True, exif=exif_of(1)))
    canvas = webp.index(b"VP8X") + 12
    webp[canvas : canvas + 6] = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    size = [(256, 4, 1, width_px), (257, 4, 1, height_px), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    strips = [(273, 4, 1, 8), (277, 3, 1, 1), (279, 4, 1, 100)]
    files = {
        "PNG": PNG_SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""),
        "BMP": bytes(bmp),
        "JPEG": bytes(jpeg),
        "GIF": bytes(gif),
        "WEBP": bytes(webp),
        "TIFF": tiff(size + strips),
    }
    if "AVIF" in FORMATS:
        avif = bytearray(saved(quarters(), "AVIF"))
        extent = avif.index(b"ispe") + 8
        avif[extent : extent + 8] = struct.pack(">LL", width_px, height_px)
        files["AVIF"] = bytes(avif)
    return files


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(50_000, 50_000), (8_193, 8_193), (16_385, 1), (1, 16_385)])
def test_a_file_that_claims_too_many_pixels_is_refused_before_any_is_made(kind: str, size: tuple[int, int]) -> None:
    used_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.monotonic()
    refusal(claiming(*size)[kind])
    assert time.monotonic() - began_s < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used_kb < 60_000


def test_the_message_says_how_large_an_image_may_be() -> None:
    message = refusal(claiming(9_000, 9_000)["PNG"])
    assert message == "the image is 9000 x 9000 pixels; at most 67,108,864 pixels and 16,384 pixels a side are decoded"


def test_the_longest_side_is_decoded() -> None:
    assert decode(saved(Image.new("1", (16_384, 2)), "PNG")).size == (16_384, 2)


def test_no_pixels_at_all_are_refused() -> None:
    refusal(png(0, 5, 8, GREY, b""))
    gif = bytearray(saved(quarters(), "GIF"))
    gif[6:10] = bytes(4)
    refusal(bytes(gif[: gif.index(b",")]) + b",\0\0\0\0\0\0\0\0\0\x02\0;")


def test_a_file_over_the_limit_is_refused() -> None:
    assert "larger than" in refusal(bytes(MAX_FILE_BYTES + 1))


def tiny_segments() -> bytes:
    segment = b"\xff\xe1\x00\x09Exif\0\0a"
    return b"\xff\xd8" + segment * (MAX_FILE_BYTES // 2 // len(segment))


def tiny_chunks() -> bytes:
    start = png(1, 1, 8, GREY, b"\0\0")
    return start[:33] + png_chunk(b"teXt", b"a") * 700_000 + start[33:]


def tiny_blocks() -> bytes:
    return saved(Image.new("L", (1, 1)), "GIF")[:13] + b"!\xfe" + b"\1a" * 4_000_000


def junk_before_the_frame() -> bytes:
    return b"\xff\xd8\xff\xe0\0\x02" + bytes(MAX_FILE_BYTES // 2)


def millions_of_strips() -> bytes:
    entries = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    return tiff([*entries, (273, 4, 2_000_000, 200), (278, 3, 1, 1)], bytes(8_100_000))


def tiled(side_px: int) -> bytes:
    """A TIFF of nine by nine grey pixels in one compressed tile of this size."""
    tile = zlib.compress(b"\x5a" * side_px * side_px, 1)
    entries = [(256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    entries += [(322, 4, 1, side_px), (323, 4, 1, side_px), (324, 4, 1, 8 + 2 + 12 * 10 + 4), (325, 4, 1, len(tile))]
    return tiff(entries, tile)


def tiles_larger_than_any_image() -> bytes:
    assert pixels(decode(tiled(64)))[80] == (0x5A,) * 3
    return tiled(8_208)


def thousands_of_scans() -> bytes:
    whole = saved(Image.new("L", (4_000, 4_000)), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * 1_000 + whole[-2:]


def text_that_unpacks_to_a_lot() -> bytes:
    text = PngInfo()
    text.add_text("a", "b" * 50_000_000, zip=True)
    return saved(Image.new("L", (1, 1)), "PNG", pnginfo=text)


@pytest.mark.parametrize(
    "make",
    [
        tiny_segments,
        tiny_chunks,
        tiny_blocks,
        junk_before_the_frame,
        millions_of_strips,
        tiles_larger_than_any_image,
        thousands_of_scans,
        text_that_unpacks_to_a_lot,
    ],
)
def test_a_file_that_is_made_to_cost_is_refused_soon(make: Callable[[], bytes]) -> None:
    data = make()
    began_s = time.monotonic()
    refusal(data)
    assert time.monotonic() - began_s < 1


@given(st.binary(max_size=300), st.sampled_from(FORMATS))
def test_whatever_the_bytes_only_one_error_comes_out(noise: bytes, kind: str) -> None:
    start = {
        "JPEG": b"\xff\xd8\xff\xe0",
        "PNG": PNG_SIGNATURE,
        "GIF": b"GIF89a",
        "BMP": b"BM",
        "TIFF": b"II*\0\x08\0\0\0",
    }
    try:
        assert decode(start.get(kind, b"RIFF0000WEBPVP8L") + noise).mode in ("RGB", "RGBA")
    except UndecodableImage as error:
        assert error.message


# Base64


@given(st.binary(min_size=1, max_size=60))
def test_base64_is_read_in_both_alphabets_with_or_without_padding_or_prefix(data: bytes) -> None:
    usual, url_safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    broken = "\r\n".join(usual[start : start + 7] for start in range(0, len(usual), 7))
    for text in (usual, url_safe, usual.rstrip("="), broken, f" {usual}\t\n"):
        for prefix in ("", "data:image/png;base64,", "data:;base64,", "DATA:image/svg+xml;charset=utf-8;BASE64,"):
            assert decode_base64(prefix + text) == data
    assert decode_base64("\n data:image/png;base64,\n" + usual) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "=",
        "====",
        "data:image/png;base64,",
        "a",
        "abcde",
        "ab=c",
        "abc!",
        "äöü",
        "data:image/png,abcd",
        "%2B%2F==",
        "data:",
        "\0abc",
    ],
)
def test_what_is_not_base64_is_refused_and_told_so(text: str) -> None:
    with pytest.raises(UndecodableImage, match="base64|empty"):
        decode_base64(text)


def test_base64_of_more_than_the_limit_is_refused() -> None:
    assert len(decode_base64(base64.b64encode(bytes(MAX_FILE_BYTES)).decode())) == MAX_FILE_BYTES
    with pytest.raises(UndecodableImage, match="larger"):
        decode_base64("A" * (MAX_FILE_BYTES * 4 // 3 + 8))

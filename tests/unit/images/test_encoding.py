"""What is stored is the picture and nothing else, never too large, and the same every time."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crowdsight.images.decoding import decode
from crowdsight.images.encoding import MAX_STORED_BYTES, pixel_digest, store_form, thumbnail
from tests.unit.images.files import exif_of, saved


def noise(width_px: int, height_px: int, bands: int = 3) -> Image.Image:
    generator = np.random.default_rng(width_px * height_px)
    return Image.fromarray(generator.integers(0, 255, (height_px, width_px, bands), dtype=np.uint8))


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def test_an_opaque_picture_is_stored_as_jpeg_and_looks_the_same() -> None:
    image = Image.new("RGB", (60, 40), (200, 30, 40))
    stored = store_form(image)
    assert stored.format == "jpeg"
    assert (stored.width, stored.height) == opened(stored.data).size == (60, 40)
    assert opened(stored.data).format == "JPEG"
    difference = np.asarray(decode(stored.data)).astype(int) - np.asarray(image)
    assert abs(difference).max() <= 3


def test_a_picture_with_transparency_is_stored_as_png_exactly() -> None:
    image = noise(50, 30, 4)
    stored = store_form(image)
    assert stored.format == "png"
    assert pixel_digest(decode(stored.data)) == pixel_digest(image)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_no_metadata_is_stored(mode: str) -> None:
    kind = "JPEG" if mode == "RGB" else "PNG"
    image = decode(saved(Image.new(mode, (20, 20)), kind, exif=exif_of(3), dpi=(300, 300), comment=b"secret"))
    for data in (store_form(image).data, thumbnail(image)):
        assert not {"exif", "icc_profile", "dpi", "comment", "xmp"} & set(opened(data).info)
        assert b"Exif" not in data and b"secret" not in data


def smooth(size_px: int, bands: int) -> Image.Image:
    """Small copies of it take more bytes a pixel than large ones."""
    generator = np.random.default_rng(size_px)
    small = Image.fromarray(generator.integers(0, 255, (60, 60, bands), dtype=np.uint8))
    return small.resize((size_px, size_px // 2), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "image",
    [noise(3_600, 1_800), noise(1_600, 800, 4), noise(2_300, 1_150, 4), smooth(12_000, 3), smooth(4_000, 4)],
    ids=["noise", "transparent noise", "much transparent noise", "smooth", "smooth and transparent"],
)
def test_a_picture_that_takes_too_much_is_scaled_down_in_proportion_and_fills_the_limit(image: Image.Image) -> None:
    stored = store_form(image)
    assert MAX_STORED_BYTES * 0.75 < len(stored.data) <= MAX_STORED_BYTES
    assert opened(stored.data).size == (stored.width, stored.height)
    assert stored.width < image.width and abs(stored.width - 2 * stored.height) <= 2


def test_a_picture_that_fits_as_it_is_is_not_scaled_however_many_pixels_it_has() -> None:
    tiles = Image.fromarray(np.tile(np.asarray(noise(64, 64, 4)), (80, 80, 1)))
    stored = store_form(tiles)
    assert (stored.width, stored.height) == tiles.size
    nearly_full = noise(1_040, 1_040, 4)
    stored = store_form(nearly_full)
    assert (stored.width, stored.height) == nearly_full.size
    assert len(stored.data) > 0.95 * MAX_STORED_BYTES


@pytest.mark.parametrize("size", [(1_500_000, 1), (1, 60_000), (40_000, 30)])
def test_a_thin_picture_that_takes_too_much_fits_in_the_end(size: tuple[int, int]) -> None:
    stored = store_form(noise(*size, 4))
    assert len(stored.data) <= MAX_STORED_BYTES and stored.height >= 1


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1024, 512), (256, 128)),
        ((300, 600), (128, 256)),
        ((10_000, 1), (256, 1)),
        ((1, 10_000), (1, 256)),
        ((20, 10), (20, 10)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_thumbnail_has_256_pixels_on_its_longest_side_or_what_there_is(
    size: tuple[int, int], shown: tuple[int, int], mode: str
) -> None:
    shrunk = opened(thumbnail(Image.new(mode, size, (9, 9, 9) if mode == "RGB" else (9, 9, 9, 99))))
    assert (shrunk.format, shrunk.size, shrunk.mode) == ("WEBP", shown, mode)


def test_a_thumbnail_keeps_transparency_and_no_colour_bleeds_out_of_it() -> None:
    image = Image.new("RGBA", (600, 600), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (300, 0, 600, 600))
    shrunk = opened(thumbnail(image))
    assert shrunk.getpixel((10, 128))[3:] == (0,)  # type: ignore[index]
    red, _, blue, alpha = shrunk.getpixel((250, 128))  # type: ignore[misc]
    assert (alpha, red < 10, blue > 245) == (255, True, True)


@settings(max_examples=25)
@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(["RGB", "RGBA"]))
def test_every_size_can_be_stored_and_shown(width_px: int, height_px: int, mode: str) -> None:
    image = Image.new(mode, (width_px, height_px))
    stored = store_form(image)
    assert opened(stored.data).size == (width_px, height_px)
    assert min(opened(thumbnail(image)).size) >= 1


@pytest.mark.parametrize("size", [(1, 1), (16_384, 1), (1, 16_384)])
@pytest.mark.parametrize("bands", [3, 4])
def test_thin_pictures_can_be_stored_and_shown(size: tuple[int, int], bands: int) -> None:
    image = noise(*size, bands)
    assert opened(store_form(image).data).size == size
    assert max(opened(thumbnail(image)).size) == min(max(size), 256)


def test_the_same_picture_is_always_stored_the_same() -> None:
    for bands in (3, 4):
        image = noise(300, 200, bands)
        assert store_form(image) == store_form(image.copy())
        assert thumbnail(image) == thumbnail(image.copy())


def test_the_digest_is_of_pixels_size_and_mode() -> None:
    image = noise(1_500, 800)
    digest = pixel_digest(image)
    assert len(digest) == 64 and int(digest, 16)
    assert pixel_digest(decode(saved(image, "PNG"))) == pixel_digest(decode(saved(image, "BMP"))) == digest
    changed = image.copy()
    changed.putpixel((1_499, 799), (1, 2, 3))
    others = [changed, image.convert("RGBA"), Image.frombytes("RGB", (800, 1_500), image.tobytes())]
    assert len({digest, *map(pixel_digest, others)}) == 4

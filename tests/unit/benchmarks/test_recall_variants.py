import random
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from benchmarks.recall.variants import VARIANTS, compress, crop, grey, mirror, shrink
from crowdsight.images.decoding import decode


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Every pixel's colour tells where it is; of RGBA the left half is transparent."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    channels = [across, down, np.full_like(across, 77)]
    if mode == "RGBA":
        channels.append(np.where(across < width // 2, 0, 255))
    return Image.fromarray(np.stack(channels, 2).astype(np.uint8), mode)


def pixel(image: Image.Image, across: int, down: int) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(image)[down, across])


def made(variant: str, image: Image.Image, seed: int = 0) -> Image.Image:
    return decode(VARIANTS[variant](image, random.Random(seed)))


def test_a_crop_is_an_untouched_part_of_80_percent_of_each_side() -> None:
    whole = picture(100, 50)
    part = decode(crop(whole, random.Random(3)))
    left, top, _ = pixel(part, 0, 0)
    assert part.size == (80, 40)
    assert not ImageChops.difference(part, whole.crop((left, top, left + 80, top + 40))).getbbox()


def test_crops_are_from_anywhere_in_the_picture() -> None:
    corners = {pixel(made("cropped", picture(100, 50), seed), 0, 0) for seed in range(400)}
    assert {corner[0] for corner in corners} == set(range(21))
    assert {corner[1] for corner in corners} == set(range(11))


def test_the_dice_decide_the_crop() -> None:
    assert crop(picture(100, 50), random.Random(3)) == crop(picture(100, 50), random.Random(3))


def test_a_mirrored_picture_mirrored_again_is_the_picture() -> None:
    whole = picture(20, 10)
    once = decode(mirror(whole, random.Random()))
    assert pixel(once, 0, 4) == (19, 4, 77)
    assert decode(mirror(once, random.Random())).tobytes() == whole.tobytes()


def test_a_compressed_picture_is_a_poor_jpeg_with_white_behind_it() -> None:
    data = compress(picture(64, 64, "RGBA"), random.Random())
    with Image.open(BytesIO(data)) as file:
        assert isinstance(file, JpegImageFile)
        # Annex K's first entry, 16, at quality 30 as libjpeg scales it: 16 * 5000 / 30 / 100.
        assert file.quantization[0][0] == 27
    assert min(pixel(decode(data), 4, 4)) > 245


@pytest.mark.parametrize("size, expected", [((100, 50), (25, 12)), ((3, 1), (1, 1))])
def test_a_shrunk_picture_has_a_quarter_of_each_side_and_a_pixel_at_least(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert decode(shrink(picture(*size), random.Random())).size == expected


def test_a_grey_picture_has_equal_channels_and_the_brightness_of_before() -> None:
    whole = picture(20, 10)
    red, green, blue = decode(grey(whole, random.Random())).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes() == whole.convert("L").tobytes()


@pytest.mark.parametrize("variant", ["cropped", "mirrored", "quarter_size", "grey"])
def test_transparency_stays(variant: str) -> None:
    transparency = made(variant, picture(40, 40, "RGBA")).getchannel("A")
    assert transparency.getextrema() == (0, 255)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_smallest_picture_has_every_variant(variant: str, mode: str) -> None:
    assert made(variant, picture(1, 1, mode)).size == (1, 1)

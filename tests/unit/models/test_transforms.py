"""Pictures of any shape become a model's square, and boxes find the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crowdsight.models.descriptions import Preprocessing
from crowdsight.models.transforms import CropToSquare, PadToSquare, Placement, ToTensor, pipeline, unit_rows

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
BLACK, WHITE, RED, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)
LETTERBOX = PadToSquare(416, BLACK, BILINEAR)


@pytest.mark.parametrize(
    ("size", "placement"),
    [
        ((832, 416), Placement(0, 104, 416, 208, 832, 416)),
        ((416, 832), Placement(104, 0, 208, 416, 416, 832)),
        ((100, 100), Placement(0, 0, 416, 416, 100, 100)),
        ((373, 560), Placement(69, 0, 277, 416, 373, 560)),
        ((1, 1), Placement(0, 0, 416, 416, 1, 1)),
        ((2, 1), Placement(0, 104, 416, 208, 2, 1)),
        ((10_000, 1), Placement(0, 207, 416, 1, 10_000, 1)),
        ((1, 10_000), Placement(207, 0, 1, 416, 1, 10_000)),
    ],
)
def test_a_letterbox_keeps_the_shape_and_the_middle(size: tuple[int, int], placement: Placement) -> None:
    assert LETTERBOX.place(*size) == placement


@given(width=st.integers(1, 3000), height=st.integers(1, 3000))
def test_a_letterbox_never_leaves_its_square(width: int, height: int) -> None:
    place = LETTERBOX.place(width, height)
    assert max(place.width, place.height) == 416
    assert min(place.left, place.top, place.width - 1, place.height - 1) >= 0
    assert place.left + place.width <= 416
    assert place.top + place.height <= 416


@given(width=st.integers(1, 3000), height=st.integers(1, 3000))
def test_the_whole_letterbox_is_the_whole_picture(width: int, height: int) -> None:
    place = LETTERBOX.place(width, height)
    inner = [place.left, place.top, place.left + place.width, place.top + place.height]
    boxes = place.undo(np.array([inner, [-50, -50, 500, 500]], np.float32))
    np.testing.assert_allclose(boxes, np.array([[0, 0, width, height]] * 2), rtol=1e-5, atol=1e-3)


def test_a_box_in_the_letterbox_is_where_the_thing_is_in_the_picture() -> None:
    picture = Image.new("RGB", (300, 600), BLUE)
    picture.paste(RED, (60, 150, 180, 450))
    seen = np.asarray(LETTERBOX(picture))
    rows, columns = np.nonzero((seen[..., 0] > 127) & (seen[..., 2] < 128))
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    np.testing.assert_allclose(LETTERBOX.place(300, 600).undo(box), [[60, 150, 180, 450]], atol=1.5)


def test_padding_has_the_colour_described() -> None:
    padded = PadToSquare(8, (1, 2, 3), BICUBIC)(Image.new("RGB", (80, 40), RED))
    assert padded.getpixel((0, 0)) == padded.getpixel((7, 7)) == (1, 2, 3)
    assert padded.getpixel((4, 4)) == RED


@given(width=st.integers(1, 400), height=st.integers(1, 400), seed=st.integers(0, 9))
def test_a_crop_is_the_middle_of_the_scaled_picture(width: int, height: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    picture, size = Image.fromarray(noise), 16
    if max(width, height) > 100 * min(width, height):
        return  # the scaled picture would be large
    scaled = picture.resize(
        (int(size * width / min(width, height)), int(size * height / min(width, height))), Image.Resampling.BICUBIC
    )
    left, top = round((scaled.width - size) / 2), round((scaled.height - size) / 2)
    expected = np.asarray(scaled.crop((left, top, left + size, top + size)), np.int16)
    # Pillow may resample rows or columns first, which rounds differently; a shift by a pixel would be some 30.
    assert np.abs(np.asarray(CropToSquare(size, BICUBIC)(picture), np.int16) - expected).mean() < 2


@pytest.mark.parametrize("size", [(1, 16_384), (16_384, 1)])
def test_a_thin_picture_is_cropped_without_being_blown_up(size: tuple[int, int]) -> None:
    assert CropToSquare(224, BICUBIC)(Image.new("RGB", size, RED)).getcolors() == [(224 * 224, RED)]


def test_numbers_are_what_the_description_says_by_channel() -> None:
    description = Preprocessing(
        size_px=8,
        fit="pad",
        resample="bicubic",
        divisor=255,
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 0.25, 1.0),
    )
    numbers = pipeline(description)(Image.new("RGB", (8, 8), (255, 0, 51)))
    assert numbers.shape == (3, 8, 8)
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers[:, 0, 0], [1, -1, 0.2], atol=1e-6)


def test_rows_and_columns_are_not_swapped() -> None:
    picture = Image.new("RGB", (4, 2), BLACK)
    picture.putpixel((3, 1), WHITE)
    numbers = ToTensor((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))(picture)
    assert numbers.shape == (3, 2, 4)
    assert numbers.flags.c_contiguous
    assert np.argwhere(numbers[0] == 255).tolist() == [[1, 3]]


def test_what_is_transparent_is_seen_on_white() -> None:
    description = Preprocessing(
        size_px=8, fit="pad", padding=BLACK, resample="bicubic", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    assert (pipeline(description)(Image.new("RGBA", (8, 8), (255, 0, 0, 0))) == 255).all()


def test_rows_of_zeros_stay_and_others_get_length_one() -> None:
    np.testing.assert_allclose(
        unit_rows(np.array([[3, 4], [0, 0]], np.float32)), np.array([[0.6, 0.8], [0, 0]], np.float32)
    )

"""Detections: on photographs against boxes drawn by hand, and the arithmetic on its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from crowdsight.images.decoding import decode
from crowdsight.images.encoding import store_form
from crowdsight.models.bundle import Bundle
from crowdsight.models.descriptions import InvalidBundle, read_description
from crowdsight.models.nanodet import MAX_DETECTIONS, ONE_THING, NanoDet, overlap, suppress

Box = tuple[float, float, float, float]

BY_HAND: dict[str, dict[str, list[Box]]] = {
    "astronaut": {"person": [(22, 12, 362, 511)]},
    "photographer": {"person": [(4, 64, 325, 511)]},
    "cat": {"cat": [(0, 0, 395, 300)]},
    "dogs": {"dog": [(114, 132, 195, 230), (172, 250, 252, 364)]},
    "coffee": {"cup": [(160, 17, 381, 288)]},
    "bicycle-and-dog": {"bicycle": [(92, 85, 412, 305)], "dog": [(97, 160, 222, 390)], "car": [(346, 65, 508, 122)]},
    "person-dog-and-horse": {"person": [(167, 88, 238, 323)], "dog": [(63, 234, 175, 302)]},
    "eagle": {"bird": [(98, 62, 433, 322)]},
}
"""What the photographs show, in their pixels."""


def iou(one: Box, other: Box) -> float:
    return float(overlap(np.array(one, np.float32), np.array([other], np.float32))[0])


@pytest.fixture(scope="module")
def keen(embedded_folder: Path) -> NanoDet:
    """The embedded bundle's detector, told to keep what it is less sure of."""
    description = read_description(embedded_folder).detector
    return NanoDet(description.model_copy(update={"min_score": 0.25}), embedded_folder, threads=2)


@pytest.mark.parametrize(
    ("photograph", "name", "sure"), [("astronaut", "person", 0.7), ("photographer", "person", 0.8)]
)
def test_people_are_found_where_they_are(
    embedded: Bundle, photographs: Mapping[str, Image.Image], photograph: str, name: str, sure: float
) -> None:
    (found,) = embedded.detect(photographs[photograph])
    assert (found.name, found.category_id) == (name, 0)
    assert found.score > sure
    assert iou(found.box, BY_HAND[photograph][name][0]) > 0.85


def test_a_cat_is_found_before_all_else_in_its_picture(
    embedded: Bundle, photographs: Mapping[str, Image.Image]
) -> None:
    first = embedded.detect(photographs["cat"])[0]
    assert (first.name, first.category_id) == ("cat", 15)
    assert iou(first.box, BY_HAND["cat"]["cat"][0]) > 0.8


@pytest.mark.parametrize(
    ("photograph", "name"),
    [
        ("astronaut", "person"),
        ("photographer", "person"),
        ("person-dog-and-horse", "person"),
        ("person-dog-and-horse", "dog"),
        ("cat", "cat"),
        ("dogs", "dog"),
        ("bicycle-and-dog", "bicycle"),
        ("bicycle-and-dog", "dog"),
        ("bicycle-and-dog", "car"),
        ("eagle", "bird"),
    ],
)
def test_labels_are_right_in_pixels_of_the_stored_image(
    embedded: Bundle, photographs: Mapping[str, Image.Image], photograph: str, name: str
) -> None:
    form = store_form(photographs[photograph])
    found = embedded.detect(decode(form.data))
    first = next(one for one in found if one.name == name)
    assert iou(first.box, BY_HAND[photograph][name][0]) > 0.6
    assert 0 <= first.box[0] < first.box[2] <= form.width and 0 <= first.box[1] < first.box[3] <= form.height


def test_one_thing_is_told_once_and_not_as_a_cat_and_a_dog(
    embedded: Bundle, photographs: Mapping[str, Image.Image]
) -> None:
    assert [one.name for one in embedded.detect(photographs["cat"])] == ["cat"]


def test_a_dog_of_two_is_found_for_sure(embedded: Bundle, photographs: Mapping[str, Image.Image]) -> None:
    (found,) = embedded.detect(photographs["dogs"])
    assert (found.name, found.category_id) == ("dog", 16)
    assert iou(found.box, BY_HAND["dogs"]["dog"][0]) > 0.6


@pytest.mark.parametrize(
    ("photograph", "name"), [("dogs", "dog"), ("coffee", "cup"), ("cat", "cat"), ("astronaut", "person")]
)
def test_less_sure_things_are_where_they_are_too(
    keen: NanoDet, photographs: Mapping[str, Image.Image], photograph: str, name: str
) -> None:
    boxes = [found.box for found in keen.detect(photographs[photograph]) if found.name == name]
    for by_hand in BY_HAND[photograph][name]:
        assert max((iou(box, by_hand) for box in boxes), default=0) > 0.6


def test_boxes_are_in_pixels_of_the_picture_given(embedded: Bundle, photographs: Mapping[str, Image.Image]) -> None:
    picture = photographs["photographer"]
    wide = Image.new("RGB", (1024, 512), (128, 128, 128))
    wide.paste(picture, (400, 0))
    (small,) = embedded.detect(picture)
    (large,) = embedded.detect(picture.resize((picture.width * 3, picture.height * 3)))
    assert iou(small.box, (large.box[0] / 3, large.box[1] / 3, large.box[2] / 3, large.box[3] / 3)) > 0.95
    people = [found.box for found in embedded.detect(wide) if found.name == "person"]
    x_min, y_min, x_max, y_max = small.box
    assert max(iou(box, (x_min + 400, y_min, x_max + 400, y_max)) for box in people) > 0.85


def test_the_surest_comes_first_and_all_are_inside_the_picture(
    keen: NanoDet, photographs: Mapping[str, Image.Image]
) -> None:
    for picture in photographs.values():
        found = keen.detect(picture)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        for one in found:
            x_min, y_min, x_max, y_max = one.box
            assert 0 <= x_min < x_max <= picture.width
            assert 0 <= y_min < y_max <= picture.height
            assert 0.25 <= one.score <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 3)])
def test_the_oddest_picture_can_be_searched(keen: NanoDet, size: tuple[int, int]) -> None:
    for mode, colour in (("RGB", (255, 255, 255)), ("RGBA", (0, 0, 0, 0))):
        for found in keen.detect(Image.new(mode, size, colour)):
            assert 1 <= found.box[2] - found.box[0] <= size[0]
            assert 1 <= found.box[3] - found.box[1] <= size[1]


def test_never_more_than_a_hundred_are_told(embedded_folder: Path, photographs: Mapping[str, Image.Image]) -> None:
    description = read_description(embedded_folder).detector
    everything = NanoDet(description.model_copy(update={"min_score": 0.0}), embedded_folder, threads=2)
    assert len(everything.detect(photographs["pagoda"])) == MAX_DETECTIONS


@pytest.fixture(scope="module")
def blots(clip_folder: Path) -> NanoDet:
    """A detector that finds three boxes in 64 x 64 pixels whatever they show, two of them on one another."""
    description = read_description(clip_folder).detector
    return NanoDet(description.model_copy(update={"min_score": 0.01}), clip_folder, threads=1)


def test_of_overlapping_boxes_only_the_surest_is_told(blots: NanoDet) -> None:
    found = blots.detect(Image.new("RGB", (64, 64), (255, 255, 255)))
    assert [(one.name, one.category_id, one.box) for one in found] == [
        ("blot", 0, (4, 4, 28, 28)),
        ("stain", 1, (40, 8, 60, 56)),
    ]
    assert [one.score for one in found] == pytest.approx([0.9, 0.7])


def test_a_box_is_cut_at_the_edge_of_the_picture(blots: NanoDet) -> None:
    # A tall picture fills columns 16 to 47 of the square.
    found = blots.detect(Image.new("RGBA", (32, 64), (255, 255, 255, 255)))
    assert [one.box for one in found] == [(0, 4, 12, 28), (24, 8, 32, 56)]


def test_a_box_beside_the_picture_is_not_told(blots: NanoDet) -> None:
    # This one fills columns 31 and 32: between the boxes.
    assert blots.detect(Image.new("RGB", (2, 64), (255, 255, 255))) == []


def test_categories_must_be_as_many_as_the_model_knows(
    clip_folder: Path, embedded_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(clip_folder / "detector.onnx", tmp_path)
    shutil.copy(embedded_folder / "coco80.json", tmp_path)
    categories = read_description(embedded_folder).detector.categories
    wrong = read_description(clip_folder).detector.model_copy(update={"categories": categories})
    with pytest.raises(InvalidBundle, match=r"detector.onnx knows 2 categories, not 80"):
        NanoDet(wrong, tmp_path, threads=1).detect(Image.new("RGB", (8, 8)))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 10, 10), (2, 2, 7, 7), 0.25),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(one: Box, other: Box, expected: float) -> None:
    assert iou(one, other) == pytest.approx(expected)


def boxes_of(*boxes: Box) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("boxes", "categories", "kept"),
    [
        ((), (), []),
        (((0, 0, 10, 10),), (0,), [0]),
        (((0, 0, 10, 10), (0, 0, 10, 9)), (0, 0), [0]),
        (((0, 0, 10, 10), (0, 0, 10, 8)), (0, 1), [0, 1]),
        # Of two categories, but so much the same box that it is one thing.
        (((0, 0, 10, 10), (0, 0, 10, 9)), (0, 1), [0]),
        (((0, 0, 10, 10), (0, 0, 10, 6)), (0, 0), [0, 1]),
        # The second goes by the first; the third overlaps only the second, and stays.
        (((0, 0, 10, 10), (2, 0, 12, 10), (4.6, 0, 14.6, 10)), (0, 0, 0), [0, 2]),
    ],
)
def test_the_surest_box_removes_those_that_it_covers_sooner_if_they_are_of_its_category(
    boxes: tuple[Box, ...], categories: tuple[int, ...], kept: list[int]
) -> None:
    assert suppress(boxes_of(*boxes), np.array(categories, np.intp), 0.6) == kept


sides = st.tuples(*[st.integers(0, 30)] * 4).map(lambda four: (four[0], four[1], four[0] + four[2], four[1] + four[3]))


@given(st.lists(st.tuples(sides, st.integers(0, 2)), max_size=30))
def test_no_two_that_are_kept_overlap_and_none_is_removed_without_reason(found: list[tuple[Box, int]]) -> None:
    kept = suppress(boxes_of(*(box for box, _ in found)), np.array([c for _, c in found], np.intp), 0.6)
    assert kept == sorted(kept)
    for index, (box, category) in enumerate(found):
        surer = [found[k] for k in kept if k < index]
        limits = [np.float32(0.6 if other == category else ONE_THING) for _, other in surer]
        assert (index in kept) == all(iou(other, box) <= limit for (other, _), limit in zip(surer, limits, strict=True))

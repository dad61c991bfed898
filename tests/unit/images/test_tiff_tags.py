"""The orientation is found where it is, and whatever else is there does no harm."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.images.tiff_tags import first_directory, orientation_of
from tests.unit.images.files import exif_of, tiff


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4])
def test_an_orientation_is_read_in_either_byte_order_and_any_integer_type(
    orientation: int, order: str, kind: int
) -> None:
    assert orientation_of(exif_of(orientation, order, kind)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_makes_no_sense_is_upright(orientation: int) -> None:
    assert orientation_of(exif_of(orientation)) == 1


def test_bigtiff_is_read_too() -> None:
    entry = struct.pack("<HHQ", 274, 3, 1) + struct.pack("<Q", 6)
    assert orientation_of(b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 1) + entry + bytes(8)) == 6


def test_entries_are_read_as_far_as_they_are_there() -> None:
    data = tiff([(256, 4, 1, 7), (273, 4, 1000, 99), (274, 3, 1, 3)])
    assert [(entry.tag, entry.count, entry.value) for entry in first_directory(data[:40])] == [
        (256, 1, 7),
        (273, 1000, None),
    ]


@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"Exif\0\0", b"II*\0", b"MM\0*", b"II+\0", b"Exif\0\0II*\0\x08\0\0\0"]),
)
def test_anything_else_is_upright(data: bytes, start: bytes) -> None:
    assert orientation_of(start + data) in range(1, 9)

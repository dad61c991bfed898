"""Many pictures at once: in order, with the vectors that each would have alone, and never many in memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import decode
from crowdsight.models.bulk import LOOK_AHEAD, embed_many
from crowdsight.models.bundle import Bundle, load_bundle


@pytest.fixture(scope="module")
def single(embedded_folder: Path) -> Bundle:
    return load_bundle(embedded_folder, threads=1)


def test_pictures_come_in_order_with_the_vectors_they_have_alone(
    single: Bundle, embedded: Bundle, photograph_files: Mapping[str, bytes]
) -> None:
    found = list(embed_many(single, photograph_files.values(), workers=2))
    assert len(found) == len(photograph_files)
    for vectors, data in zip(found, photograph_files.values(), strict=True):
        assert not isinstance(vectors, UndecodableImage)
        alone = embedded.embed_images([decode(data, at_least_px=embedded.image_size_px)])
        assert {space: vector.shape for space, vector in vectors.items()} == {"image": (1280,), "words": (384,)}
        for space, vector in vectors.items():
            assert vector @ alone[space][0] > 1 - 1e-4


def test_a_broken_picture_is_told_in_its_place(single: Bundle, photograph_files: Mapping[str, bytes]) -> None:
    cat = photograph_files["cat"]
    found = list(embed_many(single, [cat, b"no picture", cat[:500], cat], workers=2))
    assert [isinstance(one, UndecodableImage) for one in found] == [False, True, True, False]


def test_no_pictures_give_nothing(single: Bundle) -> None:
    assert list(embed_many(single, [], workers=2)) == []


def test_pictures_are_taken_only_shortly_before_they_are_needed(
    clip: Bundle, photograph_files: Mapping[str, bytes]
) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield photograph_files["cat-small"]

    vectors = embed_many(clip, endless(), workers=2)
    for number in range(1, 10):
        next(vectors)
        assert len(taken) < number + LOOK_AHEAD * 2
    vectors.close()
    before = len(taken)
    with pytest.raises(StopIteration):
        next(vectors)
    assert len(taken) == before


def test_an_error_of_the_source_reaches_the_caller(clip: Bundle, photograph_files: Mapping[str, bytes]) -> None:
    def failing() -> Iterator[bytes]:
        yield photograph_files["cat-small"]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(embed_many(clip, failing(), workers=2))


def test_vectors_of_all_spaces_have_length_one(single: Bundle, photograph_files: Mapping[str, bytes]) -> None:
    (vectors,) = embed_many(single, [photograph_files["dogs"]], workers=1)
    assert not isinstance(vectors, UndecodableImage)
    for vector in vectors.values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)

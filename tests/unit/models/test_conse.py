"""The embedded bundle's vectors: golden numbers, and what holds for pictures and texts that people can judge."""

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from crowdsight.errors import InvalidRequest
from crowdsight.images.decoding import decode
from crowdsight.models.bundle import Bundle
from crowdsight.models.texts import MAX_CHARACTERS, readable

Pictures = Mapping[str, Image.Image]

SAME_SCENE = {
    "cat": "cat-small",
    "cat-small": "cat",
    "dahlia": "dahlia-crop",
    "dahlia-crop": "dahlia",
    "peaks": "peaks-mirrored",
    "peaks-mirrored": "peaks",
}
"""Photographs that are one and the same, altered."""


@pytest.fixture(scope="module")
def vectors(embedded: Bundle, photographs: Pictures) -> dict[str, NDArray[np.float32]]:
    """Of all photographs, in their order."""
    return embedded.embed_images(list(photographs.values()))


def cosine(embedded: Bundle, one: Image.Image, other: Image.Image, space: str = "image") -> float:
    first, second = embedded.embed_images([one, other])[space]
    return float(first @ second)


def test_the_bundle_says_what_it_offers(embedded: Bundle) -> None:
    assert embedded.spaces == {"image": 1280, "words": 384}
    assert (embedded.image_space, embedded.text_space) == ("image", "words")
    assert 224 < embedded.image_size_px <= 448


def test_every_picture_has_a_vector_of_length_one_in_every_space(
    embedded: Bundle, photographs: Pictures, vectors: dict[str, NDArray[np.float32]]
) -> None:
    assert {space: rows.shape for space, rows in vectors.items()} == {
        space: (len(photographs), dimensions) for space, dimensions in embedded.spaces.items()
    }
    for rows in vectors.values():
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_no_pictures_have_no_vectors(embedded: Bundle) -> None:
    assert {space: rows.shape for space, rows in embedded.embed_images([]).items()} == {
        "image": (0, 1280),
        "words": (0, 384),
    }


@pytest.mark.parametrize(
    ("name", "space", "golden"),
    [
        ("cat", "image", {287: 0.1210, 254: 0.1207, 112: 0.1179, 785: 0.1155, 1156: 0.1137}),
        ("cat", "words", {380: 0.1828, 296: -0.1569, 76: 0.1366, 99: 0.1318, 4: -0.1308}),
        ("pagoda", "image", {1227: 0.0848, 77: 0.0804, 181: 0.0798, 898: 0.0792, 164: 0.0791}),
        ("pagoda", "words", {99: 0.1759, 69: -0.1641, 234: -0.1531, 326: 0.1522, 132: 0.1437}),
    ],
)
def test_vectors_of_pictures_under_this_bundles_name_never_change(
    embedded: Bundle, photographs: Pictures, name: str, space: str, golden: dict[int, float]
) -> None:
    assert embedded.name == "effnetlite0-minilm-1"
    found = embedded.embed_images([photographs[name]])[space][0]
    np.testing.assert_allclose(found[list(golden)], list(golden.values()), atol=2e-3)


@pytest.mark.parametrize(
    ("text", "golden"),
    [
        ("a cat", {253: -0.1954, 99: 0.1649, 163: -0.1324, 236: 0.1318, 76: 0.1305}),
        ("espresso", {282: -0.1492, 63: 0.1417, 252: -0.1416, 101: 0.1376, 236: 0.1316}),
    ],
)
def test_vectors_of_texts_under_this_bundles_name_never_change(
    embedded: Bundle, text: str, golden: dict[int, float]
) -> None:
    # Wider than for pictures: eight-bit weights are multiplied a little differently by each kind of processor.
    np.testing.assert_allclose(embedded.embed_text(text)[list(golden)], list(golden.values()), atol=2e-2)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("cat", "cat-small", 0.968),
        ("dahlia", "dahlia-crop", 0.877),
        ("peaks", "peaks-mirrored", 0.983),
        ("meadow", "peaks", 0.725),
        ("cat", "dogs", 0.404),
        ("cat", "coffee", 0.325),
    ],
)
def test_pictures_are_as_alike_as_they_were(
    embedded: Bundle, photographs: Pictures, one: str, other: str, expected: float
) -> None:
    assert cosine(embedded, photographs[one], photographs[other]) == pytest.approx(expected, abs=0.01)


def recompressed(image: Image.Image) -> Image.Image:
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=30)
    return decode(encoded.getvalue())


def cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 8, height // 8, width - width // 8, height - height // 8))


def shrunk(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 3, image.height // 3))


@pytest.mark.parametrize("alter", [recompressed, ImageOps.mirror, cropped, shrunk, ImageOps.autocontrast])
def test_an_altered_picture_finds_its_original_first(
    embedded: Bundle,
    photographs: Pictures,
    vectors: dict[str, NDArray[np.float32]],
    alter: Callable[[Image.Image], Image.Image],
) -> None:
    names = list(photographs)
    queries = embedded.embed_images([alter(image) for image in photographs.values()])["image"]
    firsts = [names[best] for best in np.argmax(queries @ vectors["image"].T, axis=1)]
    wrong = [
        (name, first) for name, first in zip(names, firsts, strict=True) if first not in (name, SAME_SCENE.get(name))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("cat", {"cat", "cat-small"}),
        ("dog", {"dogs"}),
        ("two dogs", {"dogs"}),
        ("coffee cup", {"coffee"}),
        ("espresso", {"coffee"}),
        ("flower", {"dahlia", "dahlia-crop", "dandelions"}),
        ("mountains", {"peaks", "peaks-mirrored"}),
        ("camera on a tripod", {"photographer"}),
        ("pagoda", {"pagoda"}),
        ("windmill", {"windmill"}),
    ],
)
def test_a_text_finds_the_picture_that_shows_it_first(
    embedded: Bundle,
    photographs: Pictures,
    vectors: dict[str, NDArray[np.float32]],
    text: str,
    first: set[str],
) -> None:
    scores = vectors["words"] @ embedded.embed_text(text)
    assert list(photographs)[int(np.argmax(scores))] in first


def test_texts_that_mean_the_same_are_near_one_another(embedded: Bundle) -> None:
    cat, kitten, market = (embedded.embed_text(text) for text in ("a cat", "a kitten", "the stock market"))
    assert cat @ kitten > 0.6
    assert cat @ market < 0.3


def test_a_vector_does_not_depend_on_its_batch(embedded: Bundle, photographs: Pictures) -> None:
    images = [*photographs.values(), *photographs.values()]
    together = embedded.embed_images(images)
    for space in embedded.spaces:
        alone = np.concatenate([embedded.embed_images([image])[space] for image in images])
        assert ((together[space] * alone).sum(axis=1) > 1 - 1e-4).all()


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_jpeg_decoded_at_a_smaller_scale_has_nearly_the_same_vector(
    embedded: Bundle, photographs: Pictures, scale: int
) -> None:
    encoded = BytesIO()
    longer_px = embedded.image_size_px * scale
    ImageOps.contain(photographs["pagoda"], (longer_px, longer_px), Image.Resampling.LANCZOS).save(
        encoded, "JPEG", quality=92
    )
    small = decode(encoded.getvalue(), at_least_px=embedded.image_size_px)
    assert max(small.size) == embedded.image_size_px
    assert cosine(embedded, small, decode(encoded.getvalue())) > 0.99


def test_transparent_pixels_count_as_white(embedded: Bundle, photographs: Pictures) -> None:
    opaque = photographs["coffee"].copy()
    transparent = opaque.convert("RGBA")
    opaque.paste((255, 255, 255), (0, 0, 200, 200))
    transparent.paste((10, 200, 10, 0), (0, 0, 200, 200))
    assert cosine(embedded, opaque, transparent) > 0.9999


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255)])
def test_the_oddest_picture_has_a_vector(embedded: Bundle, size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for rows in embedded.embed_images([Image.new("RGB", size, colour)]).values():
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000"])
def test_a_text_of_nothing_but_white_space_is_refused(embedded: Bundle, text: str) -> None:
    with pytest.raises(InvalidRequest, match="text must not be empty"):
        embedded.embed_text(text)


@pytest.mark.parametrize("text", ["\x00", "\u200b", "🎉", "🎉 🦩", "a" * 100_000])
def test_a_text_without_a_known_word_is_refused(embedded: Bundle, text: str) -> None:
    with pytest.raises(InvalidRequest, match="no word that the model knows"):
        embedded.embed_text(text)


@given(text=st.text(st.characters(), min_size=1, max_size=200).filter(str.strip))
def test_any_other_text_has_a_vector_of_length_one(embedded: Bundle, text: str) -> None:
    try:
        vector = embedded.embed_text(text)
    except InvalidRequest:
        assert not any(word.isascii() and word.isalpha() and len(word) <= 100 for word in text.split())
    else:
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["a\x00b", "dog \ud800", "x\udfff", "word " * 20_000, "cat" + " 😀" * 100_000])
def test_hostile_texts_have_a_vector_too(embedded: Bundle, text: str) -> None:
    assert np.linalg.norm(embedded.embed_text(text)) == pytest.approx(1, abs=1e-5)


def test_what_is_behind_the_longest_text_is_not_read(embedded: Bundle) -> None:
    long = "word " * 2000
    np.testing.assert_array_equal(embedded.embed_text(long), embedded.embed_text(long + "cat"))
    assert len(readable(" " * 10_000 + "a" * 10_000)) == MAX_CHARACTERS


def test_a_surrogate_pair_is_the_character_that_it_stands_for() -> None:
    assert readable("\ud83d\ude00!") == "😀!"
    assert readable("\ud83d!") == "\ufffd!"

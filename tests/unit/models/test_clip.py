"""The CLIP kind, by a tiny model of open_clip's and what open_clip itself says to the same pictures and texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdsight.errors import InvalidRequest
from crowdsight.models.bundle import Bundle
from crowdsight.models.clip import ClipTokenizer
from crowdsight.models.descriptions import ClipDescription, read_description


@pytest.fixture(scope="module")
def expected(clip_folder: Path) -> Mapping[str, Any]:
    with np.load(clip_folder / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def tokenizer(clip_folder: Path) -> ClipTokenizer:
    description = read_description(clip_folder)
    assert isinstance(description, ClipDescription)
    return ClipTokenizer(description.text_encoder, clip_folder)


def test_pictures_and_texts_share_a_space(clip: Bundle) -> None:
    assert clip.spaces == {"clip": 24}
    assert (clip.image_space, clip.text_space) == ("clip", "clip")
    assert clip.image_size_px > 32


def test_pictures_have_the_vectors_of_open_clip(clip: Bundle, expected: Mapping[str, Any]) -> None:
    wanted = expected["picture_embeddings"]
    pictures = [Image.fromarray(expected[f"picture_{number}"]) for number in range(len(wanted))]
    found = clip.embed_images(pictures)["clip"]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * wanted).sum(axis=1).min() >= 0.9999


def test_texts_have_the_tokens_of_open_clip(tokenizer: ClipTokenizer, expected: Mapping[str, Any]) -> None:
    found = [tokenizer.token_ids(str(text)) for text in expected["texts"]]
    np.testing.assert_array_equal(np.concatenate(found), expected["token_ids"])


def test_texts_have_the_vectors_of_open_clip(clip: Bundle, expected: Mapping[str, Any]) -> None:
    found = np.stack([clip.embed_text(str(text)) for text in expected["texts"]])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * expected["text_embeddings"]).sum(axis=1).min() >= 0.9999


def test_the_vectors_tell_texts_and_pictures_apart(expected: Mapping[str, Any]) -> None:
    """Otherwise the cosines above would prove nothing."""
    for vectors in (expected["picture_embeddings"], expected["text_embeddings"]):
        others = vectors @ vectors.T - 2 * np.eye(len(vectors))
        assert others.max() < 0.9999


def test_a_vector_does_not_depend_on_its_batch(clip: Bundle, expected: Mapping[str, Any]) -> None:
    pictures = [Image.fromarray(expected[f"picture_{number}"]) for number in range(5)] * 4
    together = clip.embed_images(pictures)["clip"]
    alone = np.concatenate([clip.embed_images([picture])["clip"] for picture in pictures])
    assert ((together * alone).sum(axis=1) > 1 - 1e-4).all()


@pytest.mark.parametrize("text", ["", "  \n", "&nbsp;", "&amp;nbsp; "])
def test_a_text_of_nothing_but_white_space_is_refused(clip: Bundle, text: str) -> None:
    with pytest.raises(InvalidRequest, match="text must not be empty"):
        clip.embed_text(text)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "a" * 100_000, "word " * 20_000, "😀" * 100_000, "&" * 100_000])
def test_hostile_texts_have_a_vector_too(clip: Bundle, text: str) -> None:
    assert np.linalg.norm(clip.embed_text(text)) == pytest.approx(1, abs=1e-5)


def test_a_short_text_is_filled_up_and_a_long_one_ends_as_a_text_does(tokenizer: ClipTokenizer) -> None:
    short, long = tokenizer.token_ids("a dog")[0], tokenizer.token_ids("word " * 100)[0]
    start, end = short[0], short[short.nonzero()[0][-1]]
    assert len(short) == len(long) == 77
    assert (short[10:] == 0).all()
    assert (long[0], long[-1]) == (start, end)

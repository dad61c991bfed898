"""Pictures by a classifier's features, texts by the words for its classes.

- Pictures among pictures: the square root of each non-negative feature, then length 1 (Arandjelović & Zisserman 2012),
  which finds an altered picture a little more often than the features themselves: .965 against .961.
- Texts among pictures: a picture is a mixture of its likeliest classes' names, as vectors of a sentence encoder, and a
  text is its own vector there (ConSE, Norouzi et al. 2013). The mixture is part of the image encoder's graph.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from crowdsight.errors import InvalidRequest
from crowdsight.models.bundle import Detection
from crowdsight.models.descriptions import ConseDescription
from crowdsight.models.files import find_verified
from crowdsight.models.nanodet import NanoDet
from crowdsight.models.once import Once
from crowdsight.models.sessions import BATCH, Session
from crowdsight.models.texts import readable
from crowdsight.models.transforms import HEAD_ROOM, pipeline, unit_rows


class ConseBundle:
    """A `Bundle` with two spaces: one of features, one of words."""

    def __init__(self, description: ConseDescription, folder: Path, threads: int) -> None:
        images, texts = description.image_encoder, description.text_encoder
        self._description = description
        self._folder = folder
        self._pipeline = pipeline(images.preprocessing)
        self._images = Session(
            folder,
            images.file,
            threads,
            {
                images.input: images.preprocessing.size_px,
                images.features.output: images.features.space.dimensions,
                images.words.output: images.words.space.dimensions,
            },
        )
        self._texts = Session(
            folder,
            texts.file,
            threads,
            {texts.ids_input: None, texts.mask_input: None, texts.output: images.words.space.dimensions},
        )
        self._tokenizer = Once(self._load_tokenizer)
        self._detector = NanoDet(description.detector, folder, threads)

    @property
    def name(self) -> str:
        return self._description.name

    @property
    def spaces(self) -> Mapping[str, int]:
        encoder = self._description.image_encoder
        return {space.name: space.dimensions for space in (encoder.features.space, encoder.words.space)}

    @property
    def image_space(self) -> str:
        return self._description.image_encoder.features.space.name

    @property
    def text_space(self) -> str:
        return self._description.image_encoder.words.space.name

    @property
    def image_size_px(self) -> int:
        return round(self._description.image_encoder.preprocessing.size_px * HEAD_ROOM)

    def embed_images(self, images: Sequence[Image.Image]) -> dict[str, NDArray[np.float32]]:
        encoder = self._description.image_encoder
        features = np.empty((len(images), encoder.features.space.dimensions), np.float32)
        words = np.empty((len(images), encoder.words.space.dimensions), np.float32)
        for start in range(0, len(images), BATCH):
            stop = start + BATCH
            features[start:stop], words[start:stop] = self._images.run(
                [encoder.features.output, encoder.words.output],
                {encoder.input: self._pipeline.batch(images[start:stop])},
            )
        return {
            self.image_space: unit_rows(np.sqrt(np.maximum(features, 0))),
            self.text_space: unit_rows(words),
        }

    def embed_text(self, text: str) -> NDArray[np.float32]:
        encoder = self._description.text_encoder
        tokenizer = self._tokenizer()
        tokens = tokenizer.encode(readable(text))
        unknown = tokenizer.model.unk_token
        if all(token == unknown or mask for token, mask in zip(tokens.tokens, tokens.special_tokens_mask, strict=True)):
            raise InvalidRequest("text has no word that the model knows")
        ids, mask = np.array([tokens.ids], np.int64), np.array([tokens.attention_mask], np.int64)
        (rows,) = self._texts.run([encoder.output], {encoder.ids_input: ids, encoder.mask_input: mask})
        return unit_rows(rows)[0]

    def detect(self, image: Image.Image) -> list[Detection]:
        return self._detector.detect(image)

    def _load_tokenizer(self) -> Tokenizer:
        encoder = self._description.text_encoder
        tokenizer = Tokenizer.from_file(str(find_verified(self._folder, encoder.tokenizer)))
        tokenizer.no_padding()  # the file pads every text to the longest
        tokenizer.enable_truncation(encoder.max_tokens)
        return tokenizer

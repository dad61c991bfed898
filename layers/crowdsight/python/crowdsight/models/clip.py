"""Pictures and texts in one space, by the two towers of a CLIP model (Radford et al. 2021)."""

from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path

import numpy as np
from ftfy import fix_text
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from crowdsight.errors import InvalidRequest
from crowdsight.models.bundle import Detection
from crowdsight.models.descriptions import ClipDescription, ClipTextEncoder
from crowdsight.models.files import find_verified
from crowdsight.models.nanodet import NanoDet
from crowdsight.models.once import Once
from crowdsight.models.sessions import BATCH, Session
from crowdsight.models.texts import readable
from crowdsight.models.transforms import HEAD_ROOM, pipeline, unit_rows


class ClipTokenizer:
    """Byte-pair encoding of texts as CLIP's authors clean them."""

    def __init__(self, description: ClipTextEncoder, folder: Path) -> None:
        self._description = description
        self._folder = folder
        self._tokenizer = Once(self._load)

    def token_ids(self, text: str) -> NDArray[np.int64]:
        """[1, max_tokens]: start, the text cut short if need be, end, and `padding_id`.

        Raises InvalidRequest if there is no text but white space.
        """
        cleaned = unescape(unescape(fix_text(readable(text)))).strip()
        if not cleaned:
            raise InvalidRequest("text must not be empty")
        found = self._tokenizer().encode(cleaned).ids
        ids = np.full((1, self._description.max_tokens), self._description.padding_id, np.int64)
        ids[0, : len(found)] = found
        return ids

    def _load(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(find_verified(self._folder, self._description.tokenizer)))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._description.max_tokens)
        return tokenizer


class ClipBundle:
    """A `Bundle` with one space."""

    def __init__(self, description: ClipDescription, folder: Path, threads: int) -> None:
        images, texts = description.image_encoder, description.text_encoder
        dimensions = description.space.dimensions
        self._description = description
        self._pipeline = pipeline(images.preprocessing)
        self._images = Session(
            folder, images.file, threads, {images.input: images.preprocessing.size_px, images.output: dimensions}
        )
        self._texts = Session(folder, texts.file, threads, {texts.input: texts.max_tokens, texts.output: dimensions})
        self._detector = NanoDet(description.detector, folder, threads)
        self.tokenizer = ClipTokenizer(texts, folder)

    @property
    def name(self) -> str:
        return self._description.name

    @property
    def spaces(self) -> Mapping[str, int]:
        return {self._description.space.name: self._description.space.dimensions}

    @property
    def image_space(self) -> str:
        return self._description.space.name

    @property
    def text_space(self) -> str:
        return self._description.space.name

    @property
    def image_size_px(self) -> int:
        return round(self._description.image_encoder.preprocessing.size_px * HEAD_ROOM)

    def embed_images(self, images: Sequence[Image.Image]) -> dict[str, NDArray[np.float32]]:
        encoder = self._description.image_encoder
        vectors = np.empty((len(images), self._description.space.dimensions), np.float32)
        for start in range(0, len(images), BATCH):
            pixels = self._pipeline.batch(images[start : start + BATCH])
            (vectors[start : start + BATCH],) = self._images.run([encoder.output], {encoder.input: pixels})
        return {self.image_space: unit_rows(vectors)}

    def embed_text(self, text: str) -> NDArray[np.float32]:
        encoder = self._description.text_encoder
        (rows,) = self._texts.run([encoder.output], {encoder.input: self.tokenizer.token_ids(text)})
        return unit_rows(rows)[0]

    def detect(self, image: Image.Image) -> list[Detection]:
        return self._detector.detect(image)

"""What a bundle of models is made of, as its `bundle.json` says it.

    {"kind": "conse", "name": "effnetlite0-minilm-1",
     "image_encoder": {"file": {...}, "preprocessing": {...}, "input": "image",
                       "features": {"output": "features", "space": {"name": "image", "dimensions": 1280}},
                       "words": {"output": "text_vector", "space": {"name": "words", "dimensions": 384}}},
     "text_encoder": {"file": {...}, "tokenizer": {...}, "max_tokens": 128,
                      "ids_input": "input_ids", "mask_input": "attention_mask", "output": "embedding"},
     "detector": {"file": {...}, "categories": {...}, "preprocessing": {...}, "input": "image",
                  "boxes_output": "boxes", "scores_output": "scores", "min_score": 0.35, "max_overlap": 0.6}}

    {"kind": "clip", "name": "vitb32-openai-1", "space": {"name": "clip", "dimensions": 512},
     "image_encoder": {"file": {...}, "preprocessing": {...}, "input": "pixel_values", "output": "embedding"},
     "text_encoder": {"file": {...}, "tokenizer": {...}, "max_tokens": 77, "padding_id": 0,
                      "input": "input_ids", "output": "embedding"},
     "detector": {...}}

A file is `{"path": "detector.onnx", "sha256": "...", "licence": "Apache-2.0", "source": "..."}`. Its path is a name in
the bundle's own folder, or in a bundle's folder beside it (`../embedded/detector.onnx`), so that bundles can share;
nothing else is a path here.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

FilePath = Annotated[str, StringConstraints(pattern=rf"^(\.\./{_NAME}/)?{_NAME}$", max_length=200)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
BundleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$", max_length=60)]
SpaceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=30)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
Channels = tuple[float, float, float]
Divisors = tuple[
    Annotated[float, Field(gt=0)],
    Annotated[float, Field(gt=0)],
    Annotated[float, Field(gt=0)],
]


class InvalidBundle(Exception):
    """A `bundle.json` is missing or wrong, or a file is not the one that it describes; the message says which."""


class Description(BaseModel):
    """A JSON object that has exactly the declared keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ModelFile(Description):
    """A file of a bundle: where it is, what it must contain, and by what right it is here."""

    path: FilePath
    sha256: Sha256
    licence: Text
    """SPDX expression, or words."""
    source: Text
    """Where it comes from: package and version, or URL."""


class Preprocessing(Description):
    """How a picture becomes an encoder's or a detector's input: a square of `size_px`, then numbers.

    A channel's number is `(value / divisor - mean) / std` for a value of 0..255, in RGB.
    """

    size_px: int = Field(ge=8, le=2048)
    fit: Literal["pad", "crop"]
    """`pad`: the longer side becomes `size_px`, the rest is filled; `crop`: the shorter one, and the middle is kept."""
    padding: tuple[Byte, Byte, Byte] = (255, 255, 255)
    """RGB of what `pad` fills."""
    resample: Literal["bilinear", "bicubic"]
    divisor: float = Field(default=1, gt=0)
    mean: Channels
    std: Divisors


class Space(Description):
    """Where vectors can be compared with one another: those of one name, by their cosine."""

    name: SpaceName
    dimensions: int = Field(ge=1, le=4096)


class Projection(Description):
    """An output tensor, float32 [n, dimensions], and the space that it lies in."""

    output: Text
    space: Space


class ConseImageEncoder(Description):
    """Pixels [n, 3, size, size] to non-negative features, and to a mixture of word vectors."""

    file: ModelFile
    preprocessing: Preprocessing
    input: Text
    features: Projection
    words: Projection


class ConseTextEncoder(Description):
    """Token ids and attention mask, int64 [n, t], to sentence vectors in the space of the image encoder's words."""

    file: ModelFile
    tokenizer: ModelFile
    max_tokens: int = Field(ge=8, le=4096)
    ids_input: Text
    mask_input: Text
    output: Text


class ClipImageEncoder(Description):
    """Pixels [n, 3, size, size] to vectors in the bundle's space."""

    file: ModelFile
    preprocessing: Preprocessing
    input: Text
    output: Text


class ClipTextEncoder(Description):
    """Token ids, int64 [n, max_tokens] filled up with `padding_id`, to vectors in the bundle's space."""

    file: ModelFile
    tokenizer: ModelFile
    max_tokens: int = Field(ge=8, le=4096)
    padding_id: int = Field(ge=0)
    input: Text
    output: Text


class Detector(Description):
    """Pixels [1, 3, size, size] to boxes [candidates, 4], in pixels of the square, and scores [candidates, names]."""

    file: ModelFile
    categories: ModelFile
    """A JSON array of names, by category id."""
    preprocessing: Preprocessing
    input: Text
    boxes_output: Text
    scores_output: Text
    min_score: Fraction
    max_overlap: Fraction
    """Of two boxes of one category that overlap by more (intersection over union), the worse goes."""

    @model_validator(mode="after")
    def _must_see_all(self) -> "Detector":
        if self.preprocessing.fit != "pad":
            raise ValueError("a detector sees the whole picture: its preprocessing must pad")
        return self


class ConseDescription(Description):
    """Pictures by an ImageNet classifier, texts by a sentence encoder, joined by words: ConSE, Norouzi et al. 2013."""

    kind: Literal["conse"]
    name: BundleName
    """Changes whenever a vector does."""
    image_encoder: ConseImageEncoder
    text_encoder: ConseTextEncoder
    detector: Detector

    @model_validator(mode="after")
    def _must_have_two_spaces(self) -> "ConseDescription":
        if self.image_encoder.features.space.name == self.image_encoder.words.space.name:
            raise ValueError("features and words must lie in spaces of different names")
        return self


class ClipDescription(Description):
    """Pictures and texts in one space: CLIP, Radford et al. 2021."""

    kind: Literal["clip"]
    name: BundleName
    """Changes whenever a vector does."""
    space: Space
    image_encoder: ClipImageEncoder
    text_encoder: ClipTextEncoder
    detector: Detector


BundleDescription = ConseDescription | ClipDescription

_DESCRIPTIONS: TypeAdapter[BundleDescription] = TypeAdapter(Annotated[BundleDescription, Field(discriminator="kind")])


def read_description(folder: Path) -> BundleDescription:
    """What `folder/bundle.json` says.

    Raises InvalidBundle, with every field that is wrong, if it is missing, no JSON, or breaks a rule of this module.
    """
    path = folder / "bundle.json"
    try:
        return _DESCRIPTIONS.validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidBundle(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidBundle(f"{path} is wrong: {faults}") from error

"""The embedded bundle, loaded once for all tests, and the photographs of the local stack."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from crowdsight.images.decoding import decode
from crowdsight.models.bundle import Bundle, load_bundle

ROOT = Path(__file__).parents[3]
EMBEDDED = ROOT / "functions" / "search" / "models" / "embedded"
CLIP_TINY = Path(__file__).parent / "clip_tiny"


@pytest.fixture(scope="session")
def embedded_folder() -> Path:
    return EMBEDDED


@pytest.fixture(scope="session")
def clip_folder() -> Path:
    return CLIP_TINY


@pytest.fixture(scope="session")
def embedded() -> Bundle:
    return load_bundle(EMBEDDED, threads=2)


@pytest.fixture(scope="session")
def clip() -> Bundle:
    return load_bundle(CLIP_TINY, threads=1)


@pytest.fixture(scope="session")
def photograph_files() -> Mapping[str, bytes]:
    """JPEGs by the file's name without its ending."""
    return {path.stem: path.read_bytes() for path in sorted((ROOT / "local" / "photographs").glob("*.jpg"))}


@pytest.fixture(scope="session")
def photographs(photograph_files: Mapping[str, bytes]) -> Mapping[str, Image.Image]:
    """Decoded in full; those of `photographs/` here as well, which show things that a detector knows."""
    more = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "photographs").glob("*.jpg")}
    return {name: decode(data) for name, data in {**photograph_files, **more}.items()}

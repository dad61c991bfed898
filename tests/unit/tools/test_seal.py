"""A bundle's description follows its files."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tools.seal import seal


def described(path: str, content: bytes) -> dict[str, Any]:
    return {"path": path, "sha256": sha256(content).hexdigest(), "licence": "MIT", "source": "héré"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    (tmp_path / "embedded").mkdir()
    folder.mkdir()
    (folder / "text.onnx").write_bytes(b"text")
    (tmp_path / "embedded" / "detector.onnx").write_bytes(b"detector")
    description = {
        "kind": "clip",
        "text_encoder": {"file": described("text.onnx", b"text"), "max_tokens": 77},
        "detector": {"file": described("../embedded/detector.onnx", b"detector")},
    }
    (folder / "bundle.json").write_text(json.dumps(description), "utf-8")
    return folder


def test_a_bundle_that_is_right_is_left_as_it_is(bundle: Path) -> None:
    before = (bundle / "bundle.json").read_bytes()
    assert seal(bundle) == []
    assert (bundle / "bundle.json").read_bytes() == before


def test_only_the_digests_of_changed_files_change(bundle: Path) -> None:
    before = json.loads((bundle / "bundle.json").read_text("utf-8"))
    (bundle.parent / "embedded" / "detector.onnx").write_bytes(b"a better detector")
    assert seal(bundle) == ["../embedded/detector.onnx"]
    after = json.loads((bundle / "bundle.json").read_text("utf-8"))
    before["detector"]["file"]["sha256"] = sha256(b"a better detector").hexdigest()
    assert after == before


def test_a_missing_file_is_an_error_and_changes_nothing(bundle: Path) -> None:
    before = (bundle / "bundle.json").read_bytes()
    (bundle / "text.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        seal(bundle)
    assert (bundle / "bundle.json").read_bytes() == before

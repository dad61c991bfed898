"""A bundle's description is checked in full before anything is loaded by it."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crowdsight.models.descriptions import InvalidBundle, ModelFile, read_description

SHA256 = "0" * 64


def changed(folder: Path, into: Path, path: str, value: Any) -> Path:
    """The folder of a description with one field set, or removed where the value is `...`."""
    document = json.loads((folder / "bundle.json").read_text())
    *parents, last = path.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    (into / "bundle.json").write_text(json.dumps(document))
    return into


def test_the_embedded_bundle_is_described(embedded_folder: Path) -> None:
    assert read_description(embedded_folder).kind == "conse"


def test_a_clip_bundle_is_described(clip_folder: Path) -> None:
    assert read_description(clip_folder).kind == "clip"


def test_a_description_cannot_be_changed(embedded_folder: Path) -> None:
    description = read_description(embedded_folder)
    with pytest.raises(ValidationError, match="frozen"):
        description.name = "another"


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("kind", "siglip", "kind|conse"),
        ("colour", "red", "colour"),
        ("image_encoder.preprocessing.sharpen", True, "sharpen"),
        ("image_encoder.preprocessing.fit", "stretch", "fit"),
        ("image_encoder.preprocessing.resample", "nearest", "resample"),
        ("image_encoder.preprocessing.size_px", 0, "size_px"),
        ("image_encoder.preprocessing.size_px", "224", "size_px"),
        ("image_encoder.preprocessing.std", [128, 0, 128], "std"),
        ("image_encoder.preprocessing.mean", [127, 127], "mean"),
        ("image_encoder.preprocessing.padding", [255, 255, 256], "padding"),
        ("image_encoder.file.sha256", "09B0E2", "sha256"),
        ("image_encoder.file.licence", "", "licence"),
        ("image_encoder.file.source", ..., "source"),
        ("image_encoder.words.space.name", "image", "different names"),
        ("image_encoder.words.space.dimensions", 0, "dimensions"),
        ("text_encoder.max_tokens", 128.5, "max_tokens"),
        ("detector.min_score", 1.5, "min_score"),
        ("detector.preprocessing.fit", "crop", "must pad"),
        ("name", "../../other", "name"),
        ("name", "a_b", "name"),
        ("name", "", "name"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(
    embedded_folder: Path, tmp_path: Path, path: str, value: Any, named: str
) -> None:
    with pytest.raises(InvalidBundle, match=named):
        read_description(changed(embedded_folder, tmp_path, path, value))


@pytest.mark.parametrize("path", ["encoder.onnx", "a.fp16w.onnx", "../embedded/detector.onnx"])
def test_a_file_is_in_its_bundle_or_in_one_beside_it(path: str) -> None:
    assert ModelFile(path=path, sha256=SHA256, licence="MIT", source="here").path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../detector.onnx",
        "../../detector.onnx",
        "../../other/detector.onnx",
        "../embedded/../../detector.onnx",
        "../../a/b",
        "../a/b/c",
        "../..",
        "a/../../b",
        "a/b",
        "./a",
        "/etc/passwd",
        "//host/share",
        "..\\a\\b",
        "C:\\a",
        "a\n",
        "a\x00",
        ".hidden",
        "~/a",
        "http://host/a",
    ],
)
def test_no_file_lies_outside_the_folder_of_bundles(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        ModelFile(path=path, sha256=SHA256, licence="MIT", source="here")


def test_all_faults_are_named_at_once(embedded_folder: Path, tmp_path: Path) -> None:
    changed(embedded_folder, tmp_path, "name", "")
    changed(tmp_path, tmp_path, "detector.min_score", -1)
    with pytest.raises(InvalidBundle, match="name.*min_score"):
        read_description(tmp_path)


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="bundle.json cannot be read"):
        read_description(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_description_is_a_json_object(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.json").write_bytes(content)
    with pytest.raises(InvalidBundle, match="is wrong"):
        read_description(tmp_path)

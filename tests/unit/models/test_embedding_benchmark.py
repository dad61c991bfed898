"""`python -m benchmarks.embedding` prints one line of JSON with the figures that the README gives."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.embedding.__main__ import OK, WRONG, main
from benchmarks.embedding.measuring import Rates
from benchmarks.embedding.pictures import NAMES, make_jpegs


def rates(whole: float, bulk: float) -> Rates:
    return Rates(
        megapixels=1, mean_size_bytes=1, whole=whole, decoding=100, model=100, in_turn=40, on_one_core=20, bulk=bulk
    )


def test_one_line_of_json_is_printed(clip_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", str(clip_folder), "--megapixels", "0.05", "--rounds", "1", "--threads", "1"]) == OK
    document = json.loads(capsys.readouterr().out)
    assert (document["bundle"], document["threads"]) == ("clip-tiny-1", 1)
    (size,) = document["sizes"]
    assert size["megapixels"] == 0.05
    assert size["ratio"] > 0
    assert size["bulk_ratio"] > 0
    assert size["bare_parts_per_s"] < min(size["bare_decoding_per_s"], size["bare_model_per_s"])


def test_a_folder_without_a_bundle_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", str(tmp_path)]) == WRONG
    assert "bundle.json cannot be read" in capsys.readouterr().err


def test_the_parts_follow_one_another_and_the_rest_is_overhead() -> None:
    assert rates(whole=40, bulk=72).parts == pytest.approx(50)
    assert rates(whole=40, bulk=72).ratio == pytest.approx(0.8)
    assert rates(whole=40, bulk=72).bulk_ratio == pytest.approx(1.8)
    assert rates(whole=40, bulk=36).scaling == pytest.approx(1.8)


def test_pictures_are_as_large_as_asked_for_and_the_same_every_time() -> None:
    jpegs = make_jpegs(0.1, seed=3)
    assert len(jpegs) == len(NAMES)
    assert len(set(jpegs)) == len(NAMES)
    for jpeg in jpegs:
        width, height = Image.open(BytesIO(jpeg)).size
        assert width * height == pytest.approx(100_000, rel=0.01)
        assert width / height == pytest.approx(4 / 3, rel=0.01)
    assert make_jpegs(0.1, seed=3) == jpegs
    assert make_jpegs(0.1, seed=4) != jpegs

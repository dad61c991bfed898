"""Models are loaded at their first use, once, and only if they are the files described."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

from crowdsight.models.bundle import load_bundle
from crowdsight.models.descriptions import InvalidBundle, ModelFile, read_description
from crowdsight.models.files import find_verified
from crowdsight.models.once import Once
from crowdsight.models.sessions import Session

THREADS = 8


def copy_of(folder: Path, parent: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(folder, parent / folder.name))


def test_a_value_is_made_once_however_many_threads_ask_first() -> None:
    barrier, made = Barrier(THREADS), []

    def make() -> int:
        made.append(1)
        return len(made)

    once = Once(make)

    def ask(_: int) -> int:
        barrier.wait()
        return once()

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(ask, range(THREADS))) == [1] * THREADS
    assert made == [1]


def test_a_value_that_could_not_be_made_is_tried_again() -> None:
    attempts: list[int] = []

    def make() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")
        return "made"

    once = Once(make)
    with pytest.raises(OSError, match="not yet"):
        once()
    assert [once(), once()] == ["made", "made"]
    assert len(attempts) == 2


def test_eight_threads_share_a_bundle_from_its_first_use(
    embedded_folder: Path, photographs: Mapping[str, Image.Image]
) -> None:
    bundle, barrier = load_bundle(embedded_folder, threads=1), Barrier(THREADS)

    def use(_: int) -> tuple[np.ndarray, np.ndarray, int]:
        barrier.wait()
        vectors = bundle.embed_images([photographs["cat"]])["image"]
        return vectors[0], bundle.embed_text("a cat"), len(bundle.detect(photographs["cat"]))

    with ThreadPoolExecutor(THREADS) as pool:
        (first_vector, first_text, detections), *others = pool.map(use, range(THREADS))
    assert detections > 0
    for vector, text, count in others:
        np.testing.assert_allclose(vector, first_vector, atol=1e-6)
        np.testing.assert_allclose(text, first_text, atol=1e-6)
        assert count == detections


def test_loading_a_bundle_reads_no_model(embedded_folder: Path, tmp_path: Path) -> None:
    shutil.copy(embedded_folder / "bundle.json", tmp_path)
    bundle = load_bundle(tmp_path, threads=1)
    assert bundle.spaces == {"image": 1280, "words": 384}
    with pytest.raises(InvalidBundle, match="image_encoder.onnx cannot be read: No such file"):
        bundle.embed_images([Image.new("RGB", (8, 8))])
    with pytest.raises(InvalidBundle, match="tokenizer.json cannot be read"):
        bundle.embed_text("a cat")
    with pytest.raises(InvalidBundle, match="coco80.json cannot be read"):
        bundle.detect(Image.new("RGB", (8, 8)))


def test_a_model_once_loaded_is_not_read_again(clip_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(clip_folder, tmp_path)
    bundle, image = load_bundle(folder, threads=1), Image.new("RGB", (40, 30), (200, 100, 0))
    before = bundle.embed_images([image])["clip"], bundle.embed_text("a dog"), bundle.detect(image)
    shutil.rmtree(folder)
    after = bundle.embed_images([image])["clip"], bundle.embed_text("a dog"), bundle.detect(image)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize("name", ["image_encoder.onnx", "text_encoder.onnx", "tokenizer.json", "detector.onnx"])
def test_a_file_with_another_digest_is_not_loaded(clip_folder: Path, tmp_path: Path, name: str) -> None:
    folder = copy_of(clip_folder, tmp_path)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    bundle = load_bundle(folder, threads=1)

    def use_all() -> None:
        bundle.embed_images([Image.new("RGB", (8, 8))])
        bundle.embed_text("a dog")
        bundle.detect(Image.new("RGB", (8, 8)))

    with pytest.raises(InvalidBundle, match=f"{name} is not the file described: its SHA-256 is"):
        use_all()


def test_a_bundle_may_use_a_file_of_one_beside_it(clip_folder: Path, tmp_path: Path) -> None:
    copy_of(clip_folder, tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    (own / "bundle.json").write_text(
        (clip_folder / "bundle.json").read_text().replace('"detector.onnx"', '"../clip_tiny/detector.onnx"')
    )
    file = read_description(own).detector.file
    assert find_verified(own, file) == (tmp_path / "clip_tiny" / "detector.onnx").resolve()


def test_a_link_does_not_lead_out_of_the_folder_of_bundles(clip_folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundles" / "mine"
    bundle.mkdir(parents=True)
    (bundle / "detector.onnx").symlink_to(clip_folder / "detector.onnx")
    with pytest.raises(InvalidBundle, match="leads out of the folder of bundles"):
        find_verified(bundle, read_description(clip_folder).detector.file)


def session_of(folder: Path, file: ModelFile, tensors: dict[str, int | None]) -> Session:
    return Session(folder, file, 1, tensors)


def test_a_model_without_a_tensor_that_is_described_is_refused(clip_folder: Path) -> None:
    session = session_of(clip_folder, read_description(clip_folder).detector.file, {"logits": None})
    with pytest.raises(InvalidBundle, match="has no tensor 'logits'; it has 'image', 'boxes', 'scores'"):
        session.run(["boxes"], {})


def test_a_model_with_other_dimensions_than_described_is_refused(clip_folder: Path) -> None:
    session = session_of(clip_folder, read_description(clip_folder).detector.file, {"boxes": 5})
    with pytest.raises(InvalidBundle, match="'boxes' has 4 values a row, not 5"):
        session.run(["boxes"], {})


@pytest.mark.parametrize("threads", [0, -1])
def test_a_run_has_at_least_one_thread(clip_folder: Path, threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        load_bundle(clip_folder, threads)


def test_a_model_that_runs_leaves_nothing_on_the_machine_and_reports_nothing(
    embedded_folder: Path, tmp_path: Path
) -> None:
    program = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from crowdsight.models.bundle import load_bundle\n"
        "load_bundle(Path(sys.argv[1]), threads=1).embed_text('a dog')\n"
        "import onnxruntime\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(embedded_folder)], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []  # it keeps the machine's id in a cache folder when it reports

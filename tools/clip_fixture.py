"""`python -m tools.clip_fixture FOLDER`: a whole CLIP bundle of a few hundred kilobytes, and what open_clip says to it.

The model is open_clip's, small and untrained; the tokenizer has the first merges of CLIP's real ones; the detector
finds three boxes wherever it looks, the brighter the surer. `expected.npz` holds
- picture_0, picture_1, ...: uint8 [height, width, 3], and picture_embeddings: float32 [pictures, dimensions];
- texts: str [texts], token_ids: int64 [texts, 77], text_embeddings: float32 [texts, dimensions].
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tools import export_clip
from tools.graphs import GraphBuilder, save
from tools.torchvision_absence import import_open_clip

SIZE_PX = 32
DETECTOR_SIZE_PX = 64
MERGES = 1200
BOXES = ((4, 4, 28, 28), (6, 6, 30, 30), (40, 8, 60, 56))
"""The first two overlap by more than 0.6."""

TEXTS = (
    "a dog",
    "A Photograph of TWO cats, sleeping on the sofa",
    "It's 3 o'clock, isn't it? They'll say we've won 1234567 times",
    "café naïve Ünïcode ﬁne ligature",
    "日本語 テキスト",
    "emoji 😀 dog",
    "fish &amp;amp; chips <b>bold</b>",
    "  many   spaces\n\tand lines ",
    "“smart quotes” — dash",
    "schÃ¶n mended",
    "word " * 100,
    "x" * 300,
)
PICTURE_SIZES = ((64, 48), (40, 100), (32, 32), (23, 17), (90, 33))
"""Width and height in pixels: wide, tall, right, too small, and odd."""


def paint(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """A picture of blots in shades of one colour: [height, width, 3]; its grain tells apart how it is resized."""
    numbers = np.random.default_rng(seed)
    shades = numbers.integers(0, 256, 3) + numbers.normal(0, 60, (5, 6, 3))
    blots = Image.fromarray(np.clip(shades, 0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = numbers.normal(0, 60, (height, width, 1))
    return np.clip(np.asarray(blots) + grain, 0, 255).astype(np.uint8)


def prepare(picture: NDArray[np.uint8], preprocessing: dict[str, Any]) -> torch.Tensor:
    """Pixels [1, 3, size, size] as open_clip prepares them: torchvision's Resize, CenterCrop, ToTensor and Normalize.

    Written out here, for torchvision may be missing.
    """
    size_px = preprocessing["size_px"]
    image = Image.fromarray(picture)
    shorter = min(image.size)
    image = image.resize(
        (int(size_px * image.width / shorter), int(size_px * image.height / shorter)), Image.Resampling.BICUBIC
    )
    left, top = round((image.width - size_px) / 2), round((image.height - size_px) / 2)
    pixels = np.asarray(image.crop((left, top, left + size_px, top + size_px)), np.float32) / 255
    normal = (pixels - np.array(preprocessing["mean"], np.float32)) / np.array(preprocessing["std"], np.float32)
    return torch.from_numpy(normal.transpose(2, 0, 1)[None])


def write_detector(folder: Path) -> None:
    """A bundle that has only a detector: BOXES in a picture of 64 x 64, each the surer the brighter the picture."""
    builder = GraphBuilder()
    brightness = builder.add("ReduceMean", ["image"], keepdims=0)
    shares = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7]], np.float32) / 255
    scores = builder.add("Mul", [brightness, builder.constant(shares)])
    boxes = builder.constant(np.array(BOXES, np.float32))
    shape = (1, 3, DETECTOR_SIZE_PX, DETECTOR_SIZE_PX)
    model = builder.build(
        "detector", {"image": shape}, {"boxes": (boxes, (len(BOXES), 4)), "scores": (scores, shares.shape)}
    )
    save(model, folder / "detector.onnx")
    (folder / "categories.json").write_text(json.dumps(["blot", "stain"]))
    source = "made by tools.clip_fixture"
    description = {
        "file": export_clip.describe_file(folder / "detector.onnx", "MIT", source),
        "categories": export_clip.describe_file(folder / "categories.json", "MIT", source),
        "preprocessing": {
            "size_px": DETECTOR_SIZE_PX,
            "fit": "pad",
            "padding": [0, 0, 0],
            "resample": "bilinear",
            "divisor": 1,
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
        },
        "input": "image",
        "boxes_output": "boxes",
        "scores_output": "scores",
        "min_score": 0.35,
        "max_overlap": 0.6,
    }
    (folder / "bundle.json").write_text(json.dumps({"detector": description}))


def write_architecture(folder: Path) -> Path:
    """A small architecture for open_clip, whose tokenizer has only CLIP's first merges."""
    open_clip = import_open_clip()
    lines = gzip.decompress(Path(open_clip.tokenizer.default_bpe()).read_bytes()).decode().split("\n")
    merges = folder / "merges.txt.gz"
    merges.write_bytes(gzip.compress("\n".join(lines[: MERGES + 1]).encode()))
    # Every byte, every byte that ends a word, every pair, and the two ends of a text.
    vocabulary_size = 256 * 2 + MERGES + 2
    path = folder / "clip-tiny.json"
    path.write_text(
        json.dumps(
            {
                "embed_dim": 24,
                "quick_gelu": True,
                "vision_cfg": {"image_size": SIZE_PX, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
                "text_cfg": {
                    "context_length": 77,
                    "vocab_size": vocabulary_size,
                    "width": 16,
                    "heads": 2,
                    "layers": 2,
                    "tokenizer_kwargs": {"bpe_path": str(merges)},
                },
            }
        )
    )
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.clip_fixture", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundle and expected.npz are written")
    folder: Path = parser.parse_args(arguments).folder
    # The number of threads decides the last bits of sums, and so whether the files are the same each time.
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as temporary:
        detector = Path(temporary) / "detector"
        detector.mkdir()
        write_detector(detector)
        architecture = write_architecture(Path(temporary))
        choice = ["--config", str(architecture), "--pretrained", export_clip.UNTRAINED, "--name", "clip-tiny-1"]
        export_clip.main([str(folder), *choice, "--detector", str(detector)])
        model, tokenizer = export_clip.load_model(architecture.stem, export_clip.UNTRAINED)
    preprocessing = export_clip.describe_preprocessing(model)
    pictures = [paint(*size, seed) for seed, size in enumerate(PICTURE_SIZES)]
    token_ids = tokenizer(list(TEXTS))
    with torch.inference_mode():
        picture_embeddings = model.encode_image(
            torch.cat([prepare(picture, preprocessing) for picture in pictures]), normalize=True
        )
        text_embeddings = model.encode_text(token_ids, normalize=True)
    expected: dict[str, Any] = {f"picture_{index}": picture for index, picture in enumerate(pictures)}
    expected |= {"picture_embeddings": picture_embeddings.numpy(), "text_embeddings": text_embeddings.numpy()}
    expected |= {"texts": np.array(TEXTS), "token_ids": token_ids.numpy()}
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main()

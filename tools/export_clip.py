"""`python -m tools.export_clip FOLDER`: a CLIP model of open_clip, as a bundle of the kind "clip".

Writes `image_encoder.onnx` (pixel_values [n, 3, size, size] to embedding [n, dimensions]), `text_encoder.onnx`
(input_ids [n, tokens] to embedding [n, dimensions]), `tokenizer.json` and `bundle.json`. Embeddings have length 1.
Prints one line of JSON for each encoder: how well it agrees with open_clip's own.
"""

import argparse
import json
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto
from torch import Tensor, nn

from tools.clip_tokenizer import build_tokenizer
from tools.graphs import fold, save, store_weights_as_float16
from tools.quantization import quantize
from tools.seal import sha256
from tools.torch_graphs import trace
from tools.torchvision_absence import import_open_clip

UNTRAINED = "none"
IMAGE_INPUT, TEXT_INPUT, OUTPUT = "pixel_values", "input_ids", "embedding"

_EXAMPLE_TEXTS = ("a dog", "a red car parked near the sea")
_LICENCES = {"openai": "MIT", UNTRAINED: "MIT"}


class Unsupported(Exception):
    """A model that a bundle of the kind "clip" cannot hold; the message says why."""


class ImageTower(nn.Module):
    """Pixels to embeddings of length 1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model.encode_image(pixels, normalize=True)


class TextTower(nn.Module):
    """Token ids to embeddings of length 1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        return self.model.encode_text(ids, normalize=True)


def load_model(architecture: str, pretrained: str) -> tuple[nn.Module, Any]:
    """An open_clip model and its tokenizer; random numbers, always the same, if `pretrained` is "none"."""
    open_clip = import_open_clip()
    # The fast path of attention is one operation that no graph has.
    torch.backends.mha.set_fastpath_enabled(False)
    torch.manual_seed(0)
    weights = None if pretrained == UNTRAINED else pretrained
    model = open_clip.create_model(architecture, pretrained=weights, require_pretrained=weights is not None)
    tokenizer = open_clip.get_tokenizer(architecture)
    if not isinstance(tokenizer, open_clip.SimpleTokenizer):
        raise Unsupported(f"{architecture} has another tokenizer than CLIP's byte-pair encoding")
    if tokenizer.clean_fn is not open_clip.tokenizer.get_clean_fn("lower") or tokenizer.reduction_fn is not None:
        raise Unsupported(f"{architecture} cleans or shortens texts in another way than CLIP")
    return model.eval(), tokenizer


def describe_preprocessing(model: nn.Module) -> dict[str, Any]:
    """How pictures are prepared, as `bundle.json` says it. Raises Unsupported for all but a centre crop."""
    settings = model.visual.preprocess_cfg
    sizes = {settings["size"]} if isinstance(settings["size"], int) else set(settings["size"])
    crops = len(sizes) == 1 and settings["resize_mode"] == "shortest"
    if not crops or settings["interpolation"] not in {"bicubic", "bilinear"}:
        raise Unsupported(f"pictures would have to be prepared in a way that bundles do not know: {settings}")
    return {
        "size_px": sizes.pop(),
        "fit": "crop",
        "resample": settings["interpolation"],
        "divisor": 255,
        "mean": list(settings["mean"]),
        "std": list(settings["std"]),
    }


def describe_file(path: Path, licence: str, source: str) -> dict[str, str]:
    """A file in the bundle's own folder, as `bundle.json` says it."""
    return {"path": path.name, "sha256": sha256(path), "licence": licence, "source": source}


def describe_detector(bundle: Path, folder: Path) -> dict[str, Any]:
    """The detector of another bundle: named where it is if that bundle lies beside `folder`, else copied."""
    description: dict[str, Any] = json.loads((bundle / "bundle.json").read_text("utf-8"))["detector"]
    beside = bundle.resolve().parent == folder.resolve().parent
    for part in ("file", "categories"):
        path = description[part]["path"]
        if not beside:
            shutil.copyfile(bundle / path, folder / Path(path).name)
            description[part]["path"] = Path(path).name
        elif not path.startswith("../"):
            description[part]["path"] = f"../{bundle.resolve().name}/{path}"
    return description


def shrink(graph: ModelProto, weights: str) -> ModelProto:
    """The graph with its weights as `float32`, `float16` or `int8`."""
    if weights == "int8":
        return quantize(graph, ("MatMul", "Gemm", "Gather"))
    folded = fold(graph)
    return store_weights_as_float16(folded) if weights == "float16" else folded


def export_tower(tower: nn.Module, examples: Tensor, input_name: str, weights: str, path: Path) -> int:
    """Write one encoder, and say how well it agrees with PyTorch's; returns how many dimensions its vectors have."""
    save(shrink(trace(tower, [examples], [input_name], [OUTPUT]), weights), path)
    with torch.inference_mode():
        expected = tower(examples).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {input_name: examples.numpy()})
    agreement = {
        "file": path.name,
        "size_bytes": path.stat().st_size,
        "largest_difference": float(np.abs(found - expected).max()),
        "smallest_cosine": float((found * expected).sum(1).min()),
    }
    print(json.dumps(agreement))
    return int(expected.shape[1])


def export_bundle(
    folder: Path, architecture: str, pretrained: str, *, weights: str, licence: str, name: str | None, detector: Path
) -> None:
    """Write the whole bundle into `folder`; its name tells architecture, weights and precision unless one is given."""
    model, tokenizer = load_model(architecture, pretrained)
    preprocessing = describe_preprocessing(model)
    folder.mkdir(parents=True, exist_ok=True)
    size_px = preprocessing["size_px"]
    pixels = torch.randn(2, 3, size_px, size_px)
    images, texts, tokens = (folder / file for file in ("image_encoder.onnx", "text_encoder.onnx", "tokenizer.json"))
    dimensions = export_tower(ImageTower(model), pixels, IMAGE_INPUT, weights, images)
    export_tower(TextTower(model), tokenizer(list(_EXAMPLE_TEXTS)), TEXT_INPUT, weights, texts)
    # open_clip keeps each pair's rank; the file wants the pairs in their order.
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    build_tokenizer(tokenizer.encoder, merges).save(str(tokens), pretty=False)

    package = f"open_clip_torch {version('open_clip_torch')}"
    source = f"{package}: {architecture}, pretrained: {pretrained}"
    words = re.findall(r"[A-Za-z0-9]+", f"{architecture} {Path(pretrained).stem} {weights}")
    bundle = {
        "kind": "clip",
        "name": name or "-".join(words).lower()[:60].rstrip("-"),
        "space": {"name": "clip", "dimensions": dimensions},
        "image_encoder": {
            "file": describe_file(images, licence, source),
            "preprocessing": preprocessing,
            "input": IMAGE_INPUT,
            "output": OUTPUT,
        },
        "text_encoder": {
            "file": describe_file(texts, licence, source),
            "tokenizer": describe_file(tokens, "MIT", package),
            "max_tokens": tokenizer.context_length,
            "padding_id": 0,
            "input": TEXT_INPUT,
            "output": OUTPUT,
        },
        "detector": describe_detector(detector, folder),
    }
    (folder / "bundle.json").write_text(json.dumps(bundle, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export_clip", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundle is written")
    parser.add_argument("--model", default="ViT-B-32-quickgelu", help="name of the architecture in open_clip")
    parser.add_argument("--config", type=Path, help="an architecture of your own, in open_clip's form")
    parser.add_argument(
        "--pretrained", default="openai", help=f'name of weights in open_clip, a file of them, or "{UNTRAINED}"'
    )
    parser.add_argument("--name", help="name of the bundle; changes whenever its vectors do")
    parser.add_argument("--licence", help="of the weights; needed for all but OpenAI's")
    parser.add_argument("--weights", choices=("float32", "float16", "int8"), default="float16", help="as stored")
    parser.add_argument("--detector", type=Path, help="bundle whose detector is used (FOLDER/../embedded)")
    options = parser.parse_args(arguments)
    licence = options.licence or _LICENCES.get(options.pretrained)
    if licence is None:
        parser.error(f"--licence is needed: by what licence may {options.pretrained} be used?")
    if options.config:
        import_open_clip().add_model_config(options.config)
    export_bundle(
        options.folder,
        options.config.stem if options.config else options.model,
        options.pretrained,
        weights=options.weights,
        licence=licence,
        name=options.name,
        detector=options.detector or options.folder.resolve().parent / "embedded",
    )


if __name__ == "__main__":
    main()

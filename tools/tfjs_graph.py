"""Reads TensorFlow.js graph models: a JSON file of nodes, and binary files of weights beside it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class UnknownConstant(Exception):
    """A tensor that must be constant depends on the model's input, or on an operation that is not known here."""


@dataclass(frozen=True)
class Node:
    """One operation. An input is named as TensorFlow names tensors: `node` or `node:output`."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    """Numbers, texts, booleans, or lists of them."""


@dataclass(frozen=True)
class GraphModel:
    """The nodes and the constants' values, both by node name."""

    nodes: Mapping[str, Node]
    weights: Mapping[str, NDArray[Any]]

    def is_constant(self, tensor: str) -> bool:
        return self.nodes[split_name(tensor)[0]].operation in {"Const", "SparseToDense"}

    def constant(self, tensor: str) -> NDArray[Any]:
        """The value of a tensor that depends on no input.

        Shapes, for one, may come as sums and sparse tensors of constants. Raises UnknownConstant.
        """
        node = self.nodes[split_name(tensor)[0]]
        if node.operation == "Const":
            return self.weights[node.name]
        if node.operation in {"Add", "AddV2"}:
            left, right = node.inputs
            return np.asarray(self.constant(left) + self.constant(right))
        if node.operation == "SparseToDense":
            indices, shape, values, default = (self.constant(name) for name in node.inputs)
            dense = np.full(shape.reshape(-1), default.item(), values.dtype)
            dense[tuple(indices.reshape(values.size, dense.ndim).T)] = values
            return dense
        raise UnknownConstant(f"{node.name} ({node.operation}) is not constant")


def split_name(tensor: str) -> tuple[str, int]:
    """The node that a tensor comes from, and which of its outputs it is."""
    name, _, output = tensor.partition(":")
    return name, int(output or 0)


def read_graph_model(path: Path) -> GraphModel:
    """The model that a `model.json` describes; its weight files are looked for beside it.

    Weights that are stored as float16 become float32. Raises ValueError if a weight file is longer or shorter than the
    manifest says, or stores its weights in another way.
    """
    document = json.loads(path.read_text("utf-8"))
    weights: dict[str, NDArray[Any]] = {}
    for group in document["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        offset = 0
        for weight in group["weights"]:
            values = _read_weight(weight, data, offset)
            offset += values.nbytes
            if "quantization" in weight:
                values = values.astype(weight["dtype"])
            weights[weight["name"]] = values.reshape(weight["shape"])
        if offset != len(data):
            raise ValueError(f"{path} describes {offset} bytes of weights, but there are {len(data)}")
    nodes = {
        node["name"]: Node(
            node["name"],
            node["op"],
            tuple(name for name in node.get("input", ()) if not name.startswith("^")),
            {key: _plain(value) for key, value in node.get("attr", {}).items()},
        )
        for node in document["modelTopology"]["node"]
    }
    return GraphModel(nodes, weights)


def _read_weight(weight: Mapping[str, Any], data: bytes, offset: int) -> NDArray[Any]:
    stored = weight.get("quantization", {"dtype": weight["dtype"]})
    if "scale" in stored:
        raise ValueError(f"{weight['name']} is stored as scaled integers, which are not read here")
    return np.frombuffer(data, np.dtype(stored["dtype"]), int(np.prod(weight["shape"])), offset)


def _plain(attribute: Mapping[str, Any]) -> Any:
    """An attribute's value without the JSON form of protocol buffers around it, where it has one of the usual kinds."""
    for kind, value in attribute.items():
        if kind == "i":
            return int(value)
        if kind == "s":
            return base64.b64decode(value).decode()
        if kind == "list":
            return [int(each) for each in value.get("i", ())]
        if kind in {"b", "f"}:
            return value
    return attribute

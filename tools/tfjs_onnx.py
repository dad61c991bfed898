"""TensorFlow.js graph models to ONNX: the operations that NanoDet is made of."""

from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter

import numpy as np

from tools.graphs import GraphBuilder
from tools.tfjs_graph import GraphModel, Node, split_name

_TO_CHANNELS_FIRST = (0, 3, 1, 2)
_TO_CHANNELS_LAST = (0, 2, 3, 1)
_PADDINGS = {"VALID": "VALID", "SAME": "SAME_UPPER"}


class UnknownOperation(Exception):
    """A graph has an operation, or a variant of one, that cannot be converted; the message names it."""


def convert(
    model: GraphModel, builder: GraphBuilder, inputs: Mapping[str, str], outputs: Sequence[str]
) -> dict[str, str]:
    """Add a model to `builder`; returns its `outputs` (node names) as tensors there.

    `inputs` gives the tensor that stands for each placeholder. TensorFlow convolves with channels last, ONNX with
    channels first: the transpositions put in between cancel out when the graph is folded. Raises UnknownOperation.
    """
    converter = _Converter(model, builder, inputs)
    return {output: converter.tensor(output) for output in outputs}


class _Converter:
    def __init__(self, model: GraphModel, builder: GraphBuilder, inputs: Mapping[str, str]) -> None:
        self._model = model
        self._builder = builder
        self._tensors: dict[str, list[str]] = {name: [tensor] for name, tensor in inputs.items()}
        self._operations: dict[str, Callable[[Node], list[str]]] = {
            "Add": self._add,
            "AddV2": self._add,
            "ConcatV2": self._concatenate,
            "Const": self._constant,
            "Conv2D": self._convolve,
            "Identity": lambda node: [self.tensor(node.inputs[0])],
            "LeakyRelu": self._leaky_relu,
            "MaxPool": self._pool,
            "Pad": self._pad,
            "PadV2": self._pad,
            "Reshape": self._reshape,
            "ResizeBilinear": self._resize,
            "Sigmoid": lambda node: [self._builder.add("Sigmoid", [self.tensor(node.inputs[0])])],
            "SparseToDense": self._constant,
            "SplitV": self._split,
            "Transpose": self._transpose,
        }

    def tensor(self, name: str) -> str:
        """The builder's tensor for TensorFlow's; what it depends on is converted first."""
        node, output = split_name(name)
        if node not in self._tensors:
            for ready in TopologicalSorter(self._needed(node)).static_order():
                self._convert(ready)
        return self._tensors[node][output]

    def _needed(self, name: str) -> dict[str, list[str]]:
        """The nodes that are still to be converted for `name`, each with those that it needs."""
        needed: dict[str, list[str]] = {}
        waiting = [name]
        while waiting:
            node = waiting.pop()
            if node not in needed and node not in self._tensors:
                needed[node] = [split_name(each)[0] for each in self._operands(self._model.nodes[node])]
                waiting += needed[node]
        return needed

    def _operands(self, node: Node) -> Sequence[str]:
        """The inputs of a node that flow; the rest (shapes, axes, kernels) must be constant, and is read as numbers."""
        if node.operation in {"Const", "SparseToDense", "Placeholder"}:
            return ()
        if node.operation == "ConcatV2":
            return node.inputs[:-1]
        return node.inputs if node.operation in {"Add", "AddV2"} else node.inputs[:1]

    def _convert(self, name: str) -> None:
        if name in self._tensors:
            return
        node = self._model.nodes[name]
        operation = self._operations.get(node.operation)
        if operation is None:
            raise UnknownOperation(f"{name} is a {node.operation}")
        self._tensors[name] = operation(node)

    def _constant(self, node: Node) -> list[str]:
        return [self._builder.constant(self._model.constant(node.name))]

    def _add(self, node: Node) -> list[str]:
        return [self._builder.add("Add", [self.tensor(name) for name in node.inputs])]

    def _leaky_relu(self, node: Node) -> list[str]:
        return [self._builder.add("LeakyRelu", [self.tensor(node.inputs[0])], alpha=node.attributes["alpha"])]

    def _transpose(self, node: Node) -> list[str]:
        order = self._model.constant(node.inputs[1]).tolist()
        return [self._builder.add("Transpose", [self.tensor(node.inputs[0])], perm=order)]

    def _concatenate(self, node: Node) -> list[str]:
        axis = self._model.constant(node.inputs[-1]).item()
        return [self._builder.add("Concat", [self.tensor(name) for name in node.inputs[:-1]], axis=axis)]

    def _reshape(self, node: Node) -> list[str]:
        shape = self._builder.integers(self._model.constant(node.inputs[1]))
        return [self._builder.add("Reshape", [self.tensor(node.inputs[0]), shape])]

    def _split(self, node: Node) -> list[str]:
        lengths = self._model.constant(node.inputs[1]).reshape(-1)
        axis = self._model.constant(node.inputs[2]).item()
        inputs = [self.tensor(node.inputs[0]), self._builder.integers(lengths)]
        return self._builder.split("Split", inputs, len(lengths), axis=axis)

    def _pad(self, node: Node) -> list[str]:
        before, after = self._model.constant(node.inputs[1]).T
        value = self._model.constant(node.inputs[2]).reshape(()) if node.operation == "PadV2" else np.float32(0)
        pads = self._builder.integers([*before, *after])
        filling = self._builder.constant(np.asarray(value, np.float32))
        return [self._builder.add("Pad", [self.tensor(node.inputs[0]), pads, filling])]

    def _convolve(self, node: Node) -> list[str]:
        kernel = self._model.constant(node.inputs[1]).transpose(3, 2, 0, 1)
        return self._channels_first(
            node,
            "Conv",
            [self._builder.constant(kernel)],
            strides=node.attributes["strides"][1:3],
            dilations=node.attributes["dilations"][1:3],
            auto_pad=self._padding(node),
        )

    def _pool(self, node: Node) -> list[str]:
        return self._channels_first(
            node,
            "MaxPool",
            [],
            kernel_shape=node.attributes["ksize"][1:3],
            strides=node.attributes["strides"][1:3],
            auto_pad=self._padding(node),
        )

    def _resize(self, node: Node) -> list[str]:
        if node.attributes.get("align_corners") or not node.attributes.get("half_pixel_centers"):
            raise UnknownOperation(f"{node.name} is a ResizeBilinear that does not use half-pixel centres")
        height, width = self._model.constant(node.inputs[1]).tolist()
        # ONNX wants the whole shape: the channels' number is only known from the tensor itself.
        first = self._builder.add("Transpose", [self.tensor(node.inputs[0])], perm=_TO_CHANNELS_FIRST)
        kept = self._builder.add("Shape", [first], start=0, end=2)
        shape = self._builder.add("Concat", [kept, self._builder.integers([height, width])], axis=0)
        resized = self._builder.add("Resize", [first, "", "", shape], mode="linear")
        return [self._builder.add("Transpose", [resized], perm=_TO_CHANNELS_LAST)]

    def _channels_first(self, node: Node, operation: str, more: Sequence[str], **attributes: object) -> list[str]:
        if node.attributes.get("data_format", "NHWC") != "NHWC":
            raise UnknownOperation(f"{node.name} is a {node.operation} with channels first")
        first = self._builder.add("Transpose", [self.tensor(node.inputs[0])], perm=_TO_CHANNELS_FIRST)
        result = self._builder.add(operation, [first, *more], **attributes)
        return [self._builder.add("Transpose", [result], perm=_TO_CHANNELS_LAST)]

    def _padding(self, node: Node) -> str:
        padding = node.attributes["padding"]
        if padding not in _PADDINGS:
            raise UnknownOperation(f"{node.name} is a {node.operation} with padding {padding}")
        return _PADDINGS[padding]

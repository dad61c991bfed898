"""ONNX graphs: built node by node, folded, stored small, written the same way each time."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

_LARGEST_FLOAT16 = 65504.0


class GraphBuilder:
    """Collects the nodes and constants of one graph; a tensor is known by the name that `add` or `constant` returns."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, values: NDArray[Any]) -> str:
        """A tensor that is always `values`, in their own type."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, values: ArrayLike) -> str:
        """A constant of 64-bit integers, as ONNX wants axes, shapes and pads."""
        return self.constant(np.asarray(values, np.int64))

    def add(self, operation: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The output of a node that has one."""
        return self.split(operation, inputs, 1, **attributes)[0]

    def split(self, operation: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """All outputs of a node that has several."""
        name = f"{operation.lower()}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operation, list(inputs), names, name=name, **attributes))
        return names

    def build(
        self,
        name: str,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, tuple[str, Sequence[int]]],
    ) -> ModelProto:
        """A model of float32 `inputs` (name: shape) and `outputs` (name: the tensor it is, and its shape)."""
        renamed = [helper.make_node("Identity", [tensor], [output]) for output, (tensor, _) in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *renamed],
            name,
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, (_, shape) in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def fold(model: ModelProto) -> ModelProto:
    """The same model with its constants computed and its idle nodes gone; only operators of the ONNX standard."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def store_weights_as_float16(model: ModelProto, at_least: int = 256) -> ModelProto:
    """The same model with each float32 constant of `at_least` numbers stored as float16, and cast when it is loaded.

    The file is half as long, and as fast: the runtime casts once, when it loads the model. A constant with a number
    that float16 cannot hold stays as it is.
    """
    constants: list[TensorProto] = []
    casts: list[NodeProto] = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float32 and values.size >= at_least and np.abs(values).max() <= _LARGEST_FLOAT16:
            stored = f"{constant.name}_float16"
            constants.append(numpy_helper.from_array(values.astype(np.float16), stored))
            casts.append(helper.make_node("Cast", [stored], [constant.name], to=TensorProto.FLOAT))
        else:
            constants.append(constant)
    smaller = ModelProto()
    smaller.CopyFrom(model)
    del smaller.graph.initializer[:]
    del smaller.graph.node[:]
    smaller.graph.initializer.extend(constants)
    smaller.graph.node.extend([*casts, *model.graph.node])
    return smaller


def save(model: ModelProto, path: Path) -> None:
    """Check a model and write it, without traces of the tools that it went through: equal models are equal files.

    Inner tensors keep their shapes, which the runtime needs to see that it can join operations.
    """
    final = ModelProto()
    final.CopyFrom(model)
    domains = {node.domain for node in final.graph.node}
    kept = sorted((entry for entry in final.opset_import if entry.domain in domains), key=lambda entry: entry.domain)
    versions = [helper.make_opsetid(entry.domain, entry.version) for entry in kept]
    del final.opset_import[:]
    del final.metadata_props[:]
    final.opset_import.extend(versions)
    final.ir_version = IR_VERSION
    final.producer_name = "crowdsight"
    final.producer_version = ""
    final.graph.name = path.stem
    final.graph.doc_string = ""
    for node in final.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(final)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(final.SerializeToString(deterministic=True))

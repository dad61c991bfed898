"""PyTorch modules to ONNX graphs whose first axis is free."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from tools.graphs import OPSET


def trace(
    module: nn.Module,
    examples: Sequence[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
    free_axes: Sequence[str] = ("n",),
) -> ModelProto:
    """What `module` computes, as a graph; the leading axes of its inputs, and the first one of its outputs, are free.

    `examples` need two rows or more, so that no axis of length 1 is taken for a fixed one.
    """
    axes = {name: dict(enumerate(free_axes)) for name in inputs} | {name: {0: free_axes[0]} for name in outputs}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        # The older exporter is deprecated, but its graphs are plain, and quantization understands them.
        warnings.simplefilter("ignore")
        path = Path(folder) / "traced.onnx"
        torch.onnx.export(
            module.eval(),
            tuple(examples),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(path)

"""Weights to 8-bit integers, as ONNX Runtime does it: activations are quantized while the model runs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import ModelProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process


def quantize(model: ModelProto, operations: Sequence[str] = ("MatMul", "Gather")) -> ModelProto:
    """The same model with the weights of `operations` as signed 8-bit integers, one scale a channel."""
    with tempfile.TemporaryDirectory() as folder:
        whole, prepared, quantized = (Path(folder) / f"{name}.onnx" for name in ("whole", "prepared", "quantized"))
        onnx.save(model, whole)
        quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(quantized),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=list(operations),
        )
        return onnx.load(quantized)

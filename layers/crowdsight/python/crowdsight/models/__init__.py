"""Model bundles: pictures and texts to vectors, pictures to labelled boxes; ONNX files that one JSON file describes."""

import os

# ONNX Runtime, from 1.29 on, reports its use to its makers and keeps an id of the machine, unless it is told not to
# before it is imported: https://github.com/microsoft/onnxruntime/issues/27379.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

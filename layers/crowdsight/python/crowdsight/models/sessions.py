"""ONNX models, loaded at their first use.

Measured with the embedded bundle on two cores, each in a fresh process:

- A session made from a path loads as fast as one from bytes or from a memory map, and needs up to 30 MB less.
- Without the optimisations that depend on the processor, the image encoder loads 10 ms sooner and is 2.5 times slower.
- A file that is optimised ahead loads 25 ms sooner, is twice as large, and holds only for processors like its maker's.
- Without the memory arena a session needs more memory for one picture, not less. What costs memory is the batch: see
  `BATCH`.
- A session's threads wait for one another by spinning, up to a millisecond. Where something else wants the processor,
  or a Lambda has a share of its cores only, a run takes twice as long for it; 10 microseconds do as well on idle cores.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import ExecutionMode, InferenceSession, SessionOptions

from crowdsight.models.descriptions import InvalidBundle, ModelFile
from crowdsight.models.files import find_verified
from crowdsight.models.once import Once

BATCH = 4
"""Pictures in one run of a model: 16 would be no faster and need 240 MB instead of 100."""


class Session:
    """A model of a bundle. It may be run by several threads at once; each run uses `threads` of its own.

    `tensors` maps the names that the model must have to the size of their last axis, or to None where any will do.
    """

    def __init__(self, folder: Path, file: ModelFile, threads: int, tensors: Mapping[str, int | None]) -> None:
        self._folder = folder
        self._file = file
        self._threads = threads
        self._tensors = tensors
        self._session = Once(self._load)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The tensors named in `outputs`, in that order.

        Raises InvalidBundle, at the first run, if the file is not the one described or lacks a tensor.
        """
        return self._session().run(list(outputs), dict(inputs))

    def _load(self) -> InferenceSession:
        path = find_verified(self._folder, self._file)
        session = InferenceSession(path, session_options(self._threads), providers=["CPUExecutionProvider"])
        found = {tensor.name: tensor.shape for tensor in [*session.get_inputs(), *session.get_outputs()]}
        for name, size in self._tensors.items():
            if name not in found:
                raise InvalidBundle(f"{path} has no tensor {name!r}; it has {', '.join(map(repr, found))}")
            # An axis of unknown size has a name, or None.
            if size is not None and isinstance(found[name][-1], int) and found[name][-1] != size:
                raise InvalidBundle(f"{path}: {name!r} has {found[name][-1]} values a row, not {size} as described")
        return session


def session_options(threads: int) -> SessionOptions:
    """How every model is run."""
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.spin_duration_us", "10")
    return options

"""open_clip without torchvision.

open_clip imports torchvision for the transforms of its pictures, and none of it is needed to export a model. On Linux
torchvision's usual package wants PyTorch's CUDA build, several gigabytes, so that here it may be missing.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_MODULES = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "torchvision.ops",
    "torchvision.ops.misc",
)


class _Absent(type):
    """Whatever is asked for of what is missing is missing too, but can be named, as in a default value."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(name)


def import_open_clip() -> Any:
    """The package `open_clip`; where torchvision is missing, what it imports of it is there in name only."""
    if find_spec("torchvision") is not None:
        import open_clip

        return open_clip
    for name in _MODULES:
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        module.__getattr__ = _absent  # type: ignore[method-assign]
        sys.modules[name] = module
    try:
        import open_clip
    finally:
        # Whoever looks for torchvision later must see that it is not there.
        for name in _MODULES:
            del sys.modules[name]
    return open_clip


def _absent(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Absent(name, (), {})

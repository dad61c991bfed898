"""The 1000 classes of ImageNet's challenge: their names and what they mean.

Names: `IMAGENET_CLASSNAMES` of the package `open_clip_torch`, those that OpenAI wrote for CLIP. Definitions: WordNet's,
as the package `timm` lists them by synset.
"""

import ast
from importlib.util import find_spec
from pathlib import Path


class PackageMissing(Exception):
    """A package that a tool reads files of is not installed; the message names it."""


def names() -> list[str]:
    """By class number."""
    # Importing open_clip would load all its models: the list is a literal in a file of its own.
    source = (_folder("open_clip") / "zero_shot_metadata.py").read_text("utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [
            "IMAGENET_CLASSNAMES"
        ]:
            return [str(name) for name in ast.literal_eval(statement.value)]
    raise PackageMissing("open_clip has no IMAGENET_CLASSNAMES: install the version that the requirements pin")


def definitions() -> list[str]:
    """By class number."""
    folder = _folder("timm") / "data" / "_info"
    lines = (folder / "imagenet_synset_to_definition.txt").read_text("utf-8").splitlines()
    meanings = dict(line.split("\t", 1) for line in lines)
    return [meanings[synset] for synset in (folder / "imagenet_synsets.txt").read_text("utf-8").split()]


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise PackageMissing(f"{package} is not installed")
    return Path(spec.origin).parent

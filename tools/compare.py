"""`python -m tools.compare A.onnx B.onnx`: do two models of one shape answer alike?

Both are fed the same inputs: random ones, or pictures, or texts. Prints one line of JSON for each output: the largest
difference of a number, and the smallest cosine of a row. Exits with 1 if a cosine is below `--at-least`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from PIL import Image
from tokenizers import Tokenizer

Inputs = Mapping[str, NDArray[Any]]


class Tensor(Protocol):
    """What a model says of an input or output: its name, its type, and its shape, where a free axis is no number."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def shape(self) -> Sequence[Any]: ...


class Model(Protocol):
    """As much of ONNX Runtime's `InferenceSession` as is needed."""

    def get_inputs(self) -> Sequence[Tensor]: ...

    def get_outputs(self) -> Sequence[Tensor]: ...

    def run(self, output_names: list[str], input_feed: Inputs) -> Sequence[NDArray[Any]]: ...


_RANDOM_TOKENS = 12


@dataclass(frozen=True)
class Agreement:
    """How alike two models answer in one output, over all inputs that they were fed."""

    output: str
    largest_difference: float
    smallest_cosine: float
    """Over the rows of the last axis; rows of nothing but zeros count as 1 if both are."""
    rows: int


def compare(first: Model, second: Model, inputs: Sequence[Inputs]) -> list[Agreement]:
    """One for each output that both models have, in the order of the first's."""
    shared = {output.name for output in second.get_outputs()}
    names = [output.name for output in first.get_outputs() if output.name in shared]
    rows: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {name: [] for name in names}
    for each in inputs:
        for name, one, other in zip(names, first.run(names, each), second.run(names, each), strict=True):
            rows[name].append((one.reshape(-1, one.shape[-1]), other.reshape(-1, other.shape[-1])))
    agreements = []
    for name, pairs in rows.items():
        one, other = (np.concatenate(side).astype(np.float64) for side in zip(*pairs, strict=True))
        agreements.append(
            Agreement(name, float(np.abs(one - other).max()), float(_cosines(one, other).min()), len(one))
        )
    return agreements


def random_inputs(model: Model, values: tuple[float, float], tokens: int, rounds: int, seed: int) -> Iterator[Inputs]:
    """Numbers spread evenly over `values` for float inputs; tokens 1..`tokens` for others; masks hide none."""
    numbers = np.random.default_rng(seed)
    for _ in range(rounds):
        fed: dict[str, NDArray[Any]] = {}
        for entry in model.get_inputs():
            rows, *rest = (size if isinstance(size, int) else None for size in entry.shape)
            shape = (rows or 2, *(size or _RANDOM_TOKENS for size in rest))
            if entry.type == "tensor(float)":
                fed[entry.name] = numbers.uniform(*values, shape).astype(np.float32)
            elif "mask" in entry.name:
                fed[entry.name] = np.ones(shape, np.int64)
            else:
                fed[entry.name] = numbers.integers(1, tokens, shape, endpoint=True)
        yield fed


def picture_inputs(model: Model, values: tuple[float, float], paths: Sequence[Path]) -> Iterator[Inputs]:
    """Pictures stretched to the size of the model's only input, their 0..255 mapped to `values`."""
    (entry,) = model.get_inputs()
    height, width = entry.shape[-2:]
    low, high = values
    for path in paths:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), np.float32)
        yield {entry.name: (pixels / 255 * (high - low) + low).transpose(2, 0, 1)[None]}


def text_inputs(model: Model, tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[Inputs]:
    """Texts as tokens, one at a time."""
    entries = model.get_inputs()
    for text in texts:
        tokens = tokenizer.encode(text)
        yield {
            entry.name: np.array([tokens.attention_mask if "mask" in entry.name else tokens.ids], np.int64)
            for entry in entries
        }


def _cosines(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    alike = (one == other).all(1)
    cosines = np.divide((one * other).sum(1), lengths, out=np.zeros(len(one)), where=lengths > 0)
    return np.where(alike, 1.0, cosines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="+", metavar="FILE", help="feed these instead of random numbers")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="feed its lines instead of random tokens")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="the tokenizer.json that --texts needs")
    parser.add_argument("--values", type=float, nargs=2, default=(-1.0, 1.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--tokens", type=int, default=400, help="the largest random token")
    parser.add_argument("--rounds", type=int, default=4, help="how many random inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-least", type=float, default=0.9999, metavar="COSINE")
    options = parser.parse_args(arguments)
    first, second = (
        InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (options.first, options.second)
    )
    values = tuple(options.values)
    if options.pictures:
        inputs = picture_inputs(first, values, options.pictures)
    elif options.texts:
        if options.tokenizer is None:
            parser.error("--texts needs --tokenizer")
        tokenizer = Tokenizer.from_file(str(options.tokenizer))
        if "mask" in " ".join(entry.name for entry in first.get_inputs()):
            tokenizer.no_padding()
        inputs = text_inputs(first, tokenizer, options.texts.read_text("utf-8").splitlines())
    else:
        inputs = random_inputs(first, values, options.tokens, options.rounds, options.seed)
    agreements = compare(first, second, list(inputs))
    for agreement in agreements:
        print(json.dumps(asdict(agreement)))
    return int(min(agreement.smallest_cosine for agreement in agreements) < options.at_least)


if __name__ == "__main__":
    sys.exit(main())

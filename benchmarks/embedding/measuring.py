"""The measurements."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.images.decoding import decode
from crowdsight.models.bundle import Bundle, load_bundle
from crowdsight.models.descriptions import ClipDescription, read_description
from crowdsight.models.sessions import session_options

REPEATED = 3
"""How often "many pictures" holds each, so that the last one, which has a core to itself, weighs little."""


@dataclass(frozen=True)
class Rates:
    """Pictures a second, for pictures of one size."""

    megapixels: float
    mean_size_bytes: int
    whole: float
    decoding: float
    model: float
    in_turn: float
    """As `whole`, measured in turns with `bulk` and not with the parts."""
    on_one_core: float
    """As `in_turn`, with one thread."""
    bulk: float

    @property
    def parts(self) -> float:
        """Of the two bare parts, one after the other."""
        return 1 / (1 / self.decoding + 1 / self.model)

    @property
    def ratio(self) -> float:
        return self.whole / self.parts

    @property
    def bulk_ratio(self) -> float:
        """To a request after the other, each with all threads: its models already use all cores, its decoding one."""
        return self.bulk / self.in_turn

    @property
    def scaling(self) -> float:
        """To a request after the other with one thread; at best the number of cores."""
        return self.bulk / self.on_one_core

    def document(self) -> dict[str, float]:
        """For JSON."""
        return {
            "megapixels": self.megapixels,
            "mean_size_bytes": self.mean_size_bytes,
            "pictures_per_s": round(self.whole, 1),
            "bare_decoding_per_s": round(self.decoding, 1),
            "bare_model_per_s": round(self.model, 1),
            "bare_parts_per_s": round(self.parts, 1),
            "ratio": round(self.ratio, 3),
            "one_at_a_time_per_s": round(self.in_turn, 1),
            "one_at_a_time_on_one_core_per_s": round(self.on_one_core, 1),
            "bulk_per_s": round(self.bulk, 1),
            "bulk_ratio": round(self.bulk_ratio, 3),
            "bulk_scaling": round(self.scaling, 3),
        }


class BareParts:
    """What nobody can do without: Pillow and ONNX Runtime, called directly."""

    def __init__(self, folder: Path, threads: int) -> None:
        from onnxruntime import InferenceSession  # after crowdsight.models, which turns its telemetry off

        description = read_description(folder)
        encoder = description.image_encoder
        self._size_px = encoder.preprocessing.size_px
        self._input = encoder.input
        if isinstance(description, ClipDescription):
            self._outputs = [description.image_encoder.output]
        else:
            self._outputs = [description.image_encoder.features.output, description.image_encoder.words.output]
        options, providers = session_options(threads), ["CPUExecutionProvider"]
        self._session = InferenceSession(folder / encoder.file.path, options, providers=providers)

    def decode(self, blob: bytes) -> Image.Image:
        """Draft mode, then the longer side to the model's size."""
        image = Image.open(BytesIO(blob))
        image.draft("RGB", (self._size_px, self._size_px))
        scale = self._size_px / max(image.size)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return image.resize(inner, Image.Resampling.BICUBIC)

    def ready_tensor(self) -> NDArray[np.float32]:
        """[1, 3, size, size] of noise; what it shows makes no difference to the time."""
        noise = np.random.default_rng(0)
        return noise.standard_normal((1, 3, self._size_px, self._size_px), np.float32)

    def run(self, tensor: NDArray[np.float32]) -> Any:
        return self._session.run(self._outputs, {self._input: tensor})


def measure(folder: Path, blobs: Sequence[bytes], megapixels: float, threads: int, rounds: int) -> Rates:
    """Rates of a bundle with these JPEGs; every time is a median over `rounds` times all pictures."""
    requests, bulk = load_bundle(folder, threads), load_bundle(folder, threads=1)
    bare = BareParts(folder, threads)
    tensor = bare.ready_tensor()
    steps: dict[str, Callable[[bytes], Any]] = {
        "whole": lambda blob: embed(requests, blob),
        "decoding": bare.decode,
        "model": lambda _: bare.run(tensor),
    }
    # The first use of each loads its model.
    for step in steps.values():
        step(blobs[0])
    embed(bulk, blobs[0])
    times: dict[str, list[float]] = {name: [] for name in steps}
    many = [*blobs] * REPEATED
    in_turn: list[float] = []
    on_one_core: list[float] = []
    at_once: list[float] = []
    for round_number in range(rounds):
        for number, blob in enumerate(blobs):
            names = list(steps)
            # Another one goes first each time: a step finds in the caches what the one before it has left there.
            first = (round_number + number) % len(names)
            for name in names[first:] + names[:first]:
                times[name].append(_time_s(steps[name], blob))
        in_turn.append(_time_s(_embed_in_turn, requests, many))
        on_one_core.append(_time_s(_embed_in_turn, bulk, many))
        at_once.append(_time_s(_embed_at_once, bulk, many, threads))
    return Rates(
        megapixels=megapixels,
        mean_size_bytes=sum(map(len, blobs)) // len(blobs),
        whole=1 / median(times["whole"]),
        decoding=1 / median(times["decoding"]),
        model=1 / median(times["model"]),
        in_turn=len(many) / median(in_turn),
        on_one_core=len(many) / median(on_one_core),
        bulk=len(many) / median(at_once),
    )


def embed(bundle: Bundle, blob: bytes) -> dict[str, NDArray[np.float32]]:
    """As a request does it."""
    return bundle.embed_images([decode(blob, at_least_px=bundle.image_size_px)])


def _embed_in_turn(bundle: Bundle, blobs: Sequence[bytes]) -> None:
    for blob in blobs:
        embed(bundle, blob)


def _embed_at_once(bundle: Bundle, blobs: Sequence[bytes], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(functools.partial(embed, bundle), blobs):
            pass


def _time_s(work: Callable[..., Any], *arguments: Any) -> float:
    start = perf_counter()
    work(*arguments)
    return perf_counter() - start

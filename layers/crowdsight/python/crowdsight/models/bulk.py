"""Embedding of many pictures, each on one core, several side by side.

A request spreads one run of a model over its cores, but a picture is decoded on one. Whoever has many pictures keeps
all cores busy with a bundle loaded for one thread (`load_bundle(folder, threads=1)`) and a worker for each core. Both
decoding and running a model let other Python threads go on meanwhile, so that threads will do.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import decode
from crowdsight.models.bundle import Bundle

Embedded = dict[str, NDArray[np.float32]]
"""A picture's vector in every space of a bundle, [dimensions] each, of length 1."""

LOOK_AHEAD = 2
"""Pictures taken from the source for each worker before the first of them has been handed on."""


def embed_many(
    bundle: Bundle, blobs: Iterable[bytes], workers: int
) -> Generator[Embedded | UndecodableImage, None, None]:
    """The vectors of each encoded picture, in order, or why it has none.

    No more than `LOOK_AHEAD * workers` pictures are in memory, however slowly the vectors are taken. Closing the
    iterator ends the work. Raises whatever `blobs` raises.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="embed")
    waiting: deque[Future[Embedded | UndecodableImage]] = deque()
    try:
        for blob in blobs:
            waiting.append(pool.submit(_embed, bundle, blob))
            if len(waiting) == LOOK_AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _embed(bundle: Bundle, blob: bytes) -> Embedded | UndecodableImage:
    try:
        image = decode(blob, at_least_px=bundle.image_size_px)
    except UndecodableImage as error:
        return error
    return {space: rows[0] for space, rows in bundle.embed_images([image]).items()}

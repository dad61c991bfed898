"""What an operator sees of an account's images."""

from dataclasses import dataclass

from crowdsight.search.index import VectorIndex
from crowdsight.search.library import ImagePage, Library


@dataclass(frozen=True)
class Figures:
    """How much an account has stored. `size_bytes`: its images, thumbnails not counted.

    `vectors`, `segments`, `log_length`: see `IndexStats`; right after a save or removal that was killed there may be
    more vectors than images.
    """

    images: int
    size_bytes: int
    vectors: int
    segments: int
    log_length: int


class ListImages:
    """Lists an account's images, page after page."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, account: str, limit: int = 100, after: str | None = None) -> ImagePage:
        """At most `limit`, in the order of their ids; `after` is that of the page before."""
        return self._library.page(account, limit, after)


class Stats:
    """Counts what an account has, by reading all of it."""

    def __init__(self, library: Library, index: VectorIndex) -> None:
        self._library = library
        self._index = index

    def __call__(self, account: str) -> Figures:
        images = size_bytes = 0
        for image in self._library.all_images(account):
            images += 1
            size_bytes += image.size_bytes
        index = self._index.stats(account)
        return Figures(images, size_bytes, index.vectors, index.segments, index.log_length)

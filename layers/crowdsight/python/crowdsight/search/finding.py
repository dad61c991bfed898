"""Finding stored images: like a picture at a URL, in bytes, or as words say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.errors import InvalidRequest, NotFound, UnfetchableImage
from crowdsight.images.decoding import decode
from crowdsight.search.entries import image_entry
from crowdsight.search.image_filter import ALL_IMAGES, ImageFilter
from crowdsight.search.index import EVERYTHING, Filter
from crowdsight.search.library import ImageRecord, Library
from crowdsight.search.neighbours import Hit, Neighbours
from crowdsight.search.objects import Objects

if TYPE_CHECKING:
    from crowdsight.models.bundle import Bundle

DEFAULT_RESULTS = 5
REMEMBERED_MEDIA_TYPE = "application/octet-stream"
"""What was fetched is kept as bytes of no type: it is read by us alone."""


class Fetcher(Protocol):
    def fetch(self, url: str) -> bytes:
        """The bytes at a URL. Raises InvalidRequest, UnfetchableImage."""


@dataclass(frozen=True)
class Finding:
    """What a find answers, and the request under which its picture is remembered."""

    request_id: str
    results: list[Hit]


class OwnImages:
    """An account's stored images as queries: by the names of their files."""

    def __init__(self, bundle: "Bundle", neighbours: Neighbours, library: Library, objects: Objects) -> None:
        self._bundle = bundle
        self._neighbours = neighbours
        self._library = library
        self._objects = objects

    def look_up(self, account: str, file: str) -> ImageRecord:
        """Raises NotFound unless the account has it."""
        image = self._library.image_of_file(account, file)
        if image is None:
            raise NotFound("the account has no such image")
        return image

    def nearest(self, image: ImageRecord, limit: int, where: Filter = EVERYTHING) -> list[Hit]:
        """The image itself, and then those like it; all as a filter allows.

        Raises NotFound if it has just been removed.
        """
        entry = image_entry(image, {})
        itself = [Hit(image, 1.0)] if where.allows(entry.key, entry.labels, entry.time_ms) else []
        if limit == len(itself):
            return itself
        data = self._objects.get(image.object_key)
        if data is None:
            raise NotFound("the image has just been removed")
        query = embed_for_search(self._bundle, data)
        space = self._bundle.image_space
        missing = limit - len(itself)
        others = self._neighbours.nearest(image.account, space, query, missing, [image.image_id], where)
        return [*itself, *others]


class FindImages:
    """Finds the stored images most like the one at a URL, and remembers that one so that it can be saved.

    `new_id` makes the requests' ids: UUIDs.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        bundle: "Bundle",
        neighbours: Neighbours,
        own_images: OwnImages,
        library: Library,
        objects: Objects,
        new_id: Callable[[], str],
    ) -> None:
        self._fetcher = fetcher
        self._bundle = bundle
        self._neighbours = neighbours
        self._own_images = own_images
        self._library = library
        self._objects = objects
        self._new_id = new_id

    def __call__(
        self,
        account: str,
        url: str,
        max_results: int = DEFAULT_RESULTS,
        min_similarity: float | None = None,
        own_file: str | None = None,
        images: ImageFilter = ALL_IMAGES,
    ) -> Finding:
        """Of the images that are meant, most similar first; those below `min_similarity` are left out.

        `own_file`: the file's name, if the URL is one of our own addresses.
        Raises InvalidRequest, UnfetchableImage, UndecodableImage; NotFound if there is no such file of the account's.
        """
        request_id = self._new_id()
        where = self._neighbours.criteria(account, images)
        if own_file is not None:
            image = self._own_images.look_up(account, own_file)
            hits = self._own_images.nearest(image, max_results, where)
            self._library.remember(account, request_id, url, image.image_id)
        else:
            data = self._fetcher.fetch(url)
            query = embed_for_search(self._bundle, data)
            hits = self._neighbours.nearest(account, self._bundle.image_space, query, max_results, where=where)
            # The item first: it is by the item that the bytes are found and deleted when the time is over.
            request = self._library.remember(account, request_id, url)
            self._objects.put(request.object_key, data, REMEMBERED_MEDIA_TYPE)
        threshold = 0.0 if min_similarity is None else min_similarity
        return Finding(request_id, [hit for hit in hits if hit.similarity >= threshold])


class FindSimilar:
    """Finds the stored images most like a picture or a text; nothing is remembered."""

    def __init__(self, fetcher: Fetcher, bundle: "Bundle", neighbours: Neighbours, own_images: OwnImages) -> None:
        self._fetcher = fetcher
        self._bundle = bundle
        self._neighbours = neighbours
        self._own_images = own_images

    def __call__(
        self,
        account: str,
        *,
        url: str | None = None,
        data: bytes | None = None,
        text: str | None = None,
        own_file: str | None = None,
        limit: int = 1,
        images: ImageFilter = ALL_IMAGES,
    ) -> list[Hit]:
        """Of the images that are meant, those like exactly one of `url`, `data` (an image's bytes) and `text`.

        Most similar first, at most `limit`. `own_file`: the file's name, if the URL is one of our own addresses.
        Raises InvalidRequest, UnfetchableImage (also if there is no such file of the account's), UndecodableImage.
        """
        where = self._neighbours.criteria(account, images)
        space = self._bundle.image_space
        match url, data, text:
            case str(), None, None if own_file is not None:
                try:
                    return self._own_images.nearest(self._own_images.look_up(account, own_file), limit, where)
                except NotFound as error:
                    raise UnfetchableImage(error.message) from error
            case str(address), None, None:
                query = embed_for_search(self._bundle, self._fetcher.fetch(address))
            case None, bytes(picture), None:
                query = embed_for_search(self._bundle, picture)
            case None, None, str(words):
                query, space = self._bundle.embed_text(words), self._bundle.text_space
            case _:
                raise InvalidRequest("exactly one of url, image and text is needed")
        return self._neighbours.nearest(account, space, query, limit, where=where)


def picture_to_embed(bundle: "Bundle", data: bytes) -> Image.Image:
    """Bytes as the picture that is embedded, for a search and for a save alike, so that the same bytes score 1.0.

    Raises UndecodableImage.
    """
    return decode(data, bundle.image_size_px)


def embed_for_search(bundle: "Bundle", data: bytes) -> NDArray[np.float32]:
    """An image's vector [dimensions of the image space]. Raises UndecodableImage."""
    return bundle.embed_images([picture_to_embed(bundle, data)])[bundle.image_space][0]

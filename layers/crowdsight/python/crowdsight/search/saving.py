"""Saving images, each picture once in an account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crowdsight.clock import Clock
from crowdsight.errors import AlreadyStored, NotFound
from crowdsight.images.decoding import decode
from crowdsight.images.encoding import pixel_digest, store_form, thumbnail
from crowdsight.search.finding import picture_to_embed
from crowdsight.search.index import Entry, VectorIndex
from crowdsight.search.library import (
    MEDIA_TYPES,
    THUMBNAIL_MEDIA_TYPE,
    ImageRecord,
    Label,
    Library,
    PixelsTaken,
    SaveAbandoned,
    image_id_of,
)
from crowdsight.search.objects import Objects
from crowdsight.search.removing import Leftovers

if TYPE_CHECKING:
    from crowdsight.models.bundle import Bundle

Vectors = Mapping[str, NDArray[np.float32]]
"""For every space of the bundle one vector."""

UrlOf = Callable[[str], str]
"""The address under which a file is served."""


@dataclass(frozen=True)
class Prepared:
    """An image with its files, ready to be stored."""

    record: ImageRecord
    data: bytes
    thumbnail: bytes


class SaveImage:
    """Stores an image that was searched for: searchable and served from then on.

    `read_name_key`: the secret that makes the names of files unguessable. `new_id` makes generations.
    """

    def __init__(
        self,
        bundle: "Bundle",
        index: VectorIndex,
        library: Library,
        objects: Objects,
        leftovers: Leftovers,
        clock: Clock,
        new_id: Callable[[], str],
        read_name_key: Callable[[], bytes],
    ) -> None:
        self._bundle = bundle
        self._index = index
        self._library = library
        self._objects = objects
        self._leftovers = leftovers
        self._clock = clock
        self._new_id = new_id
        self._read_name_key = read_name_key

    def __call__(self, account: str, request_id: str, url_of: UrlOf = str) -> ImageRecord:
        """Save the image of a request. `url_of` is asked for the `url` of AlreadyStored.

        Raises NotFound if the account has no such request or its time is over, AlreadyStored.
        """
        request = self._library.request(account, request_id)
        if request is None:
            raise NotFound("no such request; a request is remembered for 3 minutes")
        if request.image_id is not None:
            stored = self._library.image(account, request.image_id)
            if stored is None:
                raise NotFound("the image of this request has been removed")
            raise _already_stored(stored, url_of)
        data = self._objects.get(request.object_key)
        if data is None:
            raise NotFound("no such request; a request is remembered for 3 minutes")
        return self.save_bytes(account, data, request.url, url_of=url_of)

    def save_bytes(
        self, account: str, data: bytes, source: str, *, vectors: Vectors | None = None, url_of: UrlOf = str
    ) -> ImageRecord:
        """Save an image from its bytes. `source`: where it comes from, for the record.

        `vectors`: those of `picture_to_embed`, if somebody has computed them already.
        Raises UndecodableImage, AlreadyStored.
        """
        prepared = self._prepare(account, data, source, url_of)
        image = prepared.record
        if vectors is None:
            vectors = self._embed(data)
        work = self._library.begin_save(image)
        self._objects.put(image.object_key, prepared.data, MEDIA_TYPES[image.format])
        self._objects.put(image.thumbnail_object_key, prepared.thumbnail, THUMBNAIL_MEDIA_TYPE)
        self._index.put(account, [Entry(image.key, vectors)])
        try:
            self._library.commit_save(image)
        except PixelsTaken as error:
            self._leftovers.clear(self._library.abandon_save(work) or work)
            winner = self._library.owner_of_pixels(account, image.sent_digest, image.stored_digest)
            # Unless the winner has been removed since: then the address is that of the picture all the same.
            raise _already_stored(winner or image, url_of) from error
        except SaveAbandoned:
            self._leftovers.clear(work)
            raise
        return image

    def _prepare(self, account: str, data: bytes, source: str, url_of: UrlOf) -> Prepared:
        """Raises UndecodableImage, AlreadyStored."""
        picture = decode(data)
        sent_digest = pixel_digest(picture)
        if stored := self._library.owner_of_pixels(account, sent_digest):
            raise _already_stored(stored, url_of)
        form, small = store_form(picture), thumbnail(picture)
        del picture  # at the greatest size, two of them would be more than a Lambda has
        stored_picture = decode(form.data)
        record = ImageRecord(
            account=account,
            image_id=image_id_of(self._read_name_key(), account, sent_digest),
            generation=self._new_id(),
            format=form.format,
            width=form.width,
            height=form.height,
            size_bytes=len(form.data),
            labels=tuple(
                Label(found.name, found.score, found.box, found.category_id)
                for found in self._bundle.detect(stored_picture)
            ),
            saved_at_ms=self._clock(),
            source=source,
            sent_digest=sent_digest,
            stored_digest=pixel_digest(stored_picture),
        )
        return Prepared(record, form.data, small)

    def _embed(self, data: bytes) -> Vectors:
        rows = self._bundle.embed_images([picture_to_embed(self._bundle, data)])
        return {space: row[0] for space, row in rows.items()}


def _already_stored(image: ImageRecord, url_of: UrlOf) -> AlreadyStored:
    url = url_of(image.file)
    return AlreadyStored(f"the image is stored already and can be accessed at {url}", url)

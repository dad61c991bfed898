"""Saving images, each picture once in an account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crowdsight.clock import Clock
from crowdsight.errors import AlreadyStored, NotFound
from crowdsight.images.decoding import decode
from crowdsight.images.encoding import pixel_digest, store_form, thumbnail
from crowdsight.search.entries import image_entry
from crowdsight.search.finding import picture_to_embed
from crowdsight.search.index import VectorIndex
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
            return self._renew(stored, url_of)
        data = self._objects.get(request.object_key)
        if data is None:
            raise NotFound("no such request; a request is remembered for 3 minutes")
        return self.save_bytes(account, data, request.url, url_of)

    def save_bytes(self, account: str, data: bytes, source: str, url_of: UrlOf = str) -> ImageRecord:
        """Save an image from its bytes. `source`: where it comes from, for the record.

        An image that is stored, but was embedded with another bundle, is embedded anew and is searchable again.
        Raises UndecodableImage, AlreadyStored.
        """
        prepared = self._prepare(account, data, source)
        if isinstance(prepared, ImageRecord):
            return self._renew(prepared, url_of)
        vectors = self._embed(data)
        while True:
            try:
                self._store(prepared, vectors)
                return prepared.record
            except PixelsTaken:
                image = prepared.record
                if winner := self._library.owner_of_pixels(account, image.sent_digest, image.stored_digest):
                    return self._renew(winner, url_of)
                # The winner has been removed since.
                prepared = replace(prepared, record=replace(image, generation=self._new_id()))

    def _prepare(self, account: str, data: bytes, source: str) -> Prepared | ImageRecord:
        """What is to be stored, or the image that is stored already. Raises UndecodableImage."""
        picture = decode(data)
        sent_digest = pixel_digest(picture)
        if stored := self._library.owner_of_pixels(account, sent_digest):
            return stored
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
            labels=self._labels(stored_picture),
            saved_at_ms=self._clock(),
            source=source,
            sent_digest=sent_digest,
            stored_digest=pixel_digest(stored_picture),
            bundle=self._bundle.name,
        )
        return Prepared(record, form.data, small)

    def _store(self, prepared: Prepared, vectors: Vectors) -> None:
        """Raises PixelsTaken, SaveAbandoned; nothing is left of it then."""
        image = prepared.record
        work = self._library.begin_save(image)
        self._objects.put(image.object_key, prepared.data, MEDIA_TYPES[image.format])
        self._objects.put(image.thumbnail_object_key, prepared.thumbnail, THUMBNAIL_MEDIA_TYPE)
        self._index.put(image.account, [image_entry(image, vectors)])
        try:
            self._library.commit_save(image)
        except PixelsTaken:
            self._leftovers.clear(self._library.abandon_save(work) or work)
            raise
        except SaveAbandoned:
            self._leftovers.clear(work)
            raise

    def _renew(self, image: ImageRecord, url_of: UrlOf) -> ImageRecord:
        """Embed and label a stored image with this bundle. Raises AlreadyStored if that is done already, NotFound."""
        if image.bundle == self._bundle.name:
            raise _already_stored(image, url_of)
        data = self._objects.get(image.object_key)
        if data is None:
            raise NotFound("the image has just been removed")
        labels = self._labels(decode(data))
        relabelled = replace(image, labels=labels)
        self._index.put(image.account, [image_entry(relabelled, self._embed(data))])
        renewed = self._library.renew(image, self._bundle.name, labels)
        if renewed is None:
            raise _already_stored(image, url_of)
        return renewed

    def _labels(self, stored_picture: Image.Image) -> tuple[Label, ...]:
        found = self._bundle.detect(stored_picture)
        return tuple(Label(one.name, one.score, one.box, one.category_id) for one in found)

    def _embed(self, data: bytes) -> Vectors:
        rows = self._bundle.embed_images([picture_to_embed(self._bundle, data)])
        return {space: row[0] for space, row in rows.items()}


def _already_stored(image: ImageRecord, url_of: UrlOf) -> AlreadyStored:
    url = url_of(image.file)
    return AlreadyStored(f"the image is stored already and can be accessed at {url}", url)

"""Stored images and their thumbnails as files, for whoever has the address."""

from dataclasses import dataclass

from crowdsight.errors import NotFound
from crowdsight.search.library import (
    EXTENSIONS,
    IMAGE_FILE,
    MEDIA_TYPES,
    THUMBNAIL_FILE,
    THUMBNAIL_MEDIA_TYPE,
    Library,
)
from crowdsight.search.objects import Objects


@dataclass(frozen=True)
class ServedFile:
    data: bytes
    media_type: str


class ServeFile:
    """Reads files of images that are stored: not before they are, and not after they are removed."""

    def __init__(self, library: Library, objects: Objects) -> None:
        self._library = library
        self._objects = objects

    def image(self, file: str) -> ServedFile:
        """An image, by its name `<id>.jpg` or `<id>.png`. Raises NotFound."""
        name = IMAGE_FILE.fullmatch(file)
        record = self._library.file(name[1]) if name else None
        if name is None or record is None or EXTENSIONS[record.format] != name[2]:
            raise NotFound("no such image")
        return self._read(record.object_key, MEDIA_TYPES[record.format])

    def thumbnail(self, file: str) -> ServedFile:
        """A thumbnail, by its name `<id>.webp`. Raises NotFound."""
        name = THUMBNAIL_FILE.fullmatch(file)
        record = self._library.file(name[1]) if name else None
        if record is None:
            raise NotFound("no such thumbnail")
        return self._read(record.thumbnail_object_key, THUMBNAIL_MEDIA_TYPE)

    def _read(self, object_key: str, media_type: str) -> ServedFile:
        data = self._objects.get(object_key)
        if data is None:
            raise NotFound("no such image")  # removed between the two reads
        return ServedFile(data, media_type)

"""Removing stored images, and what is left of saves that failed."""

from crowdsight.errors import NotFound
from crowdsight.search.index import VectorIndex
from crowdsight.search.library import Library, Work
from crowdsight.search.objects import Objects


class Leftovers:
    """What of an image lies outside the library: its vectors and its files."""

    def __init__(self, library: Library, index: VectorIndex, objects: Objects) -> None:
        self._library = library
        self._index = index
        self._objects = objects

    def clear(self, work: Work) -> None:
        """Finish a removal, or what was turned into one; doing it again changes nothing."""
        self._index.remove(work.account, [work.key])
        self._objects.delete([work.object_key, work.thumbnail_object_key])
        self._library.finish_removal(work)


class RemoveImage:
    """Removes a stored image: no search and no address finds it from then on."""

    def __init__(self, library: Library, leftovers: Leftovers) -> None:
        self._library = library
        self._leftovers = leftovers

    def __call__(self, account: str, image_id: str) -> None:
        """Raises NotFound. If it is killed, the sweep goes on with it."""
        while image := self._library.image(account, image_id):
            if work := self._library.begin_removal(image):
                self._leftovers.clear(work)
                return
            # Somebody else has just removed it, and it may have been saved anew.
        raise NotFound(f"no such image: {image_id}")

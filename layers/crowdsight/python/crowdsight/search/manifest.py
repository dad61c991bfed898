"""The manifest: which segments are an account's index now. One small JSON object in S3, swapped atomically."""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crowdsight.search.objects import Objects, Version
from crowdsight.search.segment_format import Deletions, Part, Segment

FORMAT = 3
MANIFEST_MEDIA_TYPE = "application/json"
CACHED_MANIFESTS = 256


class UnknownFormat(Exception):
    """The manifest was written by another version of this program, or is damaged."""


class ManifestMissing(Exception):
    """The manifest that an account must have is not in S3, or one from before it is there."""


@dataclass(frozen=True)
class Retired:
    """A segment, or deletions of one, no longer in force, since when, in milliseconds; its objects are still there."""

    name: str
    at_ms: int


@dataclass(frozen=True)
class Manifest:
    """`version` counts the swaps: no two manifests of an account are alike, and so no two ETags."""

    version: int
    segments: tuple[Segment, ...]
    retired: tuple[Retired, ...]

    @property
    def names(self) -> frozenset[str]:
        """Of all segments and deletions that it speaks of."""
        in_force = frozenset(name for segment in self.segments for name in segment.names)
        return in_force | {retired.name for retired in self.retired}


EMPTY = Manifest(0, (), ())


@dataclass(frozen=True)
class Current:
    """The manifest in force and its ETag, None if there is none yet."""

    manifest: Manifest
    etag: str | None


class Manifests:
    """Each account's manifest. What was read is kept, and read again only if it has changed."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._kept: OrderedDict[str, tuple[Version, Manifest]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, prefix: str, least_version: int = 0, is_fresh: bool = True) -> Current:
        """The manifest that is in force now: of `least_version`, which there was before, or of a later one.

        Unless it must be fresh, S3 is not asked if such a one was read before. Raises UnknownFormat, ManifestMissing.
        """
        with self._lock:
            version, manifest = self._kept.get(prefix, (None, EMPTY))
        if not is_fresh and manifest.version >= least_version:
            return Current(manifest, version.etag if version else None)
        found = self._objects.get_version(_object_key(prefix), version)
        if found is None:
            manifest = EMPTY
        elif found is not version:
            manifest = _parse(found.data)
        if manifest.version < least_version:
            raise ManifestMissing(f"{_object_key(prefix)}: version {manifest.version}, not {least_version} or later")
        if found is not None and found is not version:
            self._keep(prefix, found, manifest)
        return Current(manifest, found.etag if found else None)

    def swap(self, prefix: str, current: Current, manifest: Manifest) -> None:
        """Put a manifest in force in place of the current one. Raises ObjectChanged if that is no longer current."""
        self._objects.put_if(_object_key(prefix), _format(manifest), MANIFEST_MEDIA_TYPE, current.etag)

    def _keep(self, prefix: str, version: Version, manifest: Manifest) -> None:
        with self._lock:
            self._kept[prefix] = (version, manifest)
            self._kept.move_to_end(prefix)
            while len(self._kept) > CACHED_MANIFESTS:
                self._kept.popitem(last=False)


def _object_key(prefix: str) -> str:
    return f"{prefix}/manifest.json"


def _format(manifest: Manifest) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(manifest)}).encode()


def _parse(data: bytes) -> Manifest:
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise UnknownFormat(f"format {document['format']}")
        return Manifest(
            document["version"],
            tuple(_segment(segment) for segment in document["segments"]),
            tuple(Retired(**retired) for retired in document["retired"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownFormat(str(error)) from error


def _segment(document: Mapping[str, Any]) -> Segment:
    parts = {name: Part(**part) for name, part in document["parts"].items()}
    deletions = document["deletions"]
    if deletions is not None:
        deletions = Deletions(**{**deletions, "part": Part(**deletions["part"])})
    return Segment(document["name"], document["rows"], parts, deletions)

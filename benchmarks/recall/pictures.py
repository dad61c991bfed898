"""Which pictures are stored: varied ones, and each only once."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import decode
from crowdsight.images.encoding import pixel_digest

EXTENSIONS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif"))


class PicturesMissing(Exception):
    """A folder is not there or has no pictures; the message says what to do."""


@dataclass(frozen=True)
class Picture:
    """A file, and the names of the folders it lies in, below the one that was given."""

    path: Path
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """`taken`: the pictures to store. `duplicates`, `undecodable`: how many were passed over on the way."""

    taken: Sequence[Picture]
    duplicates: int
    undecodable: int


def list_pictures(roots: Sequence[Path]) -> list[Picture]:
    """All pictures in and below the folders, in order. Raises PicturesMissing."""
    found: list[Picture] = []
    for root in roots:
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
        if not paths:
            raise PicturesMissing(
                f"{root} has no pictures. On Debian or Ubuntu: apt-get update && apt-get install openclipart-png "
                "(125 MB), which puts them into /usr/share/openclipart/png; or give other folders with --pictures"
            )
        found += [Picture(path, path.relative_to(root).parts[:-1]) for path in paths]
    return found


def select(pictures: Sequence[Picture], most: int, seed: int, on_taken: Callable[[], None] = lambda: None) -> Selection:
    """At most `most` pictures, one of each folder in turn, each folder and the order of folders shuffled."""
    taken: list[Picture] = []
    digests: set[str] = set()
    duplicates = undecodable = 0
    for picture in take_turns(pictures, seed):
        if len(taken) == most:
            break
        try:
            digest = pixel_digest(decode(picture.path.read_bytes()))
        except UndecodableImage:
            undecodable += 1
            continue
        if digest in digests:
            duplicates += 1
            continue
        digests.add(digest)
        taken.append(picture)
        on_taken()
    return Selection(taken, duplicates, undecodable)


def take_turns(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    """All pictures, reordered: a random one of each folder, then another one of each, and so on."""
    dice = random.Random(f"pictures {seed}")
    by_folder: defaultdict[Path, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda each: each.path):
        by_folder[picture.path.parent].append(picture)
    folders = [by_folder[folder] for folder in sorted(by_folder)]
    dice.shuffle(folders)
    for folder in folders:
        dice.shuffle(folder)
    return [
        folder[turn] for turn in range(max(map(len, folders), default=0)) for folder in folders if turn < len(folder)
    ]

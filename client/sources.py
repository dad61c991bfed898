"""Where pictures come from that are to be indexed: folders, CSV files, single files, and prefixes in S3.

A source can be gone through more than once. Only one row, file or object of it is ever in memory.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.images.decoding import MAX_FILE_BYTES

S3_SCHEME = "s3://"
URL_SCHEMES = ("http://", "https://")
CSV_COLUMNS = ("url", "path")

_MEDIA_TYPES = MimeTypes(filenames=())  # Python's own, which are the same on every machine
_MEDIA_TYPES.add_type("text/markdown", ".md")  # which is not among them before Python 3.13

Fetch = Callable[[str], bytes]
"""Fetches a URL; raises `crowdsight.errors.CrowdsightError`."""


class UnusableSource(Exception):
    """A source as a whole cannot be gone through; the message says why."""


class UnreadablePicture(Exception):
    """One picture of a source cannot be read; the message says why."""


@dataclass(frozen=True)
class Picture:
    """What may be a picture, at a path, URL or S3 address. `read` raises UnreadablePicture and CrowdsightError."""

    source: str
    read: Callable[[], bytes]


Source = Iterable[Picture]


def open_sources(names: Sequence[str], s3_client: Any, fetch: Fetch) -> list[Source]:
    """The sources that an operator has named. `s3_client`: boto3's. Raises UnusableSource for what is none."""
    return [_open_source(name, s3_client, fetch) for name in names]


def _open_source(name: str, s3_client: Any, fetch: Fetch) -> Source:
    if name.startswith(S3_SCHEME):
        bucket, _, prefix = name.removeprefix(S3_SCHEME).partition("/")
        if not bucket:
            raise UnusableSource(f"{name} names no bucket: write s3://BUCKET/PREFIX")
        return S3Prefix(s3_client, bucket, prefix)
    if name.lower().startswith(URL_SCHEMES):
        raise UnusableSource(f"{name} is a URL: write it into a CSV file")
    path = Path(name)
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise UnusableSource(f"there is no file or folder {name}")
    return CsvFile(path, fetch) if path.suffix.lower() == ".csv" else [_picture_in(path)]


class Folder:
    """The regular files in a folder and all below it, by name.

    Left out are hidden files and folders, and files whose names say that they are something else than pictures.
    A symbolic link is followed to a file in the folder, but not out of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Picture]:
        root = self._path.resolve()
        errors: list[OSError] = []
        for folder, folders, files in os.walk(self._path, onerror=errors.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if not name.startswith(".") and may_be_picture(name) and _is_file_in(path, root):
                    yield _picture_in(path)
        for error in errors:
            yield Picture(_readable(error.filename), partial(_refuse, error.strerror or "cannot be read"))


class CsvFile:
    """Pictures listed in a CSV file: URLs, and paths that start from the file's own folder.

    They are in the columns `url` and `path`, if the first row names at least one of them; in a row that has both, the
    URL counts. Without such a row they are in the first column. Empty cells are left out.
    """

    def __init__(self, path: Path, fetch: Fetch) -> None:
        self._path = path
        self._fetch = fetch

    def __iter__(self) -> Iterator[Picture]:
        """Raises UnusableSource for a file that is not CSV in UTF-8."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file)
                first = next(rows, [])
                header = [cell.strip().lower() for cell in first]
                columns = [header.index(name) for name in CSV_COLUMNS if name in header]
                if not columns:
                    yield from self._pictures(first, [0])
                for row in rows:
                    yield from self._pictures(row, columns or [0])
        except (OSError, csv.Error, UnicodeDecodeError) as error:
            raise UnusableSource(f"{self._path} cannot be read as CSV in UTF-8: {error}") from error

    def _pictures(self, row: Sequence[str], columns: Sequence[int]) -> Iterator[Picture]:
        cells = [row[column].strip() for column in columns if column < len(row)]
        cell = next(filter(None, cells), None)
        if cell is None:
            return
        if cell.lower().startswith(URL_SCHEMES):
            yield Picture(cell, partial(self._fetch, cell))
        else:
            yield _picture_in(self._path.parent / cell)


class S3Prefix:
    """The objects of a bucket whose keys start with a prefix; left out is what is left out of a folder."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def __iter__(self) -> Iterator[Picture]:
        """What goes wrong with the listing is botocore's ClientError or BotoCoreError."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for found in page.get("Contents", []):
                key = found["Key"]
                below = key.removeprefix(self._prefix[: self._prefix.rfind("/") + 1])
                is_hidden = any(part.startswith(".") for part in below.split("/"))
                if not is_hidden and not key.endswith("/") and may_be_picture(key):
                    yield Picture(f"{S3_SCHEME}{self._bucket}/{key}", partial(self._read, key, found["Size"]))

    def _read(self, key: str, size_bytes: int) -> bytes:
        _check_size(size_bytes)
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise UnreadablePicture(str(error)) from error
        return content


def may_be_picture(name: str) -> bool:
    """Whether nothing about a file's name says that it is something else, such as text or a film."""
    media_type, encoding = _MEDIA_TYPES.guess_type(PurePosixPath(name).name)
    return encoding is None and (media_type is None or media_type.startswith("image/"))


def _picture_in(path: Path) -> Picture:
    return Picture(_readable(path), partial(_read_file, path))


def _read_file(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UnreadablePicture("there is no such file")
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise UnreadablePicture(getattr(error, "strerror", None) or str(error)) from error


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        raise UnreadablePicture(f"it has {size_bytes} bytes; at most {MAX_FILE_BYTES} are read")


def _refuse(reason: str) -> bytes:
    raise UnreadablePicture(reason)


def _is_file_in(path: Path, root: Path) -> bool:
    return path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root))


def _readable(path: str | Path) -> str:
    """A path as text that can be stored and shown, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "replace")

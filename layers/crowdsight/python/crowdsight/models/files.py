"""Finding a bundle's files, and making sure that they are the ones described."""

from hashlib import file_digest
from pathlib import Path

from crowdsight.models.descriptions import InvalidBundle, ModelFile


def find_verified(folder: Path, file: ModelFile) -> Path:
    """The path of a file of the bundle in `folder`, after its SHA-256 has been checked (about 1 ms per megabyte).

    Raises InvalidBundle if it is missing, has other content, or lies outside the folder of bundles (by a symbolic link;
    its description allows no such name).
    """
    path = (folder / file.path).resolve()
    if not path.is_relative_to(folder.resolve().parent):
        raise InvalidBundle(f"{folder / file.path} leads out of the folder of bundles")
    try:
        with path.open("rb") as content:
            found = file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise InvalidBundle(f"{path} cannot be read: {error.strerror}") from error
    if found != file.sha256:
        raise InvalidBundle(f"{path} is not the file described: its SHA-256 is {found}, not {file.sha256}")
    return path

"""`python -m tools.seal FOLDER`: write the SHA-256 of a bundle's files into its `bundle.json`, after one was made anew.

The service loads no file that differs from what its bundle says. If the new file makes other vectors, give the bundle a
new `name` too, or old and new ones will be compared.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def seal(folder: Path) -> list[str]:
    """Bring `folder/bundle.json` up to date; returns the paths whose digests were not."""
    path = folder / "bundle.json"
    bundle = json.loads(path.read_text("utf-8"))
    changed = []
    for file in _files(bundle):
        found = sha256(folder / file["path"])
        if file["sha256"] != found:
            file["sha256"] = found
            changed.append(file["path"])
    if changed:
        path.write_text(json.dumps(bundle, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return changed


def _files(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if "sha256" in part:
            yield part
        for value in part.values():
            yield from _files(value)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.seal", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that holds bundle.json")
    for path in seal(parser.parse_args(arguments).folder):
        print(path)


if __name__ == "__main__":
    main()

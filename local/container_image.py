"""Container images of Lambdas, made without a container engine: a Dockerfile's instructions, carried out in a folder.

The folder stands for the image's `LAMBDA_TASK_ROOT`, in which the image puts all that is its own. `COPY` copies into
it, and `RUN` runs there, on this machine and with this Python, instead of the base image's. What a Dockerfile does
beyond that, such as installing packages of the system, is refused.

As a container engine does, it keeps what it made after each `RUN`, by a hash of all that went in, and goes on from
there.
"""

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.children import Children
from local.deployment import MakeImage
from local.synthesis import ROOT

FOLDER = ROOT / "build" / "images"
TASK_ROOT = "${LAMBDA_TASK_ROOT}"
WITHOUT_MEANING_HERE = ("ARG", "CMD", "FROM")
KEPT = 6
"""How many folders stay; the least recently used goes first."""


class ImageError(Exception):
    """The image cannot be made here; the message says why."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, such as `COPY` with `functions/search ./`."""

    name: str
    arguments: str


def read_dockerfile(text: str) -> Iterator[Instruction]:
    """The instructions that mean something here. Raises ImageError for one that cannot be carried out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, arguments = line.strip().partition(" ")
        match name.upper():
            case "WORKDIR" if arguments == TASK_ROOT:
                continue
            case "COPY" | "RUN" as known:
                yield Instruction(known, arguments.strip())
            case other if other not in WITHOUT_MEANING_HERE:
                raise ImageError(f"the local stack does not carry out `{line.strip()}` of a Dockerfile")


def image_maker(children: Children) -> MakeImage:
    """Makes images below the repository's `build` folder."""
    return lambda context, dockerfile: task_root(context, dockerfile, FOLDER, children)


def task_root(context: Path, dockerfile: str, folder: Path, children: Children) -> Path:
    """The folder that stands for the task root of the image, made in `folder` where it is not there yet.

    Raises ImageError and Stopping.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        made = _make(context, list(read_dockerfile((context / dockerfile).read_text())), folder, children)
        os.utime(made)
        _forget_old(folder)
        return made


def _make(context: Path, instructions: list[Instruction], folder: Path, children: Children) -> Path:
    kept = [folder / key for key in _keys(context, instructions)]
    done = max((number for number, path in enumerate(kept, start=1) if path.is_dir()), default=0)
    if kept and done == len(kept):
        return kept[-1]
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    if done:
        shutil.copytree(kept[done - 1], partial, symlinks=True, copy_function=os.link)
    else:
        partial.mkdir()
    for number, instruction in enumerate(instructions[done:], start=done):
        if instruction.name == "COPY":
            _copy(context, partial, instruction.arguments)
            continue
        _run(partial, instruction.arguments, children)
        if number + 1 < len(instructions):
            aside = folder / ".aside"
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(partial, aside, symlinks=True, copy_function=os.link)
            aside.rename(kept[number])
    partial.rename(kept[-1])
    return kept[-1]


def _keys(context: Path, instructions: list[Instruction]) -> list[str]:
    """After each instruction, a hash of it and all before it, and of the files that they copy."""
    digest = hashlib.sha256(sys.version.encode())
    keys = []
    for instruction in instructions:
        digest.update(f"{instruction.name} {instruction.arguments}\0".encode())
        if instruction.name == "COPY":
            *sources, _ = shlex.split(instruction.arguments)
            for source in sources:
                for path in _files(context / source):
                    digest.update(f"{path.relative_to(context)}\0{path.stat().st_size}\0".encode())
                    digest.update(path.read_bytes())
        keys.append(digest.hexdigest()[:24])
    return keys


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _copy(context: Path, root: Path, arguments: str) -> None:
    """https://docs.docker.com/reference/dockerfile/#copy: a folder's contents, not the folder itself."""
    *sources, target = shlex.split(arguments)
    if not sources or target.startswith(("/", "-", "..")) or any(source.startswith("-") for source in sources):
        raise ImageError(f"the local stack does not carry out `COPY {arguments}`: it copies into {TASK_ROOT}")
    into = root / target
    for source in (context / source for source in sources):
        if source.is_dir():
            shutil.copytree(source, into, dirs_exist_ok=True, copy_function=_replace)
        else:
            to = into / source.name if target.endswith("/") or into.is_dir() else into
            to.parent.mkdir(parents=True, exist_ok=True)
            _replace(str(source), str(to))


def _replace(source: str, target: str) -> str:
    """Copy without writing into a file that another folder has as well."""
    Path(target).unlink(missing_ok=True)
    return shutil.copyfile(source, target)


def _run(root: Path, command: str, children: Children) -> None:
    python = Path(sys.executable).parent
    running = children.start(
        ["/bin/sh", "-c", command],
        cwd=root,
        environment={
            **os.environ,
            "LAMBDA_TASK_ROOT": str(root),
            "PATH": f"{python}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": "",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert running.process.stdout is not None
    printed = running.process.stdout.read().decode(errors="replace")
    if running.wait() != 0:
        raise ImageError(f"`{command}` failed:\n{printed.strip()}")


def _forget_old(folder: Path) -> None:
    made = sorted(
        (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: path.stat().st_mtime,
    )
    for path in made[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)

"""The CDK app's templates, synthesized when something that they are made of has changed.

A synthesis takes many seconds; a stack that starts does not wait for one that it does not need. Each is kept in
`<folder>/<key>`, where the key is a hash of what went in, so that stacks with other settings do not undo each other's.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.children import Children

ROOT = Path(__file__).resolve().parent.parent
INPUTS = ("app.py", "cdk.json", "infra", "functions", "layers")
ASSEMBLIES = ROOT / ".local" / "cdk.out"
"""Where syntheses are kept, one folder for each set of inputs and settings."""

KEPT = 8
"""How many syntheses stay; the least recently used goes first."""


class SynthesisError(Exception):
    """The CDK app failed; the message is what it printed."""


def synthesize(folder: Path, settings: Mapping[str, str], children: Children, root: Path = ROOT) -> Path:
    """The cloud assembly of the app in `root` for these settings (CDK context), made if need be.

    Raises SynthesisError and Stopping.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assembly = folder / _key(settings, root)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if not (assembly / "manifest.json").exists():
            _run_app(assembly, settings, children, root)
        os.utime(assembly)
        _forget_old(folder)
    return assembly


def _run_app(assembly: Path, settings: Mapping[str, str], children: Children, root: Path) -> None:
    """Into a folder aside, then renamed, so that an interrupted synthesis is never taken for one."""
    partial = assembly.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(assembly, ignore_errors=True)
    app = children.start(
        [sys.executable, "app.py"],
        cwd=root,
        environment={
            **os.environ,
            "CDK_OUTDIR": str(partial),
            "CDK_CONTEXT_JSON": json.dumps(dict(settings)),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert app.process.stdout is not None
    printed = app.process.stdout.read().decode(errors="replace")
    if app.wait() != 0 or not (partial / "manifest.json").exists():
        raise SynthesisError(printed.strip() or "app.py made no templates")
    partial.rename(assembly)


def _key(settings: Mapping[str, str], root: Path) -> str:
    digest = hashlib.sha256(json.dumps([sys.version, sorted(settings.items())]).encode())
    for path in _input_files(root):
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _input_files(root: Path) -> Iterator[Path]:
    for name in INPUTS:
        path = root / name
        if path.is_file():
            yield path
        else:
            files = (file for file in path.rglob("*") if file.is_file())
            yield from sorted(file for file in files if not _is_cache(file.relative_to(root)))


def _is_cache(path: Path) -> bool:
    """Whether Python or a tool left it among the sources; the app packages none of it either."""
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def _forget_old(folder: Path) -> None:
    assemblies = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in assemblies[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)

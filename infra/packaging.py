"""What the Lambdas are made of, put together here and only when something in it has changed.

Two layers, by pip alone: `crowdsight` is the product's own code, `dependencies` the pinned third-party packages. Both
carry bytecode: a Lambda cannot write its own, and compiling at each cold start costs more than everything else in it.
The bytecode is marked `unchecked-hash`, because Python would otherwise compare it with the sources' modification
times, which no zip keeps. It belongs to one version of Python, so the Lambdas' runtime is the version that synthesizes.

And the files that image search's Dockerfile copies, in the places where they are in the repository.
"""

import compileall
import hashlib
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ROOT / "layers"
BUILD = ROOT / "build" / "layers"
SEARCH_DOCKERFILE = "functions/search/Dockerfile"
SEARCH_SOURCES = ("functions/search", "layers/crowdsight/python", "layers/dependencies")
"""What the Dockerfile may copy, in a folder of its own: an image is not sent the whole repository."""

REQUIREMENTS = LAYERS / "dependencies" / "requirements.txt"

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LAMBDA_GLIBC_MINOR = {"3.11": 26, "3.12": 34, "3.13": 34, "3.14": 34}
"""The Pythons that Lambda runs, and the glibc 2.x of the system under each."""

WHEEL_PROCESSORS = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's architectures as wheels name them."""

AWS_SERVICES = frozenset(
    {"apigateway", "dynamodb", "mturk", "s3", "s3vectors", "secretsmanager", "sesv2", "sns", "sqs", "stepfunctions"}
)
"""The services whose clients the product makes. botocore looks through the models of all that it has, over 400, at
each process's first client: without the others that takes half the time, and the layer half the space."""

CACHES = ("__pycache__", ".*")
"""Patterns of what Python and its tools leave among sources."""


class PackagingError(Exception):
    """A layer cannot be built here; the message says why and what can be done."""


@dataclass(frozen=True)
class Layer:
    """A built folder, which holds a layer's `python/`, and a key that changes whenever its contents do."""

    path: Path
    key: str


def own_code_layer() -> Layer:
    """The package `crowdsight`."""
    source = LAYERS / "crowdsight" / "python"

    def fill(layer: Path) -> None:
        shutil.copytree(source, layer / "python", ignore=shutil.ignore_patterns(*CACHES))
        _compile(layer)

    return _built("crowdsight", [PYTHON.encode(), *_contents(source)], fill)


def dependencies_layer(architecture: str) -> Layer:
    """The packages of `layers/dependencies/requirements.txt`, and nothing that is not named there.

    `architecture`: Lambda's name of it. Raises PackagingError where pip finds no wheel that Lambda can run.
    """
    platforms = _wheel_platforms(architecture)

    def fill(layer: Path) -> None:
        python = layer / "python"
        _install(python, platforms)
        shutil.rmtree(python / "bin", ignore_errors=True)
        for model in (python / "botocore" / "data").iterdir():
            if model.is_dir() and model.name not in AWS_SERVICES:
                shutil.rmtree(model)
        _compile(layer)

    tags = [tag.encode() for tag in platforms]
    return _built("dependencies", [PYTHON.encode(), REQUIREMENTS.read_bytes(), *tags], fill)


def search_context() -> Path:
    """The folder that image search's container image is built from, `docker build -f functions/search/Dockerfile .`"""

    def fill(context: Path) -> None:
        for source in SEARCH_SOURCES:
            shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns(*CACHES))

    return _built("search", [part for source in SEARCH_SOURCES for part in _contents(ROOT / source)], fill).path


def _contents(folder: Path) -> list[bytes]:
    """The names and contents of a folder's files, but for what Python and its tools left there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_cached(path.relative_to(folder)))
    return [part for path in files for part in (str(path.relative_to(folder)).encode(), path.read_bytes())]


def _compile(layer: Path) -> None:
    compileall.compile_dir(
        layer,
        quiet=1,
        stripdir=str(layer),
        prependdir="/opt",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _built(name: str, contents: list[bytes], fill: Callable[[Path], None]) -> Layer:
    """What `fill` makes of `contents`, made only where it is not there yet.

    It is made aside and put in its place by one rename, so that it is never seen in part, whatever else is
    synthesizing or is interrupted.
    """
    key = _key([Path(__file__).read_bytes(), *contents])
    path = BUILD / f"{name}-{key}"
    if path.is_dir():
        return Layer(path, key)
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=f".{name}-") as temporary:
        made = Path(temporary) / "layer"
        made.mkdir()
        fill(made)
        for file in made.rglob("*"):  # whatever the umask here is: a Lambda is another user
            file.chmod(0o755 if file.is_dir() else 0o644)
        made.chmod(0o755)
        try:
            made.rename(path)
        except OSError:
            if not path.is_dir():  # otherwise another synthesis was faster
                raise
    for older in BUILD.glob(f"{name}-*"):
        if older != path:
            shutil.rmtree(older, ignore_errors=True)
    return Layer(path, key)


def _is_cached(path: Path) -> bool:
    return any(fnmatch(part, pattern) for part in path.parts for pattern in CACHES)


def _key(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:24]


def _wheel_platforms(architecture: str) -> list[str]:
    """The platform tags, newest first, of the wheels that Lambda's system can load (PEP 600)."""
    if PYTHON not in LAMBDA_GLIBC_MINOR:
        known = ", ".join(LAMBDA_GLIBC_MINOR)
        raise PackagingError(f"Lambda has no Python {PYTHON}: synthesize with one of {known}")
    processor = WHEEL_PROCESSORS[architecture]
    return [
        *(f"manylinux_2_{minor}_{processor}" for minor in range(LAMBDA_GLIBC_MINOR[PYTHON], 16, -1)),
        f"manylinux2014_{processor}",
    ]


def _install(target: Path, platforms: list[str]) -> None:
    installing = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        + ["--no-deps", "--requirement", str(REQUIREMENTS), "--target", str(target)]
        + ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
        + [argument for tag in platforms for argument in ("--platform", tag)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if installing.returncode:
        raise PackagingError(
            f"pip could not install {REQUIREMENTS.relative_to(ROOT)} for Lambda's Python {PYTHON}, {platforms[-1]}.\n"
            "Each package needs a wheel for it; where one has none, pin another version or set `architecture`.\n"
            f"{installing.stdout.strip()}"
        )

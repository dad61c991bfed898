"""The layers: complete, compiled, small enough, and built only when something has changed."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import packaging
from infra.packaging import AWS_SERVICES, ROOT, Layer
from infra.settings import Settings

MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
UNCHECKED_HASH = 1


@pytest.fixture(scope="module")
def own_code() -> Layer:
    return packaging.own_code_layer()


@pytest.fixture(scope="module")
def dependencies() -> Layer:
    return packaging.dependencies_layer(Settings().lambda_architecture)


@pytest.fixture(scope="module", params=["own_code", "dependencies"])
def layer(request: pytest.FixtureRequest) -> Layer:
    found: Layer = request.getfixturevalue(request.param)
    return found


def test_every_module_has_bytecode_that_is_never_compared_with_its_source(layer: Layer) -> None:
    sources = list(layer.path.rglob("*.py"))
    assert sources
    for source in sources:
        bytecode = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_the_layers_are_within_lambdas_limit(own_code: Layer, dependencies: Layer) -> None:
    files = [path for layer in (own_code, dependencies) for path in layer.path.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_UNZIPPED_BYTES


def test_a_layer_is_not_built_again(layer: Layer) -> None:
    built_ns = layer.path.stat().st_mtime_ns
    again = packaging.own_code_layer(), packaging.dependencies_layer(Settings().lambda_architecture)
    assert layer in again
    assert layer.path.stat().st_mtime_ns == built_ns


def test_the_own_layer_is_the_products_code_and_nothing_that_tools_left_there(own_code: Layer) -> None:
    def files(folder: Path) -> dict[Path, bytes]:
        found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        kept = [path for path in found if not any(part.startswith(".") for part in path.parts)]
        return {path: (folder / path).read_bytes() for path in kept}

    packaged = {path for path in (own_code.path / "python").rglob("*") if path.is_file()}
    assert files(own_code.path / "python") == files(ROOT / "layers" / "crowdsight" / "python")
    assert not [path for path in packaged if path.name.startswith(".") or path.parent.name.startswith(".")]


def test_the_pins_name_everything_that_is_needed(dependencies: Layer) -> None:
    found = {
        canonicalize_name(distribution.metadata["Name"]): distribution
        for distribution in importlib.metadata.distributions(path=[str(dependencies.path / "python")])
    }
    for name, distribution in found.items():
        for line in distribution.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in found, f"{name} needs {line}"
                assert found[canonicalize_name(needed.name)].version in needed.specifier, f"{name} needs {line}"


@pytest.mark.parametrize("path", [packaging.REQUIREMENTS, ROOT / "requirements.txt"])
def test_every_requirement_is_pinned_exactly(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-r "))]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[^=*\s]+", line)] == []


def test_a_client_of_each_service_in_use_can_be_made_from_the_layer_alone(dependencies: Layer) -> None:
    program = (
        f"import sys; sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\n"
        f"sys.path.insert(0, {str(dependencies.path / 'python')!r})\n"
        "import boto3\n"
        f"for service in {sorted(AWS_SERVICES)}:\n"
        "    boto3.client(service, region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b')\n"
        "import aws_lambda_powertools, defusedxml, itsdangerous, jinja2, pydantic\n"
    )
    subprocess.run([sys.executable, "-I", "-c", program], check=True)


def test_the_layer_has_each_service_that_the_product_makes_a_client_of() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "layers" / "crowdsight").rglob("*.py"))
    used = set(re.findall(r"client\(\s*\"([a-z0-9-]+)\"", text))
    assert used
    assert used <= AWS_SERVICES


def test_whoever_a_lambda_runs_as_can_read_what_is_built(layer: Layer) -> None:
    for built in (layer.path, packaging.search_context()):
        for path in (built, *built.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_the_containers_dockerfile_runs_nothing_that_awss_image_does_not_have() -> None:
    text = (ROOT / packaging.SEARCH_DOCKERFILE).read_text().replace("\\\n", " ")
    runs = re.findall(r"^RUN (.*)$", text, re.MULTILINE)
    assert runs
    commands = {word for run in runs for word in re.findall(r"(?:^|&&|\|\||;|\bdo|\)) *([a-z]+)\b", run)}
    assert commands <= {"python", "rm", "for", "done", "do", "case", "esac", "exit"}, commands

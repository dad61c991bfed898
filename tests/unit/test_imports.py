"""Imports run one way, and the core knows no AWS, no HTTP and no clock."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "layers" / "crowdsight" / "python"

OUTSIDE = (
    "os",
    "time",
    "socket",
    "logging",
    "http",
    "urllib.request",
    "boto3",
    "botocore",
    "aws_lambda_powertools",
)
"""What the core gets passed in, if at all."""

CORE = (
    "crowdsight.adjudication",
    "crowdsight.catalogue",
    "crowdsight.errors",
    "crowdsight.tasks",
    "crowdsight.crowd.answers",
    "crowdsight.crowd.prices",
    "crowdsight.money",
    "crowdsight.crowd.questions",
    "crowdsight.workplace.answers",
    "crowdsight.workplace.assignments",
    "crowdsight.workplace.faults",
    "crowdsight.workplace.hits",
    "crowdsight.workplace.ledger",
    "crowdsight.workplace.lifecycle",
    "crowdsight.workplace.questions",
    "crowdsight.workplace.workers",
)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The full names of all that a file imports, anywhere in it; `from a import b` is both `a` and `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path} imports relatively"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def packages_of(folder: Path) -> dict[Path, set[str]]:
    """Each file of a folder, with the top-level packages that it imports."""
    files = [path for path in folder.rglob("*.py") if "__pycache__" not in path.parts]
    return {path: {name.partition(".")[0] for name in imports_of(path)} for path in files}


def modules() -> dict[str, Path]:
    """The product's modules, by name."""
    found = {}
    for path in PRODUCT.rglob("*.py"):
        parts = path.relative_to(PRODUCT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        (PRODUCT, {"infra", "functions", "local", "client", "benchmarks", "tests", "handler"}),
        (ROOT / "functions", {"infra", "functions", "local", "client", "benchmarks", "tests", "handler", "boto3"}),
        (ROOT / "infra", {"functions", "local", "client", "benchmarks", "tests", "handler", "crowdsight"}),
        (ROOT / "local", {"functions", "infra", "benchmarks", "tests", "handler"}),
        (ROOT / "client", {"functions", "infra", "local", "benchmarks", "tests", "handler"}),
    ],
)
def test_imports_run_one_way(folder: Path, forbidden: set[str]) -> None:
    wrong = {str(path): packages & forbidden for path, packages in packages_of(folder).items() if packages & forbidden}
    assert wrong == {}


@pytest.mark.parametrize("name", CORE)
def test_the_core_reaches_nothing_outside(name: str) -> None:
    known = modules()
    roots = [module for module in known if module == name or module.startswith(f"{name}.")]
    assert roots, f"there is no {name}"
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        seen.add(module)
        imported = imports_of(known[module])
        outside = [found for found in imported if found.startswith(tuple(f"{package}." for package in OUTSIDE))]
        assert [*outside, *(set(imported) & set(OUTSIDE))] == [], f"{name} reaches {module}"
        waiting += [found for found in imported if found in known and found not in seen]


def test_only_the_wiring_reads_the_environment() -> None:
    readers = {name for name, path in modules().items() if {"os", "os.environ", "os.getenv"} & imports_of(path)}
    assert readers <= {"crowdsight.wiring"}


def test_only_the_wiring_makes_clients() -> None:
    makers = {name for name, path in modules().items() if "boto3" in imports_of(path)}
    assert makers <= {"crowdsight.wiring"}


def test_handlers_are_short() -> None:
    long = {
        str(path): lines
        for path in (ROOT / "functions").glob("*/handler.py")
        if (lines := len(path.read_text().splitlines())) > 40
    }
    assert long == {}


def test_the_product_imports_only_what_its_layer_pins() -> None:
    distributions = {"aws_lambda_powertools", "boto3", "botocore", "defusedxml", "itsdangerous", "jinja2", "markupsafe"}
    distributions |= {"pydantic", "pydantic_core"}
    for folder in (PRODUCT, ROOT / "functions"):
        for path, packages in packages_of(folder).items():
            assert packages - set(sys.stdlib_module_names) - {"crowdsight"} <= distributions, path

"""Imports run one way, and the core knows no AWS, no HTTP and no clock."""

import ast
import re
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
    "crowdsight.search.index",
    "crowdsight.models.descriptions",
    "crowdsight.workplace.answer_values",
    "crowdsight.workplace.answers",
    "crowdsight.workplace.assignments",
    "crowdsight.workplace.due",
    "crowdsight.workplace.faults",
    "crowdsight.workplace.hits",
    "crowdsight.workplace.known_answers",
    "crowdsight.workplace.ledger",
    "crowdsight.workplace.lifecycle",
    "crowdsight.workplace.plurality",
    "crowdsight.workplace.questions",
    "crowdsight.workplace.review_policies",
    "crowdsight.workplace.reviewing",
    "crowdsight.workplace.reviews",
    "crowdsight.workplace.workers",
)

IMPORTED_AS = {"pillow": "PIL", "python-dateutil": "dateutil"}

WIRED = {
    "serve_file": "crowdsight.search.serving",
    "put_task": "crowdsight.crowd.requests",
    "get_task": "crowdsight.crowd.requests",
    "delete_task": "crowdsight.crowd.requests",
    "get_audit": "crowdsight.crowd.disclosure",
    "refit_skills": "crowdsight.crowd.refitting",
    "judging": "crowdsight.crowd.judging",
    "publishing": "crowdsight.crowd.publishing",
    "recorder": "crowdsight.crowd.recording",
    "gold_hits": "crowdsight.crowd.gold_hits",
    "mturk_api": "crowdsight.workplace.mturk_api",
    "worker_site": "crowdsight.workplace.site",
    "workplace": "crowdsight.workplace.workplace",
    "accounts": "crowdsight.accounts.store",
    "describe_account": "crowdsight.accounts.describing",
}
"""The use cases that zipped Lambdas are wired with, and the modules that they come from."""


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
        (PRODUCT, {"infra", "functions", "local", "client", "benchmarks", "tests", "tools", "handler"}),
        (ROOT / "functions", {"infra", "functions", "local", "client", "benchmarks", "tests", "tools", "boto3"}),
        (ROOT / "infra", {"functions", "local", "client", "benchmarks", "tests", "tools", "crowdsight"}),
        (ROOT / "local", {"functions", "infra", "benchmarks", "tests", "tools", "handler"}),
        (ROOT / "client", {"functions", "infra", "local", "benchmarks", "tests", "tools", "handler"}),
        (ROOT / "tools", {"functions", "infra", "local", "client", "benchmarks", "tests", "handler"}),
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
    # The models' package reads nothing; it tells ONNX Runtime to report nothing.
    assert readers <= {"crowdsight.wiring", "crowdsight.models"}


def test_only_the_wiring_makes_clients() -> None:
    makers = {name for name, path in modules().items() if "boto3" in imports_of(path)}
    assert makers <= {"crowdsight.wiring"}


def test_handlers_are_short() -> None:
    long = {
        str(path): lines
        for path in (ROOT / "functions").glob("*/*.py")
        if (lines := len(path.read_text().splitlines())) > 40
    }
    assert long == {}


def pinned(path: Path) -> set[str]:
    """The packages that a requirements file installs, as they are imported."""
    names = re.findall(r"^([a-z0-9-]+)==", path.read_text(), re.MULTILINE)
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def test_zipped_lambdas_import_only_what_their_layer_pins_and_the_container_what_its_image_does() -> None:
    in_layer = pinned(ROOT / "layers" / "dependencies" / "requirements.txt")
    in_image = in_layer | pinned(ROOT / "functions" / "search" / "requirements.txt")
    own = set(sys.stdlib_module_names) | {"crowdsight"}
    packages = packages_of(PRODUCT) | packages_of(ROOT / "functions")
    assert {str(path): names - own - in_image for path, names in packages.items() if names - own - in_image} == {}
    known = modules()
    for handler in (ROOT / "functions").glob("*/handler.py"):
        # What a use case imports is imported when the wiring first builds it: the handler says which one.
        waiting = [WIRED[name] for name in re.findall(r"wiring\.(\w+)", handler.read_text()) if name in WIRED]
        reached: set[str] = set()
        while waiting:
            module = waiting.pop()
            reached.add(module)
            imported = {name for name in imports_at_start(known[module]) if name in known}
            waiting += imported - reached
        for module in reached:
            needs = {name.partition(".")[0] for name in imports_at_start(known[module])}
            assert needs - own <= in_layer, f"{handler} reaches {module}"


def imports_at_start(path: Path) -> frozenset[str]:
    """What a module imports when it is imported itself: not within functions, and not for types only."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def test_what_the_wiring_builds_for_zipped_lambdas_is_known() -> None:
    wiring = modules()["crowdsight.wiring"].read_text()
    for name, module in WIRED.items():
        assert re.search(rf"def {name}\(self\).*?from {re.escape(module)} import", wiring, re.DOTALL), name

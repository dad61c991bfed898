"""The README of the tools leaves out no program and no option, and the requirements no version."""

import ast
import re
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
README = (TOOLS / "README.md").read_text("utf-8")


def programs() -> list[Path]:
    return [path for path in sorted(TOOLS.glob("*.py")) if 'if __name__ == "__main__":' in path.read_text("utf-8")]


def options(path: Path) -> set[str]:
    return {
        str(argument.value)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
        for argument in node.args
        if isinstance(argument, ast.Constant) and str(argument.value).startswith("--")
    }


def test_there_are_programs() -> None:
    assert len(programs()) >= 7


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.stem)
def test_every_program_and_option_is_in_the_readme(path: Path) -> None:
    assert f"tools.{path.stem}" in README
    assert {option for option in options(path) if not re.search(rf"{option}\b", README)} == set()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-no-deps.txt"])
def test_every_requirement_is_pinned(name: str) -> None:
    lines = [line for line in (TOOLS / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_-]+==[0-9.]+", line)] == []

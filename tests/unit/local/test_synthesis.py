"""A synthesis is made once for the same inputs, and again when one changes."""

import json
from pathlib import Path

import pytest

from local.children import Children
from local.synthesis import SynthesisError, synthesize

APP = """
import os, pathlib
out = pathlib.Path(os.environ["CDK_OUTDIR"])
out.mkdir(parents=True)
(out / "manifest.json").write_text(os.environ["CDK_CONTEXT_JSON"])
with open("runs", "a") as runs:
    runs.write("x")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "infra").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "cdk.json").write_text('{"context": {"rate": 1, "name": "a"}}')
    (root / "infra" / "stack.py").write_text("1")
    return root


def runs(root: Path) -> int:
    return len((root / "runs").read_text())


def test_nothing_is_synthesized_twice(root: Path, tmp_path: Path, children: Children) -> None:
    first = synthesize(tmp_path / "out", {}, children, root)
    assert synthesize(tmp_path / "out", {}, children, root) == first
    assert runs(root) == 1


@pytest.mark.parametrize("name", ["app.py", "cdk.json", "infra/stack.py", "functions/new/handler.py"])
def test_a_changed_input_is_synthesized_again(root: Path, tmp_path: Path, children: Children, name: str) -> None:
    first = synthesize(tmp_path / "out", {}, children, root)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    assert synthesize(tmp_path / "out", {}, children, root) != first
    assert runs(root) == 2


@pytest.mark.parametrize(
    "name", ["infra/__pycache__/stack.pyc", "layers/.ruff_cache/0.1/1", "functions/put/.mypy_cache/x", "infra/.swp"]
)
def test_what_tools_leave_among_the_sources_is_no_input(
    root: Path, tmp_path: Path, children: Children, name: str
) -> None:
    first = synthesize(tmp_path / "out", {}, children, root)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("cached")
    assert synthesize(tmp_path / "out", {}, children, root) == first
    assert runs(root) == 1


def test_settings_are_handed_over_as_context_and_do_not_undo_other_syntheses(
    root: Path, tmp_path: Path, children: Children
) -> None:
    usual = synthesize(tmp_path / "out", {}, children, root)
    other = synthesize(tmp_path / "out", {"rate": "7"}, children, root)
    assert json.loads((other / "manifest.json").read_text()) == {"rate": "7"}
    assert synthesize(tmp_path / "out", {}, children, root) == usual
    assert runs(root) == 2


def test_a_failed_synthesis_says_what_was_printed_and_leaves_nothing(
    root: Path, tmp_path: Path, children: Children
) -> None:
    (root / "app.py").write_text("raise SystemExit('no such setting')")
    for _ in range(2):
        with pytest.raises(SynthesisError, match="no such setting"):
            synthesize(tmp_path / "out", {}, children, root)

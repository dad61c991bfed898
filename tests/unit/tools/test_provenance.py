"""The bundle that is shipped is the one that its papers describe."""

import re
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUNDLE = ROOT / "functions" / "search" / "models" / "embedded"
PROVENANCE = (BUNDLE / "PROVENANCE.md").read_text("utf-8")

DIGESTS = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", PROVENANCE, re.MULTILINE))


def test_each_file_has_the_digest_that_its_provenance_states() -> None:
    found = {name: sha256((BUNDLE / name).read_bytes()).hexdigest() for name in DIGESTS}
    assert found == DIGESTS
    assert len(DIGESTS) == 5


def test_nothing_is_shipped_without_provenance() -> None:
    papers = {"PROVENANCE.md", "bundle.json"}
    shipped = {path.name for path in BUNDLE.iterdir()} - papers
    assert {name for name in shipped if not name.startswith("LICENSE-")} == set(DIGESTS)


def test_the_licence_texts_are_those_that_provenance_names() -> None:
    assert {path.name for path in BUNDLE.glob("LICENSE-*")} == set(re.findall(r"LICENSE-[\w.-]+\.txt", PROVENANCE))


def test_the_programs_that_made_the_files_are_there() -> None:
    programs = re.findall(r"python -m tools\.(\w+)", PROVENANCE)
    assert {name for name in programs if not (ROOT / "tools" / f"{name}.py").is_file()} == set()
    assert len(programs) >= 4

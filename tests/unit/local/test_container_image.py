from pathlib import Path

import pytest

from local.children import Children
from local.container_image import ImageError, Instruction, read_dockerfile, task_root

DOCKERFILE = """
# A comment, and a line that goes on
ARG BASE_IMAGE=python
FROM ${BASE_IMAGE}
WORKDIR ${LAMBDA_TASK_ROOT}
COPY names.txt lists/names.txt
RUN python -c "import pathlib; pathlib.Path('made').write_text('once')" \\
    && date +%N > moment
COPY code more ./
RUN cat handler.py lists/names.txt > all
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    (context / "code" / "deep").mkdir(parents=True)
    (context / "more").mkdir()
    (context / "names.txt").write_text("Ada\n")
    (context / "code" / "handler.py").write_text("handler = 1\n")
    (context / "code" / "deep" / "part.py").write_text("part = 1\n")
    (context / "more" / "extra.py").write_text("extra = 1\n")
    (context / "Dockerfile").write_text(DOCKERFILE)
    return context


def test_the_instructions_are_carried_out_in_the_folder(context: Path, tmp_path: Path, children: Children) -> None:
    root = task_root(context, "Dockerfile", tmp_path / "images", children)
    assert (root / "made").read_text() == "once"
    assert (root / "all").read_text() == "handler = 1\nAda\n"
    assert (root / "deep" / "part.py").exists() and (root / "extra.py").exists()


def test_nothing_is_made_again_that_nothing_has_changed_for(context: Path, tmp_path: Path, children: Children) -> None:
    first = task_root(context, "Dockerfile", tmp_path / "images", children)
    assert task_root(context, "Dockerfile", tmp_path / "images", children) == first
    (context / "code" / "handler.py").write_text("handler = 2\n")
    second = task_root(context, "Dockerfile", tmp_path / "images", children)
    assert (second / "all").read_text() == "handler = 2\nAda\n"
    assert (second / "moment").read_text() == (first / "moment").read_text()  # the first RUN was not run again
    assert (first / "all").read_text() == "handler = 1\nAda\n"  # and what was made before has not changed
    (context / "names.txt").write_text("Ben\n")
    third = task_root(context, "Dockerfile", tmp_path / "images", children)
    assert (third / "moment").read_text() != (first / "moment").read_text()


def test_a_command_that_fails_says_what_it_printed_and_leaves_no_image(
    context: Path, tmp_path: Path, children: Children
) -> None:
    (context / "Dockerfile").write_text("FROM base\nRUN echo no such luck; exit 3\n")
    for _ in range(2):
        with pytest.raises(ImageError, match="no such luck"):
            task_root(context, "Dockerfile", tmp_path / "images", children)


@pytest.mark.parametrize(
    "line", ["ADD a b", "USER me", "WORKDIR /srv", "ENTRYPOINT x", "ENV A=1", "VOLUME /data", "SHELL sh"]
)
def test_what_cannot_be_carried_out_is_refused_by_name(line: str) -> None:
    with pytest.raises(ImageError, match=line):
        list(read_dockerfile(f"FROM base\n{line}\n"))


@pytest.mark.parametrize("arguments", ["a /etc/", "a ../b", "--chown=1 a b", "a"])
def test_nothing_is_copied_to_anywhere_else(context: Path, tmp_path: Path, children: Children, arguments: str) -> None:
    (context / "Dockerfile").write_text(f"FROM base\nCOPY {arguments}\n")
    with pytest.raises(ImageError, match="COPY"):
        task_root(context, "Dockerfile", tmp_path / "images", children)


def test_a_line_that_goes_on_is_one_instruction() -> None:
    assert list(read_dockerfile("FROM a\n# no\nRUN a \\\n  b \\\n  c\n\nCOPY d e\n")) == [
        Instruction("RUN", "a b c"),
        Instruction("COPY", "d e"),
    ]

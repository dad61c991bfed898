"""The demonstration ends by itself, well, and leaves nothing, also when it is stopped in the middle."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from local.demo.queries import QUERIES, VARIANTS
from local.demo.tasks import TASKS
from local.synthesis import ROOT
from local.workers.truth import PHOTOGRAPHS
from tests.stack.running_stack import assert_nothing_left, descendants, listening_ports, wait_for

DEADLINE_S = 240.0
STOPPED_BY_SIGNAL = 130


class RunningDemo:
    """`python -m local demo` without a terminal. `members` and `ports`: all that were seen of its tree."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.members = {process.pid}
        self.ports: set[int] = set()
        self.state_dir = folder / "state"
        self._output = folder / "output.log"

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def look(self) -> int | None:
        """Take note of its processes and ports; its exit status once it has ended."""
        self.members |= descendants(self.process.pid)
        self.ports |= listening_ports(self.members)
        return self.process.poll()

    def wait(self) -> int:
        """The exit status."""
        give_up_at = time.monotonic() + DEADLINE_S
        while (status := self.look()) is None:
            assert time.monotonic() < give_up_at, f"it does not end:\n{self.output}"
            time.sleep(0.1)
        return status


@contextmanager
def run_demo(folder: Path, *options: str) -> Iterator[RunningDemo]:
    command = [sys.executable, "-m", "local", "demo", "--state-dir", str(folder / "state"), *options]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield RunningDemo(folder, process)
    finally:
        process.kill()
        process.wait()


def assert_is_shown(demo: RunningDemo) -> None:
    """What image search found stands in the terminal, on a page that needs no stack, and on a sheet."""
    saved = len(list(PHOTOGRAPHS.glob("*.jpg"))) - len(VARIANTS)
    assert f"{saved} of {saved} saved photographs find themselves first." in demo.output
    page, sheet = (demo.state_dir / "demo" / name for name in ("search.html", "search.png"))
    assert str(page) in demo.output and str(sheet) in demo.output
    html = page.read_text(encoding="utf-8")
    for query in QUERIES:
        assert query.name in html and query.name in demo.output
    assert html.count("<img") == html.count('src="data:image/') > saved + len(QUERIES)
    assert "http:" not in html and "not what should come first" not in html
    with Image.open(sheet) as image:
        image.load()
        assert image.format == "PNG" and image.height > 200 * len(QUERIES)


def test_the_demonstration_judges_every_task_to_the_last_cent_and_leaves_nothing(tmp_path: Path) -> None:
    with run_demo(tmp_path, "--speed", "30") as demo:
        assert demo.wait() == 0, demo.output
    assert f"All {len(TASKS)} tasks had ended" in demo.output
    assert "Every cent adds up." in demo.output
    assert_is_shown(demo)
    assert "\x1b" not in demo.output and "Traceback" not in demo.output
    assert_nothing_left(demo.members, demo.ports)
    assert not (demo.state_dir / "stack.json").exists()


def test_the_demonstration_stopped_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with run_demo(tmp_path) as demo:
        wait_for("an answer", lambda: demo.look() is not None or "answer 1:" in demo.output, DEADLINE_S)
        demo.process.send_signal(signal.SIGINT)
        assert demo.wait() == STOPPED_BY_SIGNAL, demo.output
    assert demo.output.endswith("Stopped.\n") and "Traceback" not in demo.output
    assert list(demo.state_dir.glob("demo/*")) == []
    assert_nothing_left(demo.members, demo.ports)
    assert not (demo.state_dir / "stack.json").exists()

"""Nothing that the stack starts outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.children import Children, Stopping
from local.synthesis import ROOT

FAMILY = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']);"
SHOW = "print(p.pid, flush=True); time.sleep(3600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(pids: list[int], timeout_s: float = 3) -> bool:
    deadline = time.monotonic() + timeout_s
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("manners", ["", DEAF])
def test_stopping_ends_children_and_grandchildren_also_deaf_ones(manners: str) -> None:
    children = Children()
    child = children.start([sys.executable, "-c", manners + FAMILY + SHOW], stdout=subprocess.PIPE)
    assert child.process.stdout is not None
    grandchild = int(child.process.stdout.readline())
    children.stop(grace_s=0.5)
    assert all_gone([child.id, grandchild])


def test_nothing_starts_any_more_while_the_stack_stops() -> None:
    children = Children()
    children.stop()
    with pytest.raises(Stopping):
        children.start([sys.executable, "-c", ""])


def test_children_die_with_a_supervisor_that_is_killed() -> None:
    script = (
        "import sys, time; from local.children import Children; children = Children();"
        f"family = {FAMILY + SHOW!r};"
        "child = children.start([sys.executable, '-c', family], stdout=-1);"
        "print(child.id, child.process.stdout.readline().decode(), flush=True); time.sleep(60)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pids = [int(word) for word in supervisor.stdout.readline().split()]
    assert len(pids) == 2 and all(is_alive(pid) for pid in pids)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    assert all_gone(pids)

"""The local stack as a subprocess, for the tests that need all of it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20


class StackDidNotStart(Exception):
    """It ended, or was not ready in time; the message holds what it printed."""


@contextmanager
def running_stack(state_dir: Path, *options: str) -> Iterator[dict[str, Any]]:
    """`python -m local up` on free ports with these options, as long as the block runs; yields its stack.json."""
    ready_file = state_dir / "ready"
    ready_file.unlink(missing_ok=True)
    state_dir.mkdir(parents=True, exist_ok=True)
    arguments = ["--port", "0", "--state-dir", str(state_dir), "--ready-file", str(ready_file), *options]
    with (state_dir / "printed").open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "up", *arguments], cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackDidNotStart((state_dir / "printed").read_text())
            time.sleep(0.1)
        yield json.loads((state_dir / "stack.json").read_text())
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

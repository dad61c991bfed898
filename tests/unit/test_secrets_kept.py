"""No API key is in the repository."""

import re
import subprocess
from pathlib import Path

from crowdsight.accounts.keys import KEY, new_key

ROOT = Path(__file__).resolve().parents[2]


def test_no_file_of_the_project_has_a_key_in_it() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert len(files) > 300
    key = re.compile(KEY.pattern.encode())
    assert key.search(f"x{new_key()}y".encode())
    assert [path for path in files if path.is_file() and key.search(path.read_bytes())] == []

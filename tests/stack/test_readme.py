"""The README's commands do what it says, against a running stack."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from local.running import RunningStack
from tests.stack.raw_http import Api

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, holding: str) -> str:
    """The README's one code block of a language that holds a text."""
    (found,) = (text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text)
    return str(found)


def test_its_curl_line_puts_a_task_and_is_answered_with_the_document_it_shows(running: RunningStack, api: Api) -> None:
    command = block("sh", "curl").replace("http://127.0.0.1:8080", running["api_url"])
    shown = subprocess.run(
        ["sh", "-c", f"{command.rstrip()} --silent --show-error --write-out '\\n%{{http_code}}'"],
        env=os.environ | {"API_KEY": running["api_key"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    body, _, status = shown.rpartition("\n")
    assert status == "201"
    assert json.loads(body) == json.loads(block("json", "taskName"))


def test_its_mturk_program_runs_and_prints_a_balance(running: RunningStack) -> None:
    program = block("python", "mturk").replace(".local/stack.json", str(running.state_dir / "stack.json"))
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert re.fullmatch(r"\d+\.\d\d\n", shown)


def test_its_operator_commands_work_on_the_local_stack(running: RunningStack) -> None:
    commands = re.findall(r"`\.venv/bin/(python -m client [^`]*--stack \.local/stack\.json)`", README)
    assert len(commands) >= 2
    for command in commands:
        words = command.replace(".local/stack.json", str(running.state_dir / "stack.json")).split()
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

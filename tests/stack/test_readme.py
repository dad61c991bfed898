"""The README's commands do what it says, against a running stack."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.running import RunningStack
from tests.stack.picture_host import PictureHost, picture

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, holding: str) -> str:
    """The README's one code block of a language that holds a text."""
    (found,) = (text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text)
    return str(found)


def run_curl(command: str, running: RunningStack) -> tuple[str, Any]:
    """The status and the document that a curl command of the README is answered with."""
    local = command.replace("http://127.0.0.1:8080", running["api_url"]).rstrip()
    shown = subprocess.run(
        ["sh", "-c", f"{local} --silent --show-error --write-out '\\n%{{http_code}}'"],
        env=os.environ | {"API_KEY": running["api_key"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    body, _, status = shown.rpartition("\n")
    return status, json.loads(body)


def test_its_curl_line_puts_a_task_and_is_answered_with_the_document_it_shows(running: RunningStack) -> None:
    assert run_curl(block("sh", "curl -X PUT"), running) == ("201", json.loads(block("json", "taskName")))


def test_its_curl_lines_find_a_picture_save_it_and_search_by_words(running: RunningStack, host: PictureHost) -> None:
    url = host.serve("of-the-readme", picture(20_240_930))
    finding, saving, searching, filtering = block("sh", "/image/find").replace("\\\n", "").splitlines()
    status, found = run_curl(finding.replace("https://www.example.com/butterbean.jpg", url), running)
    assert status == "200"
    status, saved = run_curl(saving.replace("…", found["request_id"]), running)
    assert (status, set(saved)) == ("200", {"message", "url"})
    status, envelope = run_curl(searching, running)
    assert status == "200"
    images = json.loads(envelope["body"])["images"]
    assert 1 <= len(images) <= 3
    assert all(image["url"].startswith(f"{running['api_url']}/image/") for image in images)
    assert "filter" in filtering
    assert run_curl(filtering, running)[0] == "200"


def test_its_console_lines_load_a_folder_and_count_what_is_there(running: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(20_240_931))
    lines = re.findall(r"^\$ \.venv/bin/python (-m client index .+)$", block("console", "client index"), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        words = line.replace(".local/stack.json", str(running.state_dir / "stack.json")).split()
        arguments = [str(tmp_path) if word == "~/Pictures" else word for word in words]
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


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

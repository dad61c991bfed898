import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import client.__main__ as command_line
from client.stack import Api, Stack, StackNotFound

README = (Path(command_line.__file__).parent / "README.md").read_text(encoding="utf-8")


def commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, by its words."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield " ".join(words), parser
    for group in groups:
        for word, command in group.choices.items():
            yield from commands(command, (*words, word))


COMMANDS = dict(commands(command_line.parser()))


def test_the_commands_are_these() -> None:
    assert set(COMMANDS) == {
        "tasks put",
        "tasks get",
        "tasks delete",
        "tasks wait",
        "workers invite",
        "workers adjust",
        "workers list",
        "workers suspend",
        "workers resume",
        "workers sign-out",
        "workers rotate-key",
        "workers locate",
        "workers qualify",
        "workers disqualify",
        "requesters fund",
        "requesters invite",
        "requesters issue-credentials",
        "admin accounts create",
        "admin accounts list",
        "admin accounts set",
        "admin keys create",
        "admin keys list",
        "admin keys rotate",
        "admin keys revoke",
        "admin topup",
        "admin budget",
        "admin usage",
        "admin audit",
        "index add",
        "index list",
        "index remove",
        "index stats",
        "index migrate",
        "gold add",
        "gold list",
        "gold remove",
        "gold stats",
        "audit-tasks list",
        "audit-tasks answer",
        "audit",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_for_all_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command_line.main([*name.split(), "--help"])
    assert stopped.value.code == 0
    assert name in capsys.readouterr().out
    assert COMMANDS[name].description
    assert all(action.help for action in COMMANDS[name]._actions)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    usage = re.search(rf"`{name}( [^`]*)?`", README)
    assert usage, name
    for action in COMMANDS[name]._actions:
        if action.option_strings == ["-h", "--help"]:
            continue
        written = action.option_strings[0] if action.option_strings else str(action.metavar)
        assert written in (README if action.option_strings else usage[0]), written


def stack_file(folder: Path, **changes: Any) -> Path:
    path = folder / "stack.json"
    names = ("api_url", "mturk_endpoint_url", "worker_site_url", "aws_endpoint_url")
    document = dict.fromkeys(names, "http://127.0.0.1:9") | {
        "api_key": "k",
        "mturk_access_key_id": "A" * 20,
        "mturk_secret_access_key": "s",
    }
    path.write_text(json.dumps(document | changes))
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["tasks", "get", "image-contains", "a", "--stack", "nowhere.json"], 1, "make up"),
        (["tasks", "put", "image-contains", "a", "{", "--api-url", "http://127.0.0.1:9"], 2, "not JSON"),
        (["tasks", "get", "image-contains", "a", "--api-url", "http://127.0.0.1:9"], 2, "CROWDSIGHT_API_KEY"),
        (["audit", "--stack", "nowhere.json"], 1, "make up"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_and_by_the_exit_code(
    arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(arguments, {}) == code
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_an_api_that_does_not_answer_is_exit_code_3(tmp_path: Path) -> None:
    path = str(stack_file(tmp_path))
    assert command_line.main(["tasks", "get", "image-contains", "a", "--stack", path], {}) == 3
    environment = {"CROWDSIGHT_API_KEY": "k"}
    url = "http://127.0.0.1:9"
    assert command_line.main(["tasks", "get", "image-contains", "a", "--api-url", url], environment) == 3


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_file_that_is_not_a_stacks_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    path.write_text(text)
    with pytest.raises(StackNotFound, match=r"stack\.json"):
        Stack.read(path)


def test_a_local_stack_without_a_workplace_still_serves_callers(tmp_path: Path) -> None:
    path = stack_file(tmp_path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in document.items() if "mturk" not in name}))
    stack = Stack.read(path)
    assert stack.local_api() == Api("http://127.0.0.1:9", "k")
    with pytest.raises(StackNotFound, match="without a workplace"):
        stack.workplace()

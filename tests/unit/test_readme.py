"""The README is complete and true: it lists every route, function, option, setting, command and operation there is."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX
from crowdsight.openapi import describe_api
from crowdsight.tasks import PROBLEM_MESSAGES
from crowdsight.workplace.operations import OPERATIONS
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHOWN = set(re.findall(r"`([^`\n]+)`", README))


def test_every_route_is_listed() -> None:
    for path, operations in describe_api("/")["paths"].items():
        if path.startswith("/{account}/"):
            continue  # said once, for all
        general = re.sub(r"/functions/[^/]+", "/functions/{function}", path)
        for verb in operations.keys() - {"parameters"}:
            assert f"{verb.upper()} {general}" in SHOWN


@pytest.mark.parametrize("name", [name + suffix for name in CATALOGUE for suffix in ("", TEST_SUFFIX)])
def test_every_function_is_listed(name: str) -> None:
    assert name in SHOWN or f"{name}`, `" in README


def test_rewards_and_numbers_of_answers_are_the_catalogues() -> None:
    for function in CATALOGUE.values():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{function.name}` "))
        adjudicator = function.adjudicator
        assert f"| {function.reward_cents} cents | {adjudicator.first_answers} to {adjudicator.most_answers} |" in row


def test_every_problem_code_is_listed() -> None:
    assert {str(code) for code in PROBLEM_MESSAGES} <= SHOWN


def test_every_setting_is_listed_with_its_default() -> None:
    for setting in fields(Settings):
        row = next(line for line in README.splitlines() if line.startswith("| `") and f"`{setting.name}`" in line)
        if setting.default not in ("", 0):
            assert str(setting.default).lower() in row.lower()


def test_every_operation_offered_is_listed_and_no_other() -> None:
    listed = re.search(r"MTurk's operations are offered, all 39: (.*?)\.\n", README, re.DOTALL)
    assert listed
    assert set(re.findall(r"`(\w+)`", listed.group(1))) == set(OPERATIONS)


def test_every_option_of_up_is_listed() -> None:
    shown = subprocess.run([sys.executable, "-m", "local", "up", "--help"], cwd=ROOT, capture_output=True, text=True)
    options = set(re.findall(r"--[a-z][a-z-]+", shown.stdout)) - {"--help", "--seed"}
    assert options
    assert {option for option in options if f"`{option}" not in README} == set()


def test_every_folder_and_file_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_every_folder_of_the_repository_is_on_its_map() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {line.split("/")[0] for line in listed.splitlines() if "/" in line} - {".ci", "docs"}
    assert {folder for folder in folders if f"({folder}" not in README} == set()


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) - {"and"} <= targets

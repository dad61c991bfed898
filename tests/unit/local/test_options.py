"""What `up` is told reaches the stack, and what it prints leads back to it."""

import argparse
import json
import signal
import subprocess
import sys

import pytest

from local.options import Options, add_options
from local.synthesis import ROOT
from local.up import greeting

DESCRIPTION = {
    "api_url": "http://127.0.0.1:8080",
    "api_key": "key",
    "worker_site_url": "http://127.0.0.1:8081",
    "worker_invitation_url": "http://127.0.0.1:8081/join/first",
    "second_worker_invitation_url": "http://127.0.0.1:8081/join/second",
    "mturk_endpoint_url": "http://127.0.0.1:8081",
    "mailbox": "/mail",
    "logs": "/logs",
}


def read(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return Options.of(parser.parse_args(arguments))


def test_an_option_that_is_not_given_is_what_a_program_gets_too() -> None:
    assert read() == Options(state_dir=Options.state_dir.resolve())


def test_an_option_that_is_given_is_passed_on() -> None:
    options = read("--setting", "a=b=c", "--setting", "d=", "--notifications", "drop", "--no-warm-up", "--port", "0")
    assert options.settings == {"a": "b=c", "d": ""}
    assert (options.notifications, options.warm_up, options.port) == ("drop", False, 0)


@pytest.mark.parametrize(
    "arguments", [("--setting", "a"), ("--setting", "=b"), ("--schedule-speed", "0"), ("--workers", "everybody")]
)
def test_an_option_that_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        read(*arguments)
    assert stopped.value.code == 2


def test_the_greeting_invites_as_many_workers_as_a_task_needs_and_says_how_long_it_took() -> None:
    text = greeting(DESCRIPTION, 2.56)
    assert {DESCRIPTION["worker_invitation_url"], DESCRIPTION["second_worker_invitation_url"]} <= set(text.split())
    assert "Ready in 2.6 s." in text


def test_the_greeting_s_curl_line_asks_something_that_is_json() -> None:
    [body] = [line for line in greeting(DESCRIPTION, 1).splitlines() if "-d '" in line]
    assert "input" in json.loads(body.split("'")[1])


@pytest.mark.parametrize("command", ["up", "demo"])
def test_ctrl_c_before_anything_was_started_shows_no_traceback(command: str) -> None:
    script = (
        "import os, runpy, signal, sys;"
        "import local.up, local.demo;"
        f"local.{command}.run = lambda options: os.kill(os.getpid(), signal.SIGINT);"
        f"sys.argv = ['local', {command!r}];"
        "runpy.run_module('local', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")

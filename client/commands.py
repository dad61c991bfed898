"""What every command of the command line is made of."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from client.stack import AwsClients, Stack
from crowdsight.accounts.store import check_account_name
from crowdsight.errors import InvalidRequest

DONE, REFUSED, USAGE, NO_ANSWER = 0, 1, 2, 3


class WrongUsage(Exception):
    """What was asked for cannot be understood; the message says why."""


def add_command(
    group: Any, name: str, run: Callable[[argparse.Namespace, Mapping[str, str]], int], summary: str
) -> argparse.ArgumentParser:
    """A command of a group, which `run` carries out."""
    command: argparse.ArgumentParser = group.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    command.set_defaults(run=run)
    return command


def add_place(command: argparse.ArgumentParser) -> None:
    """The options that say which deployment is meant."""
    place = command.add_argument_group("where", "Without these: the deployment in AWS that your credentials reach.")
    place.add_argument("--stack", type=Path, metavar="FILE", help="a running local stack: .local/stack.json")
    place.add_argument("--profile", metavar="NAME", help="the AWS profile to use")
    place.add_argument("--region", metavar="NAME", help="the AWS region of the deployment")


def count(text: str) -> int:
    """A number as an option's value."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on is needed")
    return int(text)


def account_name(text: str) -> str:
    """An account's name as an option's value."""
    try:
        check_account_name(text)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(error.message) from error
    return text


def stack_of(options: argparse.Namespace) -> Stack:
    """The deployment that the options say. Raises StackNotFound."""
    return Stack.read(options.stack) if options.stack else Stack(AwsClients.signed_in(options.profile, options.region))


def show(document: Any) -> None:
    """Print an answer as JSON."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def complain(what: object, code: int) -> int:
    """Print what went wrong; returns the exit code."""
    print(f"python -m client: {what}", file=sys.stderr)
    return code

"""`python -m client`: crowd tasks for callers, the workplace for operators.

Exit codes: 0 done; 1 refused, failed, or the audit found something; 2 wrong usage; 3 still waiting, or no answer came.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from client.stack import AwsClients, Stack, StackNotFound
from client.tasks import ApiError, ApiUnreachable, StillWaiting, Task, TaskClient

API_KEY_VARIABLE = "CROWDSIGHT_API_KEY"
DONE, REFUSED, USAGE, NO_ANSWER = 0, 1, 2, 3


class WrongUsage(Exception):
    """What was asked for cannot be understood; the message says why."""


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one command; its answer goes to the standard output, as JSON where it has parts. Returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options, environment)
        return code
    except WrongUsage as error:
        return _complain(error, USAGE)
    except (ApiError, StackNotFound, ClientError) as error:
        return _complain(error, REFUSED)
    except (ApiUnreachable, StillWaiting, BotoCoreError) as error:
        return _complain(error, NO_ANSWER)
    except KeyboardInterrupt:
        return _complain("stopped", NO_ANSWER)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m client",
        description="Crowd tasks for callers, and the workplace for its operators.",
        epilog="Each command has its own --help. All of them are explained in client/README.md.",
    )
    subjects = top.add_subparsers(title="subjects", required=True, metavar="SUBJECT")
    _add_tasks(subjects.add_parser("tasks", help="put, get, delete and wait for tasks"))
    _add_workers(subjects.add_parser("workers", help="invite Workers"))
    _add_requesters(subjects.add_parser("requesters", help="fund requesters and issue their credentials"))
    audit = _command(subjects, "audit", _audit, "check that HITs, assignments and money add up")
    _add_place(audit)
    return top


def _add_tasks(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    put = _command(commands, "put", _put_task, "ask a question; with the same name and input again, see how it stands")
    get = _command(commands, "get", _get_task, "see a task")
    delete = _command(commands, "delete", _delete_task, "forget a task that has ended; its name is free again")
    wait = _command(commands, "wait", _wait_for_task, "see a task once it has ended; exit code 1 if it failed")
    for command in (put, get, delete, wait):
        command.add_argument("function", metavar="FUNCTION", help="such as image-contains or image-similarity-test")
        command.add_argument("name", metavar="NAME", help="the task's name, 1 to 64 of A-Z a-z 0-9 . _ -")
        command.add_argument("--api-url", metavar="URL", help=f"the API's address; the key is in {API_KEY_VARIABLE}")
        _add_place(command)
    put.add_argument("input", metavar="INPUT", help="the input as JSON, or - to read it from the standard input")
    wait.add_argument(
        "--timeout", type=float, default=3600.0, metavar="SECONDS", help="how long to wait (3600); then exit code 3"
    )


def _add_workers(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    invite = _command(commands, "invite", _invite_worker, "make an invitation link for one new Worker")
    invite.add_argument("name", metavar="NAME", help="what the site calls the Worker, 1 to 80 characters")
    _add_place(invite)


def _add_requesters(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    fund = _command(commands, "fund", _fund_requester, "add money to a requester's balance, once for each reference")
    issue = _command(commands, "issue-credentials", _issue_credentials, "make an access key for a requester's programs")
    for command in (fund, issue):
        command.add_argument("id", metavar="ID", help="the requester's id, such as A1CROWDSIGHT00")
        _add_place(command)
    fund.add_argument("cents", type=int, metavar="CENTS", help="how much, in whole cents")
    fund.add_argument(
        "--reference", required=True, metavar="R", help="what the payment is known by; a repeated one changes nothing"
    )


def _command(
    group: Any, name: str, run: Callable[[argparse.Namespace, Mapping[str, str]], int], summary: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = group.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    command.set_defaults(run=run)
    return command


def _add_place(command: argparse.ArgumentParser) -> None:
    place = command.add_argument_group("where", "Without these: the deployment in AWS that your credentials reach.")
    place.add_argument("--stack", type=Path, metavar="FILE", help="a running local stack: .local/stack.json")
    place.add_argument("--profile", metavar="NAME", help="the AWS profile to use")
    place.add_argument("--region", metavar="NAME", help="the AWS region of the deployment")


# Callers


def _put_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    text = sys.stdin.read() if options.input == "-" else options.input
    try:
        task_input = json.loads(text)
    except ValueError as error:
        raise WrongUsage(f"the input is not JSON: {error}") from error
    with _tasks(options, environment) as tasks:
        return _show_task(tasks.put_task(options.function, options.name, task_input))


def _get_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        return _show_task(tasks.get_task(options.function, options.name))


def _delete_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        tasks.delete_task(options.function, options.name)
    return DONE


def _wait_for_task(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _tasks(options, environment) as tasks:
        task = tasks.wait(options.function, options.name, options.timeout)
    _show_task(task)
    return REFUSED if task.problem else DONE


def _tasks(options: argparse.Namespace, environment: Mapping[str, str]) -> TaskClient:
    if options.api_url:
        api_key = environment.get(API_KEY_VARIABLE)
        if not api_key:
            raise WrongUsage(f"--api-url needs the API key in the environment variable {API_KEY_VARIABLE}")
        return TaskClient(options.api_url, api_key)
    api = _stack(options).api()
    return TaskClient(api.url, api.key)


def _show_task(task: Task) -> int:
    _show(task.document)
    return DONE


# Operators


def _invite_worker(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    stack = _stack(options)
    try:
        token = stack.operator().invite_worker(options.name)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    print(stack.workplace().invitation_url(token))
    return DONE


def _fund_requester(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        _stack(options).operator().fund_requester(options.id, options.cents, options.reference)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    return DONE


def _issue_credentials(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        credentials = _stack(options).operator().issue_credentials(options.id)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    _show(asdict(credentials))
    return DONE


def _audit(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    audit = _stack(options).operator().audit()
    _show(asdict(audit))
    return REFUSED if audit.discrepancies else DONE


def _stack(options: argparse.Namespace) -> Stack:
    return Stack.read(options.stack) if options.stack else Stack(AwsClients.signed_in(options.profile, options.region))


def _show(document: Any) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def _complain(what: object, code: int) -> int:
    print(f"python -m client: {what}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

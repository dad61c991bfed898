"""What an operator does with finished tasks that were drawn at random: tell their truth, the result unseen."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from client.commands import DONE, WrongUsage, add_command, add_place, stack_of
from crowdsight.catalogue import CATALOGUE


def add_audit_tasks(subject: argparse.ArgumentParser) -> None:
    """The commands of `audit-tasks`."""
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = add_command(commands, "list", _list, "list the drawn tasks whose truth is wanted, one JSON object a line")
    answer = add_command(commands, "answer", _answer, "tell a drawn task's truth, once")
    for command in (listing, answer):
        command.add_argument("function", metavar="FUNCTION", choices=CATALOGUE, help=" or ".join(CATALOGUE))
        add_place(command)
    answer.add_argument("id", metavar="TASK", help="the task's id, as `audit-tasks list` tells it")
    answer.add_argument("truth", metavar="TRUTH", help="a result as JSON, such as '{\"containsTarget\": true}'")


def _list(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    drawn = stack_of(options).crowd().random_audits.drawn(CATALOGUE[options.function])
    for task in sorted(drawn, key=lambda task: task.drawn_at_ms):
        if task.truth_json is None:
            drawn_at = datetime.fromtimestamp(task.drawn_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
            document = {"task": task.id, "drawn_at": drawn_at, "input": json.loads(task.input_json)}
            print(json.dumps(document, ensure_ascii=False))
    return DONE


def _answer(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    try:
        truth = json.loads(options.truth)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"the truth is not JSON: {error}") from error
    stack_of(options).crowd().random_audits.tell(CATALOGUE[options.function], options.id, truth)
    return DONE

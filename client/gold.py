"""What an operator does with known-answer questions: upload them, see how Workers answer them, and take them back."""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.commands import DONE, REFUSED, USAGE, WrongUsage, add_command, add_place, complain, show, stack_of
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.errors import CrowdsightError, InvalidRequest

if TYPE_CHECKING:
    from crowdsight.crowd.gold import GoldStore
    from crowdsight.wiring import Wiring

INPUT, TRUTH = "input", "truth"


def add_gold(subject: argparse.ArgumentParser) -> None:
    """The commands of `gold`."""
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = add_command(commands, "add", _add, "upload questions whose truth is known; those that are there are skipped")
    listing = add_command(commands, "list", _list, "list the questions and how Workers answer, one JSON object a line")
    remove = add_command(commands, "remove", _remove, "ask questions no more, and take back what they taught")
    stats = add_command(commands, "stats", _stats, "count questions, answers, Workers and cents")
    for command in (add, listing, remove, stats):
        command.add_argument("function", metavar="FUNCTION", choices=CATALOGUE, help=" or ".join(CATALOGUE))
        add_place(command)
    add.add_argument("file", type=Path, metavar="FILE", help="a file .csv or .jsonl of inputs and truths")
    remove.add_argument("ids", nargs="+", metavar="ID", help="a question's id, as `gold list` tells it")


def read_questions(path: Path) -> Iterator[tuple[int, Any, Any]]:
    """Each question of a file: its line, its input and its truth. Raises WrongUsage.

    A .jsonl file has one object a line, with the keys `input` and `truth`. A .csv file has the same in columns that are
    named by their paths, such as `input.image.url` and `truth.containsTarget`; a truth's cell is JSON.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix not in readers:
        raise WrongUsage(f"{path} is neither a .csv nor a .jsonl file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from readers[path.suffix](file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WrongUsage(f"{path} cannot be read: {error}") from error


def _read_jsonl(file: Any) -> Iterator[tuple[int, Any, Any]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            document = _json(line, number)
            if not isinstance(document, dict) or document.keys() != {INPUT, TRUTH}:
                raise WrongUsage(f"line {number}: must be a JSON object with the keys {INPUT} and {TRUTH}")
            yield number, document[INPUT], document[TRUTH]


def _read_csv(file: Any) -> Iterator[tuple[int, Any, Any]]:
    rows = csv.DictReader(file, strict=True)
    for name in rows.fieldnames or []:
        if name.split(".")[0] not in (INPUT, TRUTH) or "." not in name:
            raise WrongUsage(f"column {name!r}: must be a path that begins with {INPUT}. or {TRUTH}.")
    for row in rows:
        document: dict[str, Any] = {INPUT: {}, TRUTH: {}}
        if None in row or None in row.values():
            raise WrongUsage(f"line {rows.line_num}: has not as many cells as there are columns")
        for name, cell in row.items():
            *path, last = name.split(".")
            place = document
            for step in path:
                place = place.setdefault(step, {})
                if not isinstance(place, dict):
                    raise WrongUsage(f"column {name!r}: is below another column")
            place[last] = _json(cell, rows.line_num) if path[0] == TRUTH else cell
        yield rows.line_num, document[INPUT], document[TRUTH]


def _json(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"line {number}: is not JSON: {error}") from error


def _add(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from crowdsight.crowd.gold import read_question

    function = CATALOGUE[options.function]
    questions = list(read_questions(options.file))
    bad = 0
    for number, task_input, truth in questions:
        try:
            read_question(function, task_input, truth, 0)
        except InvalidRequest as error:
            complain(f"line {number}: {error.message}", USAGE)
            bad += 1
    if bad:
        raise WrongUsage(f"nothing was added: {bad} of {len(questions)} questions cannot be asked")
    store = stack_of(options).crowd().gold_store
    counts: Counter[str] = Counter(added=0, skipped=0, refused=0)
    for number, task_input, truth in questions:
        try:
            counts["added" if store.add(function, task_input, truth) else "skipped"] += 1
        except CrowdsightError as error:
            complain(f"line {number}: {error.message}", REFUSED)
            counts["refused"] += 1
    show({"function": function.name, **counts})
    return REFUSED if counts["refused"] else DONE


def _list(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    function = CATALOGUE[options.function]
    store = stack_of(options).crowd().gold_store
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for ref, answer in store.answers(function):
        answers[ref.id][answer.form_value or ""] += 1
    for question in store.questions(function):
        document = {
            "id": question.ref.id,
            "input": json.loads(question.input_json),
            "truth": json.loads(question.truth_json),
            "state": "removed" if question.is_removed else question.phase,
            "answers": answers[question.ref.id],
        }
        print(json.dumps(document, ensure_ascii=False))
    return DONE


def _remove(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from crowdsight.crowd.gold import GoldRef

    store = stack_of(options).crowd().gold_store
    missing = 0
    for id in options.ids:
        try:
            store.remove(GoldRef(options.function, id))
        except CrowdsightError as error:
            complain(error.message, REFUSED)
            missing += 1
    return REFUSED if missing else DONE


def _stats(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    show(stats_of(CATALOGUE[options.function], stack_of(options).crowd()))
    return DONE


def stats_of(function: CrowdFunction, wiring: "Wiring") -> dict[str, Any]:
    """What there is of a function's questions, and what their answers have cost."""
    from crowdsight.crowd.gold import Phase
    from crowdsight.crowd.prices import gold_answer_cents

    store: GoldStore = wiring.gold_store
    questions = [question for question in store.questions(function) if not question.is_removed]
    workers = Counter(answer.worker_id for _, answer in store.answers(function))
    return {
        "function": function.name,
        "questions": len(questions),
        "open": sum(question.phase is Phase.OPEN for question in questions),
        "answers": workers.total(),
        "workers": len(workers),
        "cents": workers.total() * gold_answer_cents(function, wiring.settings.workplace_fee_percent),
    }

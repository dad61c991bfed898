"""Recorded answers and their truths, as read from two CSV files."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.confusion import categories_of


class Unreadable(Exception):
    """A file that is not of the form it should be; the message says what is wrong."""


@dataclass(frozen=True)
class Recorded:
    """Each task's answers, and its truth. Tasks without a truth, or without an answer, are left out."""

    answers: Mapping[str, tuple[Answer, ...]]
    truths: Mapping[str, Value]

    @property
    def categories(self) -> tuple[Value, ...]:
        """All that was answered or is true, in the order of their names; "the image does not load" is none."""
        found = {answer.value for answers in self.answers.values() for answer in answers} | set(self.truths.values())
        return categories_of(sorted(found, key=str))


def read(answers_path: Path, gold_path: Path, graded: bool) -> Recorded:
    """`task,worker,label` and `task,gold`. A Worker's second answer to a task is left out."""
    try:
        parse = float if graded else str
        truths: dict[str, Value] = {row["task"]: parse(row["gold"]) for row in _rows(gold_path)}
        answers: dict[str, dict[str, Answer]] = {task: {} for task in truths}
        for row in _rows(answers_path):
            if row["task"] in answers:
                answers[row["task"]].setdefault(row["worker"], Answer(row["worker"], parse(row["label"])))
    except OSError as error:
        raise Unreadable(f"{error.filename}: {error.strerror}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise Unreadable(f"not the columns task,worker,label and task,gold: {error}") from error
    kept = {task: tuple(given.values()) for task, given in answers.items() if given}
    if not kept:
        raise Unreadable("no task has both an answer and a truth")
    return Recorded(kept, {task: truths[task] for task in kept})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))

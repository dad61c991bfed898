"""What a Worker submits of a QuestionForm, checked again against all that the form asks for."""

import time
from collections.abc import Sequence
from decimal import Decimal
from re import ASCII
from re import compile as compile_pattern

import regex

from crowdsight.workplace.answers import Answer
from crowdsight.workplace.faults import FormIncomplete
from crowdsight.workplace.question_form import FormQuestion, FreeText, QuestionForm, Selection

MATCHING_TIMEOUT_S = 1.0
"""For all of a form's regular expressions together: a requester's may take exponential time."""

_NUMBER = compile_pattern(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})", ASCII)


class _Problem(Exception):
    """What is wrong with one answer, for the Worker."""


def check_answers(form: QuestionForm, fields: Sequence[tuple[str, str]]) -> list[Answer]:
    """One answer for each of the form's questions, in order; an optional one left out is empty.

    Raises FormIncomplete, which tells what is wrong with which question. Fields that are not the form's are ignored.
    """
    answers: list[Answer] = []
    problems: dict[int, str] = {}
    latest = time.monotonic() + MATCHING_TIMEOUT_S
    for question in form.questions:
        try:
            answers.append(_check_question(question, fields, latest))
        except _Problem as problem:
            problems[question.number] = str(problem)
    if problems:
        raise FormIncomplete(problems)
    return answers


def _check_question(question: FormQuestion, fields: Sequence[tuple[str, str]], latest: float) -> Answer:
    values = [_with_plain_lines(value) for name, value in fields if name == question.field]
    if isinstance(question.answer, FreeText):
        text = values[0] if values else ""
        if text.strip():
            _check_text(question.answer, text, latest)
        elif question.is_required:
            raise _Problem("Please answer this question.")
        return Answer(question.question_id, text)
    other = next((_with_plain_lines(value) for name, value in fields if name == question.other_field), "").strip()
    selected = tuple(dict.fromkeys(value for value in values if value))
    _check_selection(question.answer, selected, other, question.is_required)
    if other and question.answer.other:
        _check_text(question.answer.other, other, latest)
    return Answer(question.question_id, None, selected, other)


def _check_selection(answer: Selection, selected: tuple[str, ...], other: str, is_required: bool) -> None:
    offered = {option.selection_id for option in answer.options}
    if not offered.issuperset(selected) or (other and answer.other is None):
        raise _Problem("Please choose from what is offered.")
    count = len(selected) + bool(other)
    if count == 0 and not is_required:
        return
    if count < max(answer.min_count, int(is_required)) or len(selected) > answer.max_count:
        raise _Problem(how_many(answer))


def how_many(answer: Selection) -> str:
    """How many to select, for the Worker."""
    least, most = max(1, answer.min_count), answer.max_count
    if least == most:
        return "Please choose one." if most == 1 else f"Please choose {most}."
    if most >= len(answer.options) + (answer.other is not None):
        return f"Please choose {least} or more."
    return f"Please choose {least} to {most}."


def _check_text(answer: FreeText, text: str, latest: float) -> None:
    if answer.is_numeric:
        _check_number(answer, text.strip())
    if len(text) < answer.min_length:
        raise _Problem(f"Please write at least {answer.min_length} characters.")
    if answer.max_length is not None and len(text) > answer.max_length:
        raise _Problem(f"Please write at most {answer.max_length} characters.")
    for form in answer.formats:
        try:
            found = regex.search(form.pattern, text, form.flags, timeout=max(0.001, latest - time.monotonic()))
        except TimeoutError as error:
            raise _Problem("This answer takes too long to check. Please write it differently.") from error
        if found is None:
            raise _Problem(form.error_text or "This does not have the form that is asked for.")


def _check_number(answer: FreeText, text: str) -> None:
    if not _NUMBER.fullmatch(text):
        raise _Problem("Please write a number, such as 12 or 3.5.")
    number = Decimal(text)
    if answer.min_value is not None and number < answer.min_value:
        raise _Problem(f"Please write a number of at least {answer.min_value}.")
    if answer.max_value is not None and number > answer.max_value:
        raise _Problem(f"Please write a number of at most {answer.max_value}.")


def _with_plain_lines(text: str) -> str:
    """Browsers send line ends as CR LF; XML has LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")

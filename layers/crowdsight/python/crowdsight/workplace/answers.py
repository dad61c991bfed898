"""Answers: the QuestionFormAnswers documents that requesters' programs read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from crowdsight.workplace.faults import AnswerRefused

NAMESPACE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
MAX_ANSWER_BYTES = 65_536
MAX_FIELDS = 500
MAX_NAME_LENGTH = 1_000

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Answer:
    """The answer to one question: a text (`free_text` is not None), or selections, perhaps with a text besides."""

    question_id: str
    free_text: str | None = None
    selections: tuple[str, ...] = ()
    other_text: str = ""

    @property
    def shown(self) -> str:
        """All of the answer for people to read, what was selected joined by commas."""
        return ", ".join(filter(None, [self.free_text, *self.selections, self.other_text]))


def answers_document(fields: Sequence[tuple[str, str]]) -> str:
    """The fields of a submitted form as XML, in order; values of one name become one answer, joined by `|`.

    Characters that XML 1.0 has no place for are left out. At most 500 fields, names of 1 to 1,000 characters, and
    64 KiB for the whole document. Raises AnswerRefused.
    """
    if len(fields) > MAX_FIELDS:
        raise AnswerRefused(f"An answer has at most {MAX_FIELDS} fields.")
    values: dict[str, list[str]] = {}
    for name, value in fields:
        name = _NOT_IN_XML.sub("", name)
        if not 1 <= len(name) <= MAX_NAME_LENGTH:
            raise AnswerRefused(f"A field's name has 1 to {MAX_NAME_LENGTH} characters.")
        values.setdefault(name, []).append(value)
    return write_answers([Answer(name, "|".join(texts)) for name, texts in values.items()])


def write_answers(answers: Sequence[Answer]) -> str:
    """Answers as XML, in order. Raises AnswerRefused above 64 KiB."""
    root = Element("QuestionFormAnswers", {"xmlns": NAMESPACE})
    for answer in answers:
        element = SubElement(root, "Answer")
        _add(element, "QuestionIdentifier", answer.question_id)
        if answer.free_text is not None:
            _add(element, "FreeText", answer.free_text)
        for selection_id in answer.selections:
            _add(element, "SelectionIdentifier", selection_id)
        if answer.other_text:
            _add(element, "OtherSelectionText", answer.other_text)
    document = '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")
    if len(document.encode()) > MAX_ANSWER_BYTES:
        raise AnswerRefused(f"An answer has at most {MAX_ANSWER_BYTES // 1024} KiB.")
    return document


def read_answers(xml: str) -> list[Answer]:
    """The answers in a QuestionFormAnswers document, in order. Raises AnswerRefused if it is none."""
    try:
        root = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise AnswerRefused("The answer is not a QuestionFormAnswers document.") from error
    return [_read_answer(element) for element in root.iterfind(f"{{{NAMESPACE}}}Answer")]


def _read_answer(element: Element) -> Answer:
    texts: dict[str, list[str]] = {}
    for part in element:
        texts.setdefault(part.tag.removeprefix(f"{{{NAMESPACE}}}"), []).append(part.text or "")
    return Answer(
        texts.get("QuestionIdentifier", [""])[0],
        texts["FreeText"][0] if "FreeText" in texts else None,
        tuple(texts.get("SelectionIdentifier", ())),
        texts.get("OtherSelectionText", [""])[0],
    )


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _NOT_IN_XML.sub("", text)

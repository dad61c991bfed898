"""Answers: the QuestionFormAnswers documents that requesters' programs read."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from crowdsight.workplace.faults import AnswerRefused

NAMESPACE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
MAX_ANSWER_BYTES = 65_536
MAX_FIELDS = 500
MAX_NAME_LENGTH = 1_000

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        values.setdefault(name, []).append(_NOT_IN_XML.sub("", value))
    root = Element("QuestionFormAnswers", {"xmlns": NAMESPACE})
    for name, texts in values.items():
        answer = SubElement(root, "Answer")
        SubElement(answer, "QuestionIdentifier").text = name
        SubElement(answer, "FreeText").text = "|".join(texts)
    document = '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")
    if len(document.encode()) > MAX_ANSWER_BYTES:
        raise AnswerRefused(f"An answer has at most {MAX_ANSWER_BYTES // 1024} KiB.")
    return document

"""Workers' answers, read from QuestionFormAnswers XML (schema 2005-10-01). What is in them is never trusted."""

from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

FIELD = "answer"
"""The form field that every question of ours sends."""

MAX_ANSWER_CHARACTERS = 200_000
_NAMESPACES = "{*}"


def read_form_value(answer_xml: str) -> str | None:
    """The text of the field `answer`; None if it is missing, or if the XML is not well-formed or not safe to parse."""
    if len(answer_xml) > MAX_ANSWER_CHARACTERS:
        return None
    try:
        root = fromstring(answer_xml)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    for answer in root.iterfind(f"{_NAMESPACES}Answer"):
        if answer.findtext(f"{_NAMESPACES}QuestionIdentifier") == FIELD:
            text = answer.findtext(f"{_NAMESPACES}FreeText")
            return text[:64] if text else None
    return None

"""Questions: the XML documents in which a requester says what a Worker is shown.

MTurk's kinds are told apart by root element and namespace. Documents are read without entities or DTDs.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from crowdsight.workplace.faults import RequestError

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
HTML_NAMESPACE = f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd"
EXTERNAL_NAMESPACE = f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd"
FORM_NAMESPACES = (
    f"{SCHEMAS}2005-10-01/QuestionForm.xsd",
    f"{SCHEMAS}2009-09-28/QuestionForm.xsd",
    f"{SCHEMAS}2017-11-06/QuestionForm.xsd",
)
MAX_QUESTION_BYTES = 65_535


class QuestionKind(StrEnum):
    HTML = "HTMLQuestion"
    EXTERNAL = "ExternalQuestion"


@dataclass(frozen=True)
class Question:
    """A question as shown to a Worker.

    `content`: for HTML the page itself, untrusted; for EXTERNAL its https URL.
    `frame_height_px`: 0 = as tall as fits.
    `xml`: what the requester sent, unchanged.
    """

    kind: QuestionKind
    content: str
    frame_height_px: int
    xml: str


def read_question(xml: str) -> Question:
    """The question in a document of at most 65,535 bytes.

    Raises RequestError: ParameterValidationError when too long, XMLParseError when not well-formed or not of a known
    kind, UnsupportedOperation for a QuestionForm, InvalidParameterValue when a part of it is missing or wrong.
    """
    if len(xml.encode()) > MAX_QUESTION_BYTES:
        raise RequestError("ParameterValidationError", f"Question must not be longer than {MAX_QUESTION_BYTES} bytes.")
    try:
        # As bytes, an encoding named in the declaration would be believed over what the text is.
        root = fromstring(xml.strip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise RequestError(
            "XMLParseError", f"There was an error parsing the XML question or answer data in your request: {error}"
        ) from error
    if root.tag == f"{{{HTML_NAMESPACE}}}HTMLQuestion":
        content = _text(root, HTML_NAMESPACE, "HTMLContent")
        if not content.strip():
            raise RequestError("InvalidParameterValue", "The HTMLContent of the HTMLQuestion is empty.")
        return Question(QuestionKind.HTML, content, _frame_height_px(root, HTML_NAMESPACE), xml)
    if root.tag == f"{{{EXTERNAL_NAMESPACE}}}ExternalQuestion":
        url = _text(root, EXTERNAL_NAMESPACE, "ExternalURL").strip()
        if not _is_https(url):
            raise RequestError("InvalidParameterValue", "The ExternalURL of the ExternalQuestion must use HTTPS.")
        return Question(QuestionKind.EXTERNAL, url, _frame_height_px(root, EXTERNAL_NAMESPACE), xml)
    if root.tag in {f"{{{namespace}}}QuestionForm" for namespace in FORM_NAMESPACES}:
        raise RequestError(
            "UnsupportedOperation",
            "This workplace cannot show a QuestionForm yet, so it offers no HIT that has one. Use an HTMLQuestion.",
        )
    raise RequestError(
        "XMLParseError",
        "There was an error parsing the XML question or answer data in your request: the root element is not an"
        " HTMLQuestion, ExternalQuestion or QuestionForm in one of MTurk's namespaces.",
    )


def _text(root: Element, namespace: str, name: str) -> str:
    found = root.find(f"{{{namespace}}}{name}")
    if found is None:
        raise RequestError(
            "XMLParseError",
            f"There was an error parsing the XML question or answer data in your request: no {name} element.",
        )
    return "".join(found.itertext())


def _frame_height_px(root: Element, namespace: str) -> int:
    text = _text(root, namespace, "FrameHeight").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise RequestError("InvalidParameterValue", "FrameHeight must be a whole number of pixels, 0 or more.")
    return int(text)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)

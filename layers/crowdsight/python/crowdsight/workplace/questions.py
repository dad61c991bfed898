"""Questions: the XML documents in which a requester says what a Worker is shown.

MTurk's kinds are told apart by root element and namespace. Documents are read without entities or DTDs.
"""

from dataclasses import dataclass
from enum import StrEnum

from crowdsight.workplace.documents import SCHEMAS, Part, read_document, xml_parse_error
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.question_form import QuestionForm, form_from, is_https, is_question_form

HTML_NAMESPACE = f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd"
EXTERNAL_NAMESPACE = f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd"


class QuestionKind(StrEnum):
    HTML = "HTMLQuestion"
    EXTERNAL = "ExternalQuestion"
    FORM = "QuestionForm"


@dataclass(frozen=True)
class Question:
    """A question as shown to a Worker.

    `content`: for HTML the page itself, untrusted; for EXTERNAL its https URL; for FORM nothing, which has a `form`.
    `frame_height_px`: 0 = as tall as fits.
    `xml`: what the requester sent, unchanged.
    """

    kind: QuestionKind
    content: str
    frame_height_px: int
    xml: str
    form: QuestionForm | None = None


def read_question(xml: str) -> Question:
    """The question in a document of at most 65,535 bytes.

    Raises RequestError: ParameterValidationError when too long, XMLParseError when not well-formed or not of a known
    kind, InvalidParameterValue when a part of it is wrong, UnsupportedOperation for what no form here can have.
    """
    root = read_document(xml, "Question")
    if (root.name, root.namespace) == ("HTMLQuestion", HTML_NAMESPACE):
        content = root.required("HTMLContent").text
        if not content.strip():
            raise RequestError("InvalidParameterValue", "The HTMLContent of the HTMLQuestion is empty.")
        return Question(QuestionKind.HTML, content, _frame_height_px(root), xml)
    if (root.name, root.namespace) == ("ExternalQuestion", EXTERNAL_NAMESPACE):
        url = root.required("ExternalURL").text.strip()
        if not is_https(url):
            raise RequestError("InvalidParameterValue", "The ExternalURL of the ExternalQuestion must use HTTPS.")
        return Question(QuestionKind.EXTERNAL, url, _frame_height_px(root), xml)
    if is_question_form(root):
        return Question(QuestionKind.FORM, "", 0, xml, form_from(root))
    raise xml_parse_error(
        "the root element is not an HTMLQuestion, ExternalQuestion or QuestionForm in one of MTurk's namespaces"
    )


def _frame_height_px(root: Part) -> int:
    text = root.required("FrameHeight").text.strip()
    root.end()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise RequestError("InvalidParameterValue", "FrameHeight must be a whole number of pixels, 0 or more.")
    return int(text)

import pytest

from crowdsight.workplace.documents import MAX_DOCUMENT_BYTES
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.questions import (
    EXTERNAL_NAMESPACE,
    HTML_NAMESPACE,
    QuestionKind,
    read_question,
)
from tests.unit.workplace.forms import form, question


def html(content: str = "<![CDATA[<p>Which?</p>]]>", height: str = "450") -> str:
    return (
        f'<HTMLQuestion xmlns="{HTML_NAMESPACE}"><HTMLContent>{content}</HTMLContent>'
        f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
    )


def external(url: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ExternalQuestion xmlns="{EXTERNAL_NAMESPACE}">'
        f"<ExternalURL>{url}</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"
    )


def test_an_html_question_is_its_page_and_height() -> None:
    question = read_question(html())
    assert (question.kind, question.content, question.frame_height_px) == (QuestionKind.HTML, "<p>Which?</p>", 450)
    assert question.xml == html()


def test_an_external_question_is_its_url() -> None:
    question = read_question(external(" https://example.org/ask?a=1&amp;b=2 "))
    assert (question.kind, question.content) == (QuestionKind.EXTERNAL, "https://example.org/ask?a=1&b=2")


def test_a_question_form_is_read_with_its_questions() -> None:
    read = read_question(form(question(question_id="colour")))
    assert read.kind is QuestionKind.FORM
    assert read.form is not None
    assert [one.question_id for one in read.form.questions] == ["colour"]


@pytest.mark.parametrize(
    "url", ["http://example.org/", "javascript:alert(1)", "//example.org", "https://", "https://["]
)
def test_an_external_question_is_only_shown_over_https(url: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_question(external(url))
    assert refused.value.turk_error_code == "AWS.MechanicalTurk.InvalidParameterValue"


@pytest.mark.parametrize(
    "xml",
    [
        "who what?",
        "",
        html().removesuffix(">"),
        html().replace("2011-11-11", "2011-11-12"),
        f'<HTMLQuestion xmlns="{HTML_NAMESPACE}"><FrameHeight>0</FrameHeight></HTMLQuestion>',
        '<!DOCTYPE a [<!ENTITY b "c">]>' + html("&b;"),
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + html(),
        html("a\x00b"),
    ],
)
def test_what_is_no_question_document_is_an_xml_parse_error(xml: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_question(xml)
    assert refused.value.turk_error_code == "AWS.MechanicalTurk.XMLParseError"


@pytest.mark.parametrize("height", ["-1", "tall", "", "1e3", "123456", "٣"])
def test_a_frame_height_is_a_number_of_pixels(height: str) -> None:
    with pytest.raises(RequestError):
        read_question(html(height=height))


def test_a_question_has_at_most_65535_bytes() -> None:
    fits = html("é" * ((MAX_DOCUMENT_BYTES - len(html(""))) // 2))
    assert len(fits.encode()) in (MAX_DOCUMENT_BYTES, MAX_DOCUMENT_BYTES - 1)
    read_question(fits)
    with pytest.raises(RequestError):
        read_question(fits + "  ")

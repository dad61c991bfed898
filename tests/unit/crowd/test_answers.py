import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.crowd.answers import MAX_ANSWER_CHARACTERS, read_form_value
from crowdsight.workplace.answers import answers_document

NAMESPACE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"


def document(inner: str, before: str = "") -> str:
    return f'{before}<QuestionFormAnswers xmlns="{NAMESPACE}">{inner}</QuestionFormAnswers>'


def answer(field: str, text: str) -> str:
    return f"<Answer><QuestionIdentifier>{field}</QuestionIdentifier><FreeText>{text}</FreeText></Answer>"


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        (document(answer("answer", "yes")), "yes"),
        (document(answer("answer", "yes"), '<?xml version="1.0" encoding="UTF-8"?>\n'), "yes"),
        (document(answer("assignmentId", "3ABC") + answer("answer", "no")), "no"),
        (document(answer("answer", "&lt;b&gt;")), "<b>"),
        (document(answer("answer", "<![CDATA[yes]]>")), "yes"),
        (f"<QuestionFormAnswers>{answer('answer', 'yes')}</QuestionFormAnswers>", "yes"),
    ],
)
def test_the_field_answer_is_read_wherever_it_stands(xml: str, value: str) -> None:
    assert read_form_value(xml) == value


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "yes",
        "<QuestionFormAnswers>",
        document(""),
        document(answer("Answer", "yes")),
        document(answer("other", "yes")),
        document(answer("answer", "")),
        document("<Answer><QuestionIdentifier>answer</QuestionIdentifier></Answer>"),
        document("<Answer><FreeText>yes</FreeText></Answer>"),
        document(f"<Group>{answer('answer', 'yes')}</Group>"),
        document(answer("answer", "\x00")),
        document(answer("answer", "\ud800")),
        document(answer("answer", "&unknown;")),
    ],
)
def test_what_has_no_such_field_or_is_not_xml_is_no_answer(xml: str) -> None:
    assert read_form_value(xml) is None


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a [<!ENTITY a "yes">]>',
        '<!DOCTYPE a [<!ENTITY b "yes"><!ENTITY a "&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/p.dtd"> %p; <!ENTITY a "yes">]>',
    ],
)
def test_entities_are_never_expanded(declaration: str) -> None:
    assert read_form_value(document(answer("answer", "&a;"), declaration)) is None


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    levels = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "yes">{levels}]>'
    assert read_form_value(document(answer("answer", "&e11;"), bomb)) is None


def test_a_huge_or_deep_document_is_no_answer_and_a_long_value_is_cut() -> None:
    assert read_form_value(document(answer("answer", "y" * MAX_ANSWER_CHARACTERS))) is None
    assert read_form_value(document("<a>" * 15_000 + "</a>" * 15_000)) is None
    assert read_form_value(document(answer("answer", "y" * 10_000))) == "y" * 64


@given(st.text(max_size=300))
def test_no_text_whatever_raises(text: str) -> None:
    read_form_value(text)
    read_form_value(document(text))


@pytest.mark.parametrize("value", ["yes", "unavailable", "<&\"'>", "3"])
def test_what_the_workplace_writes_is_read_back(value: str) -> None:
    assert read_form_value(answers_document([("assignmentId", "3ABC"), ("answer", value)])) == value

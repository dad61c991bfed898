from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.workplace.answers import MAX_ANSWER_BYTES, NAMESPACE, answers_document
from crowdsight.workplace.faults import AnswerRefused


def read(document: str) -> list[tuple[str, str]]:
    return [
        (
            answer.findtext(f"{{{NAMESPACE}}}QuestionIdentifier") or "",
            answer.findtext(f"{{{NAMESPACE}}}FreeText") or "",
        )
        for answer in fromstring(document.encode())
    ]


def test_fields_become_answers_in_the_order_of_the_form() -> None:
    assert read(answers_document([("b", "2"), ("a", "1")])) == [("b", "2"), ("a", "1")]


def test_values_of_one_name_are_one_answer() -> None:
    assert read(answers_document([("animal", "cat"), ("sure", "yes"), ("animal", "dog")])) == [
        ("animal", "cat|dog"),
        ("sure", "yes"),
    ]


def test_a_form_without_fields_is_an_empty_document() -> None:
    assert read(answers_document([])) == []


def test_markup_in_an_answer_stays_text() -> None:
    nasty = "]]></FreeText><Answer>&amp;<!-- <?x?>"
    assert read(answers_document([(nasty, nasty)])) == [(nasty, nasty)]


def test_what_xml_has_no_place_for_is_left_out() -> None:
    assert read(answers_document([("a\x00b", "c\x0b\ud800\ufffe\x1fd")])) == [("ab", "cd")]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=50)), max_size=10))
def test_every_document_is_well_formed_or_refused(fields: list[tuple[str, str]]) -> None:
    try:
        document = answers_document(fields)
    except AnswerRefused:
        return
    assert len(read(document)) <= len(fields)


@pytest.mark.parametrize(
    "fields",
    [
        [("answer", "x" * MAX_ANSWER_BYTES)],
        [("answer", "&" * (MAX_ANSWER_BYTES // 4))],  # too large once escaped
        [("", "x")],
        [("\x00", "x")],
        [("n" * 1_001, "x")],
        [(f"f{number}", "x") for number in range(501)],
    ],
)
def test_answers_that_are_too_large_or_have_no_name_are_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(AnswerRefused):
        answers_document(fields)

import time

import pytest

from crowdsight.workplace.answers import Answer, read_answers, write_answers
from crowdsight.workplace.faults import FormIncomplete
from crowdsight.workplace.form_answers import check_answers
from crowdsight.workplace.question_form import read_question_form
from tests.unit.workplace.forms import form, free_text, question, selection

OTHER = "<OtherSelection/>"


def check(answer: str, *fields: tuple[str, str], required: bool = False) -> Answer:
    (checked,) = check_answers(read_question_form(form(question(answer, required=required))), fields)
    return checked


def problem(answer: str, *fields: tuple[str, str], required: bool = False) -> str:
    with pytest.raises(FormIncomplete) as refused:
        check(answer, *fields, required=required)
    return refused.value.problems[1]


def chosen(*values: str) -> list[tuple[str, str]]:
    return [("question-1", value) for value in values]


def test_answers_become_the_xml_that_requesters_read() -> None:
    xml = form(
        question(question_id="next move"),
        question(selection(most=3, other=OTHER), question_id="fruit &amp; nuts"),
        question(question_id="left out"),
        question(selection(), question_id="none"),
    )
    fields = [
        ("question-2", "c"),
        ("question-1", "C3\r\nthen <C4>"),
        ("question-2", "a"),
        ("other-2", " plums "),
        ("x", "y"),
    ]
    document = write_answers(check_answers(read_question_form(xml), fields))
    assert read_answers(document) == [
        Answer("next move", "C3\nthen <C4>"),
        Answer("fruit & nuts", None, ("c", "a"), "plums"),
        Answer("left out", ""),
        Answer("none"),
    ]
    assert "<OtherSelectionText>plums</OtherSelectionText>" in document


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("<FreeTextAnswer/>", "日本語 🙂"),
        (free_text('<IsNumeric minValue="1" maxValue="5"/>'), " 3.5 "),
        (free_text('<IsNumeric minValue="-5"/>'), "-4"),
        (free_text('<Length minLength="2" maxLength="3"/>'), "abc"),
        (free_text('<AnswerFormatRegex regex="[0-9]{3}-[0-9]{4}" errorText="?"/>'), "call 555-1234"),
        (free_text('<AnswerFormatRegex regex="^yes$" flags="i"/>'), "YES"),
        (free_text('<IsNumeric minValue="1"/>'), ""),
    ],
)
def test_a_text_within_its_constraints_is_taken(answer: str, text: str) -> None:
    assert check(answer, *chosen(text)).free_text == text


@pytest.mark.parametrize(
    ("answer", "text", "said"),
    [
        (free_text("<IsNumeric/>"), "seven", "a number"),
        (free_text("<IsNumeric/>"), "٣", "a number"),
        (free_text("<IsNumeric/>"), "1e9", "a number"),
        (free_text("<IsNumeric/>"), "9" * 5_000, "a number"),
        (free_text('<IsNumeric minValue="1"/>'), "0.5", "at least 1"),
        (free_text('<IsNumeric maxValue="5"/>'), "6", "at most 5"),
        (free_text('<Length minLength="2"/>'), "a", "at least 2"),
        (free_text('<Length maxLength="3"/>'), "abcd", "at most 3"),
        (free_text('<AnswerFormatRegex regex="^[a-z]+$" errorText="Small letters."/>'), "A", "Small letters."),
        (free_text('<AnswerFormatRegex regex="^[a-z]+$"/>'), "A", "form that is asked for"),
    ],
)
def test_a_text_beyond_its_constraints_is_refused_with_the_reason(answer: str, text: str, said: str) -> None:
    assert said in problem(answer, *chosen(text))


def test_a_regular_expression_that_takes_for_ever_is_given_up() -> None:
    start = time.monotonic()
    said = problem(
        free_text('<AnswerFormatRegex regex="^(a|a?)+(b|b?)+(\\w+)*$"/>'), *chosen("a" * 40 + "b" * 40 + "!")
    )
    assert said
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "answer", ["<FreeTextAnswer/>", selection(), selection(most=2), selection(other=OTHER, least=0)]
)
@pytest.mark.parametrize("text", ["", "  "])
def test_a_required_answer_cannot_be_left_out_and_another_can(answer: str, text: str) -> None:
    assert problem(answer, ("question-1", text if "Free" in answer else ""), required=True)
    assert check(answer, ("question-1", text if "Free" in answer else "")).selections == ()


@pytest.mark.parametrize(
    ("answer", "values", "said"),
    [
        (selection(), ["a", "b"], "choose one"),
        (selection(), ["d"], "offered"),
        (selection(least=2, most=2), ["a"], "choose 2"),
        (selection("1", "2", "3", "4", least=2, most=3), ["a", "b", "c", "d"], "2 to 3"),
        (selection(least=2, most=3), ["a"], "2 or more"),
    ],
)
def test_a_selection_is_of_what_is_offered_and_of_as_many_as_asked(answer: str, values: list[str], said: str) -> None:
    assert said in problem(answer, *chosen(*values))


def test_another_text_stands_for_a_selection_where_it_is_offered_and_keeps_its_constraints() -> None:
    assert check(selection(other=OTHER), ("other-1", "plums"), required=True).other_text == "plums"
    assert check(selection(other=OTHER), ("question-1", "a"), ("other-1", "plums")).selections == ("a",)
    assert "offered" in problem(selection(), ("other-1", "plums"))
    numeric = selection(other="<OtherSelection><Constraints><IsNumeric/></Constraints></OtherSelection>")
    assert "a number" in problem(numeric, ("other-1", "plums"))


def test_every_problem_is_told_at_once() -> None:
    xml = form(
        question(required=True, question_id="1"), question(question_id="2"), question(required=True, question_id="3")
    )
    with pytest.raises(FormIncomplete, match="2 answers") as refused:
        check_answers(read_question_form(xml), [])
    assert set(refused.value.problems) == {1, 3}

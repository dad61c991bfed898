import pytest

from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.question_form import (
    NAMESPACES,
    ContentKind,
    FreeText,
    Overview,
    Selection,
    Style,
    read_question_form,
)
from tests.unit.workplace.forms import binary, form, free_text, question, selection

EMBEDDED = (
    "<EmbeddedBinary><EmbeddedMimeType><Type>application</Type><SubType>pdf</SubType></EmbeddedMimeType>"
    "<DataURL>https://files.example/a.pdf</DataURL><AltText>The paper</AltText>"
    "<Width>1</Width><Height>1</Height></EmbeddedBinary>"
)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_form_is_its_overviews_and_questions_in_order(namespace: str) -> None:
    overview = "<Overview><Title>Chess</Title><List><ListItem>a</ListItem><ListItem>b</ListItem></List></Overview>"
    read = read_question_form(
        form(overview, question(question_id="one"), question(question_id="two"), namespace=namespace)
    )
    first = read.parts[0]
    assert isinstance(first, Overview)
    assert [(content.kind, content.text, content.items) for content in first.content] == [
        (ContentKind.TITLE, "Chess", ()),
        (ContentKind.LIST, "", ("a", "b")),
    ]
    assert [(one.question_id, one.field, one.is_required) for one in read.questions] == [
        ("one", "question-1", False),
        ("two", "question-2", False),
    ]


def test_content_is_text_media_or_a_link() -> None:
    content = f"<Text>Look</Text>{binary()}{binary('audio')}{binary('video')}{EMBEDDED}"
    content += "<FormattedContent><![CDATA[<b>now</b>]]></FormattedContent>"
    (read,) = read_question_form(form(question(content=content))).questions
    assert [(part.kind, part.media_type, part.text) for part in read.content] == [
        (ContentKind.TEXT, "", "Look"),
        (ContentKind.MEDIA, "image", "A cat"),
        (ContentKind.MEDIA, "audio", "A cat"),
        (ContentKind.MEDIA, "video", "A cat"),
        (ContentKind.LINK, "application/pdf", "The paper"),
        (ContentKind.FORMATTED, "", "<b>now</b>"),
    ]


def test_a_free_texts_constraints_are_read() -> None:
    constraints = (
        '<IsNumeric minValue="-3" maxValue="+7"/><Length minLength="2" maxLength="9"/>'
        '<AnswerFormatRegex regex="[a-z]+" errorText="Letters, please" flags="i"/>'
    )
    (read,) = read_question_form(form(question(free_text(constraints, "abc", 4)))).questions
    answer = read.answer
    assert isinstance(answer, FreeText)
    assert (answer.is_numeric, answer.min_value, answer.max_value) == (True, -3, 7)
    assert (answer.min_length, answer.max_length, answer.default_text, answer.lines) == (2, 9, "abc", 4)
    assert [(one.pattern, one.error_text) for one in answer.formats] == [("[a-z]+", "Letters, please")]


@pytest.mark.parametrize(
    ("answer", "style"),
    [
        (selection(), Style.RADIO_BUTTON),
        *((selection(style=style), Style(style)) for style in ("radiobutton", "list", "dropdown", "combobox")),
        (selection(style="checkbox"), Style.RADIO_BUTTON),
        (selection(style="multichooser"), Style.RADIO_BUTTON),
        *((selection(style=style, most=2), Style(style)) for style in ("checkbox", "list", "multichooser")),
        (selection(style="radiobutton", most=2), Style.CHECKBOX),
        (selection(style="dropdown", most=3), Style.CHECKBOX),
        (selection("One", binary(), style="dropdown"), Style.RADIO_BUTTON),
    ],
)
def test_a_selection_is_shown_as_suggested_where_that_can_be(answer: str, style: Style) -> None:
    (read,) = read_question_form(form(question(answer))).questions
    assert isinstance(read.answer, Selection)
    assert read.answer.style is style


def test_a_selection_has_one_answer_unless_it_says_otherwise() -> None:
    (read,) = read_question_form(form(question(selection(other="<OtherSelection/>")))).questions
    assert isinstance(read.answer, Selection)
    assert (read.answer.min_count, read.answer.max_count, read.answer.other) == (1, 1, FreeText())
    assert [option.selection_id for option in read.answer.options] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (form(), "XMLParseError"),
        (form("<Overview><Text>Only this</Text></Overview>"), "XMLParseError"),
        (form(question().replace("QuestionContent", "Content")), "XMLParseError"),
        (form(question(content="<Script>alert(1)</Script>")), "XMLParseError"),
        (form(question("<NoAnswer/>")), "XMLParseError"),
        (form(question("<FreeTextAnswer/><FreeTextAnswer/>")), "XMLParseError"),
        (form(question(selection(style="wheel"))), "XMLParseError"),
        (form(question(free_text('<IsNumeric minValue="one"/>'))), "XMLParseError"),
        (form(question(free_text('<IsNumeric minValue="--5"/>'))), "XMLParseError"),
        (form(question(free_text('<IsNumeric minValue="+"/>'))), "XMLParseError"),
        (form(question(free_text('<IsNumeric minValue="\u0665"/>'))), "XMLParseError"),
        (form(question(free_text("<AnswerFormatRegex/>"))), "XMLParseError"),
        (form(question(content=binary("text"))), "XMLParseError"),
        (form(question().replace("false", "perhaps")), "XMLParseError"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + form(question(content="<Text>&b;</Text>")), "XMLParseError"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + form(question()), "XMLParseError"),
        (form(question(content="<Text>" + "<a>" * 60 + "</a>" * 60 + "</Text>")), "XMLParseError"),
        ("<a>" * 9_000 + "</a>" * 9_000, "XMLParseError"),
        (form(question(content="<Text>" + "x" * 5_000_000 + "</Text>")), "ParameterValidationError"),
        (form(question(), question()), "InvalidParameterValue"),
        (form(question(question_id=" ")), "InvalidParameterValue"),
        (form(question(content=binary(url="http://pictures.example/cat.jpg"))), "InvalidParameterValue"),
        (form(question(content=binary(url="javascript:alert(1)"))), "InvalidParameterValue"),
        (form(question(free_text('<Length minLength="9" maxLength="2"/>'))), "InvalidParameterValue"),
        (form(question(free_text('<IsNumeric minValue="9" maxValue="2"/>'))), "InvalidParameterValue"),
        (form(question(free_text('<AnswerFormatRegex regex="(" errorText=""/>'))), "InvalidParameterValue"),
        (form(question(free_text('<AnswerFormatRegex regex="a" flags="x"/>'))), "InvalidParameterValue"),
        (form(question(free_text(f'<AnswerFormatRegex regex="{"a" * 1_001}"/>'))), "InvalidParameterValue"),
        (form(question(selection(least=4))), "InvalidParameterValue"),
        (form(question(selection(least=3, most=2))), "InvalidParameterValue"),
        (form(question(selection().replace(">b<", ">a<"))), "InvalidParameterValue"),
        (
            form(question("<FileUploadAnswer><MaxFileSizeInBytes>9</MaxFileSizeInBytes></FileUploadAnswer>")),
            "UnsupportedOperation",
        ),
        (form(question(content="<Application><Flash/></Application>")), "UnsupportedOperation"),
    ],
)
def test_what_cannot_be_asked_is_refused(xml: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_question_form(xml)
    assert refused.value.turk_error_code == f"AWS.MechanicalTurk.{code}"

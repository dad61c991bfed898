"""QuestionForms and other questions as the site shows them and takes their answers."""

import pytest

from crowdsight.workplace.answers import Answer, read_answers
from crowdsight.workplace.assignments import AssignmentStatus
from crowdsight.workplace.questions import QuestionKind
from tests.unit.workplace.forms import binary, form, free_text, question, selection
from tests.unit.workplace_site.browsing import Browser, Page
from tests.unit.workplace_site.workplace_in_memory import WorkplaceInMemory

FORM = form(
    question(free_text('<IsNumeric minValue="1"/>'), question_id="how many", required=True),
    question(selection(style="checkbox", most=2, other="<OtherSelection/>"), question_id="what"),
)
HOSTILE = """</textarea></title><script>alert(1)</script>"' onfocus='alert(1)"""


def frame(browser: Browser, hit_id: str, assignment_id: str) -> Page:
    return browser.get(f"/frames/{hit_id}?assignmentId={assignment_id}")


def test_a_form_is_shown_and_its_answers_become_xml(ada: Browser, workplace: WorkplaceInMemory) -> None:
    hit_id = workplace.offer(FORM, kind=QuestionKind.FORM)
    assignment_id = ada.accept(hit_id)
    page = frame(ada, hit_id, assignment_id)
    assert page.status == 200
    assert "img-src https: 'self'" in page.headers["Content-Security-Policy"]
    fields = [("assignmentId", assignment_id), ("question-1", "2"), ("question-2", "b"), ("other-2", "plums")]
    answered = ada.post("/mturk/externalSubmit", fields, is_from_frame=True)
    assert "data-submitted" in answered.html
    assert read_answers(str(workplace.get_assignment(assignment_id).answer_xml)) == [
        Answer("how many", "2"),
        Answer("what", selections=("b",), other_text="plums"),
    ]


def test_what_the_form_does_not_allow_is_shown_again_with_a_reason(ada: Browser, workplace: WorkplaceInMemory) -> None:
    assignment_id = ada.accept(workplace.offer(FORM, kind=QuestionKind.FORM))
    fields = [("assignmentId", assignment_id), ("question-1", "none"), ("question-2", "b"), ("other-2", HOSTILE)]
    page = ada.post("/mturk/externalSubmit", fields, is_from_frame=True)
    assert page.status == 422
    assert "Please write a number" in page.text
    assert 'value="none"' in page.html
    assert 'value="b" checked' in page.html
    assert "<script>alert" not in page.html
    assert "' onfocus" not in page.html
    assert workplace.get_assignment(assignment_id).status is AssignmentStatus.ACCEPTED


def test_a_preview_of_a_form_cannot_be_submitted(ada: Browser, workplace: WorkplaceInMemory) -> None:
    page = ada.get(f"/frames/{workplace.offer(FORM, kind=QuestionKind.FORM)}")
    assert "Accept the HIT to answer it" in page.text
    assert "disabled" in page.html


def test_a_forms_texts_are_shown_as_text(ada: Browser, workplace: WorkplaceInMemory) -> None:
    text = HOSTILE.replace("<", "&lt;")
    hostile = form(
        question(free_text(default=text, lines=3), question_id=text, content=f"<Text>{text}</Text>", display_name=text),
        question(selection(text, style="dropdown"), question_id="2", content=binary(alternative=text)),
    )
    page = ada.get(f"/frames/{workplace.offer(hostile, kind=QuestionKind.FORM)}")
    assert page.status == 200
    assert "<script>alert" not in page.html
    assert "' onfocus" not in page.html


@pytest.mark.parametrize("address", ["https://assets.crowd.aws", "//assets.crowd.aws", "http://ASSETS.crowd.aws"])
def test_a_template_that_asks_for_crowd_html_elements_gets_ours(
    ada: Browser, workplace: WorkplaceInMemory, address: str
) -> None:
    content = f'<script src="{address}/crowd-html-elements.js"></script><crowd-form></crowd-form>'
    page = ada.get(f"/frames/{workplace.offer(content)}")
    assert "crowd.aws" not in page.html.lower()
    script = ada.get(page.html.partition('src="')[2].partition('"')[0])
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert 'registry.set("crowd-form"' in script.html
    assert ada.get("/static/crowd-html-elements.js").html == script.html


def test_fields_in_the_address_are_answers_too_and_reserved_names_are_not(
    ada: Browser, workplace: WorkplaceInMemory
) -> None:
    assignment_id = ada.accept(workplace.offer())
    fields = [("hitId", "x"), ("colour", "red")]
    ada.post(f"/mturk/externalSubmit?assignmentId={assignment_id}&size=9", fields, is_from_frame=True)
    assert read_answers(str(workplace.get_assignment(assignment_id).answer_xml)) == [
        Answer("size", "9"),
        Answer("colour", "red"),
    ]


def test_a_question_may_play_and_fill_the_screen_and_nothing_else(ada: Browser, workplace: WorkplaceInMemory) -> None:
    page = ada.get(f"/hits/{workplace.offer()}")
    assert page.frame["allow"] == "fullscreen; autoplay"
    for answer in (page, ada.get(str(page.frame["src"]))):
        denied = answer.headers["Permissions-Policy"]
        assert "camera=()" in denied and "microphone=()" in denied
        assert "autoplay" not in denied and "fullscreen" not in denied


def test_only_another_sites_page_keeps_its_origin(ada: Browser, workplace: WorkplaceInMemory) -> None:
    external = workplace.offer("https://survey.example/", kind=QuestionKind.EXTERNAL)
    assert "allow-same-origin" in str(ada.get(f"/hits/{external}").frame["sandbox"])
    for own in (workplace.offer(), workplace.offer(FORM, kind=QuestionKind.FORM)):
        assert "allow-same-origin" not in str(ada.get(f"/hits/{own}").frame["sandbox"])

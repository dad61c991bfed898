"""Every kind of question in a QuestionForm, answered by mouse and by keyboard in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from crowdsight.workplace.answers import Answer
from crowdsight.workplace.questions import QuestionKind
from tests.browser.doing_hits import PICTURES, Doing, wait_for_mouse
from tests.unit.workplace.forms import binary, form, free_text, question, selection

StartHit = Callable[..., Doing]
OTHER = "<OtherSelection/>"

OVERVIEW = (
    "<Overview><Title>Birds at the feeder</Title><Text>Look at the picture first.\nIt was taken in winter.</Text>"
    f"{binary(url=PICTURES + 'cat.jpg', alternative='A cat')}<List><ListItem>Take your time</ListItem>"
    "<ListItem>Guess if you must</ListItem></List><FormattedContent><![CDATA[<h3>Rules</h3><p>Be <b>kind</b>."
    "<script>document.title='gone'</script><img alt='x' src='x' onerror=\"document.title='gone'\"></p>"
    "<table border='1'><tr><th>Kind</th><th>Points</th></tr><tr><td>Owl</td><td>3</td></tr></table>]]>"
    "</FormattedContent></Overview>"
)
EVERYTHING = form(
    OVERVIEW,
    question(free_text('<Length minLength="2" maxLength="20"/>'), question_id="name", content="<Text>Its name?</Text>"),
    question(
        free_text('<IsNumeric minValue="1" maxValue="9"/>'),
        question_id="count",
        content="<Text>How many?</Text>",
        required=True,
    ),
    question(free_text(default="None", lines=4), question_id="notes", content="<Title>Notes</Title>", display_name="3"),
    question(
        selection("Owl", "Tit", "Crow", style="radiobutton", other=OTHER),
        question_id="radio",
        content="<Text>Which one?</Text>",
        required=True,
    ),
    question(
        selection("Red", "Blue", "Grey", style="checkbox", least=1, most=2),
        question_id="checks",
        content="<Text>Which colours?</Text>",
        required=True,
    ),
    question(selection("North", "South", style="dropdown"), question_id="down", content="<Text>Where?</Text>"),
    question(selection("Dawn", "Noon", "Dusk", style="list"), question_id="list", content="<Text>When?</Text>"),
    question(
        selection("Seed", "Nut", style="combobox", other=OTHER), question_id="combo", content="<Text>Food?</Text>"
    ),
    question(
        selection(*(f"Sound {number}" for number in range(12)), style="multichooser", least=0, most=12),
        question_id="multi",
        content="<Text>Which sounds?</Text>",
    ),
    question(
        selection(
            binary(url=f"{PICTURES}cat.jpg", alternative="The cat"),
            binary(url=f"{PICTURES}coffee.jpg", alternative="The cup"),
            style="dropdown",
        ),
        question_id="picture",
        content="<Text>Which picture is nicer?</Text>",
    ),
)


def test_every_kind_of_question_is_answered_by_mouse(start_hit: StartHit) -> None:
    doing = start_hit(EVERYTHING, QuestionKind.FORM)
    frame = doing.frame
    expect(frame.locator("img").first).to_have_js_property("naturalWidth", 451)
    assert doing.inner.title() == "Questions · crowdsight"
    doing.expect_accessible()
    doing.photograph("question-form")
    frame.get_by_label("Its name?").fill("Ünal 🦉")
    frame.get_by_label("How many?").fill("3")
    frame.get_by_label("Notes").fill("First\nsecond")
    frame.get_by_label("Tit", exact=True).click()
    frame.get_by_label("Red").click()
    frame.get_by_label("Grey").click()
    frame.get_by_label("Where?").select_option(label="South")
    frame.get_by_label("When?").select_option(label="Dusk")
    frame.get_by_role("textbox", name="Food? Other").fill("worms & <flies>")
    frame.get_by_label("Sound 3").click()
    frame.get_by_label("Sound 11").click()
    frame.get_by_role("radio", name="The cup").click()
    doing.photograph("question-form-filled")
    assert doing.submit() == [
        Answer("name", "Ünal 🦉"),
        Answer("count", "3"),
        Answer("notes", "First\nsecond"),
        Answer("radio", selections=("b",)),
        Answer("checks", selections=("a", "c")),
        Answer("down", selections=("b",)),
        Answer("list", selections=("c",)),
        Answer("combo", other_text="worms & <flies>"),
        Answer("multi", selections=("d", "l")),
        Answer("picture", selections=("b",)),
    ]


def test_every_kind_of_question_is_answered_by_keyboard(start_hit: StartHit) -> None:
    doing = start_hit(EVERYTHING, QuestionKind.FORM)
    keys = doing.page.keyboard
    doing.frame.get_by_label("Its name?").focus()
    keys.type("Olga")
    keys.press("Tab")
    keys.type("4")
    keys.press("Tab")
    keys.press("Tab")  # notes keep their default
    keys.press("Space")
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Space")
    for _ in range(3):
        keys.press("Tab")
    keys.type("North")
    keys.press("Tab")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.type("Nut")
    for _ in range(3):
        keys.press("Tab")  # past the other text, into the chooser
    keys.press("Space")
    doing.frame.get_by_role("radio", name="The cat").focus()
    keys.press("Space")
    keys.press("Tab")
    keys.press("Enter")
    assert doing.submitted() == [
        Answer("name", "Olga"),
        Answer("count", "4"),
        Answer("notes", "None"),
        Answer("radio", selections=("b",)),
        Answer("checks", selections=("a",)),
        Answer("down", selections=("a",)),
        Answer("list", selections=("b",)),
        Answer("combo", selections=("b",)),
        Answer("multi", selections=("a",)),
        Answer("picture", selections=("a",)),
    ]


def test_what_the_form_does_not_allow_is_said_beside_the_question_and_nothing_is_lost(start_hit: StartHit) -> None:
    doing = start_hit(
        form(
            question(
                free_text('<AnswerFormatRegex regex="^[A-Z]{3}$" errorText="Three capital letters, please."/>'),
                question_id="code",
                content="<Text>The code?</Text>",
            ),
            question(selection(most=2, least=2), question_id="two", content="<Text>Which two?</Text>", required=True),
        ),
        QuestionKind.FORM,
    )
    frame = doing.frame
    frame.get_by_label("The code?").fill("abc")
    frame.get_by_label("Two", exact=True).click()
    frame.get_by_role("button", name="Submit").click()
    expect(frame.get_by_role("alert")).to_contain_text("2 answers need another look")
    expect(frame.get_by_label("The code?")).to_have_value("abc")
    expect(frame.get_by_label("The code?")).to_have_accessible_description("Three capital letters, please.")
    expect(frame.get_by_label("Two", exact=True)).to_be_checked()
    doing.expect_accessible()
    doing.photograph("question-form-problems")
    frame.get_by_label("The code?").fill("ABC")
    frame.get_by_label("Three", exact=True).click()
    assert doing.submit() == [Answer("code", "ABC"), Answer("two", selections=("b", "c"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_form_fits_a_phone(start_hit: StartHit, scheme: str) -> None:
    doing = start_hit(
        EVERYTHING,
        QuestionKind.FORM,
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        color_scheme=scheme,
    )
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert doing.inner.evaluate(overflow) <= 0
    assert doing.page.evaluate(overflow) <= 0
    doing.expect_accessible()
    doing.photograph(f"question-form-phone-{scheme}")


def test_a_question_that_loads_late_leaves_the_keys_where_the_worker_is(start_hit: StartHit) -> None:
    page = start_hit(EVERYTHING, QuestionKind.FORM).page
    held: list[Route] = []
    page.route("**/frames/**", lambda route: held.append(route))
    page.reload(wait_until="commit")
    onwards = page.get_by_label("After submitting, accept the next")
    onwards.focus()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    wait_for_mouse(page)
    expect(onwards).to_be_focused()

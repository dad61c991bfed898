"""Crowd HTML Elements in templates as written for MTurk, by mouse and by keyboard, and what their requester gets."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from crowdsight.workplace.answers import Answer
from crowdsight.workplace.questions import QuestionKind
from tests.browser.doing_hits import PICTURES, Doing, crowd_answers, reach

StartHit = Callable[..., Doing]
SCRIPT = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
CAT = f"{PICTURES}cat.jpg"
TOP = f'<!doctype html><html lang="en"><title>t</title>{SCRIPT}'
INSTRUCTIONS = (
    '<full-instructions header="All the rules"><p>Read <b>everything</b>.</p></full-instructions>'
    "<short-instructions><p>Look closely.</p></short-instructions>"
)


def template(content: str, attributes: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><title>t</title>{SCRIPT}<crowd-form {attributes}>{content}</crowd-form></html>'
    )


FIELDS = """
<crowd-instructions link-text="View instructions" link-type="button">
  <short-summary><p>In short.</p></short-summary><detailed-instructions><p>At length.</p></detailed-instructions>
  <positive-example><p>Like this.</p></positive-example><negative-example><p>Not so.</p></negative-example>
</crowd-instructions>
<crowd-card heading="About birds"><p>Birds sing.</p></crowd-card>
<crowd-alert type="info" dismissible>Mind the cat.</crowd-alert>
<crowd-tabs><crowd-tab header="One"><p>First page.</p></crowd-tab>
  <crowd-tab header="Two"><p>Second page.</p></crowd-tab></crowd-tabs>
<div>News <crowd-badge label="3"></crowd-badge>
  <crowd-modal link-text="See examples" link-type="button"><p>An owl.</p></crowd-modal></div>
<crowd-input name="colour" label="Favourite colour" required></crowd-input>
<crowd-input name="left-out" placeholder="Nothing here"></crowd-input>
<crowd-text-area name="essay" label="Essay" rows="3" char-counter></crowd-text-area>
<crowd-slider name="howMuch" min="1" max="10" step="1" pin="true" required></crowd-slider>
<crowd-checkbox name="attributes" value="blurry">Blurry</crowd-checkbox>
<crowd-checkbox name="attributes" value="dim" checked>Too dim</crowd-checkbox>
<crowd-toggle-button name="toggler" title="Loud"></crowd-toggle-button>
<p id="which">Which do you agree with?</p>
<crowd-radio-group>
  <crowd-radio-button name="option1" value="yes">Option 1</crowd-radio-button>
  <crowd-radio-button name="option2" value="yes">Option 2</crowd-radio-button>
</crowd-radio-group>
<label>Native <input name="native"></label>
<label><input type="radio" name="plain" value="1"> One</label>
<label><input type="radio" name="plain" value="2"> Two</label>
<crowd-icon-button icon="search"></crowd-icon-button>
<crowd-button href="https://example.com/">A link</crowd-button>
<crowd-fab icon="help" title="Help"></crowd-fab>
<crowd-toast duration="600000" opened>Hello there.</crowd-toast>
"""


def test_fields_answer_as_documented(start_hit: StartHit) -> None:
    doing = start_hit(template(FIELDS))
    frame = doing.frame
    expect(frame.get_by_text("Hello there.")).to_be_visible()
    doing.expect_accessible()
    doing.photograph("crowd-fields")
    frame.get_by_role("button", name="View instructions").click()
    frame.get_by_role("tab", name="Examples").click()
    expect(frame.get_by_text("Not so.")).to_be_visible()
    doing.photograph("crowd-instructions")
    frame.get_by_role("button", name="Close").click()
    frame.get_by_role("tab", name="Two").click()
    expect(frame.get_by_text("Second page.")).to_be_visible()
    frame.get_by_role("button", name="See examples").click()
    expect(frame.get_by_role("dialog", name="See examples")).to_have_text("See examplesCloseAn owl.")
    doing.page.keyboard.press("Escape")
    frame.get_by_role("button", name="Dismiss").click()
    frame.get_by_label("Favourite colour").fill("türkis 🟦")
    frame.get_by_label("Essay").fill("one\ntwo")
    frame.get_by_role("slider").fill("7")
    frame.get_by_label("Blurry").click()
    frame.get_by_role("switch", name="Loud").click()
    frame.get_by_label("Option 2").click()
    frame.get_by_label("Native").fill("here")
    frame.get_by_label("Two", exact=True).last.click()
    assert crowd_answers(doing.submit()) == {
        "colour": "türkis 🟦",
        "essay": "one\ntwo",
        "howMuch": 7,
        "attributes": {"blurry": True, "dim": True},
        "toggler": {"on": True},
        "option1": {"yes": False},
        "option2": {"yes": True},
        "native": "here",
        "plain": {"1": False, "2": True},
    }


def test_fields_are_filled_by_keyboard(start_hit: StartHit) -> None:
    doing = start_hit(
        template(
            '<crowd-input name="a" label="A"></crowd-input><crowd-slider name="b" min="0" max="9"></crowd-slider>'
            '<crowd-checkbox name="c">C</crowd-checkbox><crowd-radio-group>'
            '<crowd-radio-button name="d" value="1">D1</crowd-radio-button>'
            '<crowd-radio-button name="d" value="2">D2</crowd-radio-button></crowd-radio-group>'
        )
    )
    keys = doing.page.keyboard
    doing.frame.get_by_label("A", exact=True).focus()
    keys.type("x")
    keys.press("Tab")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("Tab")
    keys.press("Space")
    keys.press("Tab")
    keys.press("Space")
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Enter")
    assert crowd_answers(doing.submitted()) == {"a": "x", "b": 2, "c": {"on": True}, "d": {"1": False, "2": True}}


CLASSIFIERS: list[tuple[str, list[str], Any]] = [
    (
        f"<crowd-classifier name=\"x\" categories=\"['Good', 'It\\'s bad', 'N/A']\" header=\"Which?\">"
        f"<classification-target>Everything is wonderful.</classification-target>{INSTRUCTIONS}</crowd-classifier>",
        ["It's bad"],
        {"label": "It's bad"},
    ),
    (
        '<crowd-classifier-multi-select name="x" categories="[\'Good\', \'Bad\']" header="Which?"'
        " exclusion-category=\"{ text: 'None of the above' }\"><classification-target>Hm.</classification-target>"
        f"{INSTRUCTIONS}</crowd-classifier-multi-select>",
        ["None of the above", "Good", "Bad"],
        {"labels": ["Good", "Bad"]},
    ),
    (
        f'<crowd-image-classifier name="x" src="{CAT}" categories="[&quot;Cat&quot;, &quot;Dog&quot;]" header="Which?">'
        f"{INSTRUCTIONS}</crowd-image-classifier>",
        ["Cat"],
        {"label": "Cat"},
    ),
    (
        f"<crowd-image-classifier-multi-select name=\"x\" src=\"{CAT}\" categories=\"['Cat', 'Dog', 'Cup',]\""
        f' header="Which?">{INSTRUCTIONS}</crowd-image-classifier-multi-select>',
        ["Cat", "Cup"],
        {"labels": ["Cat", "Cup"]},
    ),
]


@pytest.mark.parametrize(
    ("element", "choose", "answer"), CLASSIFIERS, ids=["classifier", "classifier-multi", "image", "image-multi"]
)
def test_classifiers_answer_with_labels(
    start_hit: StartHit, request: pytest.FixtureRequest, element: str, choose: list[str], answer: Any
) -> None:
    doing = start_hit(template(element))
    frame = doing.frame
    expect(frame.get_by_text("Look closely.")).to_be_visible()
    doing.expect_accessible()
    frame.get_by_role("button", name="Submit").click()
    expect(frame.get_by_role("alert")).to_have_text("Please choose a category.")
    doing.photograph(f"crowd-{request.node.callspec.id}")
    frame.get_by_role("button", name="View full instructions").click()
    expect(frame.get_by_role("dialog", name="All the rules")).to_be_visible()
    doing.page.keyboard.press("Escape")
    for label in choose:
        frame.get_by_label(label, exact=True).click()
    assert crowd_answers(doing.submit()) == {"x": answer}


def test_a_classifier_works_by_keyboard(start_hit: StartHit) -> None:
    doing = start_hit(template(CLASSIFIERS[0][0]))
    keys = doing.page.keyboard
    doing.frame.get_by_role("button", name="View full instructions").focus()
    keys.press("Tab")
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Enter")
    assert crowd_answers(doing.submitted()) == {"x": {"label": "It's bad"}}


def drawing(element: str, more: str = "") -> str:
    return template(
        f'<{element} name="annotatedResult" src="{CAT}" labels="[\'Cat\', \'Ear\']" header="Draw" {more}>'
        f"{INSTRUCTIONS}</{element}>"
    )


class Stage:
    """The picture, whose points are given in its own pixels.

    Keys are pressed on its element, which focuses it first: those of the page are lost when its frame has lost focus.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self.element: Locator = doing.frame.get_by_role("application")
        expect(doing.frame.locator(".crowd-picture")).to_have_js_property("naturalWidth", 451)
        self.element.scroll_into_view_if_needed()

    def at(self, x: float, y: float) -> tuple[float, float]:
        box = self.element.bounding_box()
        assert box is not None
        return box["x"] + x * box["width"] / 451, box["y"] + y * box["height"] / 300

    def click(self, x: float, y: float) -> None:
        reach(self._doing.page, *self.at(x, y))
        self._doing.page.mouse.click(*self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self._doing.page.mouse
        reach(self._doing.page, *self.at(*start))
        mouse.down()
        mouse.move(*self.at(*end), steps=4)
        mouse.up()


def near(points: list[Any], *expected: tuple[float, float]) -> bool:
    return len(points) == len(expected) and all(
        abs(point["x"] - x) <= 1 and abs(point["y"] - y) <= 1 for point, (x, y) in zip(points, expected, strict=True)
    )


def test_boxes_are_drawn_by_mouse(start_hit: StartHit) -> None:
    doing = start_hit(drawing("crowd-bounding-box"))
    stage = Stage(doing)
    stage.drag((100, 50), (300, 250))
    doing.press(doing.frame.get_by_label("Ear"))
    stage.drag((220, 120), (150, 60))
    stage.drag((10, 10), (40, 40))
    doing.press(doing.frame.get_by_role("button", name="Remove Ear, 30 × 30 pixels"))
    doing.expect_accessible()
    doing.photograph("crowd-bounding-box")
    answer = crowd_answers(doing.submit())["annotatedResult"]
    assert answer["inputImageProperties"] == {"height": 300, "width": 451}
    first, second = answer["boundingBoxes"]
    assert set(first) == {"height", "label", "left", "top", "width"}
    assert first["label"] == "Cat"
    assert second["label"] == "Ear"
    for box, expected in ((first, (100, 50, 200, 200)), (second, (150, 60, 70, 60))):
        found = [box[name] for name in ("left", "top", "width", "height")]
        assert all(abs(one - other) <= 1 for one, other in zip(found, expected, strict=True)), found


def test_boxes_are_drawn_by_keyboard_and_initial_ones_kept(start_hit: StartHit) -> None:
    initial = "initial-value=\"[{label: 'Ear', left: 5, top: 6, width: 70, height: 80,}]\""
    doing = start_hit(drawing("crowd-bounding-box", initial))
    stage = Stage(doing)
    keys = stage.element
    keys.press("1")
    keys.press("Enter")
    for _ in range(5):
        keys.press("ArrowRight")
        keys.press("ArrowDown")
    keys.press("Enter")
    answer = crowd_answers(doing.submit())["annotatedResult"]
    assert answer["initialValueModified"] is True
    assert answer["boundingBoxes"][0] == {"label": "Ear", "left": 5, "top": 6, "width": 70, "height": 80}
    assert answer["boundingBoxes"][1]["label"] == "Cat"
    assert answer["boundingBoxes"][1]["width"] == 45


def test_a_box_is_drawn_with_a_finger(start_hit: StartHit) -> None:
    doing = start_hit(
        drawing("crowd-bounding-box"), viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    stage = Stage(doing)
    for corner in ((100, 50), (300, 250)):
        doing.page.touchscreen.tap(*stage.at(*corner))
    doing.photograph("crowd-bounding-box-phone")
    doing.frame.get_by_role("button", name="Submit").tap()
    (box,) = crowd_answers(doing.submitted())["annotatedResult"]["boundingBoxes"]
    assert abs(box["width"] - 200) <= 3


def test_polygons_are_drawn_point_by_point(start_hit: StartHit) -> None:
    doing = start_hit(drawing("crowd-polygon"))
    stage = Stage(doing)
    for point in ((100, 50), (300, 60), (200, 250)):
        stage.click(*point)
    doing.press(doing.frame.get_by_role("button", name="Submit"))
    expect(doing.frame.get_by_role("alert")).to_contain_text("Please finish the polygon")
    stage.click(100, 50)
    doing.photograph("crowd-polygon")
    keys = stage.element
    keys.press("2")
    for move in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        keys.press("Enter")
        keys.press(move)
    keys.press("f")
    answer = crowd_answers(doing.submit())["annotatedResult"]
    assert [polygon["label"] for polygon in answer["polygons"]] == ["Cat", "Ear"]
    assert near(answer["polygons"][0]["vertices"], (100, 50), (300, 60), (200, 250))
    assert len(answer["polygons"][1]["vertices"]) == 3


@pytest.mark.parametrize(("element", "key", "noun"), [("crowd-line", "lines", 2), ("crowd-polyline", "polylines", 3)])
def test_lines_are_drawn_point_by_point(start_hit: StartHit, element: str, key: str, noun: int) -> None:
    doing = start_hit(drawing(element))
    stage = Stage(doing)
    points = ((100, 50), (300, 60), (200, 250))[:noun]
    for point in points:
        stage.click(*point)
    if noun == 3:
        doing.press(doing.frame.get_by_role("button", name="Finish shape"))
    doing.photograph(element)
    (line,) = crowd_answers(doing.submit())["annotatedResult"][key]
    assert near(line["vertices"], *points)


def test_points_are_set_by_mouse_and_keyboard(start_hit: StartHit) -> None:
    doing = start_hit(drawing("crowd-keypoint"))
    stage = Stage(doing)
    stage.click(120, 80)
    for key in ("2", "ArrowUp", "Enter"):
        stage.element.press(key)
    doing.expect_accessible()
    doing.photograph("crowd-keypoint")
    answer = crowd_answers(doing.submit())["annotatedResult"]
    first, second = answer["keypoints"]
    assert near([first], (120, 80))
    assert second == {"label": "Ear", "x": 226, "y": 141}


ENTITIES = (
    '<crowd-entity-annotation name="crowd-entity-annotation" header="Highlight"'
    " labels=\"[{'label': 'person', 'shortDisplayName': 'per', 'fullDisplayName': 'Person'}, {'label': 'date'}]\""
    f' text="😀 Ada Lovelace was born in 1815 in London.">{INSTRUCTIONS}</crowd-entity-annotation>'
)


def test_parts_of_a_text_are_labelled_by_mouse_without_a_form_around(start_hit: StartHit) -> None:
    doing = start_hit(f"{TOP}{ENTITIES}</html>")
    text = doing.frame.get_by_role("application")
    text.evaluate(
        "(element) => { const node = element.firstChild.firstChild; const range = document.createRange();"
        " range.setStart(node, 3); range.setEnd(node, 16); getSelection().removeAllRanges();"
        " getSelection().addRange(range); element.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})); }"
    )
    expect(doing.frame.get_by_role("list", name="Labelled text")).to_contain_text("person: Ada Lovelace")
    doing.expect_accessible()
    doing.photograph("crowd-entity-annotation")
    assert crowd_answers(doing.submit()) == {
        "crowd-entity-annotation": {"entities": [{"endOffset": 14, "label": "person", "startOffset": 2}]}
    }


def test_parts_of_a_text_are_labelled_by_keyboard(start_hit: StartHit) -> None:
    doing = start_hit(f"{TOP}{ENTITIES}</html>")
    keys = doing.frame.get_by_role("application")
    for _ in range(2):
        keys.press("ArrowRight")
    keys.press("Shift+ArrowRight")
    keys.press("Enter")
    keys.press("2")
    for _ in range(4):
        keys.press("ArrowRight")
    keys.press("Enter")
    assert crowd_answers(doing.submit())["crowd-entity-annotation"]["entities"] == [
        {"endOffset": 14, "label": "person", "startOffset": 2},
        {"endOffset": 31, "label": "date", "startOffset": 27},
    ]


def test_answers_are_fields_of_their_own_where_the_template_asks_for_that(start_hit: StartHit) -> None:
    doing = start_hit(
        drawing("crowd-bounding-box").replace("<crowd-form ", '<crowd-form answer-format="flatten-objects" ')
    )
    Stage(doing).drag((100, 50), (300, 250))
    answers = {answer.question_id: answer.free_text for answer in doing.submit()}
    assert set(answers) == {
        "annotatedResult.boundingBoxes",
        "annotatedResult.inputImageProperties.height",
        "annotatedResult.inputImageProperties.width",
    }
    assert answers["annotatedResult.inputImageProperties.width"] == "451"
    assert json.loads(answers["annotatedResult.boundingBoxes"] or "")[0]["label"] == "Cat"


def test_a_templates_own_script_sees_the_elements_and_may_stop_a_submission(start_hit: StartHit) -> None:
    doing = start_hit(
        template('<crowd-input name="a" label="A"></crowd-input>')
        + "<script>document.addEventListener('all-crowd-elements-ready', () => {"
        "document.querySelector('crowd-input').value = 'set';"
        "document.querySelector('crowd-form').addEventListener('submit', (event) => {"
        "if (document.querySelector('crowd-input').value === 'set') event.preventDefault(); }); });</script>"
    )
    field = doing.frame.get_by_label("A", exact=True)
    expect(field).to_have_value("set")
    doing.press(doing.frame.get_by_role("button", name="Submit"))
    expect(field).to_be_visible()
    field.fill("mine")
    assert crowd_answers(doing.submit()) == {"a": "mine"}


@pytest.mark.parametrize("element", ["crowd-semantic-segmentation", "crowd-instance-segmentation"])
def test_a_tool_that_is_not_here_says_so_and_cannot_be_submitted(start_hit: StartHit, element: str) -> None:
    doing = start_hit(drawing(element))
    expect(doing.frame.get_by_text("cannot show the tool")).to_be_visible()
    doing.press(doing.frame.get_by_role("button", name="Submit"))
    expect(doing.frame.get_by_role("alert")).to_have_text("This question cannot be answered here.")
    doing.photograph(element)


def test_links_open_pages_of_their_own(start_hit: StartHit) -> None:
    doing = start_hit(
        '<!doctype html><title>t</title><a href="https://pictures.example/cat.jpg" target="_blank">Survey</a>'
    )
    with doing.page.context.expect_page() as opened:
        doing.press(doing.frame.get_by_role("link", name="Survey"))
    assert opened.value.url == CAT


def test_a_plain_form_of_many_fields_is_handed_on_field_by_field(start_hit: StartHit) -> None:
    doing = start_hit(
        '<!doctype html><title>t</title><form method="post" action="https://www.mturk.com/mturk/externalSubmit">'
        '<input type="hidden" name="assignmentId" value=""><input type="hidden" name="hitId" value="x">'
        '<input name="naïve 名" value="é&lt;🙂"><input type="checkbox" name="many" value="1" checked>'
        '<input type="checkbox" name="many" value="2" checked><input name="empty" value="">'
        '<button name="why" value="pressed">Submit</button></form>'
    )
    assert doing.submit() == [
        Answer("naïve 名", "é<🙂"),
        Answer("many", "1|2"),
        Answer("empty", ""),
        Answer("why", "pressed"),
    ]


def test_another_sites_page_gets_mturks_parameters_and_submits_from_there(start_hit: StartHit) -> None:
    page = """<!doctype html><title>Survey</title><form method="post"><input type="hidden" name="assignmentId">
      <label>Age <input name="age"></label><button>Send</button></form>
      <script>const asked = new URLSearchParams(location.search), form = document.forms[0];
      localStorage.setItem("seen", "yes");
      form.action = asked.get("turkSubmitTo") + "/mturk/externalSubmit?via=" + asked.get("game");
      form.assignmentId.value = asked.get("assignmentId");</script>"""
    doing = start_hit(
        "https://survey.example/ask?game=chess", QuestionKind.EXTERNAL, 400, {"https://survey.example/": page}
    )
    doing.frame.get_by_label("Age").fill("30")
    doing.press(doing.frame.get_by_role("button", name="Send"))
    assert doing.submitted() == [Answer("via", "chess"), Answer("age", "30")]

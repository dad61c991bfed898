from html.parser import HTMLParser
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crowdsight.catalogue import CATALOGUE, CrowdFunction, ImageContainsInput
from crowdsight.crowd.questions import HTML_QUESTION_SCHEMA, render_page, render_question
from crowdsight.tasks import check_input

CONTAINS = CATALOGUE["image-contains"]
SIMILARITY = CATALOGUE["image-similarity"]
URL = "https://www.example.com/butterbean.jpg"
ATTACKS = [
    "<script>alert(1)</script>",
    "</bdi></p></main><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "]]><script>",
    "&lt;b&gt; &amp;amp; &#60;",
    "{{ 7 * 7 }}{% raw %}",
    "</HTMLContent></HTMLQuestion>",
    "<!-- -->",
    "\u2028\u202e\u05d0 \U0001f408\u200d\U0001f408",
]


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and the text of the subject."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.subject = ""
        self._in_subject = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute is given twice"
        self.elements.append((tag, dict(attrs)))
        self._in_subject = self._in_subject or tag == "bdi"

    def handle_endtag(self, tag: str) -> None:
        self._in_subject = self._in_subject and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self._in_subject:
            self.subject += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]


def contains(label: str, url: str = URL) -> Any:
    return check_input(CONTAINS, {"image": {"url": url}, "target": {"label": label}})


PLAIN = Page(render_page(CONTAINS, contains("dog")))


def accepted_label(label: str) -> bool:
    try:
        ImageContainsInput.model_validate({"image": {"url": URL}, "target": {"label": label}})
    except ValidationError:
        return False
    return True


LABELS = (
    st.text(max_size=200) | st.text(alphabet="<>&\"'/=-!]{}% script", max_size=200) | st.sampled_from(ATTACKS)
).filter(accepted_label)


@given(LABELS)
def test_a_label_is_shown_exactly_and_never_becomes_markup(label: str) -> None:
    page = Page(render_page(CONTAINS, contains(label)))
    assert page.subject == label.strip()
    assert page.all("main")[0]["data-label"] == label.strip()
    assert page.shape == PLAIN.shape


@pytest.mark.parametrize("label", ATTACKS)
def test_a_label_made_to_break_out_stays_text(label: str) -> None:
    page = Page(render_page(CONTAINS, contains(label)))
    assert page.subject == label.strip()
    assert page.shape == PLAIN.shape


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg?x='onerror='alert(1)",
        "https://example.com/a.jpg?lt=&lt;&amp;quot;&x=1",
        "https://bücher.example/Größe.jpg",
        "http://[2001:db8::1]/a.png",
    ],
)
def test_a_url_is_the_pictures_source_exactly_and_never_becomes_markup(url: str) -> None:
    page = Page(render_page(CONTAINS, contains("dog", url)))
    assert [image["src"] for image in page.all("img")] == [url]
    assert page.all("main")[0]["data-image-url"] == url
    assert page.shape == PLAIN.shape


@given(LABELS)
def test_the_question_document_carries_the_page_unchanged(label: str) -> None:
    root = fromstring(render_question(CONTAINS, contains(label)), forbid_dtd=True)
    assert root.tag == f"{{{HTML_QUESTION_SCHEMA}}}HTMLQuestion"
    assert [child.tag for child in root] == [
        f"{{{HTML_QUESTION_SCHEMA}}}HTMLContent",
        f"{{{HTML_QUESTION_SCHEMA}}}FrameHeight",
    ]
    assert root[0].text == render_page(CONTAINS, contains(label))
    assert root[1].text == "0"


def test_two_pictures_are_shown_in_the_order_they_were_named() -> None:
    urls = ["https://example.com/1.png", "https://example.com/2.png"]
    task_input = check_input(SIMILARITY, {"image1": {"url": urls[0]}, "image2": {"url": urls[1]}})
    page = Page(render_page(SIMILARITY, task_input))
    assert [image["src"] for image in page.all("img")] == urls
    main = page.all("main")[0]
    assert [main["data-function"], main["data-image1-url"], main["data-image2-url"]] == ["image-similarity", *urls]


@pytest.mark.parametrize("function", CATALOGUE.values(), ids=lambda function: function.name)
def test_a_worker_is_offered_every_choice_once_with_its_key(function: CrowdFunction) -> None:
    inputs = {
        "image-contains": {"image": {"url": URL}, "target": {"label": "dog"}},
        "image-similarity": {"image1": {"url": URL}, "image2": {"url": URL}},
    }
    page = Page(render_page(function, check_input(function, inputs[function.name])))
    buttons = [(button["name"], button["value"], button["aria-keyshortcuts"]) for button in page.all("button")]
    assert buttons == [("answer", choice.form_value, choice.key) for choice in function.all_choices]


def test_a_picture_says_nothing_about_where_it_is_looked_at_and_has_a_text_in_its_place() -> None:
    for image in PLAIN.all("img"):
        assert image["referrerpolicy"] == "no-referrer"
        assert image["alt"]


def test_the_form_posts_to_where_the_workplace_takes_answers_and_names_the_assignment() -> None:
    form = PLAIN.all("form")[0]
    assert (form["method"], form["action"]) == ("post", "https://www.mturk.com/mturk/externalSubmit")
    assert [field["name"] for field in PLAIN.all("input")] == ["assignmentId"]

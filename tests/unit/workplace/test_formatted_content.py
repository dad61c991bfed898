from html.parser import HTMLParser

import pytest

from crowdsight.workplace.formatted_content import sanitize


class Found(HTMLParser):
    """The tags and attributes that a browser finds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_text_tables_pictures_and_links_stay() -> None:
    html = '<h2>A</h2><p>b <b>c</b><br><font color="red">d</font></p><table><tr><td colspan="2">e</td></tr></table>'
    html += '<img src="https://pictures.example/a.jpg" alt="f">'
    clean = sanitize(html)
    for part in ("<h2>A</h2>", "<b>c</b>", '<font color="red">', 'colspan="2"', 'src="https://pictures.example/a.jpg"'):
        assert part in clean


def test_a_link_opens_a_page_of_its_own_that_learns_nothing() -> None:
    clean = sanitize('<a href="https://example.org/" target="_top" onclick="x()">more</a>')
    assert 'target="_blank"' in clean
    assert 'rel="noopener noreferrer"' in clean
    assert "onclick" not in clean


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src='https://a.example/x' onerror='alert(1)'>",
        "<img src='http://a.example/alert'>",
        "<img src='data:text/html,alert(1)'>",
        "<a href='javascript:alert(1)'>x</a>",
        "<iframe src='https://alert.example/'></iframe>",
        "<form action='https://alert.example/'><input name='a'></form>",
        "<style>@import 'https://alert.example/'</style>",
        "<svg onload='alert(1)'><animate onbegin='alert(1)'/></svg>",
        "<p style='background:url(https://alert.example/)'>x</p>",
        "<meta http-equiv='refresh' content='0;url=https://alert.example/'>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    ],
)
def test_what_could_run_load_or_lead_away_is_left_out(hostile: str) -> None:
    found = Found(sanitize(hostile))
    assert not found.tags & {"script", "iframe", "form", "input", "style", "svg", "animate", "meta", "math"}
    assert not any(name.startswith("on") or name == "style" for name, _ in found.attributes)
    assert all(value.startswith("https://") for name, value in found.attributes if name in ("src", "href"))


def test_deep_nesting_is_no_harm() -> None:
    assert "x" in sanitize("<b>" * 10_000 + "x")

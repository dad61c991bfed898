from hypothesis import given
from hypothesis import strategies as st

from local.workers.pages import read_page

PAGE = """<!doctype html><html><body>
<a href="/hits/H1">Is there <b>a dog</b>?</a> <a rel="next" href="?after=x">More</a> <a name="nowhere">not a link</a>
<main data-function="image-contains" data-label="&lt;script&gt;&quot; cat" data-image-url="http://x/a.jpg">
<h1>Does this picture <em>show</em> it?</h1><img src="/a.jpg"><span data-left-s="299">5 minutes</span>
<img src="http://[x"><iframe src="/frames/H1?assignmentId=A&amp;hitId=H1"></iframe>
<form method="POST" action="/hits/H1/accept"><input type="hidden" name="csrf" value="t&amp;1"><button>Go</button></form>
<form><input type=radio name=answer value=yes><input type=radio name=answer value=no disabled>
<select name=sort><option value=a>A<option value=b>B</select><textarea name=note></textarea><input name=word>
<button name=go value=1>Go</button><input type=submit name=go value=2><input type=checkbox name=ok></form>
</main></body></html>"""


def test_a_page_is_its_links_forms_frames_pictures_and_facts() -> None:
    page = read_page(PAGE, "http://127.0.0.1:8081/prod/")
    assert [(link.url, link.text, link.rel) for link in page.links] == [
        ("http://127.0.0.1:8081/hits/H1", "Is there a dog ?", ""),
        ("http://127.0.0.1:8081/prod/?after=x", "More", "next"),
    ]
    assert page.facts == {
        "function": "image-contains",
        "label": '<script>" cat',
        "image-url": "http://x/a.jpg",
    }
    assert page.heading == "Does this picture"
    assert page.pictures == ["http://127.0.0.1:8081/a.jpg", "http://[x"]
    assert page.frames == ["http://127.0.0.1:8081/frames/H1?assignmentId=A&hitId=H1"]
    assert page.left_s == 299


def test_a_form_sends_its_fixed_fields_and_what_was_chosen() -> None:
    accept, question = read_page(PAGE, "http://127.0.0.1:8081/").forms
    assert (accept.method, accept.action) == ("post", "http://127.0.0.1:8081/hits/H1/accept")
    assert accept.filled({}) == [("csrf", "t&1")]
    assert accept.filled({"csrf": "forged"}) == [("csrf", "forged")]
    assert question.choices == {"answer": ["yes"], "sort": ["a", "b"], "go": ["1", "2"], "ok": ["on"]}
    assert question.texts == ["note", "word"]
    assert question.filled({"answer": "yes"}) == [("answer", "yes")]


@given(st.text())
def test_any_text_can_be_read_as_a_page(html: str) -> None:
    read_page(html, "http://127.0.0.1/")

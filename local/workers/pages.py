"""What a person sees of an HTML page: its links, forms, frames and pictures."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

Fields = list[tuple[str, str]]
"""A form's fields in order; a name may come more than once."""


@dataclass
class Form:
    """A form. `fixed`: fields that are sent whatever is chosen. `choices`: for each name, the values that can be
    chosen (buttons, radio buttons, options, boxes to tick). `texts`: names of fields to write in.
    """

    action: str
    method: str = "get"
    fixed: Fields = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def filled(self, answers: dict[str, str]) -> Fields:
        """What is sent for these answers; they also take the place of fixed fields of the same name."""
        kept = [(name, value) for name, value in self.fixed if name not in answers]
        return kept + list(answers.items())


@dataclass
class Link:
    url: str
    text: str = ""
    rel: str = ""


@dataclass
class Page:
    """A page at `url`; addresses in it are absolute, forms without an action have `url` itself.

    `facts`: the `data-*` attributes of <main>, by their names without `data-`. `left_s`: the seconds on its clock.
    """

    url: str
    status: int
    links: list[Link] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    heading: str = ""
    left_s: int | None = None

    def links_to(self, part: str) -> list[Link]:
        """Links whose address has `part` in it, in the page's order."""
        return [link for link in self.links if part in link.url]

    def form_to(self, end: str) -> Form | None:
        """The first form whose action ends so."""
        return next((form for form in self.forms if form.action.endswith(end)), None)


def read_page(html: str, url: str, status: int = 200) -> Page:
    """The page in an HTML document found at `url`; anything can be read, as a browser would."""
    reader = _Reader(Page(url, status))
    reader.feed(html)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self._form: Form | None = None
        self._select = ""
        self._text_of: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attributes}
        if "data-left-s" in of and of["data-left-s"].isdecimal():
            self.page.left_s = int(of["data-left-s"])
        match tag:
            case "a" if of.get("href"):
                self.page.links.append(Link(self._absolute(of["href"]), rel=of.get("rel", "")))
                self._text_of = "a"
            case "h1":
                self._text_of = "h1"
            case "main":
                self.page.facts |= {n.removeprefix("data-"): v for n, v in of.items() if n.startswith("data-")}
            case "iframe" if of.get("src"):
                self.page.frames.append(self._absolute(of["src"]))
            case "img" if of.get("src"):
                self.page.pictures.append(self._absolute(of["src"]))
            case "form":
                self._form = Form(self._absolute(of.get("action", "")), of.get("method", "get").lower())
                self.page.forms.append(self._form)
            case _:
                self._read_control(tag, of)

    def _absolute(self, address: str) -> str:
        try:
            return urljoin(self.page.url, address)
        except ValueError:
            return address  # no address at all, such as http://[x; whoever follows it will see

    def _read_control(self, tag: str, of: dict[str, str]) -> None:
        name = of.get("name", "")
        if self._form is None or "disabled" in of or not (name or tag == "option"):
            return
        kind = of.get("type", "submit" if tag == "button" else "text").lower()
        match tag, kind:
            case "input", "hidden":
                self._form.fixed.append((name, of.get("value", "")))
            case ("input", "radio" | "checkbox" | "submit") | ("button", "submit"):
                self._form.choices.setdefault(name, []).append(of.get("value", "on" if tag == "input" else ""))
            case ("textarea", _) | ("input", "text" | "number" | "search" | "email" | "url"):
                self._form.texts.append(name)
            case "select", _:
                self._select = name
            case "option", _ if self._select and of.get("value"):
                self._form.choices.setdefault(self._select, []).append(of["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == self._text_of:
            self._text_of = None

    def handle_data(self, text: str) -> None:
        words = " ".join(text.split())
        if not words:
            return
        if self._text_of == "a":
            link = self.page.links[-1]
            link.text = f"{link.text} {words}".strip()
        elif self._text_of == "h1" and not self.page.heading:
            self.page.heading = words

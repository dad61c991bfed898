"""The page of queries and results: one file that needs no other, no network and no script."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from local.demo.exhibits import Exhibition, in_words
from local.demo.labels import place


def render_page(exhibition: Exhibition) -> str:
    """The page as HTML; every text is escaped, and the pictures are in it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("search.html")
    return template.render(exhibition=exhibition, place=place, in_words=in_words)

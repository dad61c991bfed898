"""The page that a Worker sees for an input: one template for every function of the catalogue.

Callers' text is escaped by the template engine and again by the XML writer, so that it can never become markup.
"""

from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from crowdsight.catalogue import CrowdFunction

HTML_QUESTION_SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
MAX_QUESTION_BYTES = 65_535
FRAME_HEIGHT_FITS_CONTENT = 0


def render_page(function: CrowdFunction, task_input: Any) -> str:
    """The question as a page of HTML. `task_input`: the function's validated input."""
    return _template().render(function=function, question=function.ask(task_input))


def render_question(function: CrowdFunction, task_input: Any) -> str:
    """The question as HTMLQuestion XML, at most 65,535 bytes."""
    root = Element("HTMLQuestion", xmlns=HTML_QUESTION_SCHEMA)
    SubElement(root, "HTMLContent").text = render_page(function, task_input)
    SubElement(root, "FrameHeight").text = str(FRAME_HEIGHT_FITS_CONTENT)
    return tostring(root, encoding="unicode")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("question.html")

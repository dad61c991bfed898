"""XML documents from strangers: read without entities, DTDs or network, and part by part, as their schemas say."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from crowdsight.workplace.faults import RequestError

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
MAX_DOCUMENT_BYTES = 65_535
MAX_DEPTH = 50


class Part:
    """An element whose children are taken in the order of its schema; what is left at `end` does not belong there."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self._children = list(element)
        self._qualifier, _, self.name = element.tag.rpartition("}")

    @property
    def namespace(self) -> str:
        """The element's namespace, "" if it has none."""
        return self._qualifier.removeprefix("{")

    @property
    def text(self) -> str:
        """All text in the element."""
        return "".join(self._element.itertext())

    def attribute(self, name: str) -> str | None:
        """An attribute's value, or None."""
        return self._element.get(name)

    def required(self, name: str) -> "Part":
        """The next child, which must have this name. Raises RequestError."""
        found = self.optional(name)
        if found is None:
            raise xml_parse_error(f"{self.name} lacks the element {name}, or has it in another place")
        return found

    def optional(self, name: str) -> "Part | None":
        """The next child if it has this name."""
        qualified = f"{self._qualifier}}}{name}" if self._qualifier else name
        if self._children and self._children[0].tag == qualified:
            return Part(self._children.pop(0))
        return None

    def many(self, *names: str) -> Iterator["Part"]:
        """The next children as long as they have one of these names."""
        while True:
            found = next(filter(None, map(self.optional, names)), None)
            if found is None:
                return
            yield found

    def end(self) -> None:
        """Raises RequestError if there are more children."""
        if self._children:
            unexpected = self._children[0].tag.rpartition("}")[2]
            raise xml_parse_error(f"{self.name} has the element {unexpected}, which does not belong there")


def read_document(xml: str, what: str) -> Part:
    """The root of a document of at most 65,535 bytes and 50 levels; `what` names it in errors.

    Raises RequestError: ParameterValidationError when too long, XMLParseError when not well-formed or not safe.
    """
    if len(xml.encode("utf-8", "replace")) > MAX_DOCUMENT_BYTES:
        raise RequestError("ParameterValidationError", f"{what} must not be longer than {MAX_DOCUMENT_BYTES} bytes.")
    try:
        # As bytes, an encoding named in the declaration would be believed over what the text is.
        root = fromstring(xml.strip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise xml_parse_error(str(error)) from error
    _check_depth(root)
    return Part(root)


def xml_parse_error(detail: str) -> RequestError:
    """MTurk's error for a document that is not what its schema says."""
    return RequestError(
        "XMLParseError", f"There was an error parsing the XML question or answer data in your request: {detail}."
    )


def _check_depth(root: Element) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
    if level:
        raise xml_parse_error(f"elements are nested more than {MAX_DEPTH} deep")

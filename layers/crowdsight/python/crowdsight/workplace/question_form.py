"""QuestionForms: MTurk's own form language (schemas 2005-10-01 to 2017-11-06), for HITs and qualification tests.

A form is read strictly and whole: what cannot be shown, or could be answered by nobody, is refused when it is sent.
`form_answers` checks what a Worker submits; the template `form_fields.html` shows a form.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import regex

from crowdsight.workplace.documents import SCHEMAS, Part, read_document, xml_parse_error
from crowdsight.workplace.faults import RequestError

NAMESPACES = tuple(f"{SCHEMAS}{version}/QuestionForm.xsd" for version in ("2005-10-01", "2009-09-28", "2017-11-06"))
MAX_PATTERN_LENGTH = 1_000

_CONTENT = ("Title", "Text", "List", "Binary", "EmbeddedBinary", "Application", "FormattedContent")
_FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "g": 0, "u": 0}
_WHOLE_NUMBER = regex.compile(r"[+-]?[0-9]{1,10}")


class ContentKind(StrEnum):
    TITLE = "title"
    TEXT = "text"
    LIST = "list"
    FORMATTED = "formatted"
    MEDIA = "media"
    LINK = "link"


class Style(StrEnum):
    """How a selection may be shown."""

    RADIO_BUTTON = "radiobutton"
    CHECKBOX = "checkbox"
    LIST = "list"
    DROPDOWN = "dropdown"
    COMBOBOX = "combobox"
    MULTI_CHOOSER = "multichooser"


@dataclass(frozen=True)
class Content:
    """Something to read, see or hear.

    `text`: a title, a paragraph, untrusted HTML (FORMATTED), or what stands for a medium (MEDIA, LINK).
    `items`: those of a LIST. `url`: https. `media_type`: image, audio or video for MEDIA; any for LINK.
    """

    kind: ContentKind
    text: str = ""
    items: tuple[str, ...] = ()
    url: str = ""
    media_type: str = ""


@dataclass(frozen=True)
class Format:
    """What an answer's text must contain: a regular expression, and what to say if it does not."""

    pattern: str
    error_text: str
    flags: int = 0


@dataclass(frozen=True)
class FreeText:
    """A text to write. Bounds are None where there are none; `lines`: how high its field is to be."""

    is_numeric: bool = False
    min_value: int | None = None
    max_value: int | None = None
    min_length: int = 0
    max_length: int | None = None
    formats: tuple[Format, ...] = ()
    default_text: str = ""
    lines: int = 1


@dataclass(frozen=True)
class Option:
    """One of the things to select from."""

    selection_id: str
    label: Content


@dataclass(frozen=True)
class Selection:
    """Things to select from, `min_count` to `max_count` of them; `other`: a text that may stand instead."""

    options: tuple[Option, ...]
    style: Style
    min_count: int = 1
    max_count: int = 1
    other: FreeText | None = None


@dataclass(frozen=True)
class FormQuestion:
    """One question. `number` counts from 1 within the form."""

    number: int
    question_id: str
    display_name: str
    is_required: bool
    content: tuple[Content, ...]
    answer: FreeText | Selection

    @property
    def field(self) -> str:
        """Its field in the submitted form. Identifiers may be any text, and so no names."""
        return f"question-{self.number}"

    @property
    def other_field(self) -> str:
        """The field of a selection's other text."""
        return f"other-{self.number}"


@dataclass(frozen=True)
class Overview:
    """Something to read before or between questions."""

    content: tuple[Content, ...]


@dataclass(frozen=True)
class QuestionForm:
    """A form's overviews and questions in their order."""

    parts: tuple[Overview | FormQuestion, ...]
    questions: tuple[FormQuestion, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "questions", tuple(part for part in self.parts if isinstance(part, FormQuestion)))


def read_question_form(xml: str) -> QuestionForm:
    """The form in a document of at most 65,535 bytes.

    Raises RequestError: ParameterValidationError when too long, XMLParseError when not as the schema says,
    InvalidParameterValue when it says what cannot be, UnsupportedOperation for file uploads, Flash and Java applets.
    """
    return form_from(read_document(xml, "Question"))


def is_question_form(root: Part) -> bool:
    """Whether a document's root is a QuestionForm's."""
    return root.name == "QuestionForm" and root.namespace in NAMESPACES


def form_from(root: Part) -> QuestionForm:
    """As `read_question_form`, of a document's root."""
    if not is_question_form(root):
        raise xml_parse_error("the root element is not a QuestionForm in one of MTurk's namespaces")
    parts: list[Overview | FormQuestion] = []
    number = 0
    for part in root.many("Overview", "Question"):
        if part.name == "Overview":
            parts.append(Overview(_read_content(part)))
        else:
            number += 1
            parts.append(_read_question(part, number))
    root.end()
    form = QuestionForm(tuple(parts))
    if not form.questions:
        raise xml_parse_error("QuestionForm lacks the element Question")
    _check_unique("QuestionIdentifier", [question.question_id for question in form.questions])
    return form


def _read_question(part: Part, number: int) -> FormQuestion:
    question_id = _identifier(part, "QuestionIdentifier")
    display_name = part.optional("DisplayName")
    is_required = part.optional("IsRequired")
    content = _read_content(part.required("QuestionContent"))
    specification = part.required("AnswerSpecification")
    part.end()
    return FormQuestion(
        number,
        question_id,
        display_name.text.strip() if display_name else "",
        _boolean(is_required) if is_required else False,
        content,
        _read_answer(specification),
    )


def _read_answer(part: Part) -> FreeText | Selection:
    answer: FreeText | Selection
    if free_text := part.optional("FreeTextAnswer"):
        answer = _read_free_text(free_text)
    elif selection := part.optional("SelectionAnswer"):
        answer = _read_selection(selection)
    elif part.optional("FileUploadAnswer"):
        raise _unsupported("This workplace takes no files, so a FileUploadAnswer cannot be offered.")
    else:
        raise xml_parse_error("AnswerSpecification has neither a FreeTextAnswer nor a SelectionAnswer")
    part.end()
    return answer


def _read_content(part: Part) -> tuple[Content, ...]:
    content = tuple(_read_block(block) for block in part.many(*_CONTENT))
    part.end()
    return content


def _read_block(part: Part) -> Content:
    match part.name:
        case "Title":
            return Content(ContentKind.TITLE, part.text.strip())
        case "Text":
            return Content(ContentKind.TEXT, part.text.strip())
        case "List":
            items = tuple(item.text.strip() for item in part.many("ListItem"))
            part.end()
            return Content(ContentKind.LIST, items=items)
        case "FormattedContent":
            return Content(ContentKind.FORMATTED, part.text)
        case "Binary":
            return _read_medium(part)
        case "EmbeddedBinary":
            return _read_link(part)
        case _:
            raise _unsupported("No browser shows Java applets or Flash any more, so an Application cannot be offered.")


def _read_medium(part: Part) -> Content:
    mime_type = part.required("MimeType")
    media_type = mime_type.required("Type").text.strip()
    mime_type.optional("SubType")
    mime_type.end()
    if media_type not in ("image", "audio", "video"):
        raise xml_parse_error("the Type of a MimeType is image, audio or video")
    content = Content(ContentKind.MEDIA, url=_https_url(part), media_type=media_type, text=_alternative(part))
    part.end()
    return content


def _read_link(part: Part) -> Content:
    mime_type = part.required("EmbeddedMimeType")
    names = [mime_type.required(name).text.strip() for name in ("Type", "SubType")]
    mime_type.end()
    return Content(ContentKind.LINK, url=_https_url(part), media_type="/".join(names), text=_alternative(part))


def _https_url(part: Part) -> str:
    url = part.required("DataURL").text.strip()
    if not is_https(url):
        raise _invalid("A DataURL must use HTTPS.")
    return url


def _alternative(part: Part) -> str:
    return part.required("AltText").text.strip()


def _read_free_text(part: Part) -> FreeText:
    bounds: dict[str, int | None] = {}
    formats: list[Format] = []
    is_numeric = False
    if constraints := part.optional("Constraints"):
        for constraint in constraints.many("IsNumeric", "Length", "AnswerFormatRegex"):
            if constraint.name == "IsNumeric":
                is_numeric = True
                bounds |= {"min_value": _bound(constraint, "minValue"), "max_value": _bound(constraint, "maxValue")}
            elif constraint.name == "Length":
                bounds |= {"min_length": _bound(constraint, "minLength"), "max_length": _bound(constraint, "maxLength")}
            else:
                formats.append(_read_format(constraint))
        constraints.end()
    default = part.optional("DefaultText")
    lines = part.optional("NumberOfLinesSuggestion")
    part.end()
    min_length, max_length = bounds.get("min_length") or 0, bounds.get("max_length")
    min_value, max_value = bounds.get("min_value"), bounds.get("max_value")
    if min_length < 0 or (max_length is not None and max_length < max(1, min_length)):
        raise _invalid("The Length of an answer has a minLength of 0 or more and no maxLength below it.")
    if min_value is not None and max_value is not None and max_value < min_value:
        raise _invalid("The maxValue of an answer must not be below its minValue.")
    return FreeText(
        is_numeric,
        min_value,
        max_value,
        min_length,
        max_length,
        tuple(formats),
        default.text if default else "",
        max(1, _number(lines.text, "NumberOfLinesSuggestion")) if lines else 1,
    )


def _read_format(part: Part) -> Format:
    pattern = part.attribute("regex")
    if pattern is None:
        raise xml_parse_error("AnswerFormatRegex lacks the attribute regex")
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise _invalid(f"The regex of an AnswerFormatRegex has at most {MAX_PATTERN_LENGTH} characters.")
    flags = 0
    for letter in part.attribute("flags") or "":
        if letter not in _FLAGS:
            raise _invalid(f"An AnswerFormatRegex knows the flags {', '.join(_FLAGS)}.")
        flags |= _FLAGS[letter]
    try:
        regex.compile(pattern, flags)
    except (regex.error, OverflowError, RecursionError) as error:
        raise _invalid(f"The regex of an AnswerFormatRegex cannot be read: {error}.") from error
    return Format(pattern, (part.attribute("errorText") or "").strip(), flags)


def _read_selection(part: Part) -> Selection:
    min_count = _count(part, "MinSelectionCount")
    max_count = _count(part, "MaxSelectionCount")
    suggestion = part.optional("StyleSuggestion")
    selections = part.required("Selections")
    part.end()
    options = tuple(_read_option(option) for option in selections.many("Selection"))
    other = selections.optional("OtherSelection")
    selections.end()
    if not options:
        raise xml_parse_error("Selections lacks the element Selection")
    _check_unique("SelectionIdentifier", [option.selection_id for option in options])
    least = 1 if min_count is None else min_count
    most = max(1, least) if max_count is None else max_count
    if not 0 <= least <= len(options) or most < max(1, least):
        raise _invalid("MinSelectionCount and MaxSelectionCount are not such that an answer can have that many.")
    style = _style(suggestion, options, most)
    return Selection(options, style, least, most, _read_free_text(other) if other else None)


def _style(suggestion: Part | None, options: tuple[Option, ...], most: int) -> Style:
    """As suggested, or as near to it as several selections, and pictures among the options, allow."""
    try:
        style = Style(suggestion.text.strip()) if suggestion else None
    except ValueError as error:
        raise xml_parse_error(f"StyleSuggestion is one of {', '.join(Style)}") from error
    only_text = all(option.label.kind is ContentKind.TEXT for option in options)
    if most > 1:
        return style if style in (Style.LIST, Style.MULTI_CHOOSER) else Style.CHECKBOX
    if style in (None, Style.CHECKBOX, Style.MULTI_CHOOSER) or not only_text:
        return Style.RADIO_BUTTON
    return style


def _read_option(part: Part) -> Option:
    selection_id = _identifier(part, "SelectionIdentifier")
    label = next(part.many("Text", "FormattedContent", "Binary"), None)
    part.end()
    if label is None:
        raise xml_parse_error("Selection lacks the element Text, FormattedContent or Binary")
    return Option(selection_id, _read_block(label))


def _identifier(part: Part, name: str) -> str:
    identifier = part.required(name).text.strip()
    if not identifier:
        raise _invalid(f"A {name} must not be empty.")
    return identifier


def _check_unique(name: str, identifiers: list[str]) -> None:
    identifier, count = Counter(identifiers).most_common(1)[0]
    if count > 1:
        raise _invalid(f"The {name} {identifier} is there more than once.")


def _count(part: Part, name: str) -> int | None:
    found = part.optional(name)
    return None if found is None else _number(found.text, name)


def _bound(part: Part, name: str) -> int | None:
    value = part.attribute(name)
    return None if value is None else _number(value, name)


def _number(text: str, name: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise xml_parse_error(f"{name} is not a whole number")
    return int(text)


def _boolean(part: Part) -> bool:
    match part.text.strip():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise xml_parse_error(f"{part.name} is neither true nor false")


def is_https(url: str) -> bool:
    """Whether this is an address of a page or file on the web, over HTTPS."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _invalid(message: str) -> RequestError:
    return RequestError("InvalidParameterValue", message)


def _unsupported(message: str) -> RequestError:
    return RequestError("UnsupportedOperation", message)

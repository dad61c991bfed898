"""The single-purpose functions. One entry declares everything about a function.

To add one: write its input and result models, add an entry to `CATALOGUE`, and one test. Its `-test` twin, its
OpenAPI description, its question page and its HIT type follow from the entry.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from crowdsight.adjudication import UNAVAILABLE, Value
from crowdsight.adjudication.graded_bias import GradedBias
from crowdsight.adjudication.learning import Learner
from crowdsight.adjudication.two_coin import TwoCoin

TEST_SUFFIX = "-test"
MAX_URL_CHARACTERS = 400
MAX_LABEL_CHARACTERS = 200
MAX_PADDED_LABEL_CHARACTERS = 2_000
"""With the white space around it, so that a task always fits into its database item."""

_url = TypeAdapter(AnyHttpUrl)
_absolute = re.compile(r"https?://[^/?#]", re.IGNORECASE)


def _only_text(text: str) -> str:
    """Refuse what neither XML 1.0 nor a question page could carry: controls, surrogates and noncharacters."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") or ord(character) & 0xFFFE == 0xFFFE:
            raise ValueError("has a character that is not text: a control character, a surrogate or a noncharacter")
    return text


def _http_url(url: str) -> str:
    if any(character.isspace() or character in '"<>\\^`{|}' for character in url):
        raise ValueError("has a space or a character that must be percent-encoded in a URL")
    if not _absolute.match(url):  # a browser takes `http:a.jpg` for a path of the page it is on
        raise ValueError("is not an http or https URL")
    try:
        parsed = _url.validate_python(url)
    except ValidationError as error:
        raise ValueError("is not an http or https URL") from error
    if parsed.username or parsed.password:
        raise ValueError("must not carry a user name or password")
    return url


def _label(label: str) -> str:
    if not 1 <= len(label.strip()) <= MAX_LABEL_CHARACTERS:
        raise ValueError(f"must have 1 to {MAX_LABEL_CHARACTERS} characters after trimming")
    _only_text(label.strip())
    return label


ImageUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_CHARACTERS,
        description="An http or https URL of an image that Workers can open.",
        examples=["https://www.example.com/butterbean.jpg"],
        json_schema_extra={"format": "uri"},
    ),
    AfterValidator(_only_text),
    AfterValidator(_http_url),
]
Label = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_PADDED_LABEL_CHARACTERS,
        description="What to look for, 1 to 200 characters after trimming.",
        examples=["dog"],
        json_schema_extra={"pattern": r"\S"},
    ),
    AfterValidator(_label),
]


class Document(BaseModel):
    """A JSON object that has exactly the declared keys, of exactly the declared types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Image(Document):
    url: ImageUrl


class Target(Document):
    label: Label


class ImageContainsInput(Document):
    image: Image
    target: Target


class ImageContainsResult(Document):
    containsTarget: bool  # noqa: N815  the wire's own name


class ImageSimilarityInput(Document):
    image1: Image
    image2: Image


class ImageSimilarityResult(Document):
    similarityScore: Annotated[float, Field(ge=0, le=1, description="1 = most similar.")]  # noqa: N815


@dataclass(frozen=True)
class Choice:
    """A button of a question: the form value it sends, what it says, the key that presses it, and what it means."""

    form_value: str
    text: str
    key: str
    value: Value


@dataclass(frozen=True)
class Question:
    """What a Worker is shown for one input. All of it is plain text, never markup.

    `facts` are the question's own data as the page's `data-*` attributes, for programs that read it.
    """

    prompt: str
    subject: str | None
    image_urls: tuple[str, ...]
    facts: Mapping[str, str]


@dataclass(frozen=True)
class CrowdFunction:
    """One single-purpose function.

    `title`, `description`, `keywords`: what a Worker sees in the list of HITs. `reward_cents`: paid for each answer.
    `assignment_duration_s`: how long a Worker may take, 30 s to a year. `ask`: the question for an input.
    `choices`: the answers that can be given; "the image does not load" is added to them. `adjudicator`: when to stop
    and with what value, as it is while nothing is known of Workers; `present`: that value as a result, and `value_of`
    the other way. `mock`: a random value for the `-test` twin.
    """

    name: str
    summary: str
    input_model: type[Document]
    result_model: type[Document]
    title: str
    description: str
    keywords: str
    reward_cents: int
    assignment_duration_s: int
    ask: Callable[[Any], Question]
    choices: tuple[Choice, ...]
    adjudicator: Learner
    present: Callable[[Value], Document]
    value_of: Callable[[Any], Value]
    mock: Callable[[random.Random], Value]

    @property
    def all_choices(self) -> tuple[Choice, ...]:
        """The choices and, last, that an image does not load."""
        return (*self.choices, Choice(UNAVAILABLE, "An image does not load", "x", UNAVAILABLE))

    def read_answer(self, form_value: str) -> Value | None:
        """What a submitted form value means; None if this question never offered it."""
        return next((choice.value for choice in self.all_choices if choice.form_value == form_value), None)


def _ask_contains(task_input: ImageContainsInput) -> Question:
    label = task_input.target.label.strip()
    return Question(
        prompt="Does this picture show what is named here?",
        subject=label,
        image_urls=(task_input.image.url,),
        facts={"image-url": task_input.image.url, "label": label},
    )


def _ask_similarity(task_input: ImageSimilarityInput) -> Question:
    return Question(
        prompt="How alike do these two pictures look?",
        subject=None,
        image_urls=(task_input.image1.url, task_input.image2.url),
        facts={"image1-url": task_input.image1.url, "image2-url": task_input.image2.url},
    )


_entries = (
    CrowdFunction(
        name="image-contains",
        summary="Does an image contain something?",
        input_model=ImageContainsInput,
        result_model=ImageContainsResult,
        title="Does a picture show a certain thing?",
        description="Look at one picture and say whether it shows what is named. A few seconds each.",
        keywords="image, picture, photo, object, yes or no, quick",
        reward_cents=2,
        assignment_duration_s=300,
        ask=_ask_contains,
        choices=(Choice("yes", "Yes", "y", "yes"), Choice("no", "No", "n", "no")),
        adjudicator=TwoCoin(("yes", "no")),
        present=lambda value: ImageContainsResult(containsTarget=value == "yes"),
        value_of=lambda result: "yes" if result.containsTarget else "no",
        mock=lambda dice: dice.choice(("yes", "no")),
    ),
    CrowdFunction(
        name="image-similarity",
        summary="How alike are two images, from 0 to 1?",
        input_model=ImageSimilarityInput,
        result_model=ImageSimilarityResult,
        title="How alike do two pictures look?",
        description="Look at two pictures and say how alike they are, on a scale of five steps. A few seconds each.",
        keywords="image, picture, photo, compare, similarity, quick",
        reward_cents=3,
        assignment_duration_s=300,
        ask=_ask_similarity,
        choices=tuple(
            Choice(str(step), text, str(step + 1), step / 4)
            for step, text in enumerate(("Nothing alike", "A little alike", "Somewhat alike", "Very alike", "The same"))
        ),
        adjudicator=GradedBias(),
        present=lambda value: ImageSimilarityResult(similarityScore=min(1.0, max(0.0, float(value)))),
        value_of=lambda result: float(result.similarityScore),
        mock=lambda dice: round(dice.random(), 2),
    ),
)

CATALOGUE: Mapping[str, CrowdFunction] = {entry.name: entry for entry in _entries}


def find_function(name: str) -> tuple[CrowdFunction, bool] | None:
    """The function that a caller names and whether it is its `-test` twin; None if there is no such function."""
    if name in CATALOGUE:
        return CATALOGUE[name], False
    if name.endswith(TEST_SUFFIX) and name.removesuffix(TEST_SUFFIX) in CATALOGUE:
        return CATALOGUE[name.removesuffix(TEST_SUFFIX)], True
    return None

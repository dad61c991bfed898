"""Answer keys: how a qualification test is scored by itself (schema 2005-10-01)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from crowdsight.workplace.answers import Answer
from crowdsight.workplace.documents import SCHEMAS, Part, read_document, xml_parse_error
from crowdsight.workplace.faults import RequestError

NAMESPACE = f"{SCHEMAS}2005-10-01/AnswerKey.xsd"

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class KeyQuestion:
    """What answers to one question score. `options`: exactly these selections, and what they score."""

    question_id: str
    options: tuple[tuple[frozenset[str], int], ...]
    default_score: int

    def score(self, selections: Iterable[str]) -> int:
        """What selecting these, and nothing else, scores."""
        selected = frozenset(selections)
        return next((score for option, score in self.options if option == selected), self.default_score)


@dataclass(frozen=True)
class Percentage:
    """Percent of a highest score."""

    maximum: int

    def value(self, score: int) -> int:
        return _nearest(Decimal(score) * 100 / self.maximum)


@dataclass(frozen=True)
class Scale:
    """A multiple of the score."""

    multiplier: Decimal

    def value(self, score: int) -> int:
        return _nearest(self.multiplier * score)


@dataclass(frozen=True)
class Ranges:
    """A value for each range of scores: lowest, highest, value. Of ranges that overlap the first counts."""

    ranges: tuple[tuple[int, int, int], ...]
    out_of_range: int

    def value(self, score: int) -> int:
        return next((value for low, high, value in self.ranges if low <= score <= high), self.out_of_range)


@dataclass(frozen=True)
class AnswerKey:
    """`mapping` turns the sum of scores into a qualification's value; None leaves it as it is."""

    questions: tuple[KeyQuestion, ...]
    mapping: Percentage | Scale | Ranges | None = None

    def value(self, answers: Iterable[Answer]) -> int:
        """The qualification's value for a test's answers. Questions that are not in the key score nothing."""
        by_id = {answer.question_id: answer for answer in answers}
        score = sum(question.score(_selections(by_id.get(question.question_id))) for question in self.questions)
        return self.mapping.value(score) if self.mapping else score


def read_answer_key(xml: str) -> AnswerKey:
    """The key in a document of at most 65,535 bytes.

    Raises RequestError: ParameterValidationError when too long, XMLParseError when not as the schema says,
    InvalidParameterValue when a number in it makes no sense.
    """
    root = read_document(xml, "AnswerKey")
    if root.name != "AnswerKey" or root.namespace != NAMESPACE:
        raise xml_parse_error("the root element is not an AnswerKey in MTurk's namespace")
    questions = tuple(_read_question(question) for question in root.many("Question"))
    mapping = root.optional("QualificationValueMapping")
    root.end()
    if not questions:
        raise xml_parse_error("AnswerKey lacks the element Question")
    return AnswerKey(questions, _read_mapping(mapping) if mapping else None)


def _read_question(part: Part) -> KeyQuestion:
    question_id = part.required("QuestionIdentifier").text.strip()
    options = tuple(_read_option(option) for option in part.many("AnswerOption"))
    default = part.optional("DefaultScore")
    part.end()
    return KeyQuestion(question_id, options, _integer(default) if default else 0)


def _read_option(part: Part) -> tuple[frozenset[str], int]:
    selections = frozenset(selection.text.strip() for selection in part.many("SelectionIdentifier"))
    score = _integer(part.required("AnswerScore"))
    part.end()
    if not selections:
        raise xml_parse_error("AnswerOption lacks the element SelectionIdentifier")
    return selections, score


def _read_mapping(part: Part) -> Percentage | Scale | Ranges:
    kind = next(part.many("PercentageMapping", "ScaleMapping", "RangeMapping"), None)
    part.end()
    if kind is None:
        raise xml_parse_error("QualificationValueMapping has no PercentageMapping, ScaleMapping or RangeMapping")
    mapping: Percentage | Scale | Ranges
    if kind.name == "PercentageMapping":
        mapping = Percentage(_integer(kind.required("MaximumSummedScore")))
        if mapping.maximum < 1:
            raise RequestError("InvalidParameterValue", "The MaximumSummedScore must be 1 or more.")
    elif kind.name == "ScaleMapping":
        mapping = Scale(_decimal(kind.required("SummedScoreMultiplier")))
    else:
        ranges = tuple(_read_range(one) for one in kind.many("SummedScoreRange"))
        mapping = Ranges(ranges, _integer(kind.required("OutOfRangeQualificationValue")))
    kind.end()
    return mapping


def _read_range(part: Part) -> tuple[int, int, int]:
    low, high, value = (
        _integer(part.required(name)) for name in ("InclusiveLowerBound", "InclusiveUpperBound", "QualificationValue")
    )
    part.end()
    return low, high, value


def _selections(answer: Answer | None) -> tuple[str, ...]:
    """What was selected; a text written besides is a selection that no key has."""
    if answer is None:
        return ()
    return (*answer.selections, "\0other") if answer.other_text else answer.selections


def _integer(part: Part) -> int:
    number = _decimal(part)
    if number != number.to_integral_value():
        raise xml_parse_error(f"{part.name} is not a whole number")
    return int(number)


def _decimal(part: Part) -> Decimal:
    text = part.text.strip()
    if not _NUMBER.fullmatch(text):
        raise xml_parse_error(f"{part.name} is not a number of at most nine digits")
    return Decimal(text)


def _nearest(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), ROUND_HALF_UP))

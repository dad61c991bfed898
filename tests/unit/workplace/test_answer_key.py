import pytest

from crowdsight.workplace.answer_key import NAMESPACE, read_answer_key
from crowdsight.workplace.answers import Answer
from crowdsight.workplace.faults import RequestError

QUESTIONS = """
<Question><QuestionIdentifier>move</QuestionIdentifier>
  <AnswerOption><SelectionIdentifier>D</SelectionIdentifier><AnswerScore>5</AnswerScore></AnswerOption>
  <AnswerOption><SelectionIdentifier>E</SelectionIdentifier><AnswerScore>-2</AnswerScore></AnswerOption>
</Question>
<Question><QuestionIdentifier>fruit</QuestionIdentifier>
  <AnswerOption>
    <SelectionIdentifier>apples</SelectionIdentifier><SelectionIdentifier>pears</SelectionIdentifier>
    <AnswerScore>10</AnswerScore>
  </AnswerOption>
  <DefaultScore>1</DefaultScore>
</Question>
"""


def key(mapping: str = "", questions: str = QUESTIONS) -> str:
    if mapping:
        mapping = f"<QualificationValueMapping>{mapping}</QualificationValueMapping>"
    return f'<AnswerKey xmlns="{NAMESPACE}">{questions}{mapping}</AnswerKey>'


def answers(move: str, *fruit: str) -> list[Answer]:
    return [Answer("move", selections=(move,)), Answer("fruit", selections=fruit), Answer("why", "because")]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (answers("D", "apples", "pears"), 15),
        (answers("D", "pears", "apples"), 15),
        (answers("D", "apples"), 6),
        (answers("D", "apples", "pears", "plums"), 6),
        (answers("E"), -1),
        (answers("F", "apples", "pears"), 10),
        ([Answer("move", selections=("D",), other_text="or E")], 1),
        ([], 1),
    ],
)
def test_a_score_is_for_exactly_an_options_selections_or_else_the_default(given: list[Answer], value: int) -> None:
    assert read_answer_key(key()).value(given) == value


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        ("<PercentageMapping><MaximumSummedScore>15</MaximumSummedScore></PercentageMapping>", 40),
        ("<PercentageMapping><MaximumSummedScore>16</MaximumSummedScore></PercentageMapping>", 38),  # 37.5
        ("<ScaleMapping><SummedScoreMultiplier>3</SummedScoreMultiplier></ScaleMapping>", 18),
        ("<ScaleMapping><SummedScoreMultiplier>0.75</SummedScoreMultiplier></ScaleMapping>", 5),  # 4.5
        (
            "<RangeMapping><SummedScoreRange><InclusiveLowerBound>6</InclusiveLowerBound><InclusiveUpperBound>7"
            "</InclusiveUpperBound><QualificationValue>50</QualificationValue></SummedScoreRange>"
            "<OutOfRangeQualificationValue>3</OutOfRangeQualificationValue></RangeMapping>",
            50,
        ),
        (
            "<RangeMapping><SummedScoreRange><InclusiveLowerBound>7</InclusiveLowerBound><InclusiveUpperBound>9"
            "</InclusiveUpperBound><QualificationValue>50</QualificationValue></SummedScoreRange>"
            "<OutOfRangeQualificationValue>3</OutOfRangeQualificationValue></RangeMapping>",
            3,
        ),
    ],
)
def test_a_mapping_makes_the_value_of_a_summed_score_of_6(mapping: str, value: int) -> None:
    assert read_answer_key(key(mapping)).value(answers("D", "apples")) == value


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("", "XMLParseError"),
        (key().replace("2005-10-01", "2005-10-02"), "XMLParseError"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + key(), "XMLParseError"),
        (key(questions=""), "XMLParseError"),
        (key(questions="<Question><QuestionIdentifier>q</QuestionIdentifier><Answer/></Question>"), "XMLParseError"),
        (key().replace("<SelectionIdentifier>D</SelectionIdentifier>", ""), "XMLParseError"),
        (key().replace(">5<", ">five<"), "XMLParseError"),
        (key().replace(">5<", ">1e999999999<"), "XMLParseError"),
        (key().replace(">5<", ">NaN<"), "XMLParseError"),
        (key().replace(">5<", ">5.5<"), "XMLParseError"),
        (key("<ZeroMapping/>"), "XMLParseError"),
        (
            key("<PercentageMapping><MaximumSummedScore>0</MaximumSummedScore></PercentageMapping>"),
            "InvalidParameterValue",
        ),
        (key() + " " * 65_535, "ParameterValidationError"),
    ],
)
def test_what_is_no_answer_key_is_refused(xml: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_answer_key(xml)
    assert refused.value.turk_error_code == f"AWS.MechanicalTurk.{code}"

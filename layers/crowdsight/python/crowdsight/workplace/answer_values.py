"""What an answer says, for comparing it with others: by question, which values are present."""

from collections.abc import Iterable, Mapping

from crowdsight.workplace.answers import read_answers

Values = frozenset[str]
"""The values of one question, without the blanks around them; none for a question without an answer."""


def read_values(answer_xml: str) -> Mapping[str, Values]:
    """The values in a QuestionFormAnswers document of ours."""
    return {
        answer.question_id: split_values([answer.free_text or "", *answer.selections, answer.other_text])
        for answer in read_answers(answer_xml)
    }


def split_values(texts: Iterable[str]) -> Values:
    """The values in these texts, in each of which `|` may join several, as a form's check boxes of one name have it."""
    return frozenset(value.strip() for text in texts for value in text.split("|") if value.strip())

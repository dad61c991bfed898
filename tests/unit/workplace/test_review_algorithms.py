"""What known answers and pluralities make of Workers' answers."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.workplace.answer_values import Values, read_values, split_values
from crowdsight.workplace.answers import NAMESPACE, answers_document
from crowdsight.workplace.known_answers import score_known_answers
from crowdsight.workplace.plurality import MAX_COMPARED_LENGTH, AgreedAnswer, find_agreement

CHART = {
    "A": ("coat", "sweater", "coat"),
    "B": ("blue", "blue", "green"),
    "C": ("large", "large", "large"),
    "D": ("Furry", "fur", "furr"),
}
"""The example in MTurk's documentation: four questions, three Workers."""


def values(*texts: str) -> Values:
    return frozenset(texts)


def answers_of(chart: Mapping[str, tuple[str, ...]]) -> list[dict[str, Values]]:
    workers = range(len(next(iter(chart.values()))))
    return [{question: split_values([row[worker]]) for question, row in chart.items()} for worker in workers]


def test_the_scores_are_those_of_mturks_example() -> None:
    workers = answers_of(CHART)
    agreement = find_agreement(workers, list(CHART), 50)
    assert agreement.answers == {
        "A": AgreedAnswer(values("coat"), 66),
        "B": AgreedAnswer(values("blue"), 66),
        "C": AgreedAnswer(values("large"), 100),
        "D": None,
    }
    assert agreement.score == 75
    assert [agreement.of_worker(worker).score for worker in workers] == [100, 66, 66]


@pytest.mark.parametrize(
    ("given", "threshold", "agreed"),
    [
        (("x", "x", "y"), 66, False),
        (("x", "x", "y"), 65, True),
        (("x", "x", "x"), 100, True),
        (("x", "x", "y"), 100, False),
        (("x", "x", "y", "y"), 0, False),
        (("x", "X"), 0, False),
        (("x|y", "y|x"), 99, True),
        (("x|y", "x"), 0, False),
        ((" x ", "x"), 99, True),
        (("", ""), 99, True),
        (("x",), 100, True),
    ],
)
def test_an_answer_is_agreed_on_when_more_than_the_threshold_gave_it_and_none_as_many(
    given: tuple[str, ...], threshold: int, agreed: bool
) -> None:
    found = find_agreement(answers_of({"q": given}), ["q"], threshold)
    assert (found.answers["q"] is not None) is agreed


def test_long_answers_are_left_out() -> None:
    long = "l" * (MAX_COMPARED_LENGTH + 1)
    found = find_agreement(answers_of({"q": (long, long, "x")}), ["q"], 50)
    assert found.answers["q"] == AgreedAnswer(values("x"), 100)
    assert find_agreement(answers_of({"q": (long, long)}), ["q"], 0).answers["q"] is None


def test_a_worker_without_any_agreed_answer_has_no_score() -> None:
    workers = answers_of({"q": ("x", "y")})
    assert find_agreement(workers, ["q"], 0).of_worker(workers[0]).score is None


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.integers(0, 100), st.randoms())
def test_neither_the_order_of_workers_nor_of_answers_matters(given: list[str], threshold: int, random: object) -> None:
    shuffled = list(given)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        find_agreement([{"q": values(answer)} for answer in each], ["q"], threshold) for each in (given, shuffled)
    )
    assert first == second


@pytest.mark.parametrize(
    ("answer", "key", "correct"),
    [
        (["B"], ["B"], True),
        (["b"], ["B"], False),
        ([" B "], ["B "], True),
        (["A"], ["A", "B"], False),
        (["A|B"], ["A"], False),
        (["B|A"], ["A", "B"], True),
        ([], ["A"], False),
        (["A"], [], False),
        ([], [], True),
    ],
)
def test_an_answer_is_right_with_the_same_values_and_no_others(
    answer: Iterable[str], key: Iterable[str], correct: bool
) -> None:
    found = score_known_answers({"q": split_values(answer)}, {"q": split_values(key)})
    assert found.correct == {"q": correct}
    assert found.score == 100 * correct


def test_the_score_is_the_percentage_of_known_answers_rounded_down() -> None:
    key = {str(number): values("x") for number in range(3)}
    assert score_known_answers({"0": values("x"), "1": values("x"), "other": values("y")}, key).score == 66
    assert score_known_answers({}, key).score == 0


def test_values_are_read_from_forms_and_from_question_forms() -> None:
    form = answers_document([("box", "a"), ("box", "b"), ("text", " <x> "), ("empty", "")])
    assert read_values(form) == {"box": values("a", "b"), "text": values("<x>"), "empty": values()}
    selected = (
        f'<QuestionFormAnswers xmlns="{NAMESPACE}"><Answer><QuestionIdentifier>q</QuestionIdentifier>'
        "<SelectionIdentifier>one</SelectionIdentifier><SelectionIdentifier>two</SelectionIdentifier>"
        "<OtherSelectionText>three</OtherSelectionText></Answer></QuestionFormAnswers>"
    )
    assert read_values(selected) == {"q": values("one", "two", "three")}

import random
import re
from typing import Any

import pytest

from crowdsight.adjudication import UNAVAILABLE, Answer, Decided, Undecided
from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX, CrowdFunction, find_function
from crowdsight.crowd.questions import MAX_QUESTION_BYTES, render_question
from crowdsight.errors import InvalidRequest
from crowdsight.tasks import check_input, result_of

CONTAINS = CATALOGUE["image-contains"]
SIMILARITY = CATALOGUE["image-similarity"]
PLAIN_URL = "https://www.example.com/butterbean.jpg"
LONGEST_URL = "https://www.example.com/?" + "&" * (400 - len("https://www.example.com/?"))

every_function = pytest.mark.parametrize("function", CATALOGUE.values(), ids=lambda function: function.name)

LONGEST_INPUTS: dict[str, list[Any]] = {
    "image-contains": [
        {"image": {"url": LONGEST_URL}, "target": {"label": filling * 200}} for filling in ("'", "&", "\U0001f408")
    ],
    "image-similarity": [{"image1": {"url": LONGEST_URL}, "image2": {"url": LONGEST_URL}}],
}
"""Legal inputs whose pages are as long as they can become: what is escaped twice, or takes four bytes."""


def contains_input(url: Any = PLAIN_URL, label: Any = "dog") -> dict[str, Any]:
    return {"image": {"url": url}, "target": {"label": label}}


def problem_with(function: CrowdFunction, task_input: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        check_input(function, task_input)
    return refused.value.message


# What the workplace accepts


@every_function
def test_a_function_keeps_within_the_workplaces_limits(function: CrowdFunction) -> None:
    assert 1 <= len(function.title) <= 128
    assert 1 <= len(function.description) <= 2000
    assert 1 <= len(function.keywords) <= 1000
    assert 30 <= function.assignment_duration_s <= 31_536_000
    assert isinstance(function.reward_cents, int) and function.reward_cents >= 1
    assert not function.name.endswith(TEST_SUFFIX)


@every_function
def test_a_hit_that_starts_below_ten_assignments_never_needs_a_tenth(function: CrowdFunction) -> None:
    assert 1 <= function.adjudicator.first_answers <= function.adjudicator.most_answers <= 9


@every_function
def test_the_question_for_the_longest_legal_input_fits_into_a_hit(function: CrowdFunction) -> None:
    for task_input in LONGEST_INPUTS[function.name]:
        question_xml = render_question(function, check_input(function, task_input))
        assert len(question_xml.encode()) <= MAX_QUESTION_BYTES


# What a Worker can answer, and what becomes of it


@every_function
def test_every_choice_has_its_own_key_value_and_text(function: CrowdFunction) -> None:
    choices = function.all_choices
    for attribute in ("key", "form_value", "text", "value"):
        assert len({getattr(choice, attribute) for choice in choices}) == len(choices), attribute
    assert all(re.fullmatch("[a-z0-9]", choice.key) for choice in choices)
    assert all(len(choice.form_value) <= 64 for choice in choices)
    assert choices[-1].value == UNAVAILABLE


@every_function
def test_only_what_the_question_offers_is_an_answer(function: CrowdFunction) -> None:
    for choice in function.all_choices:
        assert function.read_answer(choice.form_value) == choice.value
    for nonsense in ("", "YES", " yes", "5", "-1", "0.5", "unavailable ", "true"):
        assert function.read_answer(nonsense) is None


@every_function
def test_workers_who_agree_are_believed_and_never_before_the_first_answers_are_in(function: CrowdFunction) -> None:
    adjudicator = function.adjudicator
    for choice in function.choices:
        agreeing = [Answer(f"W{number}", choice.value) for number in range(adjudicator.most_answers)]
        assert adjudicator.judge(agreeing[: adjudicator.first_answers - 1]) == Undecided()
        verdict = adjudicator.judge(agreeing)
        assert isinstance(verdict, Decided)
        assert verdict.value == pytest.approx(choice.value, abs=0.05)


@every_function
def test_every_value_that_can_be_decided_is_presented_as_a_result(function: CrowdFunction) -> None:
    for choice in function.choices:
        result = result_of(function, choice.value)
        assert function.result_model.model_validate(result).model_dump() == result


def test_results_mean_what_the_workers_said() -> None:
    assert result_of(CONTAINS, "yes") == {"containsTarget": True}
    assert result_of(CONTAINS, "no") == {"containsTarget": False}
    assert result_of(SIMILARITY, 1.0) == {"similarityScore": 1.0}
    assert result_of(SIMILARITY, 0.25) == {"similarityScore": 0.25}
    assert result_of(SIMILARITY, 1.0000000000000002) == {"similarityScore": 1.0}
    assert [choice.value for choice in SIMILARITY.choices] == [0, 0.25, 0.5, 0.75, 1]


@every_function
def test_a_mock_value_is_a_valid_result_and_the_same_for_the_same_dice(function: CrowdFunction) -> None:
    seen = set()
    for seed in range(50):
        result = result_of(function, function.mock(random.Random(seed)))
        function.result_model.model_validate(result)
        assert result == result_of(function, function.mock(random.Random(seed)))
        seen.add(str(result))
    assert len(seen) > 1


def test_a_function_is_found_by_its_name_or_as_its_twin_and_by_nothing_else() -> None:
    assert find_function("image-contains") == (CONTAINS, False)
    assert find_function("image-contains-test") == (CONTAINS, True)
    for name in ("", "-test", "image-contains-test-test", "Image-Contains", "image-contains ", "image-color"):
        assert find_function(name) is None, name


# What a caller can send


@pytest.mark.parametrize(
    "url",
    [
        "http://a/",
        "HTTPS://EXAMPLE.COM/A.JPG",
        "https://www.example.com/" + "a" * (400 - len("https://www.example.com/")),
        "https://[2001:db8::1]:8443/cat.png",
        "https://192.0.2.7/cat.png",
        "https://bücher.example/Größe.jpg",
        "https://xn--bcher-kva.example/a.jpg",
        "https://example.com/a.jpg?x=1&y=%3Cscript%3E#top",
        "https://example.com/it's.jpg",
    ],
)
def test_an_http_url_of_up_to_400_characters_is_accepted_as_it_was_sent(url: str) -> None:
    assert check_input(CONTAINS, contains_input(url=url)).model_dump() == contains_input(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://www.example.com/" + "a" * (401 - len("https://www.example.com/")),
        "javascript:alert(1)",
        "JavaScript://example.com/%0Aalert(1)",
        "file:///etc/passwd",
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://example.com/cat.png",
        "//example.com/cat.png",
        "cat.png",
        "http:cat.png",
        "http:/cat.png",
        "https:///cat.png",
        "https://",
        "https://user:secret@example.com/cat.png",
        "https://example.com:99999/cat.png",
        "https://[::1/cat.png",
        "https://example.com/a b.png",
        " https://example.com/a.png",
        "https://example.com/a.png\n",
        "https://example.com/\x00.png",
        "https://example.com/\ud800.png",
        'https://example.com/"onerror="alert(1)',
        "https://example.com/<script>",
        "https://example.com\\@evil.example/",
    ],
)
def test_what_is_not_an_http_url_of_up_to_400_characters_is_refused_by_its_field(url: str) -> None:
    assert problem_with(CONTAINS, contains_input(url=url)).startswith("input.image.url: ")


@pytest.mark.parametrize(
    "label",
    [
        "d",
        "x" * 200,
        "\U0001f408" * 200,
        "  dog\r\n",
        " " * 900 + "dog" + " " * 900,
        "<script>alert('x')</script>",
        "\"quotes\" & 'apostrophes'",
        "]]>",
        "{{ 7 * 7 }}",
        "Größe \u202e\u05d0",
        "family: \U0001f468\u200d\U0001f469\u200d\U0001f467",
    ],
)
def test_any_text_of_1_to_200_characters_after_trimming_is_a_label(label: str) -> None:
    assert check_input(CONTAINS, contains_input(label=label)).model_dump() == contains_input(label=label)


@pytest.mark.parametrize(
    "label",
    ["", "   ", "\u3000\u00a0", "x" * 201, " " * 5_000_000 + "x", "a\x00b", "a\x07", "a\tb", "\ud800", "a\uffff"],
    ids=lambda label: ascii(label[:8]),
)
def test_what_is_not_text_of_1_to_200_characters_after_trimming_is_refused_by_its_field(label: str) -> None:
    assert problem_with(CONTAINS, contains_input(label=label)).startswith("input.target.label: ")


@pytest.mark.parametrize(
    ("task_input", "field"),
    [
        (None, "input"),
        ([], "input"),
        ("dog", "input"),
        ({}, "input.image"),
        ({"image": {"url": PLAIN_URL}}, "input.target"),
        ({"image": PLAIN_URL, "target": {"label": "dog"}}, "input.image"),
        ({"image": {}, "target": {"label": "dog"}}, "input.image.url"),
        (contains_input(url=7), "input.image.url"),
        (contains_input(url=None), "input.image.url"),
        (contains_input(label=7), "input.target.label"),
        (contains_input(label=True), "input.target.label"),
        (contains_input(label=["dog"]), "input.target.label"),
        (contains_input() | {"extra": 1}, "input.extra"),
        ({"image": {"url": PLAIN_URL, "alt": ""}, "target": {"label": "dog"}}, "input.image.alt"),
        ({"image": {"URL": PLAIN_URL}, "target": {"label": "dog"}}, "input.image.url"),
    ],
)
def test_a_missing_an_unknown_or_a_wrong_field_is_named(task_input: Any, field: str) -> None:
    assert f"{field}: " in problem_with(CONTAINS, task_input)


def test_every_wrong_field_is_named_but_a_flood_of_them_is_not_repeated() -> None:
    message = problem_with(SIMILARITY, {"image1": {"url": "x"}, "image2": {"url": "data:,"}})
    assert "input.image1.url: " in message and "input.image2.url: " in message
    flood = {f"key-{number}-{'x' * 10_000}": 1 for number in range(1000)}
    assert len(problem_with(SIMILARITY, flood)) < 2000

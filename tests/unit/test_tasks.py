import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.errors import InvalidRequest
from crowdsight.tasks import (
    PROBLEM_MESSAGES,
    Problem,
    ProblemCode,
    State,
    Task,
    TaskKey,
    canonical_json,
    check_name,
    read_put,
)

KEY = TaskKey("default", "image-contains", "butterbean")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(member) for name, member in reversed(value.items())}
    return [reordered(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["a", "A-Z_0.9", ".", "..", "x" * 64])
def test_a_task_name_has_1_to_64_of_the_allowed_characters(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "a%2Fb", "a b", "ä", "a\n", "\n", "a\x00", "٣", "a\ud800"])
def test_any_other_task_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 64"):
        check_name(name)


@given(JSON_VALUES)
def test_inputs_are_equal_whatever_the_order_of_their_keys(value: Any) -> None:
    assert canonical_json(reordered(value)) == canonical_json(value)


@given(JSON_VALUES, JSON_VALUES)
def test_inputs_are_equal_only_if_their_json_values_are(one: Any, other: Any) -> None:
    assert json.loads(canonical_json(one)) == one
    if canonical_json(one) == canonical_json(other):
        assert one == other


def test_true_and_one_are_different_inputs() -> None:
    assert canonical_json({"a": True}) != canonical_json({"a": 1})


@pytest.mark.parametrize(
    ("task", "problem", "result"),
    [
        (Task(KEY, "g", "{}"), None, None),
        (Task(KEY, "g", "{}", State.COMPLETED, result={"containsTarget": True}), None, {"containsTarget": True}),
        (
            Task(KEY, "g", "{}", State.FAILED, problem=Problem(ProblemCode.EXPIRED, "too late")),
            {"code": "Expired", "message": "too late"},
            None,
        ),
    ],
)
def test_a_task_document_has_the_same_five_keys_in_every_state(task: Task, problem: Any, result: Any) -> None:
    assert json.loads(json.dumps(task.document())) == {
        "taskName": "butterbean",
        "input": {},
        "problemDetails": problem,
        "state": task.state.value,
        "result": result,
    }


def test_every_problem_code_has_a_message_and_only_our_own_fault_a_correlation_id() -> None:
    assert set(PROBLEM_MESSAGES) == set(ProblemCode)
    for code in ProblemCode:
        assert ("0123abcd" in Problem.of(code, "0123abcd").message) == (code is ProblemCode.SERVICE_ERROR)


def test_the_message_of_an_expired_task_is_the_one_that_clients_know() -> None:
    expected = "Not enough Workers provided answers for your task within the allotted time."
    assert Problem.of(ProblemCode.EXPIRED, "").message == expected


def test_the_body_of_a_put_is_an_object_with_an_input_and_nothing_else() -> None:
    assert read_put({"input": None}) is None
    bodies: list[Any] = [None, [], "input", 1, {}, {"Input": {}}]
    for body in bodies:
        with pytest.raises(InvalidRequest, match='the key "input"'):
            read_put(body)
    with pytest.raises(InvalidRequest, match="unknown keys: a, b"):
        read_put({"input": {}, "b": 1, "a": 1})

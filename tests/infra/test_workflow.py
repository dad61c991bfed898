"""The adjudication workflow, as it is deployed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crowdsight import secrets
from crowdsight.crowd import requester
from infra.adjudication_flow import NEVER_RETRIED, PASSING, REFUSED
from infra.settings import Settings
from tests.infra.template import Assembly, text_of

ASKING_STATE = "AskMachine"
ERROR_STATE = "FailAfterError"


@pytest.fixture(scope="module")
def workflow(assembly: Assembly) -> dict[str, Any]:
    (machine,) = assembly.service.of_type("AWS::StepFunctions::StateMachine").values()
    assert machine["Properties"]["StateMachineType"] == "STANDARD"
    definition: dict[str, Any] = json.loads(text_of(machine["Properties"]["DefinitionString"]))
    return definition


def successors(state: dict[str, Any]) -> Iterator[str]:
    if "Next" in state:
        yield state["Next"]
    for choice in state.get("Choices", []):
        yield choice["Next"]
    for catcher in state.get("Catch", []):
        yield catcher["Next"]


def test_every_state_is_reached_and_every_way_ends(workflow: dict[str, Any]) -> None:
    states = workflow["States"]
    reached: set[str] = set()
    waiting = [workflow["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += successors(states[name])
    assert reached == set(states)
    assert {name for name, state in states.items() if state.get("End")} == {"CloseTask", "FailTask", ERROR_STATE}


def test_the_ways_through_the_workflow(workflow: dict[str, Any]) -> None:
    ways = {name: set(successors(state)) - {ERROR_STATE} for name, state in workflow["States"].items()}
    assert ways == {
        "CreateHit": {"AskMachine"},
        "AskMachine": {"AwaitAnswer"},
        "AwaitAnswer": {"Adjudicate", "CollectLateAnswers"},
        "CollectLateAnswers": {"Adjudicate"},
        "Adjudicate": {"WhatNext"},
        "WhatNext": {"CloseTask", "FailTask", "ExtendHit", "AwaitAnswer"},
        "ExtendHit": {"AwaitAnswer"},
        "CloseTask": set(),
        "FailTask": set(),
        ERROR_STATE: set(),
    }


def test_a_task_goes_on_when_the_models_cannot_be_asked(workflow: dict[str, Any]) -> None:
    state = workflow["States"][ASKING_STATE]
    assert state["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": state["Next"]}]
    assert "Retry" not in state
    assert state["TimeoutSeconds"] <= 60


def test_a_step_that_goes_on_failing_fails_the_task(workflow: dict[str, Any]) -> None:
    for name, state in workflow["States"].items():
        if state["Type"] == "Task" and name not in (ERROR_STATE, ASKING_STATE):
            last = state["Catch"][-1]
            assert last == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": ERROR_STATE}


def test_every_step_is_retried_for_minutes_an_outage_for_an_hour_and_a_refusal_never(workflow: dict[str, Any]) -> None:
    for name, state in workflow["States"].items():
        if state["Type"] == "Task" and name != ASKING_STATE:
            never, refused, passing, always = state["Retry"]
            assert never == {"ErrorEquals": NEVER_RETRIED, "MaxAttempts": 0}
            assert refused["ErrorEquals"] == REFUSED
            assert refused["IntervalSeconds"] * refused["MaxAttempts"] * 1000 > 2 * secrets.KEEP_MS
            assert passing["ErrorEquals"] == PASSING
            assert always["ErrorEquals"] == ["States.TaskFailed"]
            assert 3000 <= sum(longest_pauses_s(passing)) <= 4000
            assert 100 <= sum(longest_pauses_s(always)) <= 150


def longest_pauses_s(rule: dict[str, Any]) -> list[int]:
    assert rule["JitterStrategy"] == "FULL"
    return [
        min(rule["IntervalSeconds"] * rule["BackoffRate"] ** attempt, rule["MaxDelaySeconds"])
        for attempt in range(rule["MaxAttempts"])
    ]


def test_the_errors_never_retried_are_exceptions_of_the_crowd() -> None:
    for name in [*NEVER_RETRIED, *REFUSED]:
        assert issubclass(getattr(requester, name), Exception)


def test_only_steps_that_decide_change_what_is_next(workflow: dict[str, Any]) -> None:
    results = {name: state["ResultPath"] for name, state in workflow["States"].items() if state["Type"] == "Task"}
    assert {name for name, path in results.items() if path == "$.next"} == {"CreateHit", "Adjudicate"}
    assert set(results.values()) == {"$.next", None}


def test_an_execution_outlasts_its_hit_by_a_day(workflow: dict[str, Any]) -> None:
    assert workflow["TimeoutSeconds"] == Settings().hit_lifetime_s + 86_400
    assert workflow["States"]["AwaitAnswer"]["TimeoutSecondsPath"] == "$.next.await_timeout_s"

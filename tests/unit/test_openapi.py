import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from crowdsight.catalogue import CATALOGUE, TEST_SUFFIX, CrowdFunction
from crowdsight.errors import InvalidRequest
from crowdsight.http import GATEWAY_CODES, STATUS_OF_ERROR
from crowdsight.openapi import describe_api
from crowdsight.openapi.answers import KEY_CODES
from crowdsight.tasks import Problem, ProblemCode, State, Task, TaskKey, canonical_json, check_input, result_of

API = describe_api("/prod")
EXAMPLE_INPUTS: dict[str, dict[str, Any]] = {
    "image-contains": {"image": {"url": "https://www.example.com/a.jpg"}, "target": {"label": "dog"}},
    "image-similarity": {
        "image1": {"url": "https://www.example.com/a.jpg"},
        "image2": {"url": "https://www.example.com/b.jpg"},
    },
}
every_function = pytest.mark.parametrize("function", CATALOGUE.values(), ids=lambda function: function.name)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": API["components"]})


def input_schema(function: CrowdFunction, path: str) -> dict[str, Any]:
    schema = API["paths"][path]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["input"] and schema["additionalProperties"] is False
    return schema


def test_the_document_is_valid_openapi_and_valid_json() -> None:
    OpenAPIV31SpecValidator(copy.deepcopy(API)).validate()
    assert json.loads(json.dumps(API)) == API


def test_every_function_and_its_twin_has_its_three_verbs_with_and_without_an_account() -> None:
    for name in [function + suffix for function in CATALOGUE for suffix in ("", TEST_SUFFIX)]:
        for prefix in ("", "/{account}"):
            path = API["paths"][f"{prefix}/functions/{name}/tasks/{{task}}"]
            assert path.keys() == {"parameters", "put", "get", "delete"}
            assert API["paths"][f"{prefix}/functions/{name}/tasks/{{task}}/audit"].keys() == {"parameters", "get"}
            declared = {parameter["name"] for parameter in path["parameters"]}
            assert declared == ({"account", "task"} if prefix else {"task"})
    assert sum("/functions/" in path for path in API["paths"]) == len(CATALOGUE) * 2 * 2 * 2


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [
        operation["operationId"]
        for path in API["paths"].values()
        for verb, operation in path.items()
        if verb != "parameters"
    ]
    assert len(ids) == len(set(ids))


def test_a_key_is_needed_for_everything_but_the_document_pictures_and_preflights() -> None:
    assert API["security"] == [{"apiKey": []}]
    without_key = [
        (verb, path)
        for path, item in API["paths"].items()
        for verb, operation in item.items()
        if "security" in operation
    ]
    assert without_key == [
        ("get", "/openapi.json"),
        ("get", "/image/{file}"),
        ("get", "/thumbnail/{file}"),
        ("options", "/"),
    ]


def test_the_statuses_of_the_contract_are_all_declared() -> None:
    operations = API["paths"]["/functions/image-contains/tasks/{task}"]
    always = {"401", "403", "404", "429", "500"}
    assert operations["put"]["responses"].keys() == always | {"200", "201", "400", "402", "413", "415"}
    assert operations["get"]["responses"].keys() == always | {"200"}
    assert operations["delete"]["responses"].keys() == always | {"204", "409"}
    assert "Retry-After" in operations["get"]["responses"]["429"]["headers"]
    assert API["paths"]["/account"]["get"]["responses"].keys() == always | {"200"}
    assert API["paths"]["/account/key"]["post"]["responses"].keys() == always | {"201", "400", "409", "413", "415"}
    assert API["paths"]["/image/find"]["get"]["responses"].keys() == always | {"200", "400"}
    saved = API["paths"]["/image/save"]["post"]["responses"]
    assert saved.keys() == always | {"200", "400", "409", "413", "415"}
    assert API["paths"]["/"]["post"]["responses"].keys() == always | {"200", "400", "402", "413"}


def test_every_error_code_is_declared_and_every_error_answer_has_the_one_shape() -> None:
    error = API["components"]["schemas"]["Error"]
    assert set(error["properties"]["error"]["enum"]) == set(STATUS_OF_ERROR) | set(GATEWAY_CODES) - set(KEY_CODES)
    validator(error).validate({"error": "InvalidRequest", "message": "no"})
    with pytest.raises(ValidationError):
        validator(error).validate({"error": "InvalidRequest", "message": "no", "trace": "…"})


@every_function
def test_real_task_documents_of_every_state_are_as_declared(function: CrowdFunction) -> None:
    for suffix in ("", TEST_SUFFIX):
        operations = API["paths"][f"/functions/{function.name}{suffix}/tasks/{{task}}"]
        schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        key = TaskKey("default", function.name + suffix, "a")
        input_json = canonical_json(EXAMPLE_INPUTS[function.name])
        tasks = [Task(key, "g", input_json)]
        for choice in function.choices:
            tasks.append(Task(key, "g", input_json, State.COMPLETED, result=result_of(function, choice.value)))
        for code in ProblemCode:
            tasks.append(Task(key, "g", input_json, State.FAILED, problem=Problem.of(code, "id")))
        for task in tasks:
            validator(schema).validate(task.document())
        broken = tasks[0].document()
        del broken["result"]
        with pytest.raises(ValidationError):
            validator(schema).validate(broken)


@every_function
def test_an_input_that_is_accepted_is_one_that_the_document_declares(function: CrowdFunction) -> None:
    schema = input_schema(function, f"/functions/{function.name}/tasks/{{task}}")
    validator(schema).validate({"input": EXAMPLE_INPUTS[function.name]})


JSON_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("https://a.example/b.png")
NEARLY_INPUTS = st.dictionaries(
    st.sampled_from(["image", "image1", "image2", "target", "extra"]),
    st.dictionaries(st.sampled_from(["url", "label", "extra"]), JSON_LEAVES, max_size=2) | JSON_LEAVES,
    max_size=3,
)


@every_function
@given(task_input=NEARLY_INPUTS)
def test_an_input_that_the_document_does_not_declare_is_refused(function: CrowdFunction, task_input: Any) -> None:
    schema = input_schema(function, f"/functions/{function.name}/tasks/{{task}}")
    if not validator(schema).is_valid({"input": task_input}):
        with pytest.raises(InvalidRequest):
            check_input(function, task_input)

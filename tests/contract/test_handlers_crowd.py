"""The crowd operations through their Lambda handlers, with events as API Gateway, Step Functions and SQS send them."""

import base64
import json
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from crowdsight.accounts.keys import new_key
from crowdsight.accounts.store import AccountStore
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.prices import worst_case_cents
from crowdsight.openapi import describe_api
from crowdsight.wiring import Settings, Wiring
from tests.contract.conftest import create_table
from tests.contract.crowd_world import CONTAINS_INPUT, HIT_LIFETIME_S, KEY, SIMILARITY_INPUT, World
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import load_handler
from tests.proxy_event import ACCOUNT_ID, REQUEST_ID, proxy_event

WORKFLOW = "adjudication"
WORKFLOW_ARN = f"arn:aws:states:us-east-1:{ACCOUNT_ID}:stateMachine:{WORKFLOW}"
PUT_BODY = json.dumps({"input": CONTAINS_INPUT})

WORST_CASE_CENTS = worst_case_cents(CATALOGUE["image-contains"], 20)

Call = Callable[..., tuple[int, Any]]


def task_event(
    method: str,
    function: str = "image-contains",
    task: str = "butterbean",
    *,
    account: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """`function` and `task` are as in the URL: percent-encoded."""
    return proxy_event(
        method,
        (f"/prod/{account}" if account else "/prod") + f"/functions/{function}/tasks/{task}",
        prefix="/prod",
        headers={"Host": "abc123.execute-api.us-east-1.amazonaws.com", "x-api-key": "the key"} | (headers or {}),
        path_parameters={"function": function, "task": task} | ({"account": account} if account else {}),
        caller={"principalId": "default", "account": "default"},
        **more,
    )


@pytest.fixture(scope="module")
def handlers() -> Iterator[dict[str, ModuleType]]:
    """The handlers of the public API, loaded as Lambda does: with their environment there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("TASKS_TABLE", "tasks")
        environment.setenv("TASK_WORKFLOW_ARN", WORKFLOW_ARN)
        environment.setenv("WORKPLACE_FEE_PERCENT", "20")
        environment.setenv("ACCOUNTS_TABLE", "accounts")
        environment.setenv("USAGE_PLAN", "plan")
        environment.setenv("CROWD_BUDGET_CENTS", "1000")
        names = ("put_task", "get_task", "delete_task", "get_openapi", "authorize", "get_account", "rotate_key")
        yield {name: load_handler(name) for name in names}


@pytest.fixture
def accounts(aws: dict[str, Any]) -> AccountStore:
    """With an account `default`."""
    create_table(aws["dynamodb"], "accounts", {})
    aws["apigateway"].create_usage_plan(name="plan")
    accounts = Wiring(Settings(accounts_table="accounts", usage_plan="plan"), lambda name: aws[name]).accounts
    accounts.create("default")
    return accounts


@pytest.fixture
def call(handlers: dict[str, ModuleType], aws: dict[str, Any], accounts: AccountStore) -> Call:
    create_table(aws["dynamodb"], "tasks", {"open": "N"})
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    role_arn = f"arn:aws:iam::{ACCOUNT_ID}:role/workflow"
    aws["stepfunctions"].create_state_machine(name=WORKFLOW, definition=json.dumps(definition), roleArn=role_arn)

    def call(method: str, *path: str, **more: Any) -> tuple[int, Any]:
        handler = handlers[f"{method.lower()}_task"].handler
        answer = handler(task_event(method, *path, **more), SimpleNamespace(aws_request_id="request"))
        if answer["statusCode"] == 204:
            assert answer["body"] == ""
            return 204, None
        assert answer["headers"]["Content-Type"] == "application/json"
        document = json.loads(answer["body"])
        if answer["statusCode"] >= 400:
            assert document.keys() == {"error", "message"}
        return answer["statusCode"], document

    return call


def processing(name: str = "butterbean", task_input: Any = None) -> dict[str, Any]:
    return {
        "taskName": name,
        "input": task_input or CONTAINS_INPUT,
        "problemDetails": None,
        "state": "processing",
        "result": None,
    }


# The contract's table


def test_a_put_creates_with_201_then_answers_200_and_starts_one_execution(call: Call, aws: dict[str, Any]) -> None:
    assert call("PUT", body=PUT_BODY) == (201, processing())
    assert call("PUT", body=PUT_BODY) == (200, processing())
    reordered = (
        '{ "input": {"target": {"label": "dog"},\n "image": {"url": "https://www.example.com/butterbean.jpg"}} }'
    )
    assert call("PUT", body=reordered) == (200, processing())
    assert call("GET") == (200, processing())
    executions = aws["stepfunctions"].list_executions(stateMachineArn=WORKFLOW_ARN)["executions"]
    assert len(executions) == 1
    described = aws["stepfunctions"].describe_execution(executionArn=executions[0]["executionArn"])
    assert json.loads(described["input"]) == {"generation": executions[0]["name"]}


def test_a_name_that_is_taken_with_another_input_is_400_and_the_task_stays(call: Call) -> None:
    call("PUT", body=PUT_BODY)
    other = json.dumps({"input": CONTAINS_INPUT | {"target": {"label": "cat"}}})
    status, error = call("PUT", body=other)
    assert (status, error["error"]) == (400, "InvalidRequest")
    assert call("GET") == (200, processing())


def test_a_task_that_is_processing_is_409_on_delete_and_stays(call: Call) -> None:
    call("PUT", body=PUT_BODY)
    assert call("DELETE")[0] == 409
    assert call("GET")[0] == 200


def test_what_is_not_there_is_404_for_every_verb(call: Call) -> None:
    for path in (("image-contains", "none"), ("image-color", "butterbean"), ("image-contains-test", "none")):
        assert call("GET", *path)[0] == 404
        assert call("DELETE", *path)[0] == 404
    assert call("PUT", "image-color", body=PUT_BODY)[0] == 404
    assert call("PUT", "Image-Contains", body=PUT_BODY)[0] == 404


def test_a_path_with_the_deployments_account_is_the_same_task_and_with_another_404(call: Call) -> None:
    assert call("PUT", account=ACCOUNT_ID, body=PUT_BODY)[0] == 201
    assert call("GET") == (200, processing())
    for verb in ("PUT", "GET", "DELETE"):
        assert call(verb, account="210987654321", body=PUT_BODY)[0] == 404


def test_a_twin_is_processing_in_the_answer_to_its_put_and_completed_and_steady_ever_after(call: Call) -> None:
    body = json.dumps({"input": SIMILARITY_INPUT})
    assert call("PUT", "image-similarity-test", "t", body=body) == (201, processing("t", SIMILARITY_INPUT))
    status, first = call("GET", "image-similarity-test", "t")
    assert status == 200 and first["state"] == "completed" and 0 <= first["result"]["similarityScore"] <= 1
    assert call("GET", "image-similarity-test", "t") == (200, first)
    assert call("PUT", "image-similarity-test", "t", body=body) == (200, first)
    assert call("DELETE", "image-similarity-test", "t") == (204, None)
    assert call("GET", "image-similarity-test", "t")[0] == 404
    assert call("PUT", "image-similarity-test", "t", body=body)[0] == 201


# Awkward input


def test_a_percent_encoded_name_is_the_name_it_stands_for(call: Call) -> None:
    assert call("PUT", "image%2Dcontains", "a%2Eb%5F1", body=PUT_BODY) == (201, processing("a.b_1"))
    assert call("GET", "image-contains", "a.b_1")[0] == 200


@pytest.mark.parametrize(
    "task", ["", "a%2Fb", "%2F", "a%20b", "a+b", "%00", "%FF", "%252e", "x" * 65, "%C3%A4", "a%0A"], ids=lambda t: t[:6]
)
def test_a_name_that_no_task_can_have_is_400_on_put_and_404_elsewhere(call: Call, task: str) -> None:
    status, error = call("PUT", task=task, body=PUT_BODY)
    assert (status, error["error"]) == (400, "InvalidRequest") and "1 to 64" in error["message"]
    assert call("GET", task=task)[0] == 404
    assert call("DELETE", task=task)[0] == 404


@pytest.mark.parametrize("task", ["..", ".", "x" * 64])
def test_the_strangest_names_that_are_allowed_work(call: Call, task: str) -> None:
    assert call("PUT", task=task, body=PUT_BODY)[0] == 201
    assert call("GET", task=task) == (200, processing(task))


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (None, "not valid JSON"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 200_000, "not valid JSON"),
        ('{"input":' * 50_000 + "1" + "}" * 50_000, "not valid JSON"),
        ('{"input": {"image": {"url": "https://a.example/"}, "target": {"label": "\\ud800"}}}', "not valid JSON"),
        ("[]", '"input"'),
        ("{}", '"input"'),
        ('{"input": {}, "x": 1}', "unknown keys: x"),
        ('{"input": null}', "input: "),
        ('{"input": {"image": {"url": "https://a.example/"}, "target": {"label": "\\u0000"}}}', "input.target.label: "),
        ('{"input": {"image": {"url": "javascript:alert(1)"}, "target": {"label": "x"}}}', "input.image.url: "),
        ('{"input": {"image": {"url": "https://a.example/"}, "target": {"label": 1e400}}}', "input.target.label: "),
        ('{"input": {"image": {"url": "https://a.example/"}, "target": {"label": "x"}, "\\u0000": 1}}', "input.\x00: "),
        (json.dumps({"input": CONTAINS_INPUT | {"target": {"label": " " * 5_000_000 + "x"}}}), "input.target.label: "),
    ],
    ids=lambda value: (value or "")[:20],
)
def test_a_body_that_breaks_a_rule_is_400_says_where_and_creates_nothing(
    call: Call, body: str | None, part: str
) -> None:
    status, error = call("PUT", body=body)
    assert (status, error["error"]) == (400, "InvalidRequest")
    assert part in error["message"] and len(error["message"]) < 2000
    assert call("GET")[0] == 404


def test_a_body_in_base64_is_understood(call: Call) -> None:
    assert call("PUT", body=base64.b64encode(PUT_BODY.encode()).decode(), is_base64=True)[0] == 201


def test_another_media_type_is_415_and_creates_nothing(call: Call) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "image/png"):
        assert call("PUT", body=PUT_BODY, headers={"content-type": media_type})[0] == 415
    assert call("GET")[0] == 404
    assert call("PUT", body=PUT_BODY, headers={"Content-Type": "application/json; charset=UTF-8"})[0] == 201


def test_markup_in_a_label_is_text_and_comes_back_as_it_was_sent(call: Call) -> None:
    task_input = CONTAINS_INPUT | {"target": {"label": "<script>alert(\"x\")</script> & 'y' ]]> \U0001f408"}}
    assert call("PUT", body=json.dumps({"input": task_input})) == (201, processing(task_input=task_input))
    assert call("GET") == (200, processing(task_input=task_input))


def test_an_unexpected_error_is_500_with_the_requests_id_and_nothing_of_the_inside(
    call: Call, aws: dict[str, Any]
) -> None:
    aws["dynamodb"].delete_table(TableName="tasks")
    for verb in ("PUT", "GET", "DELETE"):
        status, error = call(verb, body=PUT_BODY)
        assert (status, error["error"]) == (500, "InternalError")
        assert REQUEST_ID in error["message"]
        for inside in ("ResourceNotFound", "DynamoDB", "boto", "Traceback", "tasks"):
            assert inside not in error["message"]


def test_a_workflow_that_cannot_be_started_does_not_lose_the_task(call: Call, aws: dict[str, Any]) -> None:
    aws["stepfunctions"].delete_state_machine(stateMachineArn=WORKFLOW_ARN)
    assert call("PUT", body=PUT_BODY) == (201, processing())
    assert call("GET") == (200, processing())


# The document and the key


def test_the_openapi_document_is_valid_and_its_server_is_the_stage(handlers: dict[str, ModuleType]) -> None:
    for prefix, server in (("/prod", "/prod"), ("", "/")):
        event = proxy_event("GET", f"{prefix}/openapi.json", prefix=prefix)
        answer = handlers["get_openapi"].handler(event, None)
        assert answer["statusCode"] == 200
        document = json.loads(answer["body"])
        assert document["servers"] == [{"url": server}]
        OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("header", ["x-api-key", "X-API-Key"])
def test_the_right_key_may_call_every_path_of_its_stage_and_any_other_none(
    handlers: dict[str, ModuleType], accounts: AccountStore, header: str
) -> None:
    made = accounts.create_key("default")

    def authorize(api_key: str) -> dict[str, Any]:
        arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:abc123/prod/GET/functions/image-contains/tasks/a"
        event = proxy_event("GET", "/functions/image-contains/tasks/a", headers={header: api_key})
        answer: dict[str, Any] = handlers["authorize"].handler(event | {"methodArn": arn}, None)
        return answer

    allowed = authorize(made.key)
    (statement,) = allowed["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == f"arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:abc123/prod/*"
    assert allowed["usageIdentifierKey"] == made.record.hash
    assert allowed["context"] == {"account": "default", "key_id": made.record.id}
    for wrong in ("", "the wrong one", f"{made.key} ", new_key()):
        refused = authorize(wrong)
        assert refused["policyDocument"]["Statement"][0]["Effect"] == "Deny"
        assert "account" not in refused["context"]


def test_every_answer_to_a_put_tells_what_the_task_costs_at_the_worst(
    handlers: dict[str, ModuleType], call: Call, accounts: AccountStore
) -> None:
    def put(name: str, function: str = "image-contains") -> tuple[int, str | None]:
        body = json.dumps({"input": CONTAINS_INPUT})
        answer = handlers["put_task"].handler(task_event("PUT", function, name, body=body), None)
        return answer["statusCode"], answer["headers"].get("X-Worst-Case-Cents")

    assert put("first") == (201, str(WORST_CASE_CENTS))
    assert put("first") == (200, str(WORST_CASE_CENTS))
    assert put("twin", "image-contains-test") == (201, "0")
    accounts.set_terms("default", {"crowd_budget_cents": 2 * WORST_CASE_CENTS - 1})
    assert put("second") == (402, str(WORST_CASE_CENTS))
    assert put("nowhere", "image-segments") == (404, None)


def test_a_caller_is_told_of_its_account_and_rotates_its_key(
    handlers: dict[str, ModuleType], call: Call, accounts: AccountStore
) -> None:
    made = accounts.create_key("default")
    caller = {"account": "default", "key_id": made.record.id}

    def ask(operation: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        verb = "GET" if operation == "get_account" else "POST"
        answer = handlers[operation].handler(proxy_event(verb, "/account", body=body, caller=caller), None)
        return answer["statusCode"], json.loads(answer["body"])

    schemas = describe_api("/")["components"]
    body = json.dumps({"input": CONTAINS_INPUT})
    handlers["put_task"].handler(task_event("PUT", "image-contains", "a", body=body), None)
    status, account = ask("get_account")
    assert status == 200
    Draft202012Validator(schemas["schemas"]["Account"]).validate(account)
    assert account["crowd"]["committed_cents"] == WORST_CASE_CENTS
    assert (account["account"], account["balance_cents"], account["searches"]["free_left"]) == ("default", 0, 100)

    for wrong in ("[]", '{"overlap_s": -1}', '{"overlap_s": 1e9}', '{"account": "eve"}', "{"):
        assert ask("rotate_key", wrong)[0] == 400
    status, rotated = ask("rotate_key", '{"overlap_s": 0}')
    assert status == 201
    Draft202012Validator(schemas["schemas"]["NewKey"]).validate(rotated)
    assert accounts.owner_of(made.key) is None
    owner = accounts.owner_of(rotated["api_key"])
    assert owner and (owner.account, owner.id) == ("default", rotated["key_id"])
    assert ask("rotate_key")[0] == 404  # by the gateway's memory the old key may still get here


# The workflow's steps and the queue


@pytest.fixture
def world() -> World:
    return World(MemoryDynamoDB())


@pytest.fixture
def step(world: World) -> Callable[[str, dict[str, Any]], Any]:
    """Run a step's handler with a payload and give back its answer, both as JSON."""

    def step(name: str, payload: dict[str, Any]) -> Any:
        module = load_handler(name, world)
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 90_000)
        return json.loads(json.dumps(module.handler(json.loads(json.dumps(payload)), context)))

    return step


def queue_event(*bodies: str) -> dict[str, Any]:
    records = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0", "SenderId": "x"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:notifications",
            "awsRegion": "us-east-1",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def test_the_steps_take_and_give_the_workflows_payloads(
    world: World, step: Callable[[str, dict[str, Any]], Any]
) -> None:
    task, _ = world.put_task(KEY, CONTAINS_INPUT)
    generation = {"generation": task.generation}
    waiting = step("create_hit", generation)
    assert waiting.keys() == {"await_timeout_s"} and waiting["await_timeout_s"] > HIT_LIFETIME_S
    assert step("await_answer", generation | {"token": "token-0"}) is None
    assert step("adjudicate", generation) == {
        "action": "wait",
        "result": None,
        "problem": None,
        "assignments": None,
        "grounds": None,
        "await_timeout_s": waiting["await_timeout_s"],
    }
    world.answer(task.generation, "A", "yes")
    world.answer(task.generation, "B", "no")
    assert step("record_answers", queue_event(*world.notifications)) == {"batchItemFailures": []}
    decision = step("adjudicate", generation)
    assert (decision["action"], decision["assignments"]) == ("extend", 3)
    assert step("extend_hit", generation | {"assignments": decision["assignments"]}) is None
    assert step("extend_hit", generation | {"assignments": 4}) is None
    world.answer(task.generation, "C", "yes")
    assert step("reconcile_hits", generation) == {"looked_at": 1}
    assert len(world.store.answers(task.generation)) == 3
    world.answer(task.generation, "D", "yes")
    assert step("record_answers", queue_event(*world.notifications)) == {"batchItemFailures": []}
    decision = step("adjudicate", generation)
    assert (decision["action"], decision["result"]) == ("complete", {"containsTarget": True})
    assert step("close_task", generation | {name: decision[name] for name in ("result", "grounds")}) is None
    assert world.get().result == {"containsTarget": True}
    assert step("refit_skills", {"source": "aws.events"}) == {"image-contains": 0, "image-similarity": 0}
    world.clock.move(60)
    assert step("reconcile_hits", {"source": "aws.events", "detail-type": "Scheduled Event"}) == {"looked_at": 1}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"problem": "NoAgreement"}, "NoAgreement"),
        ({"error": {"Error": "InsufficientFunds", "Cause": '{"errorMessage": "…"}'}}, "InsufficientFunds"),
        ({"error": {"Error": "AccountSetup", "Cause": "…"}}, "AccountSetup"),
        ({"error": {"Error": "States.Timeout"}}, "ServiceError"),
        ({"error": {"Error": "Lambda.Unknown", "Cause": "…"}}, "ServiceError"),
    ],
)
def test_a_task_fails_with_the_problem_decided_or_the_one_its_error_means(
    world: World, step: Callable[[str, dict[str, Any]], Any], payload: dict[str, Any], code: str
) -> None:
    task, _ = world.put_task(KEY, CONTAINS_INPUT)
    step("fail_task", {"generation": task.generation} | payload)
    details = world.get().document()["problemDetails"]
    assert details["code"] == code
    assert (task.generation in details["message"]) == (code == "ServiceError")


def test_only_the_messages_that_failed_go_back_to_the_queue(
    world: World, step: Callable[[str, dict[str, Any]], Any]
) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    answered = step("record_answers", queue_event("not a notification", *world.notifications, "{}"))
    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-2"}]}
    assert len(world.store.answers(generation)) == 1
    world.workplace_is_down = True
    answered = step("record_answers", queue_event(*world.notifications))
    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}

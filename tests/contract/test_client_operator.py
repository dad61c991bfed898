"""The client's operator commands against CloudFormation, Secrets Manager and DynamoDB as moto has them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import client.__main__ as command_line
from client.stack import TASKS_STACK, WORKPLACE_STACK, AwsClients, Stack, StackNotFound, Workplace
from crowdsight.clock import system_clock
from crowdsight.dynamodb import Table
from crowdsight.task_store import TaskStore
from crowdsight.tasks import Task, TaskKey
from crowdsight.wiring import Settings, Wiring


def keys_of(prefix: str = "") -> list[dict[str, str]]:
    return [
        {"AttributeName": f"{prefix}pk", "KeyType": "HASH"},
        {"AttributeName": f"{prefix}sk", "KeyType": "RANGE"},
    ]


def table(indexes: dict[str, str]) -> dict[str, Any]:
    """A table as all of ours are; `indexes`: the type of each index's sort key."""
    types = {"pk": "S", "sk": "S"}
    for index, sort_type in indexes.items():
        types |= {f"{index}_pk": "S", f"{index}_sk": sort_type}
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": type} for name, type in types.items()],
            "KeySchema": keys_of(),
            "GlobalSecondaryIndexes": [
                {"IndexName": index, "KeySchema": keys_of(f"{index}_"), "Projection": {"ProjectionType": "ALL"}}
                for index in indexes
            ],
        },
    }


OWN_REQUESTER = {"requester_id": "A1CROWDSIGHT00", "access_key_id": "C0", "secret_access_key": "s"}


@pytest.fixture(scope="module")
def deployment() -> Iterator[None]:
    """Both stacks of a deployment, in the account and region that the usual credentials reach."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        own_secret = make_secret("crowdsight/requester/C0", OWN_REQUESTER)
        session_secret = make_secret("session", {"session_key": "secret"})
        workplace = {
            "WorkplaceTable": {"Ref": "Table"},
            "SessionSecret": session_secret,
            "OwnCredentialsSecret": own_secret,
            "WorkplaceUrl": "https://workplace.example.com/prod/",
        }
        make_stack(WORKPLACE_STACK, workplace)
        tasks = {
            "ApiUrl": "https://api.example.com/prod/",
            "AccountsTable": {"Ref": "Table"},
            "TasksTable": {"Ref": "Tasks"},
            "UsagePlan": "crowdsight",
            "FreeSearches": "100",
            "SearchPriceCents": "1",
            "CrowdBudgetCents": "0",
        }
        make_stack(TASKS_STACK, tasks)
        yield


def make_secret(name: str, content: dict[str, str]) -> str:
    arn: str = boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(content))["ARN"]
    return arn


def make_stack(name: str, outputs: dict[str, Any]) -> None:
    template = {
        "Resources": {"Table": table({"due": "N", "requester": "S", "open": "S"}), "Tasks": table({"open": "N"})},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.mark.usefixtures("deployment")
def test_a_deployment_is_found_by_its_outputs() -> None:
    stack = Stack(AwsClients.signed_in())
    assert stack.api_url() == "https://api.example.com/prod"
    with pytest.raises(StackNotFound, match="admin keys create"):
        stack.local_api()
    assert stack.workplace() == Workplace("https://workplace.example.com/prod", "C0", "s")


@pytest.mark.usefixtures("deployment")
def test_a_stack_or_an_output_that_is_not_there_is_said_so() -> None:
    aws = AwsClients.signed_in()
    with pytest.raises(StackNotFound, match="somebody-elses"):
        aws.outputs("somebody-elses")
    with pytest.raises(StackNotFound, match="tells no Nothing"):
        aws.outputs(TASKS_STACK)["Nothing"]


@pytest.mark.usefixtures("deployment")
def test_operators_invite_fund_issue_and_audit(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["workers", "invite", "Ada"]) == 0
    assert re.fullmatch(r"https://workplace\.example\.com/prod/join/\S+\n", capsys.readouterr().out)

    assert command_line.main(["requesters", "invite", "A1CROWDSIGHT00", "Rita"]) == 0
    assert re.fullmatch(r"https://workplace\.example\.com/prod/join/\S+\n", capsys.readouterr().out)

    fund = ["requesters", "fund", "A1CROWDSIGHT00", "500", "--reference", "invoice 1"]
    assert [command_line.main(fund), command_line.main(fund)] == [0, 0]

    assert command_line.main(["requesters", "issue-credentials", "A1CROWDSIGHT00"]) == 0
    issued = json.loads(capsys.readouterr().out)
    assert issued["requester_id"] == "A1CROWDSIGHT00"
    name = f"crowdsight/requester/{issued['access_key_id']}"
    assert boto3.client("secretsmanager").get_secret_value(SecretId=name)

    assert command_line.main(["audit"]) == 0
    audit = json.loads(capsys.readouterr().out)
    assert (audit["funded_cents"], audit["available_cents"], audit["discrepancies"]) == (500, 500, [])


@pytest.mark.usefixtures("deployment")
def test_operators_list_suspend_adjust_and_sign_out_workers(capsys: pytest.CaptureFixture[str]) -> None:
    def listed() -> dict[str, Any]:
        capsys.readouterr()
        assert command_line.main(["workers", "list"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        worker: dict[str, Any] = json.loads(line)
        return worker

    assert command_line.main(["workers", "invite", "Ada", "--email", "Ada@Example.org"]) == 0
    assert command_line.main(["workers", "invite", "Eve", "--email", "ada@example.org"]) == 1
    worker = listed()
    assert (worker["name"], worker["email"], worker["is_suspended"]) == ("Ada", "ada@example.org", False)
    person = worker["worker_id"]
    assert command_line.main(["workers", "suspend", person]) == 0
    assert (listed()["is_suspended"], listed()["session_version"]) == (True, 1)
    assert command_line.main(["workers", "resume", person]) == 0
    assert command_line.main(["workers", "sign-out", person]) == 0
    assert (listed()["is_suspended"], listed()["session_version"]) == (False, 2)
    adjust = ["workers", "adjust", person, "-30", "--reference", "ticket 7", "--reason", "Paid by hand"]
    assert [command_line.main(adjust), command_line.main(adjust)] == [0, 0]
    assert listed()["adjusted_cents"] == -30
    for command in ("suspend", "resume", "sign-out"):
        assert command_line.main(["workers", command, "ANOBODY0000000"]) == 1


@pytest.mark.usefixtures("deployment")
def test_an_operator_rotates_the_key_that_signs_sessions() -> None:
    stack = boto3.client("cloudformation").describe_stacks(StackName=WORKPLACE_STACK)["Stacks"][0]
    secret = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "SessionSecret")

    def keys() -> dict[str, str]:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=secret)
        found: dict[str, str] = json.loads(answer["SecretString"])
        return found

    first = keys()["session_key"]
    assert command_line.main(["workers", "rotate-key"]) == 0
    second = keys()
    assert second["previous_session_key"] == first != second["session_key"]
    assert command_line.main(["workers", "rotate-key"]) == 0
    assert keys()["previous_session_key"] == second["session_key"]


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    "arguments",
    [
        ["workers", "invite", " "],
        ["workers", "locate", "AWADA", "us"],
        ["workers", "locate", "AWNOBODY", "US"],
        ["workers", "qualify", "AWNOBODY", "masters"],
        ["requesters", "invite", "nobody", "Rita"],
        ["requesters", "fund", "A1CROWDSIGHT00", "0", "--reference", "nothing"],
    ],
)
def test_what_an_operator_cannot_mean_is_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.usefixtures("deployment")
def test_an_audit_that_does_not_add_up_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    stack = boto3.client("cloudformation").describe_stacks(StackName=WORKPLACE_STACK)["Stacks"][0]
    table = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "WorkplaceTable")
    assert command_line.main(["requesters", "fund", "A2", "7", "--reference", "two"]) == 0
    accounts = [
        item
        for item in boto3.client("dynamodb").scan(TableName=table)["Items"]
        if item["sk"]["S"] == "account" and "A2" in item["pk"]["S"]
    ]
    [account] = accounts
    boto3.client("dynamodb").put_item(TableName=table, Item=account | {"available_cents": {"N": "8"}})
    assert command_line.main(["audit"]) == 1
    assert json.loads(capsys.readouterr().out)["discrepancies"]


# Accounts of callers


@pytest.fixture
def usage_plan(deployment: None) -> Iterator[None]:
    plan_id = boto3.client("apigateway").create_usage_plan(name="crowdsight")["id"]
    yield
    boto3.client("apigateway").delete_usage_plan(usagePlanId=plan_id)


@pytest.mark.usefixtures("deployment")
def test_an_account_that_was_opened_without_a_key_is_said_to_be_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["admin", "accounts", "create", "half"]) == 1
    assert command_line.main(["admin", "keys", "create", "half"]) == 1
    opened, again = capsys.readouterr().err.splitlines()
    assert "half is open, but has no key" in opened and "usage plan" in opened and "keys create half" in opened
    assert "usage plan" in again


@pytest.mark.usefixtures("usage_plan")
def test_an_account_that_there_is_already_gets_no_key_by_being_opened_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["admin", "accounts", "create", "twice"]) == 0
    key_id = json.loads(capsys.readouterr().out)["key_id"]
    for _ in range(2):
        assert command_line.main(["admin", "accounts", "create", "twice"]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "`admin keys create twice`" in printed.err
        command_line.main(["admin", "keys", "revoke", "twice", key_id])
    assert command_line.main(["admin", "keys", "list", "twice"]) == 0
    assert capsys.readouterr().out == ""
    assert command_line.main(["admin", "keys", "create", "twice"]) == 0


@pytest.mark.usefixtures("usage_plan")
def test_a_term_that_no_account_can_have_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["admin", "accounts", "create", "greedy"]) == 0
    capsys.readouterr()
    number = "1" * 40
    for command in (["accounts", "set", "greedy", "--free-searches", number], ["budget", "greedy", number]):
        assert command_line.main(["admin", *command]) == 1
        (complaint,) = capsys.readouterr().err.splitlines()
        assert "must be from 0 to 1000000000" in complaint


@pytest.mark.usefixtures("usage_plan")
def test_what_a_crash_left_counts_for_a_minute_in_what_operators_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["admin", "accounts", "create", "crashed"]) == 0
    assert command_line.main(["admin", "accounts", "set", "crashed", "--free-searches", "0"]) == 0
    top_up = ["admin", "topup", "crashed", "5", "--reference"]
    assert command_line.main([*top_up, "first"]) == 0
    table = AwsClients.signed_in().outputs(TASKS_STACK)["AccountsTable"]
    for age_ms in (0, 61_000):
        wiring = Wiring(Settings(accounts_table=table), clock=lambda: system_clock() - age_ms)  # noqa: B023
        wiring.allowance.reserve("crashed")
    capsys.readouterr()
    assert command_line.main([*top_up, "first"]) == 0
    assert json.loads(capsys.readouterr().out)["balance_cents"] == 4
    assert command_line.main(["admin", "accounts", "list"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["balance_cents"] for line in listed if line["account"] == "crashed"] == [4]


@pytest.mark.usefixtures("usage_plan")
def test_a_ledger_is_told_by_time_and_each_line_says_of_which_fund_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["admin", "accounts", "create", "booked"]) == 0
    top_up = ["admin", "topup", "booked", "7", "--reference"]
    assert command_line.main([*top_up, "second"]) == 0
    now_ms = system_clock()
    tables = AwsClients.signed_in().outputs(TASKS_STACK)
    for place, (generation, at_ms) in enumerate((("a" * 32, now_ms - 60_000), ("b" * 32, now_ms + 60_000))):
        tasks = TaskStore(Table(boto3.client("dynamodb"), tables["TasksTable"]), lambda: at_ms)  # noqa: B023
        task = Task(TaskKey("booked", "image-contains", f"task-{place}"), generation, "{}")
        tasks.create(task, "image-contains", 3600, worst_case_cents=18)
        tasks.complete(tasks.load_generation(generation), {"containsTarget": True})
        tasks.settle(tasks.load_generation(generation), 4)
    assert command_line.main([*top_up, "third"]) == 0
    capsys.readouterr()

    assert command_line.main(["admin", "usage", "booked", "--ledger"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["fund"], line["kind"], line["reference"], line["cents"]) for line in lines] == [
        ("crowd", "task", "image-contains/task-0", -4),
        ("balance", "top-up", "second", 7),
        ("balance", "top-up", "third", 7),
        ("crowd", "task", "image-contains/task-1", -4),
    ]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert (lines[0]["generation"], lines[0]["month"]) == ("a" * 32, lines[0]["at"][:7])
    assert command_line.main(["admin", "audit"]) == 0

"""Each Lambda may do what it does and nothing else."""

import pytest

from tests.infra.template import Assembly, Statement

TASKS = "<Tasks0BA6A452.Arn>"
WORKFLOW = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:crowdsight-adjudication"

MAY_NAME_A_GROUP_OF_RESOURCES = {
    # Each requester's credentials are a secret of this prefix, made when an operator issues them.
    "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:crowdsight/requester/*": "MturkApiRole",
    # CloudWatch's log deliveries have no resources to name.
    "*": "AdjudicationRole",
}


@pytest.fixture(scope="module")
def statements(assembly: Assembly) -> list[Statement]:
    return [statement for template in assembly.templates.values() for statement in template.statements()]


def test_no_permission_is_for_a_group_of_actions(statements: list[Statement]) -> None:
    assert [statement for statement in statements if any("*" in action for action in statement.actions)] == []


def test_no_permission_is_for_a_group_of_resources_without_a_reason(statements: list[Statement]) -> None:
    for statement in statements:
        for resource in statement.resources:
            if "*" in resource or "?" in resource:
                assert statement.owner.startswith(MAY_NAME_A_GROUP_OF_RESOURCES[resource]), statement


def test_only_the_gateways_log_role_has_a_policy_kept_by_aws(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        for id, role in template.of_type("AWS::IAM::Role").items():
            if "ManagedPolicyArns" in role["Properties"]:
                assert "CloudWatchRole" in id


@pytest.mark.parametrize(
    ("operation", "table_actions"),
    [
        ("put_task", {"GetItem", "PutItem", "UpdateItem"}),
        ("get_task", {"GetItem"}),
        ("delete_task", {"GetItem", "DeleteItem"}),
        ("create_hit", {"GetItem", "UpdateItem"}),
        ("await_answer", {"GetItem", "Query", "UpdateItem"}),
        ("adjudicate", {"GetItem", "Query"}),
        ("extend_hit", {"GetItem", "UpdateItem"}),
        ("close_task", {"GetItem", "UpdateItem"}),
        ("fail_task", {"GetItem", "UpdateItem"}),
        ("record_answers", {"GetItem", "Query", "PutItem", "UpdateItem"}),
        ("reconcile_hits", {"GetItem", "Query", "PutItem", "UpdateItem"}),
        ("authorize", set()),
        ("get_openapi", set()),
    ],
)
def test_each_crowd_operation_may_use_the_table_only_as_it_does(
    assembly: Assembly, operation: str, table_actions: set[str]
) -> None:
    allowed = {action for action, resources in assembly.crowd.allowed(operation).items() if TASKS in resources}
    assert allowed == {f"dynamodb:{action}" for action in table_actions}


def test_only_the_reconciler_may_search_for_open_generations(assembly: Assembly) -> None:
    searching = {
        operation
        for operation in assembly.crowd.lambdas()
        if f"{TASKS}/index/open" in assembly.crowd.allowed(operation).get("dynamodb:Query", set())
    }
    assert searching == {"reconcile_hits"}


@pytest.mark.parametrize(
    ("action", "operations"),
    [
        ("states:StartExecution", {"put_task", "reconcile_hits"}),
        ("states:SendTaskSuccess", {"await_answer", "record_answers", "reconcile_hits"}),
    ],
)
def test_only_some_operations_may_move_the_workflow_and_no_other_workflow(
    assembly: Assembly, action: str, operations: set[str]
) -> None:
    allowed = {name: assembly.crowd.allowed(name).get(action) for name in assembly.crowd.lambdas()}
    assert {name: resources for name, resources in allowed.items() if resources} == {
        name: {WORKFLOW} for name in operations
    }


def test_only_operations_that_speak_to_the_workplace_may_read_its_credentials(assembly: Assembly) -> None:
    for name, function in assembly.crowd.lambdas().items():
        environment = function["Properties"]["Environment"]["Variables"]
        secrets = {key for key in ("API_KEY_SECRET", "MTURK_CREDENTIALS_SECRET") if key in environment}
        readable = assembly.crowd.allowed(name).get("secretsmanager:GetSecretValue", set())
        assert len(secrets) == len(readable), name


def test_the_workflow_may_invoke_only_its_steps(assembly: Assembly) -> None:
    steps = {
        f"<{id}.Arn>"
        for id, function in assembly.crowd.of_type("AWS::Lambda::Function").items()
        if function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        in (
            "create_hit",
            "await_answer",
            "reconcile_hits",
            "adjudicate",
            "extend_hit",
            "close_task",
            "fail_task",
        )
    }
    invocable = {
        resource
        for statement in assembly.crowd.statements()
        if statement.actions == ["lambda:InvokeFunction"]
        for resource in statement.resources
    }
    assert invocable == steps


def test_only_the_workplaces_lambdas_may_send_notifications_and_only_by_the_queues_policy(assembly: Assembly) -> None:
    policies = assembly.crowd.of_type("AWS::SQS::QueuePolicy").values()
    allowing = [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (statement,) = allowing
    assert statement["Action"] == "sqs:SendMessage"
    assert len(statement["Principal"]["AWS"]) == len(assembly.workplace.lambdas()) == 3
    assert not any(
        action.startswith(("sqs:", "sns:"))
        for operation in assembly.workplace.lambdas()
        for action in assembly.workplace.allowed(operation)
    )


@pytest.mark.parametrize(
    ("operation", "indexes"),
    [("mturk_api", {"requester", "open"}), ("worker_site", {"open"}), ("sweep_workplace", {"due"})],
)
def test_each_workplace_operation_may_search_only_its_indexes(
    assembly: Assembly, operation: str, indexes: set[str]
) -> None:
    searchable = assembly.workplace.allowed(operation)["dynamodb:Query"]
    assert {arn.partition("/index/")[2] for arn in searchable} == {"", *indexes}

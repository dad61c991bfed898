"""Each Lambda may do what it does and nothing else."""

import pytest

from tests.infra.template import Assembly, Statement

WORKFLOW = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:crowdsight-adjudication"

NOTIFIER_ROLES = ("MturkApiRole", "WorkerSiteRole", "SweepWorkplaceRole")

NOTIFYING = {
    "sqs": {"sqs:GetQueueAttributes", "sqs:SendMessage"},
    "sns": {"sns:GetTopicAttributes", "sns:Publish"},
}

PREFIXES = ("images", "requests", "thumbnails", "vectors")

MAY_NAME_A_GROUP_OF_RESOURCES: dict[str, str | tuple[str, ...]] = {
    # Each requester's credentials are a secret of this prefix, made when an operator issues them.
    "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:crowdsight/requester/*": "MturkApiRole",
    # A usage plan has an id only once the API exists, and a key once it is made.
    "arn:<AWS::Partition>:apigateway:<AWS::Region>::/usageplans/*/keys": "AccountsRotateKeyRole",
    "arn:<AWS::Partition>:apigateway:<AWS::Region>::/apikeys/*": "AccountsRotateKeyRole",
    # Requesters name the queues and topics that notifications go to; their own policies must let MTurk send.
    "arn:<AWS::Partition>:sqs:<AWS::Region>:<AWS::AccountId>:*": NOTIFIER_ROLES,
    "arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:*": NOTIFIER_ROLES,
    # CloudWatch's log deliveries have no resources to name.
    "*": "CrowdAdjudicationRole",
}


def arn_of(assembly: Assembly, type: str, construct: str) -> str:
    """The ARN of the one resource of the service whose construct has this path, as text."""
    path = f"crowdsight/{construct}/Resource"
    (id,) = [id for id, each in assembly.service.of_type(type).items() if each["Metadata"]["aws:cdk:path"] == path]
    return f"<{id}.Arn>"


@pytest.fixture(scope="module")
def tasks(assembly: Assembly) -> str:
    return arn_of(assembly, "AWS::DynamoDB::Table", "Crowd/Tasks")


@pytest.fixture(scope="module")
def skills(assembly: Assembly) -> str:
    return arn_of(assembly, "AWS::DynamoDB::Table", "Crowd/Skills")


@pytest.fixture(scope="module")
def accounts(assembly: Assembly) -> str:
    return arn_of(assembly, "AWS::DynamoDB::Table", "Accounts/Accounts")


@pytest.fixture(scope="module")
def images(assembly: Assembly) -> str:
    return arn_of(assembly, "AWS::DynamoDB::Table", "Search/Images")


@pytest.fixture(scope="module")
def bucket(assembly: Assembly) -> str:
    return arn_of(assembly, "AWS::S3::Bucket", "Search/Pictures")


@pytest.fixture(scope="module")
def statements(assembly: Assembly) -> list[Statement]:
    return [statement for template in assembly.templates.values() for statement in template.statements()]


def test_no_permission_is_for_a_group_of_actions(statements: list[Statement]) -> None:
    assert [statement for statement in statements if any("*" in action for action in statement.actions)] == []


def test_no_permission_is_for_a_group_of_resources_without_a_reason(statements: list[Statement], bucket: str) -> None:
    objects = {f"{bucket}/{prefix}/*" for prefix in PREFIXES}
    for statement in statements:
        for resource in statement.resources:
            if ("*" in resource or "?" in resource) and resource not in objects:
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
        ("close_task", {"GetItem", "Query", "UpdateItem"}),
        ("fail_task", {"GetItem", "Query", "UpdateItem"}),
        ("get_task_audit", {"GetItem", "Query"}),
        ("refit_skills", set()),
        ("record_answers", {"GetItem", "Query", "PutItem", "UpdateItem"}),
        ("tend_gold", {"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"}),
        ("reconcile_hits", {"GetItem", "Query", "PutItem", "UpdateItem"}),
        ("authorize", set()),
        ("get_account", {"GetItem"}),
        ("rotate_key", set()),
        ("get_openapi", set()),
    ],
)
def test_each_crowd_operation_may_use_the_table_only_as_it_does(
    assembly: Assembly, tasks: str, operation: str, table_actions: set[str]
) -> None:
    allowed = {action for action, resources in assembly.service.allowed(operation).items() if tasks in resources}
    assert allowed == {f"dynamodb:{action}" for action in table_actions}


@pytest.mark.parametrize(
    ("operation", "table_actions"),
    [
        ("put_task", set()),
        ("get_task", set()),
        ("create_hit", {"BatchGetItem"}),
        ("adjudicate", {"BatchGetItem"}),
        ("close_task", {"BatchGetItem", "PutItem", "UpdateItem"}),
        ("fail_task", {"BatchGetItem", "PutItem", "UpdateItem"}),
        ("record_answers", {"BatchGetItem", "Query", "PutItem", "UpdateItem"}),
        ("tend_gold", {"BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"}),
        ("reconcile_hits", {"BatchGetItem"}),
        ("refit_skills", {"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem"}),
        ("get_task_audit", {"BatchGetItem"}),
    ],
)
def test_each_crowd_operation_may_use_what_is_known_of_workers_only_as_it_does(
    assembly: Assembly, skills: str, operation: str, table_actions: set[str]
) -> None:
    allowed = {action for action, resources in assembly.service.allowed(operation).items() if skills in resources}
    assert allowed == {f"dynamodb:{action}" for action in table_actions}


@pytest.mark.parametrize(
    ("operation", "readable", "writable", "deletable"),
    [
        ("find_images", {"images", "vectors"}, {"requests"}, set()),
        ("find_similar", {"images", "vectors"}, set(), set()),
        ("save_image", {"images", "requests"}, {"images", "thumbnails"}, {"images", "thumbnails"}),
        ("refresh_index", {"vectors"}, {"vectors"}, {"vectors"}),
        ("sweep_images", set(), set(), {"images", "requests", "thumbnails"}),
        ("get_image", {"images", "thumbnails"}, set(), set()),
    ],
)
def test_each_search_operation_may_reach_only_its_objects(
    assembly: Assembly, bucket: str, operation: str, readable: set[str], writable: set[str], deletable: set[str]
) -> None:
    allowed = assembly.service.allowed(operation)
    for action, prefixes in (("GetObject", readable), ("PutObject", writable), ("DeleteObject", deletable)):
        assert allowed.get(f"s3:{action}", set()) == {f"{bucket}/{prefix}/*" for prefix in prefixes}
    # Without it, S3 says of an object that is not there that one may not read it.
    assert allowed.get("s3:ListBucket", set()) == ({bucket} if readable else set())


def test_nobody_but_image_search_reaches_its_table_and_only_the_sweep_its_index(
    assembly: Assembly, images: str
) -> None:
    reaching = {
        name
        for name in assembly.service.lambdas()
        if any(images in resources for resources in assembly.service.allowed(name).values())
    }
    assert reaching == {"find_images", "find_similar", "save_image", "refresh_index", "sweep_images", "get_image"}
    searching = {
        name
        for name in assembly.service.lambdas()
        if f"{images}/index/due" in assembly.service.allowed(name).get("dynamodb:Query", set())
    }
    assert searching == {"sweep_images"}


@pytest.mark.parametrize(
    ("operation", "table_actions"),
    [
        ("find_images", {"GetItem", "BatchGetItem", "PutItem", "Query"}),
        ("find_similar", {"GetItem", "BatchGetItem", "Query"}),
        ("save_image", {"GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}),
        ("refresh_index", {"Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}),
        ("sweep_images", {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}),
        ("get_image", {"GetItem"}),
    ],
)
def test_each_search_operation_may_use_the_table_only_as_it_does(
    assembly: Assembly, images: str, operation: str, table_actions: set[str]
) -> None:
    allowed = {action for action, resources in assembly.service.allowed(operation).items() if images in resources}
    assert allowed == {f"dynamodb:{action}" for action in table_actions}


@pytest.mark.parametrize(
    ("operation", "table_actions"),
    [
        ("authorize", {"GetItem"}),
        ("put_task", {"GetItem"}),
        ("get_account", {"GetItem"}),
        ("find_similar", {"GetItem", "PutItem", "UpdateItem"}),
        ("rotate_key", {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"}),
    ],
)
def test_each_operation_may_use_the_accounts_only_as_it_does(
    assembly: Assembly, accounts: str, operation: str, table_actions: set[str]
) -> None:
    allowed = {action for action, resources in assembly.service.allowed(operation).items() if accounts in resources}
    assert allowed == {f"dynamodb:{action}" for action in table_actions}


def test_nobody_else_reaches_the_accounts(assembly: Assembly, accounts: str) -> None:
    reaching = {
        name
        for name in assembly.service.lambdas()
        if any(accounts in resources for resources in assembly.service.allowed(name).values())
    }
    assert reaching == {"authorize", "put_task", "get_account", "find_similar", "rotate_key"}


def test_only_what_is_scheduled_may_search_for_open_generations(assembly: Assembly, tasks: str) -> None:
    searching = {
        operation
        for operation in assembly.service.lambdas()
        if f"{tasks}/index/open" in assembly.service.allowed(operation).get("dynamodb:Query", set())
    }
    assert searching == {"reconcile_hits", "tend_gold"}


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
    allowed = {name: assembly.service.allowed(name).get(action) for name in assembly.service.lambdas()}
    assert {name: resources for name, resources in allowed.items() if resources} == {
        name: {WORKFLOW} for name in operations
    }


def test_an_operation_may_read_the_secrets_that_it_is_told_of_and_no_other(assembly: Assembly) -> None:
    for name, function in assembly.service.lambdas().items():
        environment = function["Properties"]["Environment"]["Variables"]
        secrets = {key for key in environment if key.endswith("_SECRET")}
        readable = assembly.service.allowed(name).get("secretsmanager:GetSecretValue", set())
        assert len(secrets) == len(readable), name


def test_the_workflow_may_invoke_only_its_steps(assembly: Assembly) -> None:
    steps = {
        f"<{id}.Arn>"
        for id, function in assembly.service.of_type("AWS::Lambda::Function").items()
        if function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        in (
            "create_hit",
            "score_task",
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
        for statement in assembly.service.statements()
        if statement.actions == ["lambda:InvokeFunction"]
        for resource in statement.resources
    }
    assert invocable == steps


def test_the_workplaces_lambdas_alone_send_notifications_to_queues_that_let_mturk_send(assembly: Assembly) -> None:
    policies = assembly.service.of_type("AWS::SQS::QueuePolicy").values()
    allowing = [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (statement,) = allowing
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Principal"] == {"Service": "mturk-requester.amazonaws.com"}
    for operation in assembly.workplace.lambdas():
        allowed = assembly.workplace.allowed(operation)
        for service, actions in NOTIFYING.items():
            anywhere = {f"arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:*"}
            assert {action for action in allowed if action.startswith(f"{service}:")} == actions
            assert all(allowed[action] == anywhere for action in actions)


@pytest.mark.parametrize(
    ("operation", "indexes"),
    [
        ("mturk_api", {"requester", "open"}),
        ("worker_site", {"requester", "open"}),
        ("sweep_workplace", {"due", "open"}),
    ],
)
def test_each_workplace_operation_may_search_only_its_indexes(
    assembly: Assembly, operation: str, indexes: set[str]
) -> None:
    searchable = assembly.workplace.allowed(operation)["dynamodb:Query"]
    assert {arn.partition("/index/")[2] for arn in searchable} == {"", *indexes}

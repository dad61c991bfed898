"""Each folder of functions/ is a Lambda, with the settings that its code knows."""

from dataclasses import fields

import pytest

from crowdsight.wiring import Settings
from tests.infra.template import ROOT, Assembly, Resource


@pytest.fixture(scope="module")
def lambdas(assembly: Assembly) -> dict[str, Resource]:
    return {name: function for template in assembly.templates.values() for name, function in template.lambdas().items()}


def test_each_folder_is_a_lambda_and_each_lambda_a_folder(lambdas: dict[str, Resource]) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert set(lambdas) == folders


def test_a_lambda_is_told_only_what_its_settings_know(lambdas: dict[str, Resource]) -> None:
    known = {field.name.upper() for field in fields(Settings)} | {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}
    for name, function in lambdas.items():
        assert set(function["Properties"]["Environment"]["Variables"]) <= known, name


def test_each_lambda_has_both_layers_and_keeps_its_log_for_a_while(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        for function in template.of_type("AWS::Lambda::Function").values():
            properties = function["Properties"]
            assert len(properties["Layers"]) == 2
            log_group = template.resources[properties["LoggingConfig"]["LogGroup"]["Ref"]]
            assert log_group["Properties"]["RetentionInDays"] == 30


def test_no_lambda_behind_an_api_may_run_longer_than_the_gateway_waits(lambdas: dict[str, Resource]) -> None:
    for name in ("authorize", "put_task", "get_task", "delete_task", "get_openapi", "mturk_api", "worker_site"):
        assert lambdas[name]["Properties"]["Timeout"] <= 29


def test_a_message_is_hidden_for_six_times_as_long_as_its_lambda_may_run(assembly: Assembly) -> None:
    timeout_s = assembly.crowd.lambdas()["record_answers"]["Properties"]["Timeout"]
    (mapping,) = assembly.crowd.of_type("AWS::Lambda::EventSourceMapping").values()
    queue = assembly.crowd.resources[mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]]
    assert queue["Properties"]["VisibilityTimeout"] >= 6 * timeout_s
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "RedrivePolicy" in queue["Properties"]


def test_schedules_run_each_minute(assembly: Assembly) -> None:
    scheduled = {}
    for template in assembly.templates.values():
        for rule in template.of_type("AWS::Events::Rule").values():
            (target,) = rule["Properties"]["Targets"]
            function = template.resources[target["Arn"]["Fn::GetAtt"][0]]
            name = function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
            scheduled[name] = rule["Properties"]["ScheduleExpression"]
    assert scheduled == {"reconcile_hits": "rate(1 minute)", "sweep_workplace": "rate(1 minute)"}


def test_data_outlives_its_stack_unless_the_operator_says_otherwise(
    assembly: Assembly, other_assembly: Assembly
) -> None:
    for synthesized, policy, protected in ((assembly, "Retain", True), (other_assembly, "Delete", False)):
        for template in synthesized.templates.values():
            for type in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"):
                assert {resource["DeletionPolicy"] for resource in template.of_type(type).values()} == {policy}
            for table in template.of_type("AWS::DynamoDB::Table").values():
                assert table["Properties"]["DeletionProtectionEnabled"] is protected


def test_sam_finds_the_code_of_each_lambda_and_layer(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        for type, code in (("AWS::Lambda::Function", "Code"), ("AWS::Lambda::LayerVersion", "Content")):
            for resource in template.of_type(type).values():
                metadata = resource["Metadata"]
                assert metadata["aws:asset:property"] == code
                assert (assembly.folder / metadata["aws:asset:path"]).is_dir()
                assert metadata["aws:cdk:path"].endswith("/Resource")


def test_whoever_may_create_a_hit_knows_where_its_notifications_go(lambdas: dict[str, Resource]) -> None:
    for operation in ("create_hit", "reconcile_hits"):
        assert "NOTIFICATIONS_QUEUE_URL" in lambdas[operation]["Properties"]["Environment"]["Variables"]

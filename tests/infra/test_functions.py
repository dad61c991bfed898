"""Each folder of functions/ is a Lambda, with the settings that its code knows."""

import re
from dataclasses import fields

import pytest

from crowdsight.wiring import Settings
from tests.infra.template import ROOT, Assembly, Resource


@pytest.fixture(scope="module")
def lambdas(assembly: Assembly, sign_in_assembly: Assembly) -> dict[str, Resource]:
    """Those of every template, and those that only other settings have."""
    templates = [*sign_in_assembly.templates.values(), *assembly.templates.values()]
    return {name: function for template in templates for name, function in template.lambdas().items()}


def test_each_folder_is_a_lambda_or_the_container_image_of_one_for_each_of_its_modules(
    lambdas: dict[str, Resource],
) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    modules = {path.stem for path in (ROOT / "functions" / "search").glob("*.py")}
    assert set(lambdas) == folders | modules
    for name in modules:
        properties = lambdas[name]["Properties"]
        assert (properties["PackageType"], properties["ImageConfig"]) == ("Image", {"Command": [f"{name}.handler"]})


def test_the_container_image_is_made_once_and_from_what_its_dockerfile_copies(assembly: Assembly) -> None:
    images = [each for each in assembly.service.of_type("AWS::Lambda::Function").values() if is_image(each)]
    paths = {(each["Metadata"]["aws:asset:path"], each["Metadata"]["aws:asset:dockerfile-path"]) for each in images}
    [(path, dockerfile)] = paths
    context = assembly.folder / path
    assert {each.name for each in context.iterdir()} == {"functions", "layers"}
    assert [each.name for each in (context / "functions").iterdir()] == ["search"]
    copied = re.findall(r"^COPY (.+) \S+$", (context / dockerfile).read_text(), re.MULTILINE)
    assert copied
    for source in " ".join(copied).split():
        assert (context / source).exists(), source


def test_the_containers_models_are_the_ones_that_the_setting_names(assembly: Assembly) -> None:
    for function in assembly.service.lambdas().values():
        if is_image(function):
            bundle = function["Properties"]["Environment"]["Variables"]["MODEL_BUNDLE"]
            path = assembly.folder / function["Metadata"]["aws:asset:path"]
            assert (path / "functions" / "search" / "models" / bundle / "bundle.json").is_file()


def is_image(function: Resource) -> bool:
    return function["Properties"].get("PackageType") == "Image"


def test_a_lambda_is_told_only_what_its_settings_know(lambdas: dict[str, Resource]) -> None:
    known = {field.name.upper() for field in fields(Settings)} | {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}
    for name, function in lambdas.items():
        assert set(function["Properties"]["Environment"]["Variables"]) <= known, name


def test_each_zipped_lambda_has_both_layers_and_each_keeps_its_log_for_a_while(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        for function in template.of_type("AWS::Lambda::Function").values():
            properties = function["Properties"]
            assert len(properties.get("Layers", [])) == (0 if is_image(function) else 2)
            log_group = template.resources[properties["LoggingConfig"]["LogGroup"]["Ref"]]
            assert log_group["Properties"]["RetentionInDays"] == 30


def test_no_lambda_behind_an_api_may_run_longer_than_the_gateway_waits(lambdas: dict[str, Resource]) -> None:
    behind_crowd = ("authorize", "put_task", "get_task", "delete_task", "get_task_audit", "get_openapi")
    behind_search = ("find_images", "save_image", "find_similar", "get_image")
    for name in (*behind_crowd, *behind_search, "mturk_api", "worker_site"):
        assert lambdas[name]["Properties"]["Timeout"] <= 29


def test_a_message_is_hidden_for_six_times_as_long_as_its_lambda_may_run(assembly: Assembly) -> None:
    timeout_s = assembly.service.lambdas()["record_answers"]["Properties"]["Timeout"]
    (mapping,) = assembly.service.of_type("AWS::Lambda::EventSourceMapping").values()
    queue = assembly.service.resources[mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]]
    assert queue["Properties"]["VisibilityTimeout"] >= 6 * timeout_s
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "RedrivePolicy" in queue["Properties"]


def test_schedules_run_each_minute_or_as_often_as_their_work_needs(
    assembly: Assembly,
) -> None:
    scheduled = {}
    for template in assembly.templates.values():
        for rule in template.of_type("AWS::Events::Rule").values():
            (target,) = rule["Properties"]["Targets"]
            function = template.resources[target["Arn"]["Fn::GetAtt"][0]]
            name = function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
            scheduled[name] = rule["Properties"]["ScheduleExpression"]
    each_minute = dict.fromkeys(("reconcile_hits", "tend_gold", "sweep_workplace", "sweep_images"), "rate(1 minute)")
    assert scheduled == each_minute | {
        "refresh_index": "rate(2 minutes)",
        "score_known": "rate(30 minutes)",
        "refit_skills": "rate(1 hour)",
    }


def test_pictures_are_private_encrypted_and_what_finds_fetched_is_forgotten(assembly: Assembly) -> None:
    (bucket,) = assembly.service.of_type("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
    assert (rules["forget-requests"]["Prefix"], rules["forget-requests"]["ExpirationInDays"]) == ("requests/", 1)
    (policy,) = assembly.service.of_type("AWS::S3::BucketPolicy").values()
    effects = [statement["Effect"] for statement in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert effects == ["Deny"]  # of what is not sent by TLS


def test_data_outlives_its_stack_unless_the_operator_says_otherwise(
    assembly: Assembly, other_assembly: Assembly
) -> None:
    for synthesized, policy, protected in ((assembly, "Retain", True), (other_assembly, "Delete", False)):
        for template in synthesized.templates.values():
            for type in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::S3::Bucket"):
                assert {resource["DeletionPolicy"] for resource in template.of_type(type).values()} <= {policy}
            assert template.of_type("AWS::DynamoDB::Table")
            for table in template.of_type("AWS::DynamoDB::Table").values():
                assert table["Properties"]["DeletionProtectionEnabled"] is protected


def test_sam_finds_the_code_of_each_lambda_and_layer(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        for type, code in (("AWS::Lambda::Function", "Code"), ("AWS::Lambda::LayerVersion", "Content")):
            for resource in template.of_type(type).values():
                metadata = resource["Metadata"]
                is_code = code == "Code" and is_image(resource)
                assert metadata["aws:asset:property"] == ("Code.ImageUri" if is_code else code)
                assert (assembly.folder / metadata["aws:asset:path"]).is_dir()
                assert metadata["aws:cdk:path"].endswith("/Resource")


def test_whoever_may_create_a_hit_knows_where_its_notifications_go(lambdas: dict[str, Resource]) -> None:
    for operation in ("create_hit", "reconcile_hits"):
        assert "NOTIFICATIONS_QUEUE_URL" in lambdas[operation]["Properties"]["Environment"]["Variables"]

"""What the template has for people to sign in by, and what that may do."""

import json

import pytest

from tests.infra.template import Assembly, Resource, Synthesize, Template, text_of


@pytest.fixture(scope="module")
def workplace(sign_in_assembly: Assembly) -> Template:
    return sign_in_assembly.workplace


def environment_of(template: Template, operation: str) -> dict[str, str]:
    variables = template.lambdas()[operation]["Properties"]["Environment"]["Variables"]
    return {name: text_of(value) for name, value in variables.items()}


def only(template: Template, type: str) -> tuple[str, Resource]:
    ((id, resource),) = template.of_type(type).items()
    return id, resource


def test_without_these_settings_there_is_no_mail_and_no_provider(assembly: Assembly) -> None:
    types = {each["Type"] for each in assembly.workplace.resources.values()}
    assert not types & {"AWS::SQS::Queue", "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"}
    assert not {"MAIL_QUEUE_URL", "OPENID_ISSUER"} & set(environment_of(assembly.workplace, "worker_site"))


def test_only_who_sends_links_may_send_mail_and_only_from_the_one_address(workplace: Template) -> None:
    assert workplace.allowed("send_links")["ses:SendEmail"] == {
        f"arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/{identity}"
        for identity in ("work@example.org", "example.org")
    }
    assert all("ses:SendEmail" not in workplace.allowed(name) for name in workplace.lambdas() if name != "send_links")
    conditions = [
        statement["Condition"]
        for policy in workplace.of_type("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "ses:SendEmail"
    ]
    assert conditions == [{"StringEquals": {"ses:FromAddress": "work@example.org"}}]


def test_who_sends_links_may_only_look_people_up_and_knows_no_secret(workplace: Template) -> None:
    allowed = workplace.allowed("send_links")
    assert {action for action in allowed if action.startswith("dynamodb:")} == {"dynamodb:GetItem"}
    assert "secretsmanager:GetSecretValue" not in allowed


def test_the_site_may_leave_links_in_the_one_queue_that_the_sender_reads(workplace: Template) -> None:
    (mapping,) = workplace.of_type("AWS::Lambda::EventSourceMapping").values()
    queue = text_of(mapping["Properties"]["EventSourceArn"])
    assert queue in workplace.allowed("worker_site")["sqs:SendMessage"]
    assert text_of(environment_of(workplace, "worker_site")["MAIL_QUEUE_URL"]) == queue.replace(".Arn", "")
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_user_pool_takes_nobody_who_was_not_added_and_sends_back_to_the_site_only(workplace: Template) -> None:
    _, pool = only(workplace, "AWS::Cognito::UserPool")
    assert pool["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert (pool["DeletionPolicy"], pool["Properties"]["DeletionProtection"]) == ("Retain", "ACTIVE")
    _, client = only(workplace, "AWS::Cognito::UserPoolClient")
    properties = client["Properties"]
    assert (properties["AllowedOAuthFlows"], properties["GenerateSecret"]) == (["code"], True)
    (callback,) = properties["CallbackURLs"]
    (output,) = [each for name, each in workplace.document["Outputs"].items() if name == "WorkplaceUrl"]
    assert text_of(callback) == f"{text_of(output['Value'])}sign-in/callback"


def test_the_site_knows_the_pool_and_its_clients_secret_and_who_is_welcome(workplace: Template) -> None:
    pool_id, _ = only(workplace, "AWS::Cognito::UserPool")
    client_id, _ = only(workplace, "AWS::Cognito::UserPoolClient")
    environment = environment_of(workplace, "worker_site")
    assert environment["OPENID_ISSUER"] == f"<{pool_id}.ProviderURL>"
    assert (environment["WELCOME_GROUPS"], environment.get("WELCOME_DOMAINS")) == ("annotators", None)
    (secret,) = [
        each["Properties"]
        for each in workplace.of_type("AWS::SecretsManager::Secret").values()
        if each["Properties"].get("Name") == environment["OPENID_CLIENT_SECRET"]
    ]
    value = json.loads(text_of(secret["SecretString"]))
    assert value == {"client_id": f"<{client_id}>", "client_secret": f"<{client_id}.ClientSecret>"}
    readable = workplace.allowed("worker_site")["secretsmanager:GetSecretValue"]
    assert any(arn.endswith(":secret:crowdsight/sign-in-??????") for arn in readable)
    assert len(readable) == 2


def test_another_provider_is_told_by_its_issuer_and_a_secret_of_its_own(synthesize: Synthesize) -> None:
    template = synthesize(
        sign_in_provider="https://login.example.org/tenant",
        sign_in_provider_secret="our/client",
        sign_in_domains="example.org",
    ).workplace
    assert template.of_type("AWS::Cognito::UserPool") == {}
    environment = environment_of(template, "worker_site")
    assert environment["OPENID_ISSUER"] == "https://login.example.org/tenant"
    assert (environment["OPENID_CLIENT_SECRET"], environment["WELCOME_DOMAINS"]) == ("our/client", "example.org")
    readable = template.allowed("worker_site")["secretsmanager:GetSecretValue"]
    assert any(arn.endswith(":secret:our/client-??????") for arn in readable)


def test_how_often_people_may_do_things_is_told_to_the_site(synthesize: Synthesize) -> None:
    template = synthesize(worker_rate=7, network_rate=8, sign_in_rate=9).workplace
    environment = environment_of(template, "worker_site")
    assert [environment[name] for name in ("WORKER_RATE", "NETWORK_RATE", "SIGN_IN_RATE")] == ["7", "8", "9"]

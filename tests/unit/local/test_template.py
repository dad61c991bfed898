"""A template is split between moto and ourselves, and no reference is lost."""

import json
from typing import Any

import pytest

from local.deployment import Function, secret_string, with_local_urls
from local.template import Template

BODY: dict[str, Any] = {
    "Resources": {
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"KeySchema": []}},
        "Key": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "the/key"}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Layer": {"Type": "AWS::Lambda::LayerVersion", "Metadata": {"aws:asset:path": "asset.layer"}},
        "Put": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "handler.handler",
                "Runtime": "python3.11",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Layers": [{"Ref": "Layer"}],
                "Environment": {
                    "Variables": {
                        "TABLE": {"Ref": "Table"},
                        "KEY": {"Ref": "Key"},
                        "URL": {"Fn::Join": ["", ["https://", {"Ref": "Api"}, ".x/", {"Ref": "Stage"}, "/"]]},
                    }
                },
            },
            "Metadata": {"aws:cdk:path": "stack/Put/Resource", "aws:asset:path": "asset.put"},
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
        "Things": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "things",
            },
        },
        "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"StageName": "prod", "RestApiId": {"Ref": "Api"}}},
        "Flow": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"StateMachineName": "flow", "DefinitionString": {"Fn::GetAtt": ["Put", "Arn"]}},
        },
    },
    "Outputs": {"FlowArn": {"Value": {"Ref": "Flow"}}, "Text": {"Value": {"Fn::Sub": "${Stage}-${Table}-${Role.Arn}"}}},
}


@pytest.fixture
def template() -> Template:
    template = Template("stack", json.loads(json.dumps(BODY)))
    template.made("Key", "arn:the-key")
    return template


def test_moto_gets_what_holds_state_and_no_reference_to_anything_else(template: Template) -> None:
    body = template.for_moto()
    assert set(body["Resources"]) == {"Table", "Put", "LocalFunctionRole"}
    references = json.dumps(body)
    for taken_out in ("Key", "Role", "Layer", "Api", "Stage", "Flow"):
        assert f'{{"Ref": "{taken_out}"}}' not in references
        assert f'"Fn::GetAtt": ["{taken_out}"' not in references


def test_outputs_name_what_was_taken_out(template: Template) -> None:
    outputs = template.for_moto()["Outputs"]
    assert outputs["FlowArn"]["Value"] == "arn:aws:states:us-east-1:123456789012:stateMachine:flow"
    assert outputs["Text"]["Value"] == {"Fn::Sub": "prod-${Table}-arn:aws:iam::123456789012:role/stack-Role"}


def test_resources_come_back_with_every_expression_resolved(template: Template) -> None:
    questions = {name: output["Value"] for name, output in template.for_moto()["Outputs"].items()}
    answers = {name: json.dumps(value) for name, value in questions.items()}
    resources = {resource.logical_id: resource for resource in template.resources(answers, {"Put": "stack-Put-1"})}

    api = resources["Api"]
    assert resources["Things"].properties == {
        "RestApiId": api.physical_id,
        "ParentId": f"{api.physical_id}-root",
        "PathPart": "things",
    }
    put = resources["Put"]
    assert (put.physical_id, put.construct) == ("stack-Put-1", "Put")
    assert put.properties["Layers"] == [resources["Layer"].physical_id]
    assert put.properties["Environment"]["Variables"] == {
        "TABLE": '{"Ref": "Table"}',
        "KEY": "arn:the-key",
        "URL": json.dumps({"Fn::Join": ["", ["https://", api.physical_id, ".x/", "prod", "/"]]}),
    }


def test_a_resource_that_nothing_here_serves_is_named(template: Template) -> None:
    assert template.unknown_types() == []
    domain = {"Type": "AWS::ApiGateway::DomainName"}
    assert Template("stack", {"Resources": {"Domain": domain}}).unknown_types() == ["AWS::ApiGateway::DomainName"]


def test_secrets_are_made_first_under_their_own_names(template: Template) -> None:
    assert [(id, name) for id, name, _ in template.secrets()] == [("Key", "the/key")]


def test_a_vector_bucket_and_its_indexes_are_made_first_and_told_of_by_their_arns() -> None:
    body = {
        "Resources": {
            "Vectors": {"Type": "AWS::S3Vectors::VectorBucket"},
            "Image": {
                "Type": "AWS::S3Vectors::Index",
                "Properties": {
                    "VectorBucketArn": {"Fn::GetAtt": ["Vectors", "VectorBucketArn"]},
                    "Dimension": 3,
                    "DataType": "float32",
                    "DistanceMetric": "cosine",
                },
            },
        },
        "Outputs": {"Indexes": {"Value": {"Fn::Join": ["", ["image=", {"Fn::GetAtt": ["Image", "IndexArn"]}]]}}},
    }
    template = Template("stack", body)
    assert template.unknown_types() == []
    assert list(template.vector_buckets()) == [("Vectors", "stack-vectors")]
    template.made("Vectors", "arn:the-bucket")
    [(logical_id, name, properties)] = template.vector_indexes()
    assert (logical_id, name, properties["VectorBucketArn"]) == ("Image", "image", "arn:the-bucket")
    template.made("Image", "arn:the-index")
    deployed = template.for_moto()
    assert "Vectors" not in deployed["Resources"] and "Image" not in deployed["Resources"]
    assert deployed["Outputs"]["Indexes"]["Value"] == {"Fn::Join": ["", ["image=", "arn:the-index"]]}


def test_a_generated_secret_is_never_the_same_and_obeys_its_rules() -> None:
    rules = {
        "GenerateSecretString": {
            "SecretStringTemplate": '{"account": "default"}',
            "GenerateStringKey": "api_key",
            "PasswordLength": 40,
            "ExcludePunctuation": True,
        }
    }
    made = [json.loads(secret_string(rules)) for _ in range(20)]
    assert {secret["account"] for secret in made} == {"default"}
    assert len({secret["api_key"] for secret in made}) == 20
    assert all(len(secret["api_key"]) == 40 and secret["api_key"].isalnum() for secret in made)


def test_an_api_address_in_the_environment_becomes_the_local_one(make_function: Any) -> None:
    function: Function = make_function(
        "",
        environment={
            "MTURK": "https://0123456789.execute-api.us-east-1.amazonaws.com/prod/",
            "OTHER": "https://9999999999.execute-api.us-east-1.amazonaws.com/prod/",
        },
    )
    local = with_local_urls(function, {"0123456789": "http://127.0.0.1:8081"})
    assert local.environment == {
        "MTURK": "http://127.0.0.1:8081/",
        "OTHER": "https://9999999999.execute-api.us-east-1.amazonaws.com/prod/",
    }


def test_a_user_pool_is_the_local_provider_and_its_clients_secret_is_known_before_the_stack() -> None:
    client_secret = {"Fn::GetAtt": ["Client", "ClientSecret"]}
    text = {"Fn::Join": ["", ['{"id":"', {"Ref": "Client"}, '","secret":"', client_secret, '"}']]}
    template = Template(
        "stack",
        {
            "Resources": {
                "Pool": {"Type": "AWS::Cognito::UserPool", "Properties": {}},
                "Domain": {"Type": "AWS::Cognito::UserPoolDomain", "Properties": {"UserPoolId": {"Ref": "Pool"}}},
                "Client": {"Type": "AWS::Cognito::UserPoolClient", "Properties": {"UserPoolId": {"Ref": "Pool"}}},
                "Secret": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"Name": "client", "SecretString": text},
                },
            },
            "Outputs": {"Issuer": {"Value": {"Fn::GetAtt": ["Pool", "ProviderURL"]}}},
        },
    )
    assert template.unknown_types() == []
    assert (list(template.user_pools()), list(template.user_pool_clients())) == (["Pool"], ["Client"])
    template.made("Pool", "pool-1", {"ProviderURL": "http://127.0.0.1:1"})
    template.made("Client", "client-1", {"ClientSecret": "s"})
    [(_, name, properties)] = template.secrets()
    assert (name, json.loads(secret_string(properties))) == ("client", {"id": "client-1", "secret": "s"})
    template.made("Secret", "arn:secret")
    assert template.for_moto()["Outputs"]["Issuer"]["Value"] == "http://127.0.0.1:1"
    [client] = template.resources({}, {})
    assert (client.physical_id, client.properties) == ("client-1", {"UserPoolId": "pool-1"})

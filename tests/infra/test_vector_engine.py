"""Each engine of image search has what it needs in the templates, and its Lambdas may use that and nothing else."""

import pytest

from crowdsight.models.bundle import load_bundle
from crowdsight.wiring import Settings
from infra.vector_bucket import MODELS, read_bundle, spaces_of
from tests.infra.template import ROOT, Assembly, Synthesize, Template, text_of

BUCKET, INDEX = "AWS::S3Vectors::VectorBucket", "AWS::S3Vectors::Index"
SPACES = load_bundle(MODELS / "embedded", threads=1).spaces

ACTIONS = {
    "find_images": {"QueryVectors", "GetVectors"},
    "find_similar": {"QueryVectors", "GetVectors"},
    "save_image": {"PutVectors", "DeleteVectors"},
    "sweep_images": {"DeleteVectors"},
    "refresh_index": set(),
    "get_image": set(),
}


def index_arns(template: Template) -> dict[int, str]:
    """The ARN of each index, as text, by its dimensions."""
    return {resource["Properties"]["Dimension"]: f"<{id}.IndexArn>" for id, resource in template.of_type(INDEX).items()}


def told(template: Template, operation: str) -> Settings:
    """What a Lambda reads from its environment."""
    variables = template.lambdas()[operation]["Properties"]["Environment"]["Variables"]
    return Settings.from_environment({name: text_of(value) for name, value in variables.items()})


def described(template: Template) -> str:
    arns = index_arns(template)
    return ",".join(f"{space}={arns[dimensions]}" for space, dimensions in SPACES.items())


def test_the_spaces_of_a_bundle_are_those_that_its_models_have() -> None:
    assert dict(spaces_of(read_bundle("embedded"))) == SPACES
    clip = {"kind": "clip", "space": {"name": "clip", "dimensions": 512}, "image_encoder": {"file": {"path": "x"}}}
    assert dict(spaces_of(clip)) == {"clip": 512}


def test_a_bundle_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="search_bundle"):
        read_bundle("nothing")


def test_segments_need_no_vector_bucket(assembly: Assembly) -> None:
    assert not assembly.service.of_type(BUCKET) and not assembly.service.of_type(INDEX)
    for operation in ACTIONS:
        assert told(assembly.service, operation).vector_engine == "segments"
    assert assembly.service.document["Outputs"]["VectorEngine"]["Value"] == "segments"


def test_s3_vectors_has_an_index_of_cosines_for_each_space_of_the_bundle(s3_vectors_assembly: Assembly) -> None:
    template = s3_vectors_assembly.service
    [bucket_id] = template.of_type(BUCKET)
    assert sorted(index_arns(template)) == sorted(SPACES.values())
    for resource in template.of_type(INDEX).values():
        properties = resource["Properties"]
        assert (properties["DataType"], properties["DistanceMetric"]) == ("float32", "cosine")
        assert text_of(properties["VectorBucketArn"]) == f"<{bucket_id}.VectorBucketArn>"
    for type in (BUCKET, INDEX):
        assert {resource["DeletionPolicy"] for resource in template.of_type(type).values()} == {"Retain"}


def test_lambdas_and_operators_are_told_of_the_engine_and_its_indexes(s3_vectors_assembly: Assembly) -> None:
    template = s3_vectors_assembly.service
    for operation in ACTIONS.keys() - {"get_image"}:
        settings = told(template, operation)
        assert (settings.vector_engine, settings.vector_indexes) == ("s3vectors", described(template))
    outputs = template.document["Outputs"]
    assert outputs["VectorEngine"]["Value"] == "s3vectors"
    assert text_of(outputs["VectorIndexes"]["Value"]) == described(template)


@pytest.mark.parametrize("operation", ACTIONS)
def test_each_search_operation_may_use_vectors_only_as_it_does(s3_vectors_assembly: Assembly, operation: str) -> None:
    template = s3_vectors_assembly.service
    allowed = {name: arns for name, arns in template.allowed(operation).items() if name.startswith("s3vectors:")}
    assert allowed == dict.fromkeys(
        (f"s3vectors:{action}" for action in ACTIONS[operation]), set(index_arns(template).values())
    )


def test_no_other_lambda_may_use_vectors_or_the_files_of_segments(s3_vectors_assembly: Assembly) -> None:
    for template in s3_vectors_assembly.templates.values():
        for operation in template.lambdas():
            for action, resources in template.allowed(operation).items():
                assert operation in ACTIONS or not action.startswith("s3vectors:")
                assert not any(resource.endswith("/vectors/*") for resource in resources)


def test_indexes_may_be_kept_beside_segments_for_a_migration(synthesize: Synthesize) -> None:
    template = synthesize(keep_vector_bucket=True, retain_data=False).service
    assert text_of(template.document["Outputs"]["VectorIndexes"]["Value"]) == described(template)
    assert template.document["Outputs"]["VectorEngine"]["Value"] == "segments"
    for operation in ACTIONS:
        assert not any(action.startswith("s3vectors:") for action in template.allowed(operation))
        assert told(template, operation).vector_engine == "segments"
    assert {resource["DeletionPolicy"] for resource in template.of_type(INDEX).values()} == {"Delete"}


def test_the_containers_botocore_keeps_what_its_lambdas_speak() -> None:
    assert "*/s3vectors/" in (ROOT / "functions" / "search" / "Dockerfile").read_text()

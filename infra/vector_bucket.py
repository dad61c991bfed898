"""Amazon S3 Vectors: a bucket of vectors, with an index for each space of the deployment's models."""

import json
from collections.abc import Iterator
from typing import Any

from aws_cdk import aws_s3vectors as s3vectors
from constructs import Construct

from infra.packaging import ROOT
from infra.settings import Settings

MODELS = ROOT / "functions" / "search" / "models"


class VectorBucket(Construct):
    """Another bundle of models has indexes of its own: those of the former one stay, if data is retained."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        bucket = s3vectors.CfnVectorBucket(self, "Bucket")
        bucket.apply_removal_policy(settings.removal_policy)
        bundle = read_bundle(settings.search_bundle)
        self._arns: dict[str, str] = {}
        for space, dimensions in spaces_of(bundle):
            index = s3vectors.CfnIndex(
                self,
                f"{bundle['name']}-{space}",
                vector_bucket_arn=bucket.attr_vector_bucket_arn,
                data_type="float32",
                dimension=dimensions,
                distance_metric="cosine",
            )
            index.apply_removal_policy(settings.removal_policy)
            self._arns[space] = index.attr_index_arn

    @property
    def index_arns(self) -> list[str]:
        """What a permission to use the indexes names."""
        return list(self._arns.values())

    @property
    def described(self) -> str:
        """The indexes as Lambdas and operators are told of them: `space=ARN,space=ARN`."""
        return ",".join(f"{space}={arn}" for space, arn in self._arns.items())


def read_bundle(name: str) -> dict[str, Any]:
    """What the bundle's `bundle.json` says. Raises ValueError if there is no such bundle."""
    try:
        found: dict[str, Any] = json.loads((MODELS / name / "bundle.json").read_bytes())
    except OSError as error:
        raise ValueError(f"search_bundle: there is no {MODELS / name / 'bundle.json'}") from error
    return found


def spaces_of(description: Any) -> Iterator[tuple[str, int]]:
    """The name and dimensions of each space that something in a bundle's description embeds into."""
    if isinstance(description, dict):
        for key, value in description.items():
            if key == "space":
                yield value["name"], value["dimensions"]
            else:
                yield from spaces_of(value)

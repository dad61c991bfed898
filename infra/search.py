"""Image search: its table, its bucket, and the Lambdas that embed, find, save and serve pictures."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, Duration, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.accounts import Accounts
from infra.operation import ImageOperation, Layers, Operation, Permitted
from infra.output import add_output
from infra.secret import JsonSecret
from infra.settings import S3_VECTORS, SEGMENTS, Settings
from infra.table import Table
from infra.vector_bucket import VectorBucket

READ, WRITE, DELETE = "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
IMAGES, THUMBNAILS, REQUESTS, VECTORS = "images", "thumbnails", "requests", "vectors"

KEEP_REQUESTS_DAYS = 1
"""How long the bucket itself keeps what a find fetched; the sweep deletes it minutes later already."""


class Search(Construct):
    """What the API's routes need of it: `find_images`, `save_image`, `find_similar`, `get_image`; and the crowd of
    the models: `score_task`, `score_known`.

    The bucket keeps pictures, thumbnails, what finds have fetched, and vectors, each under a prefix of its own. Where
    the settings say so, vectors are in Amazon S3 Vectors instead.
    """

    def __init__(self, scope: Construct, id: str, *, accounts: Accounts, layers: Layers, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._table = Table(self, "Images", indexes={"due": dynamodb.AttributeType.NUMBER}, settings=settings)
        self._bucket = self._make_bucket()
        self._name_key = JsonSecret(self, "ImageNames", generated="name_key", settings=settings)
        self._vector_bucket = VectorBucket(self, "Vectors", settings=settings) if settings.has_vector_bucket else None
        has_segments = settings.vector_engine == SEGMENTS
        vectors = [VECTORS] if has_segments else []

        self.find_images = self._image_operation(
            "find_images",
            table=["GetItem", "BatchGetItem", "PutItem", "Query"],
            objects={READ: [IMAGES, *vectors], WRITE: [REQUESTS]},
            s3_vectors=["QueryVectors", "GetVectors"],
        )
        self.save_image = self._image_operation(
            "save_image",
            table=["GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"],
            objects={READ: [IMAGES, REQUESTS], WRITE: [IMAGES, THUMBNAILS], DELETE: [IMAGES, THUMBNAILS]},
            s3_vectors=["PutVectors", "DeleteVectors"],
            names_images=True,
        )
        self.find_similar = self._image_operation(
            "find_similar",
            table=["GetItem", "BatchGetItem", "Query"],
            objects={READ: [IMAGES, *vectors]},
            s3_vectors=["QueryVectors", "GetVectors"],
        )
        accounts.allow_counting(self.find_similar)
        for name, value in accounts.environment.items():
            self.find_similar.add_environment(name, value)
        refresh_index = self._image_operation(
            "refresh_index",
            table=["Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"] if has_segments else [],
            objects={READ: vectors, WRITE: vectors, DELETE: vectors} if has_segments else {},
            timeout_s=110,
        )
        refresh_index.run_every(minutes=2)
        sweep_images = self._image_operation(
            "sweep_images",
            table=["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"],
            indexes=["due"],
            objects={DELETE: [IMAGES, THUMBNAILS, REQUESTS]},
            s3_vectors=["DeleteVectors"],
            timeout_s=55,
        )
        sweep_images.run_every(minutes=1)
        self.score_task = self._image_operation("score_task", table=[], objects={})
        self.score_known = self._image_operation("score_known", table=[], objects={}, timeout_s=300)
        self.score_known.run_every(minutes=30)
        self.get_image = Operation(
            self,
            "get_image",
            layers=layers,
            settings=settings,
            environment=self._environment(),
            timeout_s=20,
            memory_mb=1024,  # a picture is read, encoded and sent on in one piece
        )
        self._permit(self.get_image, ["GetItem"], [], {READ: [IMAGES, THUMBNAILS]})

        add_output(self, "ImagesTable", self._table.table_name, "What is known of each picture")
        add_output(self, "ImagesBucket", self._bucket.bucket_name, "Pictures, thumbnails and vectors")
        add_output(self, "ImageNamesSecret", self._name_key.secret_arn, "What the names of pictures are made with")
        add_output(self, "VectorEngine", settings.vector_engine, "What searches vectors: segments or s3vectors")
        if self._vector_bucket:
            add_output(self, "VectorIndexes", self._vector_bucket.described, "Indexes of Amazon S3 Vectors, by space")
        add_output(self, "SearchBundle", settings.search_bundle, "The models that pictures are embedded with")

    def _make_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Pictures",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="forget-requests", prefix=f"{REQUESTS}/", expiration=Duration.days(KEEP_REQUESTS_DAYS)
                ),
                s3.LifecycleRule(id="end-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)),
            ],
            removal_policy=self._settings.removal_policy,
        )
        Validations.of(bucket).acknowledge(
            Acknowledgment(
                id="AwsSolutions-S1",
                reason="Only this deployment's Lambdas read and write it; who asked for a picture is in the API's log.",
            )
        )
        return bucket

    def _image_operation(
        self,
        name: str,
        *,
        table: Sequence[str],
        objects: dict[str, Sequence[str]],
        s3_vectors: Sequence[str] = (),
        indexes: Sequence[str] = (),
        names_images: bool = False,
        timeout_s: int = 29,
    ) -> ImageOperation:
        """A Lambda of the container image.

        `table`, `objects`: what it may do to items, and to objects by prefix. `s3_vectors`: what to vectors, where
        they are in Amazon S3 Vectors.
        """
        secret = {"IMAGE_NAMES_SECRET": self._name_key.secret_arn} if names_images else {}
        function = ImageOperation(
            self,
            name,
            module=name,
            settings=self._settings,
            environment={
                **self._environment(),
                **self._vector_environment(),
                "MODEL_BUNDLE": self._settings.search_bundle,
                "SEARCH_RECALL": str(self._settings.search_recall),
                **secret,
            },
            timeout_s=timeout_s,
            memory_mb=self._settings.search_memory_mb,
        )
        self._permit(function, table, indexes, objects)
        if s3_vectors and self._vector_bucket and self._settings.vector_engine == S3_VECTORS:
            function.allow([f"s3vectors:{action}" for action in s3_vectors], self._vector_bucket.index_arns)
        if names_images:
            function.allow(["secretsmanager:GetSecretValue"], [self._name_key.secret_arn])
        return function

    def _environment(self) -> dict[str, str]:
        return {"IMAGES_TABLE": self._table.table_name, "IMAGES_BUCKET": self._bucket.bucket_name}

    def _vector_environment(self) -> dict[str, str]:
        if self._vector_bucket is None or self._settings.vector_engine != S3_VECTORS:
            return {}
        return {"VECTOR_ENGINE": S3_VECTORS, "VECTOR_INDEXES": self._vector_bucket.described}

    def _permit(
        self, function: Permitted, table: Sequence[str], indexes: Sequence[str], objects: dict[str, Sequence[str]]
    ) -> None:
        if table:
            function.allow([f"dynamodb:{action}" for action in table], [self._table.table_arn])
        if indexes:
            function.allow(["dynamodb:Query"], [self._table.index_arn(index) for index in indexes])
        for action, prefixes in objects.items():
            function.allow([action], [self._bucket.arn_for_objects(f"{prefix}/*") for prefix in prefixes])
        if READ in objects:
            # Without it, S3 says of an object that is not there that one may not read it.
            function.allow(["s3:ListBucket"], [self._bucket.bucket_arn])
        self._acknowledge_prefixes(function.execution_role, {prefix for each in objects.values() for prefix in each})

    def _acknowledge_prefixes(self, role: iam.Role, prefixes: set[str]) -> None:
        bucket = self._bucket.node.default_child
        assert isinstance(bucket, s3.CfnBucket)
        name = Stack.of(self).get_logical_id(bucket)
        for prefix in sorted(prefixes):
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::<{name}.Arn>/{prefix}/*]",
                    reason="The objects under a prefix are this kind of data and nothing else.",
                )
            )

"""Objects of one S3 bucket, as bytes.

Reads follow writes: S3 is strongly consistent. Every upload carries botocore's own checksum, which S3 verifies.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

DELETE_BATCH_KEYS = 1000
"""S3's own limit of one DeleteObjects."""

MISSING_CODES = frozenset({"NoSuchKey", "404"})
CHANGED_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
UNCHANGED_CODES = frozenset({"NotModified", "304"})


class ObjectChanged(Exception):
    """The object is not, or no longer, as the write requires; nothing was written."""


class DeletionFailed(Exception):
    """S3 kept some of the objects that it was to delete: `keys`; the others of that call are gone."""

    def __init__(self, keys: Collection[str], reason: str) -> None:
        super().__init__(f"{len(keys)} objects remain: {reason}")
        self.keys = keys


@dataclass(frozen=True)
class Version:
    """An object's content and the ETag that names it."""

    data: bytes
    etag: str


class Objects:
    """One bucket. `client` is a boto3 `s3` client; other errors than those named here are botocore's own."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole object, over what was there."""
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)

    def put_if(self, key: str, data: bytes, media_type: str, etag: str | None) -> str:
        """Write an object if it is still the one with this ETag, or (None) if there is none; returns the new ETag.

        Raises ObjectChanged.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            answer = self._client.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType=media_type, **condition
            )
        except ClientError as error:
            # IfMatch on an object that is gone is answered by NoSuchKey.
            if error.response["Error"]["Code"] in CHANGED_CODES | MISSING_CODES:
                raise ObjectChanged(key) from error
            raise
        return answer["ETag"]

    def get(self, key: str) -> bytes | None:
        """An object's content, or None if there is none."""
        found = self.get_version(key)
        return found.data if found else None

    def get_range(self, key: str, start: int, size_bytes: int) -> bytes | None:
        """So many bytes of an object, from `start`; fewer at its end; None if there is no object.

        `start` must be within it, and `size_bytes` at least 1.
        """
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{start + size_bytes - 1}"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_CODES:
                return None
            raise
        return answer["Body"].read()

    def get_version(self, key: str, known: Version | None = None) -> Version | None:
        """An object with its ETag, or None if there is none.

        `known`: a version that the caller has; it is returned as it is, and nothing is downloaded, if it is the
        present one.
        """
        condition = {"IfNoneMatch": known.etag} if known else {}
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, **condition)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if known and code in UNCHANGED_CODES:
                return known
            if code in MISSING_CODES:
                return None
            raise
        return Version(answer["Body"].read(), answer["ETag"])

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; removing what is not there is no error. Raises DeletionFailed."""
        distinct = list(dict.fromkeys(keys))
        for start in range(0, len(distinct), DELETE_BATCH_KEYS):
            batch = [{"Key": key} for key in distinct[start : start + DELETE_BATCH_KEYS]]
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                raise DeletionFailed({error["Key"] for error in errors}, f"{errors[0]['Key']}: {errors[0].get('Code')}")

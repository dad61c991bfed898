"""An S3 in memory, for tests that make thousands of calls: the operations and conditions that `Objects` uses.

It passes the same tests as moto's: `test_objects` and those of the vector index run over both.
"""

import hashlib
import io
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError


@dataclass(frozen=True)
class StoredObject:
    data: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


class MemoryS3:
    """As much of a boto3 `s3` client as `crowdsight.search.objects.Objects` calls.

    `undeletable`: keys that DeleteObjects answers an error for.
    """

    def __init__(self) -> None:
        self.undeletable: set[str] = set()
        self._buckets: dict[str, dict[str, StoredObject]] = {}
        self._lock = threading.Lock()

    def create_bucket(self, Bucket: str) -> None:
        self._buckets[Bucket] = {}

    def put_object(
        self,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
    ) -> dict[str, Any]:
        with self._lock:
            bucket = self._buckets[Bucket]
            before = bucket.get(Key)
            if IfMatch is not None:
                if before is None:
                    raise _error("NoSuchKey", 404, "PutObject")
                if before.etag != IfMatch:
                    raise _error("PreconditionFailed", 412, "PutObject")
            if IfNoneMatch is not None:
                assert IfNoneMatch == "*", "PutObject takes no other"
                if before is not None:
                    raise _error("PreconditionFailed", 412, "PutObject")
            bucket[Key] = StoredObject(bytes(Body), ContentType)
            return {"ETag": bucket[Key].etag}

    def get_object(
        self, Bucket: str, Key: str, IfNoneMatch: str | None = None, Range: str | None = None
    ) -> dict[str, Any]:
        found = self._buckets[Bucket].get(Key)
        if found is None:
            raise _error("NoSuchKey", 404, "GetObject")
        if IfNoneMatch is not None and found.etag == IfNoneMatch:
            raise _error("304", 304, "GetObject")
        data = found.data
        if Range is not None:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            if first >= len(data):
                raise _error("InvalidRange", 416, "GetObject")
            data = data[first : last + 1]
        return {"Body": io.BytesIO(data), "ETag": found.etag, "ContentType": found.media_type}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        keys = [each["Key"] for each in Delete["Objects"]]
        if not keys or len(keys) > 1000:
            raise _error("MalformedXML", 400, "DeleteObjects")
        with self._lock:
            for key in set(keys) - self.undeletable:
                self._buckets[Bucket].pop(key, None)
        kept = [{"Key": key, "Code": "AccessDenied"} for key in keys if key in self.undeletable]
        return {"Errors": kept} if kept else {}

    def list_objects_v2(self, Bucket: str) -> dict[str, Any]:
        """For tests that ask what is there; at most what one page of S3 holds."""
        keys = sorted(self._buckets[Bucket])
        assert len(keys) <= 1000
        return {"Contents": [{"Key": key} for key in keys]}


def _error(code: str, status: int, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)

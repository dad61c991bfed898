from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crowdsight.search.objects import DeletionFailed, ObjectChanged, Objects


def test_an_object_is_read_as_it_was_written_last_with_its_type(objects: Objects, s3: Any) -> None:
    assert objects.get("a/b") is None
    objects.put("a/b", b"first", "text/plain")
    objects.put("a/b", b"second", "image/png")
    assert objects.get("a/b") == b"second"
    assert s3.get_object(Bucket="images", Key="a/b")["ContentType"] == "image/png"


def test_a_write_that_requires_a_version_writes_nothing_over_another(objects: Objects) -> None:
    first = objects.put_if("a", b"first", "text/plain", None)
    with pytest.raises(ObjectChanged):
        objects.put_if("a", b"other", "text/plain", None)
    second = objects.put_if("a", b"second", "text/plain", first)
    with pytest.raises(ObjectChanged):
        objects.put_if("a", b"other", "text/plain", first)
    found = objects.get_version("a")
    assert found and (found.data, found.etag) == (b"second", second)
    objects.delete(["a"])
    with pytest.raises(ObjectChanged):
        objects.put_if("a", b"other", "text/plain", second)
    assert objects.get("a") is None


def test_a_version_that_is_known_and_present_is_not_read_again(objects: Objects) -> None:
    objects.put("a", b"first", "text/plain")
    first = objects.get_version("a")
    assert first is not None
    assert objects.get_version("a", first) is first
    objects.put("a", b"second", "text/plain")
    second = objects.get_version("a", first)
    assert second and second.data == b"second"
    objects.delete(["a"])
    assert objects.get_version("a", second) is None


def test_many_objects_are_deleted_at_once_and_deleting_again_is_no_error(objects: Objects) -> None:
    for key in ("a", "b", "c"):
        objects.put(key, b"x", "text/plain")
    keys = ["a", "b", "a", *(f"missing/{number}" for number in range(1200))]
    objects.delete(keys)
    objects.delete(keys)
    objects.delete([])
    assert [objects.get(key) for key in ("a", "b", "c")] == [None, None, b"x"]


def test_of_writers_that_race_for_a_version_exactly_one_wins(objects: Objects) -> None:
    def increment(_: int) -> None:
        while True:
            found = objects.get_version("count")
            number = int(found.data) if found else 0
            try:
                objects.put_if("count", str(number + 1).encode(), "text/plain", found.etag if found else None)
                return
            except ObjectChanged:
                pass  # another was quicker

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(increment, range(24)))
    assert objects.get("count") == b"24"


class Keeping:
    """A client of a bucket that keeps its objects."""

    def delete_objects(self, **_: Any) -> dict[str, Any]:
        return {"Errors": [{"Key": "a", "Code": "AccessDenied"}]}


def test_objects_that_s3_keeps_are_an_error() -> None:
    with pytest.raises(DeletionFailed, match="AccessDenied"):
        Objects(Keeping(), "images").delete(["a"])


def test_a_part_of_an_object_is_read_by_its_range(objects: Objects) -> None:
    objects.put("a", b"0123456789", "text/plain")
    assert objects.get_range("a", 0, 1) == b"0"
    assert objects.get_range("a", 3, 4) == b"3456"
    assert objects.get_range("a", 8, 100) == b"89"
    assert objects.get_range("a", 0, 10) == b"0123456789"
    assert objects.get_range("missing", 0, 1) is None
    with pytest.raises(ClientError):
        objects.get_range("a", 10, 1)
    assert objects.get("a") == b"0123456789"

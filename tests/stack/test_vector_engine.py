"""Image search over Amazon S3 Vectors, as a stack that is set so serves it, and migrations to and from it."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from local.synthesis import ROOT
from tests.stack.conftest import start
from tests.stack.crowd_hands import CONTAINS
from tests.stack.picture_host import PictureHost, picture
from tests.stack.raw_http import Api
from tests.stack.running_stack import RunningStack

PICTURES = 12


@pytest.fixture(scope="module")
def s3_vectors(tmp_path_factory: pytest.TempPathFactory, host: PictureHost) -> Iterator[RunningStack]:
    """A stack whose vectors are in S3 Vectors."""
    for running in start(
        tmp_path_factory, "s3-vectors", "--workers", "none", "--schedule-speed", "20",
        "--allow-image-host", host.address, "--setting", "vector_engine=s3vectors",
    ):  # fmt: skip
        # What is looked for in the logs at the end is a request that each stack has had.
        assert (
            Api(running["api_url"], running["api_key"]).request("GET", f"/functions/{CONTAINS}/tasks/none").status
            == 404
        )
        yield running


@pytest.fixture(scope="module")
def s3_vectors_api(s3_vectors: RunningStack) -> Api:
    return Api(s3_vectors["api_url"], s3_vectors["api_key"])


def search(api: Api, data: bytes, **filter: object) -> list[dict[str, Any]]:
    """What a picture finds."""
    query = json.dumps({"image": base64.b64encode(data).decode(), "num_similar": 50, "filter": filter})
    reply = api.request("POST", "/", query)
    assert reply.status == 200, reply.body
    images: list[dict[str, Any]] = json.loads(reply.document["body"])["images"]
    return images


def index(running: RunningStack, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of `python -m client index …`."""
    command = [sys.executable, "-m", "client", "index", *map(str, arguments), "--stack", str(running.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_is_saved_is_found_by_the_very_next_search_and_what_is_removed_is_not(
    s3_vectors: RunningStack, s3_vectors_api: Api, host: PictureHost
) -> None:
    data = picture(60_000)
    url = host.serve("s3-vectors.png", data)
    found = s3_vectors_api.request("GET", f"/image/find?url={quote(url)}").document
    assert found["results"] == []
    saved = s3_vectors_api.request("POST", "/image/save", json.dumps({"request_id": found["request_id"]}))
    assert saved.status == 200, saved.body
    [image] = search(s3_vectors_api, data)
    assert image["score"] == 1.0
    own = s3_vectors_api.request("GET", f"/image/find?url={quote(saved.document['url'])}").document
    assert [result["similarity"] for result in own["results"]] == [1.0]
    code, document = index(s3_vectors, "remove", image["id"])
    assert (code, document["removed"]) == (0, [image["id"]])
    assert search(s3_vectors_api, data) == []


def test_vectors_are_migrated_there_and_back_and_a_second_run_has_nothing_to_do(
    s3_vectors: RunningStack, s3_vectors_api: Api, tmp_path: Path
) -> None:
    for seed in range(PICTURES):
        (tmp_path / f"{seed}.png").write_bytes(picture(61_000 + seed))
    code, document = index(s3_vectors, "add", tmp_path)
    assert (code, document["saved"]) == (0, PICTURES)
    code, document = index(s3_vectors, "stats")
    assert (document["images"], document["vectors"], document["segments"]) == (PICTURES, PICTURES, 0)
    expected = search(s3_vectors_api, picture(61_003))
    assert len(expected) == PICTURES and expected[0]["score"] == 1.0
    since = "2020-01-01T00:00:00Z"
    assert search(s3_vectors_api, picture(61_003), saved_after=since) == expected
    assert search(s3_vectors_api, picture(61_003), saved_before=since) == []
    ids = [image["id"] for image in expected[::3]]
    found = search(s3_vectors_api, picture(61_003), saved_after=since, ids=[*ids, "0" * 32])
    assert [image["id"] for image in found] == ids
    runs = []
    for engine in ("segments", "segments", "s3vectors"):
        code, document = index(s3_vectors, "migrate", "--to", engine)
        runs.append((code, document["copied"], document["skipped"], document["missing"], document["removed"]))
    assert runs == [(0, PICTURES, 0, 0, 0), (0, 0, PICTURES, 0, 0), (0, 0, PICTURES, 0, 0)]
    assert search(s3_vectors_api, picture(61_003)) == expected

    served = urlsplit(expected[0]["url"]).path
    assert s3_vectors_api.request("GET", served, api_key=None).status == 200
    index(s3_vectors, "remove", expected[0]["id"])
    code, document = index(s3_vectors, "migrate", "--to", "segments")
    assert (code, document["removed"]) == (0, 1)
    segments = s3_vectors.stack.image_search().vector_index_of("segments")
    assert len(set(segments.keys("default"))) == PICTURES - 1

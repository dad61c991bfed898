"""`python -m client index` as an operator runs it, over a stack that serves."""

import base64
import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.synthesis import ROOT
from local.workers.truth import PHOTOGRAPHS
from tests.stack.picture_host import PictureHost, picture
from tests.stack.raw_http import Api
from tests.stack.running_stack import RunningStack, wait_for

BULK = ("--account", "bulk")
"""An account that has no API key, for what other tests should not find."""

PICTURES = 150
"""So many that an add is not done before it is known to have begun."""

MORE_PICTURES = 1000
"""So many that they are not all stored before a test on a busy machine has seen the first."""


class Operator:
    """Somebody at a shell."""

    def __init__(self, running: RunningStack) -> None:
        self._running = running

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "client", "index", *map(str, arguments), "--stack", str(self._running.path)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        """The exit code, and what went to the standard output."""
        with self.start(*arguments) as process:
            out, _ = process.communicate(timeout=120)
        return process.returncode, out

    def images(self, *arguments: str) -> int:
        """How many an account has."""
        code, out = self.run("stats", *arguments)
        assert code == 0
        images: int = json.loads(out)["images"]
        return images


@pytest.fixture
def operator(running: RunningStack) -> Operator:
    return Operator(running)


def test_an_add_that_is_killed_is_gone_on_with_by_the_next(
    running: RunningStack, operator: Operator, tmp_path: Path
) -> None:
    for seed in range(PICTURES):
        (tmp_path / f"{seed}.png").write_bytes(picture(40_000 + seed))
    stats = running.stack.image_search().image_stats
    with operator.start("add", tmp_path, *BULK) as process:
        wait_for("some pictures to be stored", lambda: stats("bulk").images >= 5, poll_s=0.02)
        process.kill()
    stored = stats("bulk").images
    assert 5 <= stored < PICTURES, "it was killed too late to tell anything"

    code, out = operator.run("add", tmp_path, *BULK)
    assert code == 0
    summary = json.loads(out)
    assert (summary["saved"], summary["skipped"], summary["failed"]) == (PICTURES - stored, stored, 0)
    assert operator.images(*BULK) == PICTURES
    code, out = operator.run("list", *BULK)
    assert {json.loads(line)["source"] for line in out.splitlines()} == {str(path) for path in tmp_path.iterdir()}


def test_ctrl_c_ends_an_add_with_a_summary_of_what_is_stored(
    running: RunningStack, operator: Operator, tmp_path: Path
) -> None:
    for seed in range(MORE_PICTURES):
        (tmp_path / f"{seed}.png").write_bytes(picture(45_000 + seed))
    stats = running.stack.image_search().image_stats
    with operator.start("add", tmp_path, "--account", "stopped") as process:
        wait_for("some pictures to be stored", lambda: stats("stopped").images >= 5, poll_s=0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    summary = json.loads(out)
    assert summary["saved"] == stats("stopped").images < MORE_PICTURES
    assert summary["failed"] == 0


def test_what_an_operator_adds_callers_find_and_what_is_removed_they_do_not(
    operator: Operator, api: Api, host: PictureHost, tmp_path: Path
) -> None:
    data = picture(50_000, (80, 90))
    listing = tmp_path / "list.csv"
    listing.write_text(f"url\n{host.serve('operators.png', data)}\n{host.url('nothing.png')}\n")
    code, out = operator.run("add", listing, "--allow-image-host", host.address)
    assert code == 1
    assert json.loads(out).items() >= {"saved": 1, "failed": 1}.items()

    query = json.dumps({"image": base64.b64encode(data).decode()})
    [found] = json.loads(api.request("POST", "/", query).document["body"])["images"]
    assert found["score"] == 1.0
    served = api.request("GET", urlsplit(found["url"]).path, api_key=None)
    assert (served.status, served.headers["content-type"]) == (200, "image/jpeg")

    code, out = operator.run("remove", found["url"])
    assert (code, json.loads(out)) == (0, {"removed": [found["id"]], "not_found": []})
    assert api.request("GET", urlsplit(found["url"]).path, api_key=None).status == 404
    others = json.loads(api.request("POST", "/", query).document["body"])["images"]
    assert found["id"] not in [other["id"] for other in others]


def test_a_prefix_of_the_stacks_own_s3_is_a_source(running: RunningStack, operator: Operator) -> None:
    s3 = running.stack.aws.client("s3")
    s3.create_bucket(Bucket="operators-pictures")
    for name in ("cat.jpg", "rocket.jpg"):
        s3.upload_file(str(PHOTOGRAPHS / name), "operators-pictures", f"a folder/{name}")
    code, out = operator.run("add", "s3://operators-pictures/a folder/", "--account", "from-s3")
    assert code == 0
    assert json.loads(out)["saved"] == 2
    assert operator.images("--account", "from-s3") == 2

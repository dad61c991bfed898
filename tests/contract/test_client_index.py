"""`python -m client index`: with the embedded models, over S3 and DynamoDB as moto has them and as memory has them."""

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import client.__main__ as command_line
from client.index import Adding, Tally
from client.sources import Folder, Picture, UnreadablePicture, UnusableSource, open_sources
from client.stack import MODELS_ROOT, TASKS_STACK, AwsClients, Stack, StackNotFound
from crowdsight.images.decoding import MAX_FILE_BYTES
from crowdsight.models.descriptions import InvalidBundle
from crowdsight.search.library import ImageRecord
from crowdsight.wiring import Settings, Wiring
from tests.contract.conftest import create_table
from tests.contract.interruptions import Interruptions, Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.memory_s3 import MemoryS3

PHOTOGRAPHS = Path(__file__).resolve().parents[2] / "local" / "photographs"
NAMES = ("cat.jpg", "dogs.jpg", "coffee.jpg", "rocket.jpg")
URL = "https://api.example.com/prod"
BUCKET = "images"
PROGRESS = re.compile(r"\d+ of (\d+|\?), ")


@pytest.fixture
def deployment() -> Iterator[None]:
    """The stack of a deployment with image search, where the usual credentials reach."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        create_table(boto3.client("dynamodb"), "images", {"due": "N"})
        secret = boto3.client("secretsmanager").create_secret(Name="names", SecretString='{"name_key": "key"}')
        make_stack({"ImageNamesSecret": secret["ARN"], "SearchBundle": "embedded"})
        yield


def make_stack(changes: dict[str, str]) -> None:
    outputs = {"ApiUrl": f"{URL}/", "ImagesTable": "images", "ImagesBucket": BUCKET, "VectorEngine": "segments"}
    outputs |= changes
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=TASKS_STACK, TemplateBody=json.dumps(template))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with a few of them."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(PHOTOGRAPHS / name, folder)
    return folder


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: list[str]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def counts(self) -> tuple[int, int, int]:
        """Saved, skipped, failed."""
        return self.document["saved"], self.document["skipped"], self.document["failed"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(deployment: None, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `python -m client index …`."""

    def run(*arguments: str | Path) -> Ran:
        code = command_line.main(["index", *map(str, arguments)], {})
        printed = capsys.readouterr()
        # On a machine that is busy it says how far it is.
        return Ran(code, printed.out, [line for line in printed.err.splitlines() if not PROGRESS.match(line)])

    return run


def test_added_pictures_are_stored_and_found_and_a_second_run_skips_them(run: Run, photographs: Path) -> None:
    first = run("add", photographs)
    assert (first.code, first.counts, first.err) == (0, (4, 0, 0), [])
    again = run("add", photographs)
    assert (again.code, again.counts, again.err) == (0, (0, 4, 0), [])
    [hit] = Stack(AwsClients.signed_in()).image_search().find_similar("default", text="a cup of coffee")
    assert Path(hit.image.source).name == "coffee.jpg"


def test_a_picture_is_found_by_its_own_bytes_with_similarity_1(run: Run, photographs: Path) -> None:
    run("add", photographs)
    data = (photographs / "dogs.jpg").read_bytes()
    [hit] = Stack(AwsClients.signed_in()).image_search().find_similar("default", data=data)
    assert (Path(hit.image.source).name, hit.similarity) == ("dogs.jpg", 1.0)


def test_bad_files_are_named_with_the_reason_and_all_others_saved(run: Run, photographs: Path) -> None:
    (photographs / "text.jpg").write_text("this is no picture")
    (photographs / "empty.png").touch()
    (photographs / "truncated.jpg").write_bytes((PHOTOGRAPHS / "cat.jpg").read_bytes()[:5000])
    with (photographs / "large.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    ran = run("add", photographs)
    assert (ran.code, ran.counts) == (1, (4, 0, 4))
    told = dict(line.removeprefix(f"{photographs}/").split(": ", 1) for line in ran.err)
    assert told.keys() == {"text.jpg", "empty.png", "truncated.jpg", "large.jpg"}
    assert all(told.values())
    (photographs / "truncated.jpg").unlink()
    assert run("add", photographs).counts == (0, 4, 3)


def test_a_csv_files_urls_are_fetched_as_the_service_does_and_its_paths_read(run: Run, photographs: Path) -> None:
    listing = photographs / "list.csv"
    listing.write_text("path,url\ncat.jpg,\nnothing.jpg,\n,http://127.0.0.1:9/a.jpg\n,ftp://x/\n")
    ran = run("add", listing)
    assert (ran.code, ran.counts) == (1, (1, 0, 3))
    assert any("http://127.0.0.1:9/a.jpg: " in line for line in ran.err)


def test_a_prefix_in_s3_is_read_page_after_page(run: Run) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="pictures")
    for name in NAMES:
        s3.upload_file(str(PHOTOGRAPHS / name), "pictures", f"photos/{name}")
    for key in ("photos/", "photos/.hidden.jpg", "photos/notes.txt", "other/cat.jpg"):
        s3.put_object(Bucket="pictures", Key=key, Body=b"nothing to see")
    s3.put_object(Bucket="pictures", Key="photos/bad.jpg", Body=b"no picture")
    ran = run("add", "s3://pictures/photos/")
    assert (ran.code, ran.counts) == (1, (4, 0, 1))
    assert [line.partition(": ")[0] for line in ran.err] == ["s3://pictures/photos/bad.jpg"]
    assert {row["source"] for row in run("list").rows} == {f"s3://pictures/photos/{name}" for name in NAMES}


@pytest.mark.usefixtures("deployment")
def test_all_pages_of_a_listing_in_s3_are_read_and_an_object_that_is_gone_is_one_bad_picture() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="pictures")
    for number in range(1003):
        s3.put_object(Bucket="pictures", Key=f"{number:04}.jpg", Body=b"x")
    [source] = open_sources(["s3://pictures"], s3, refuse_to_fetch)
    found = list(source)
    assert len(found) == 1003
    assert found[-1].read() == b"x"
    s3.delete_object(Bucket="pictures", Key="0000.jpg")
    with pytest.raises(UnreadablePicture, match="NoSuchKey"):
        found[0].read()


def refuse_to_fetch(url: str) -> bytes:
    raise AssertionError(url)


def test_what_cannot_be_added_at_all_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    for source, code, complaint in (
        (tmp_path / "nothing", 2, "nothing"),
        (tmp_path, 1, "no pictures were found"),
        ("s3://somebody-elses", 1, "NoSuchBucket"),
    ):
        ran = run("add", source)
        assert (ran.code, ran.out, len(ran.err)) == (code, "", 1), source
        assert complaint in ran.err[0]


def test_accounts_are_kept_apart(run: Run, photographs: Path) -> None:
    assert run("add", photographs / "cat.jpg", "--account", "a").counts == (1, 0, 0)
    assert run("add", photographs / "cat.jpg", "--account", "b").counts == (1, 0, 0)
    [one], [other] = run("list", "--account", "a").rows, run("list", "--account", "b").rows
    assert one["id"] != other["id"]
    assert run("list").rows == []
    assert run("remove", one["id"], "--account", "b").code == 1
    assert run("stats", "--account", "a").document["images"] == 1


def test_the_list_and_the_figures_agree(run: Run, photographs: Path) -> None:
    run("add", photographs)
    rows = run("list").rows
    assert [Path(row["source"]).name for row in sorted(rows, key=lambda row: row["source"])] == sorted(NAMES)
    for row in rows:
        assert row.keys() == {
            "id", "file", "url", "source", "width", "height", "size_bytes", "saved_at", "labels",
        }  # fmt: skip
        assert row["url"] == f"{URL}/image/{row['file']}"
        assert row["file"].startswith(row["id"])
        assert row["saved_at"].endswith("+00:00")
    [cat] = [row for row in rows if row["source"].endswith("cat.jpg")]
    assert "cat" in cat["labels"]
    assert run("list", "--limit", "3").rows == rows[:3]
    stats = run("stats").document
    assert (stats["images"], stats["vectors"], stats["segments"], stats["log_length"]) == (4, 4, 1, 0)
    assert stats["size_bytes"] == sum(row["size_bytes"] for row in rows)


def test_images_are_removed_by_id_file_or_address_and_found_no_more(run: Run, photographs: Path) -> None:
    run("add", photographs)
    by_id, by_file, by_url, kept = run("list").rows
    nothing = "0" * 32
    ran = run("remove", by_id["id"], nothing, by_file["file"], "https://[", by_url["url"], by_id["id"])
    assert ran.code == 1
    assert ran.document == {
        "removed": [by_id["id"], by_file["id"], by_url["id"]],
        "not_found": [nothing, "https://[", by_id["id"]],
    }
    assert len(ran.err) == 3
    assert run("list").rows == [kept]
    hits = Stack(AwsClients.signed_in()).image_search().find_similar("default", text="a cat", limit=10)
    assert [hit.image.image_id for hit in hits] == [kept["id"]]
    again = run("add", photographs)
    assert (again.code, again.counts) == (0, (3, 1, 0))


@pytest.mark.parametrize(
    "arguments",
    [
        ["add"],
        ["add", "x", "--workers", "0"],
        ["list", "--limit", "-1"],
        ["list", "--account", "a/b"],
        ["remove"],
        ["stats", "--account", ""],
    ],
)
def test_what_is_no_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["index", *arguments])
    assert stopped.value.code == 2


def test_a_deployment_with_other_models_than_these_is_refused() -> None:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        make_stack({"SearchBundle": "another", "ImageNamesSecret": "names"})
        with pytest.raises(StackNotFound, match="another"):
            Stack(AwsClients.signed_in()).image_search()


class Secrets:
    """As much of Secrets Manager as image search reads."""

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": '{"name_key": "key"}'}


class Machine:
    """Image search over AWS services in memory, which outlive the processes that use them and are watched."""

    def __init__(self) -> None:
        self.interruptions = Interruptions()
        self._dynamodb, self._s3 = MemoryDynamoDB(), MemoryS3()
        self._dynamodb.create_table(TableName="images")
        self._s3.create_bucket(Bucket=BUCKET)
        self.now_ms = 1_800_000_000_000
        self.task_root = MODELS_ROOT

    def search(self) -> Wiring:
        """That of a new process."""
        clients = {"dynamodb": self._dynamodb, "s3": self._s3}
        watched = {name: self.interruptions.watch(client) for name, client in clients.items()}
        settings = Settings(
            images_table="images",
            images_bucket=BUCKET,
            image_names_secret="names",
            lambda_task_root=str(self.task_root),
        )

        def make_client(service: str, **_: Any) -> Any:
            return Secrets() if service == "secretsmanager" else watched[service]

        return Wiring(settings, make_client, lambda: self.now_ms)

    def add(self, pictures: Iterable[Picture]) -> Tally:
        search = self.search()
        tally = Tally(io.StringIO())
        Adding(
            lambda data, source: search.save_image.save_bytes("default", data, source),
            search.vector_index.refresh,
            tally,
            cores=1,
        )(pictures)
        return tally

    def images(self) -> list[ImageRecord]:
        return self.search().list_images("default").images


@pytest.mark.parametrize("eighth", range(8))
def test_a_run_that_is_killed_anywhere_is_gone_on_with_by_the_next(eighth: int, photographs: Path) -> None:
    whole = Machine()
    whole.add(Folder(photographs))
    machine = Machine()
    machine.interruptions.arm(whole.interruptions.calls * eighth // 8, kill)
    with pytest.raises(Killed):
        machine.add(Folder(photographs))
    stored = len(machine.images())
    tally = machine.add(Folder(photographs))
    assert (tally.counts.saved, tally.counts.skipped, tally.counts.failed) == (4 - stored, stored, 0)
    search = machine.search()
    assert len(machine.images()) == 4
    for name in NAMES:
        [hit] = search.find_similar("default", data=(photographs / name).read_bytes())
        assert (Path(hit.image.source).name, hit.similarity) == (name, 1.0)
    machine.now_ms += 3_600_000
    search.sweep_images()
    search.vector_index.refresh()
    figures = search.image_stats("default")
    assert (figures.images, figures.vectors, figures.log_length) == (4, 4, 0)


def test_the_same_picture_twice_at_once_is_stored_once(photographs: Path) -> None:
    machine = Machine()
    for number in range(6):
        shutil.copy(photographs / "cat.jpg", photographs / f"copy-{number}.jpg")
    counts = machine.add(Folder(photographs)).counts
    assert (counts.saved, counts.skipped, counts.failed) == (4, 6, 0)
    assert len(machine.images()) == 4


def test_what_is_stored_is_skipped_without_being_embedded(photographs: Path, tmp_path: Path) -> None:
    machine = Machine()
    machine.add(Folder(photographs))
    described_only = tmp_path / "models" / "embedded"
    described_only.mkdir(parents=True)
    shutil.copy(MODELS_ROOT / "models" / "embedded" / "bundle.json", described_only)
    machine.task_root = tmp_path
    assert machine.add(Folder(photographs)).counts.skipped == 4
    shutil.copy(PHOTOGRAPHS / "windmill.jpg", photographs)
    with pytest.raises(InvalidBundle):
        machine.add(Folder(photographs))


def test_a_pipe_is_no_picture_and_nobody_waits_for_it(photographs: Path) -> None:
    fifo = photographs / "pipe.jpg"
    os.mkfifo(fifo)
    assert len(list(Folder(photographs))) == 4
    with pytest.raises(UnusableSource):
        open_sources([str(fifo)], None, refuse_to_fetch)

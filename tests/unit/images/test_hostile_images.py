"""The benchmark of broken files and hostile URLs sees what it is there to see."""

import json

import pytest

from benchmarks.hostile_images.__main__ import main
from benchmarks.hostile_images.hosts import BEHAVIOURS, HostileHost
from benchmarks.hostile_images.mutations import hostile_file
from benchmarks.hostile_images.run import Report
from benchmarks.hostile_images.seeds import seed_files
from benchmarks.hostile_images.urls import UrlsReport, hostile_url
from benchmarks.hostile_images.workers import CRASHED, DECODED, HUNG, WRONG, FilesReport
from crowdsight.errors import UndecodableImage
from crowdsight.images.decoding import decode


def test_the_same_seed_breaks_the_same_files_in_the_same_way() -> None:
    count = len(seed_files()) + 60
    files = [hostile_file(3, number) for number in range(count)]
    assert files == [hostile_file(3, number) for number in range(count)]
    assert len(set(files)) > count - 10
    assert files[-60:] != [hostile_file(4, number) for number in range(count)][-60:]


def test_the_good_files_are_good_but_for_one_that_has_no_range() -> None:
    refused = []
    for data in seed_files():
        try:
            decode(data)
        except UndecodableImage as error:
            refused.append(error.message)
    assert len(refused) == 1 and "floating-point" in refused[0]


def test_urls_lead_to_every_behaviour_and_many_must_lead_nowhere() -> None:
    host = HostileHost()
    urls = [hostile_url(3, number, host) for number in range(600)]
    host.close()
    assert all(any(f"/{behaviour}/" in url for url, _ in urls) for behaviour in BEHAVIOURS)
    assert sum(may_lead_somewhere for _, may_lead_somewhere in urls) < 400


@pytest.mark.parametrize("outcome", [CRASHED, HUNG, WRONG])
def test_whatever_must_not_happen_makes_a_run_fail(outcome: str) -> None:
    files = FilesReport()
    files.add(1, (DECODED, "", 0.1, 1_000))
    assert Report(1, files, UrlsReport()).is_ok
    files.add(2, (outcome, "why", 0.1, 1_000))
    assert not Report(1, files, UrlsReport()).is_ok
    large = FilesReport()
    large.add(1, (DECODED, "", 0.1, 2 * 1024 * 1024))
    assert not Report(1, large, UrlsReport()).is_ok
    assert not Report(1, FilesReport(), UrlsReport(failures=["let through"])).is_ok


def test_a_small_run_prints_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--files", "80", "--urls", "16", "--seed", "5", "--processes", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["files"], report["urls"], report["strange_connections"], report["ok"]) == (80, 16, 0, True)
    assert report["decoded"] + report["refused"] == 80

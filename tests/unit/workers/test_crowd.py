import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from local.workers.__main__ import main
from local.workers.behaviour import BEHAVIOURS, read_mix
from local.workers.browser import SiteGone
from local.workers.crowd import Crowd
from local.workers.truth import Truth
from local.workers.worker import NotInvited
from tests.unit.workers.site_in_memory import SiteInMemory

ASKED = 12
EACH = 3
GIVE_UP_S = 20


def ask(site: SiteInMemory) -> list[str]:
    return [
        site.ask(
            "image-contains",
            {"image": {"url": f"https://www.example.com/{number}.jpg"}, "target": {"label": "dog"}},
            max_assignments=EACH,
        )
        for number in range(ASKED)
    ]


async def work_until(crowd: Crowd, is_done: Callable[[], bool]) -> None:
    """Let the crowd work until it is done, and stop it as Ctrl-C does."""
    work = asyncio.create_task(crowd.work())
    async with asyncio.timeout(GIVE_UP_S):
        while not is_done() and not work.done():
            await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


def test_a_crowd_answers_everything_and_perfect_workers_agree(site: SiteInMemory, truth: Truth) -> None:
    hit_ids = ask(site)
    members = [(site.invite(f"Worker {number}"), BEHAVIOURS["perfect"]) for number in range(5)]
    crowd = Crowd(members, truth, speed=1000, transport=site.transport)
    asyncio.run(work_until(crowd, lambda: all(len(site.submitted(hit_id)) == EACH for hit_id in hit_ids)))
    assert all(len(set(site.submitted(hit_id))) == 1 for hit_id in hit_ids)
    summary = crowd.summary()
    assert (summary["workers"], summary["server_errors"]) == (5, 0)
    assert summary["did"]["submitted"] == summary["did"]["accepted"] == ASKED * EACH


def test_a_mixed_crowd_with_hostile_workers_leaves_no_server_error(site: SiteInMemory, truth: Truth) -> None:
    hit_ids = ask(site)
    mix = read_mix("careful=3,careless=2,spammer=1,hostile=3")
    members = [(site.invite(f"Worker {number}"), behaviour) for number, behaviour in enumerate(mix)]
    crowd = Crowd(members, truth, seed=5, speed=1000, transport=site.transport)
    asyncio.run(work_until(crowd, lambda: all(len(site.submitted(hit_id)) == EACH for hit_id in hit_ids)))
    assert crowd.summary()["server_errors"] == 0
    assert [status for status in site.answers if status >= 500] == []


def test_one_worker_who_is_not_let_in_stops_the_crowd(site: SiteInMemory, truth: Truth) -> None:
    members = [
        (site.invite("Ada"), BEHAVIOURS["perfect"]),
        ("http://127.0.0.1:8081/join/forged", BEHAVIOURS["perfect"]),
    ]
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(Crowd(members, truth, transport=site.transport).work())
    assert caught.group_contains(NotInvited)


def test_server_errors_are_counted_by_where_they_were_met(site: SiteInMemory, truth: Truth) -> None:
    site.broken = lambda request: httpx.Response(500) if request.method == "POST" else None
    crowd = Crowd([(site.invite("Ada"), BEHAVIOURS["perfect"])], truth, transport=site.transport)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(crowd.work())
    assert caught.group_contains(NotInvited) and not caught.group_contains(SiteGone)
    assert crowd.summary()["server_errors"] == 1
    assert crowd.summary()["failed_urls"][0].startswith("POST /join/")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--mix", "angels=1"], "angels"),
        (["--mode", "nice"], "nice"),
        (["--speed", "0"], "more than 0"),
        (["--speed", "fast"], "fast"),
        (["--count", "0"], "1 or more"),
        (["--truth", "nowhere.json"], "nowhere.json"),
    ],
)
def test_wrong_options_are_exit_code_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_without_a_stack_there_is_nowhere_to_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stack", str(tmp_path / "stack.json")]) == 1
    assert "make up" in capsys.readouterr().err


def test_help_names_every_behaviour(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert all(name in printed for name in BEHAVIOURS)

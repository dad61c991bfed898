"""`python -m benchmarks.vector_faults`, a short run of it, over moto and in memory; and that it would tell."""

import json
from collections import Counter

import pytest

from benchmarks.vector_faults.__main__ import main
from benchmarks.vector_faults.books import Books
from benchmarks.vector_faults.faults import AnswerLost, Died, Faults, Refused
from benchmarks.vector_faults.run import Plan, run
from crowdsight.search.manifest import Manifests

RUN = ["--seconds", "3", "--writers", "8", "--readers", "2", "--seed", "5"]


@pytest.mark.parametrize("more", [[], ["--in-memory", "--probability", "0.05"]], ids=["moto", "memory"])
def test_with_writers_that_die_no_vector_is_lost_found_twice_or_hidden(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*RUN, *more])
    report = json.loads(capsys.readouterr().out)
    assert status == 0, report
    assert report["ok"] and report["puts"] and report["searches"] and report["failures_injected"] and report["failed"]


def test_the_books_tell_what_breaks_a_rule() -> None:
    books = Books(["ann"])
    books.begin_put("ann", ["a", "b", "c", "d"])
    books.end_put("ann", ["a", "b", "c"])
    books.begin_removal("ann", ["c"])
    before = books.before("ann")
    books.check(before, ["a", "b", "c", "d"])
    books.check(before, ["a", "b"])
    assert books.wrong.total() == 0
    books.begin_removal("ann", ["b"])
    books.check(before, ["a"])
    books.check(before, [], ["b", "d"])
    assert books.wrong.total() == 0
    books.end_removal("ann", ["b"])
    books.check(before, ["a", "b"])
    assert books.wrong.total() == 0
    books.check(before, ["b", "b", "never"])
    assert {**books.wrong} == {"fewer": 1, "twice": 1, "again": 0, "invented": 1}
    books.check(books.before("ann"), ["a", "b"])
    assert books.wrong["again"] == 1
    assert books.unfinished_removals("ann") == ["c"]


def test_a_clients_calls_fail_are_made_twice_or_are_its_last() -> None:
    made: Counter[int] = Counter()

    class Client:
        def put(self, number: int) -> str:
            made[number] += 1
            return "done"

    faults = Faults(0.5, "seed")
    client = faults.over(Client())
    ends: dict[int, str] = {}
    for number in range(400):
        try:
            ends[number] = client.put(number=number)
        except (Died, Refused, AnswerLost) as error:
            ends[number] = type(error).__name__
    kinds = Counter((end, made[number]) for number, end in ends.items())
    assert kinds.keys() == {("done", 1), ("done", 2), ("Died", 0), ("Died", 1), ("Refused", 0), ("AnswerLost", 1)}
    assert min(kinds.values()) > 20
    assert faults.injected == 400 - kinds["done", 1]


def test_a_refresh_that_fails_for_another_reason_than_a_fault_or_others_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Plan(seconds=0.5, writers=2, readers=0, probability=0, in_memory=True)
    monkeypatch.setattr(Manifests, "swap", lambda *_: dict[str, str]()["never"])
    report = run(plan)
    assert not report.is_ok and not report.contended
    assert any("refresh: KeyError" in error for error in report.errors)

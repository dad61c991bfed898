"""`python -m benchmarks.vector_faults`, a short run of it, over moto and in memory; and that it would tell."""

import json

import pytest

from benchmarks.vector_faults.__main__ import main
from benchmarks.vector_faults.books import Books
from benchmarks.vector_faults.faults import Died, Faults

RUN = ["--seconds", "3", "--writers", "8", "--readers", "2", "--seed", "5"]


@pytest.mark.parametrize("more", [[], ["--in-memory", "--probability", "0.05"]], ids=["moto", "memory"])
def test_with_writers_that_die_no_vector_is_lost_found_twice_or_hidden(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*RUN, *more])
    report = json.loads(capsys.readouterr().out)
    assert status == 0, report
    assert report["ok"] and report["puts"] and report["searches"] and report["failures_injected"]


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


def test_a_client_dies_before_or_after_a_call() -> None:
    made: list[int] = []

    class Client:
        def put(self, number: int) -> None:
            made.append(number)

    faults = Faults(0.5, "seed")
    client, died = faults.over(Client()), []
    for number in range(200):
        try:
            client.put(number=number)
        except Died:
            died.append(number)
    assert len(died) == faults.injected
    assert 50 < faults.injected < 150
    assert 0.25 < len(set(died) & set(made)) / len(died) < 0.75
    assert set(died) | set(made) == set(range(200))

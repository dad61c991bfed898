import io
from collections.abc import Iterator

from rich.console import Console

from client.index import Tally
from client.migrating import MigrationTally
from client.progress import LINE_EVERY_S, Bar, Census, Lines, display_for
from client.sources import Picture, UnusableSource


class Pictures:
    """A source of so many pictures, or one that cannot be gone through to its end."""

    def __init__(self, count: int, is_broken: bool = False) -> None:
        self._count = count
        self._is_broken = is_broken

    def __iter__(self) -> Iterator[Picture]:
        for number in range(self._count):
            yield Picture(str(number), bytes)
        if self._is_broken:
            raise UnusableSource("broken")


class Watch:
    """Time that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def counted(*sources: Pictures) -> Census:
    """A census that has come to its end."""
    census = Census(sources)
    census.count()
    return census


def test_a_census_knows_the_total_of_all_sources() -> None:
    assert counted(Pictures(3), Pictures(0), Pictures(4)).total == 7


def test_a_census_that_cannot_be_finished_knows_no_total() -> None:
    assert counted(Pictures(3), Pictures(4, is_broken=True)).total is None


def test_a_census_ends_when_nobody_needs_it_any_more() -> None:
    with Census([Pictures(10**12)]) as census:
        pass
    assert census.total is None


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    watch = Watch()
    tally = Tally(io.StringIO(), watch)
    written: list[str] = []
    lines = Lines(written.append, tally, counted(Pictures(100)))
    for now_s in range(1, 26):
        watch.now_s = float(now_s)
        tally.add_saved()
        lines.show()
    assert written == [
        "10 of 100, 10 saved, 0 skipped, 0 failed, 1.0/s, 0:01:30 left",
        "20 of 100, 20 saved, 0 skipped, 0 failed, 1.0/s, 0:01:20 left",
    ]
    assert LINE_EVERY_S == 10


def test_a_line_tells_no_time_left_before_the_total_is_known() -> None:
    watch = Watch()
    written: list[str] = []
    lines = Lines(written.append, Tally(io.StringIO(), watch), Census([]))
    watch.now_s = LINE_EVERY_S
    lines.show()
    assert written == ["0 of ?, 0 saved, 0 skipped, 0 failed, 0.0/s"]


def test_a_terminal_shows_a_bar_and_a_file_gets_lines() -> None:
    tally = Tally(io.StringIO())
    census = counted(Pictures(4))
    tally.add_saved()
    tally.add_failed("a.jpg", "why")
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120, _environ={"TERM": "xterm"})
    with display_for(terminal, tally, census) as display:
        assert isinstance(display, Bar)
        display.show()
    assert "2/4" in screen.getvalue()
    assert "1 saved, 0 skipped, 1 failed" in screen.getvalue()
    assert isinstance(display_for(Console(file=io.StringIO()), tally, census), Lines)


def test_a_migration_tells_how_many_images_were_copied() -> None:
    watch = Watch()
    tally = MigrationTally(1000, watch)
    written: list[str] = []
    lines = Lines(written.append, tally, tally)
    tally.add(copied=240, skipped=10)
    tally.add(removed=3)
    watch.now_s = LINE_EVERY_S
    lines.show()
    assert written == ["250 of 1000, 240 copied, 10 skipped, 0 missing, 25.0/s, 0:00:30 left"]
    assert tally.summary() == {
        "copied": 240,
        "skipped": 10,
        "missing": 0,
        "removed": 3,
        "failed": 0,
        "seconds": 10.0,
    }

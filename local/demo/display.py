"""What the demonstration writes: a table that changes in place, or a line for each event where there is no terminal."""

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local.demo.exhibits import Exhibition, in_words
from local.demo.watch import Event, Standing

STATE_STYLES = {"new": "dim", "processing": "yellow", "completed": "green", "failed": "red"}
STATE_MARKS = {"new": " ", "processing": "…", "completed": "✓", "failed": "✗"}
SHORT_ANSWERS = {"unavailable": "✗", "0.00": "0", "0.25": "¼", "0.50": "½", "0.75": "¾", "1.00": "1"}
SHOWN_RESULTS = 2


class Display(Protocol):
    """Shows what is going on while it is entered. `searching`: how far image search is, in words."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(
        self, elapsed_s: float, standings: list[Standing], events: Iterable[Event], searching: str = ""
    ) -> None: ...


class LiveTable:
    """One row a task, written again in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, elapsed_s: float, standings: list[Standing], events: Iterable[Event], searching: str = "") -> None:
        self._live.update(progress_table(standings, elapsed_s, searching), refresh=True)


class PlainLines:
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, elapsed_s: float, standings: list[Standing], events: Iterable[Event], searching: str = "") -> None:
        for event in events:
            write_plain(self._console, f"{elapsed_s:6.1f} s  {event.task:<13} {event.what}")


def display_for(console: Console) -> Display:
    """A live table on a terminal that can show one."""
    return LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines(console)


def progress_table(standings: list[Standing], elapsed_s: float, searching: str = "") -> Table:
    """How every task stands at this moment."""
    ended = sum(standing.has_ended for standing in standings)
    answers = sum(len(standing.answers) for standing in standings)
    table = _new_table("Task", "Picture: question", "State", "Answers")
    table.caption = f"{elapsed_s:.0f} s · {ended} of {len(standings)} tasks have ended · {answers} answers"
    if searching:
        table.caption += f"\nimage search: {searching}"
    table.add_column("Cents", justify="right")
    for standing in standings:
        mark = STATE_MARKS[standing.state]
        table.add_row(
            standing.task.name,
            _asked(standing),
            Text(f"{mark} {standing.result or standing.state}", STATE_STYLES[standing.state]),
            " ".join(SHORT_ANSWERS.get(answer, answer) for answer in standing.answers),
            str(standing.paid_cents or ""),
        )
    return table


def show_results(console: Console, standings: list[Standing]) -> None:
    """What came out, against what the pictures really show."""
    table = _new_table("Task", "Picture: question", "Result", "In truth")
    table.add_column("Answers", justify="right")
    table.add_column("Cents", justify="right")
    for standing in standings:
        table.add_row(
            standing.task.name,
            _asked(standing),
            Text(standing.result or standing.state, STATE_STYLES[standing.state]),
            standing.task.truth or "(a mock)",
            str(len(standing.answers)),
            str(standing.paid_cents),
        )
    table.add_section()
    answers = sum(len(standing.answers) for standing in standings)
    table.add_row("all", "", "", "", str(answers), str(sum(standing.paid_cents for standing in standings)))
    write_plain(console, "\nWhat the crowd found\n")
    console.print(table)


def show_search(console: Console, exhibition: Exhibition) -> None:
    """What image search answered to each query."""
    table = _new_table("Query", "By", "Most similar first", "In the first")
    for answer in exhibition.answers:
        found = ", ".join(f"{one.name} {one.match.similarity:.2f}" for one in answer.results[:SHOWN_RESULTS])
        labels = in_words(answer.results[0].labels) if answer.results else ""
        style = STATE_STYLES["completed" if answer.holds else "failed"]
        table.add_row(answer.query.name, answer.query.kind.short, Text(found or "nothing", style), labels)
    write_plain(console, "\nWhat image search found\n")
    console.print(table)


def _new_table(*headings: str) -> Table:
    """A table that fits into 80 columns."""
    return Table(
        *headings, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, caption_justify="left"
    )


def _asked(standing: Standing) -> str:
    task = standing.task
    return f"{task.pictures}: {task.question}" if task.label else task.pictures


def write_plain(console: Console, text: str) -> None:
    """One line as it is, however wide the terminal is taken to be."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)

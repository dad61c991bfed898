"""How far something long has come: a bar on a terminal, otherwise a line every ten seconds."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from threading import Event, Thread
from types import TracebackType
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from client.sources import Source, UnusableSource

LINE_EVERY_S = 10.0


class Census:
    """Counts what there is in sources, meanwhile, while it is entered. `total`: None until all is counted."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.total: int | None = None
        self._sources = sources
        self._over = Event()
        self._thread = Thread(target=self.count, name="count-pictures", daemon=True)

    def __enter__(self) -> "Census":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def count(self) -> None:
        """What its own thread does."""
        found = 0
        try:
            for source in self._sources:
                for _ in source:
                    found += 1
                    if self._over.is_set():
                        return
        except (UnusableSource, ClientError, BotoCoreError):
            return  # whoever reads the pictures comes to the same place, and says so
        self.total = found


class Counts(Protocol):
    """What has become of so many; as text, for people."""

    @property
    def done(self) -> int: ...

    def __str__(self) -> str: ...


class Tally(Protocol):
    """What there is to show."""

    @property
    def counts(self) -> Counts: ...

    @property
    def elapsed_s(self) -> float: ...


class Total(Protocol):
    """How many there are in all; None while that is not known."""

    @property
    def total(self) -> int | None: ...


class Display(Protocol):
    """Shows how far it is, while it is entered."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self) -> None:
        """It may have changed."""


class Bar:
    """A bar that is drawn again in place."""

    def __init__(self, console: Console, tally: Tally, census: Total) -> None:
        self._tally = tally
        self._census = census
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
        )
        self._task = self._progress.add_task("add", total=None, rate=0.0, counts="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self) -> None:
        counts = self._tally.counts
        self._progress.update(
            self._task,
            completed=counts.done,
            total=self._census.total,
            rate=_rate(counts, self._tally.elapsed_s),
            counts=str(counts),
        )


class Lines:
    """A line now and then."""

    def __init__(self, write: Callable[[str], object], tally: Tally, census: Total) -> None:
        self._write = write
        self._tally = tally
        self._census = census
        self._next_s = LINE_EVERY_S

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self) -> None:
        elapsed_s = self._tally.elapsed_s
        if elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + LINE_EVERY_S
        counts, total = self._tally.counts, self._census.total
        rate = _rate(counts, elapsed_s)
        parts = [f"{counts.done} of {total or '?'}", str(counts), f"{rate:.1f}/s"]
        if total and rate:
            parts.append(f"{timedelta(seconds=round(max(0, total - counts.done) / rate))} left")
        self._write(", ".join(parts))


def display_for(console: Console, tally: Tally, census: Total) -> Display:
    """A bar where it can be drawn again in place, otherwise lines."""
    if console.is_terminal and not console.is_dumb_terminal:
        return Bar(console, tally, census)
    return Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True), tally, census)


def _rate(counts: Counts, elapsed_s: float) -> float:
    return counts.done / elapsed_s if elapsed_s > 0 else 0.0

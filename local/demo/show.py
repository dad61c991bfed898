"""The demonstration from the start to the end."""

import io
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from client.stack import Stack
from client.tasks import TaskClient, TaskError
from crowdsight.money import shown_dollars
from local.demo.contact_sheet import draw_contact_sheet
from local.demo.display import display_for, show_results, show_search, write_plain
from local.demo.exhibits import Exhibition
from local.demo.image_search import ImageSearchClient
from local.demo.options import DemoOptions
from local.demo.page import render_page
from local.demo.photographs import PhotographServer
from local.demo.queries import QUERIES, VARIANTS
from local.demo.search import Search, SearchThread
from local.demo.tasks import TASKS
from local.demo.watch import Watch
from local.options import Options
from local.workers.behaviour import MODES, read_mix

if TYPE_CHECKING:
    from crowdsight.workplace.audit import Audit

WORKERS = "simulated"
POLL_S = 0.7
SETTLE_S = 20.0
"""How long the last answers may take to come and to be paid after the last task ended."""

SEARCH_END_S = 2.0
"""How long image search may take to notice that it is over."""

AUDIT_ATTEMPTS, AUDIT_PAUSE_S = 5, 1.0

DONE, FAILED, INTERRUPTED = 0, 1, 130

NEXT = """
What to do next
  make up                            the same until Ctrl-C, with a curl line that works
  make demo OPTIONS=--keep           this again, and the stack stays up afterwards
  .venv/bin/python -m client --help  tasks, Workers, requesters, the audit
  README.md                          how it works, and how to deploy it"""

KEPT = """
The stack stays up until Ctrl-C
  Answer HITs yourself  {worker_invitation_url}
  Crowd task API        {api_url}
  x-api-key             {api_key}
  MTurk endpoint        {mturk_endpoint_url}
  Command line          .venv/bin/python -m client audit --stack {stack_path}"""


def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Start a local stack, watch the tasks until all have ended, and take it down. From the main thread.

    Returns 0 when every task ended, the money adds up and image search found what it had to, 1 when not, and 130 after
    Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no ✓ gets a ? and the demonstration goes on
    with PhotographServer() as photographs:
        demo = Demo(console or Console(), options, photographs)
        demo.say("Starting the local stack from the synthesized templates …")
        from local.stack import run_stack  # slow to import: say first what is going on

        stack_options = Options(
            port=options.port,
            state_dir=options.state_dir,
            workers=WORKERS,
            worker_options=(f"--seed={options.seed}", f"--speed={options.speed}"),
            allowed_image_hosts=(photographs.address,),
        )
        status = run_stack(stack_options, demo.work)
        demo.wait_until_quiet()
    if demo.status is not None:
        return demo.status
    if status == INTERRUPTED:
        demo.say("Stopped.")
    return status


class Shown:
    """The files that show what image search found."""

    def __init__(self, folder: Path) -> None:
        self.page_path = folder / "search.html"
        self.sheet_path = folder / "search.png"

    def clear(self) -> None:
        """Remove what an earlier demonstration has shown."""
        for path in (self.page_path, self.sheet_path):
            path.unlink(missing_ok=True)

    def write(self, exhibition: Exhibition) -> None:
        """Write both, each at once or not at all. Raises OSError."""
        self.page_path.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.page_path, render_page(exhibition).encode())
        _replace(self.sheet_path, draw_contact_sheet(exhibition))


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(f"{path.suffix}.new")
    new.write_bytes(data)
    new.replace(path)


class Demo:
    """What happens between the stack's start and its end. `status`: the exit status once everything was shown."""

    def __init__(self, console: Console, options: DemoOptions, photographs: PhotographServer) -> None:
        self.status: int | None = None
        self._console = console
        self._photographs = photographs
        self._stack_path = options.state_dir / "stack.json"
        self._shown = Shown(options.state_dir / "demo")
        self._timeout_s = options.timeout_s
        self._keep = options.keep
        self._started_at_s = time.monotonic()
        self._first_completed_s: float | None = None
        self._all_ended_s: float | None = None
        self._search_ended_s: float | None = None
        self._quiet = threading.Event()
        self._quiet.set()

    def say(self, text: str) -> None:
        write_plain(self._console, text)

    def work(self, description: dict[str, Any], stopped: threading.Event) -> int:
        """Put the tasks, watch them, and show what came out. Ends soon after `stopped` is set."""
        self._quiet.clear()
        try:
            return self._work(description, stopped)
        except (TaskError, ClientError, BotoCoreError):
            if stopped.is_set():
                return INTERRUPTED  # the stack is being taken down under us
            raise
        finally:
            self._quiet.set()

    def wait_until_quiet(self) -> None:
        """Until nothing more is written, so that the terminal is left as it was."""
        self._quiet.wait(timeout=3)

    def _work(self, description: dict[str, Any], stopped: threading.Event) -> int:
        workers = len(read_mix(MODES[WORKERS]))
        self.say(f"It is up after {self._elapsed_s():.1f} s. {workers} simulated Workers are signing in.")
        self._shown.clear()
        stack = Stack.read(self._stack_path)
        api = stack.local_api()
        photographs = self._photographs
        with (
            TaskClient(api.url, api.key) as client,
            ImageSearchClient(api.url, api.key, sleep=stopped.wait) as image_search,
        ):
            watch = Watch(TASKS, client, stack.workplace().mturk(), photographs.url)
            stored = [name for name in photographs.names if name not in VARIANTS]
            search = SearchThread(Search(image_search, photographs.url, stored, QUERIES), self._shown.write, stopped)
            try:
                self._watch(watch, search, stopped)
            finally:
                search.join(SEARCH_END_S if stopped.is_set() else 0)
        if stopped.is_set():
            return INTERRUPTED
        show_results(self._console, watch.standings)
        is_found = self._conclude_search(search)
        status = self._conclude(watch, stack)
        self.status = status if is_found else FAILED
        self.say(KEPT.format(**description, stack_path=self._stack_path) if self._keep else NEXT)
        if self._keep:
            self._quiet.set()
            stopped.wait()
        return self.status

    def _watch(self, watch: Watch, search: SearchThread, stopped: threading.Event) -> None:
        """Until all tasks have ended, all is paid and all is found, or the time is over, or somebody stops it."""
        give_up_at_s = self._elapsed_s() + self._timeout_s
        is_settling = False
        with display_for(self._console) as display:
            while not stopped.is_set():
                events = [*watch.look(), *search.events()]
                display.show(self._elapsed_s(), watch.standings, events, search.progress)
                if watch.any_answered or watch.all_ended:
                    search.start()  # no earlier: the first Workers are not to wait for it
                if self._first_completed_s is None and watch.any_completed:
                    self._first_completed_s = self._elapsed_s()
                if watch.all_ended and self._all_ended_s is None:
                    self._all_ended_s = self._elapsed_s()
                if search.is_over and self._search_ended_s is None:
                    self._search_ended_s = self._elapsed_s()
                if watch.all_ended and search.is_over and not is_settling:
                    is_settling = True
                    give_up_at_s = self._elapsed_s() + SETTLE_S
                if (watch.is_settled and search.is_over) or self._elapsed_s() > give_up_at_s:
                    display.show(self._elapsed_s(), watch.standings, search.events(), search.progress)
                    return
                stopped.wait(POLL_S)

    def _conclude_search(self, search: SearchThread) -> bool:
        """Show what image search found; whether that is what it had to find."""
        if not search.is_over:
            self.say(f"\nImage search did not end within {self._timeout_s:g} s. The logs may say why.")
            return False
        try:
            exhibition = search.exhibition
        except (TaskError, OSError) as error:
            self.say(f"\nImage search failed: {error}")
            return False
        show_search(self._console, exhibition)
        itself = sum(stored.finds_itself for stored in exhibition.stored)
        self.say(f"\n{itself} of {len(exhibition.stored)} saved photographs find themselves first.")
        for failure in exhibition.failures:
            self.say(f"  wrong: {failure}")
        self.say(f"Look at it all:\n  {self._shown.page_path}\n  {self._shown.sheet_path}")
        return not exhibition.failures

    def _conclude(self, watch: Watch, stack: Stack) -> int:
        """Say how it went, and whether the money adds up; the exit status."""
        self.say("")
        if self._first_completed_s is not None:
            self.say(f"The first task was completed {self._first_completed_s:.1f} s after the start.")
        if self._all_ended_s is not None:
            self.say(f"All {len(watch.standings)} tasks had ended after {self._all_ended_s:.1f} s.")
        if self._search_ended_s is not None:
            self.say(f"Image search had been shown after {self._search_ended_s:.1f} s.")
        unfinished = [standing.task.name for standing in watch.standings if not standing.has_ended]
        if unfinished:
            self.say(f"Not ended after {self._timeout_s:g} s: {', '.join(unfinished)}. The logs may say why.")
        audit = self._audit(stack)
        self.say(
            f"The audit read {audit.hits} HITs, {audit.assignments} assignments and {audit.entries} ledger entries:\n"
            f"  {shown_dollars(audit.funded_cents)} funded = {shown_dollars(audit.rewards_paid_cents)} paid to Workers"
            f" + {shown_dollars(audit.fees_cents)} fees\n"
            f"    + {shown_dollars(audit.held_cents)} held + {shown_dollars(audit.available_cents)} left"
        )
        for discrepancy in audit.discrepancies:
            self.say(f"  does not add up: {discrepancy}")
        if audit.adds_up:
            self.say("  Every cent adds up.")
        return FAILED if unfinished or not audit.adds_up else DONE

    def _audit(self, stack: Stack) -> "Audit":
        """The audit once it adds up, or as it is after a while: what is on its way at the moment looks wrong to it."""
        operator = stack.operator()
        for _ in range(AUDIT_ATTEMPTS - 1):
            audit = operator.audit()
            if audit.adds_up:
                return audit
            time.sleep(AUDIT_PAUSE_S)
        return operator.audit()

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_at_s

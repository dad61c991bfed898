"""The demonstration from the start to the end."""

import io
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from client.stack import Stack
from client.tasks import TaskClient, TaskError
from crowdsight.money import shown_dollars
from local.demo.display import display_for, show_results, write_plain
from local.demo.options import DemoOptions
from local.demo.photographs import PhotographServer
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

    Returns 0 when every task ended and the money adds up, 1 when not, 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no ✓ gets a ? and the demonstration goes on
    demo = Demo(console or Console(), options)
    demo.say("Starting the local stack from the synthesized templates …")
    from local.stack import run_stack  # slow to import: say first what is going on

    stack_options = Options(
        port=options.port,
        state_dir=options.state_dir,
        workers=WORKERS,
        worker_options=(f"--seed={options.seed}", f"--speed={options.speed}"),
    )
    status = run_stack(stack_options, demo.work)
    demo.wait_until_quiet()
    if demo.status is not None:
        return demo.status
    if status == INTERRUPTED:
        demo.say("Stopped.")
    return status


class Demo:
    """What happens between the stack's start and its end. `status`: the exit status once everything was shown."""

    def __init__(self, console: Console, options: DemoOptions) -> None:
        self.status: int | None = None
        self._console = console
        self._stack_path = options.state_dir / "stack.json"
        self._timeout_s = options.timeout_s
        self._keep = options.keep
        self._started_at_s = time.monotonic()
        self._first_completed_s: float | None = None
        self._all_ended_s: float | None = None
        self._quiet = threading.Event()
        self._quiet.set()

    def say(self, text: str) -> None:
        write_plain(self._console, text)

    def work(self, description: dict[str, Any], stopped: threading.Event) -> int:
        """Put the tasks, watch them, and show what came out. Ends soon after `stopped` is set."""
        self._quiet.clear()
        try:
            with PhotographServer() as photographs:
                return self._work(description, photographs.url, stopped)
        except (TaskError, ClientError, BotoCoreError):
            if stopped.is_set():
                return INTERRUPTED  # the stack is being taken down under us
            raise
        finally:
            self._quiet.set()

    def wait_until_quiet(self) -> None:
        """Until nothing more is written, so that the terminal is left as it was."""
        self._quiet.wait(timeout=3)

    def _work(self, description: dict[str, Any], photographs_url: str, stopped: threading.Event) -> int:
        workers = len(read_mix(MODES[WORKERS]))
        self.say(f"It is up after {self._elapsed_s():.1f} s. {workers} simulated Workers are signing in.")
        stack = Stack.read(self._stack_path)
        api = stack.api()
        with TaskClient(api.url, api.key) as client:
            watch = Watch(TASKS, client, stack.workplace().mturk(), photographs_url)
            self._watch(watch, stopped)
        if stopped.is_set():
            return INTERRUPTED
        show_results(self._console, watch.standings)
        self.status = self._conclude(watch, stack)
        self.say(KEPT.format(**description, stack_path=self._stack_path) if self._keep else NEXT)
        if self._keep:
            self._quiet.set()
            stopped.wait()
        return self.status

    def _watch(self, watch: Watch, stopped: threading.Event) -> None:
        """Until all tasks have ended and all is paid, or the time is over, or somebody stops it."""
        give_up_at_s = self._elapsed_s() + self._timeout_s
        with display_for(self._console) as display:
            while not stopped.is_set():
                events = list(watch.look())
                display.show(self._elapsed_s(), watch.standings, events)
                if self._first_completed_s is None and watch.any_completed:
                    self._first_completed_s = self._elapsed_s()
                if watch.all_ended and self._all_ended_s is None:
                    self._all_ended_s = self._elapsed_s()
                    give_up_at_s = self._all_ended_s + SETTLE_S
                if watch.is_settled or self._elapsed_s() > give_up_at_s:
                    return
                stopped.wait(POLL_S)

    def _conclude(self, watch: Watch, stack: Stack) -> int:
        """Say how it went, and whether the money adds up; the exit status."""
        self.say("")
        if self._first_completed_s is not None:
            self.say(f"The first task was completed {self._first_completed_s:.1f} s after the start.")
        if self._all_ended_s is not None:
            self.say(f"All {len(watch.standings)} tasks had ended after {self._all_ended_s:.1f} s.")
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

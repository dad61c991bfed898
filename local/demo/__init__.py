"""The demonstration: real tasks on real photographs, judged by simulated Workers, watched as a requester would.

Everything it shows comes from the two APIs, with a caller's key and a requester's credentials: how a task stands from
crowdsight's own, the answers and what they cost from the workplace's MTurk API.

    options         what it can be told
    tasks           what is asked
    photographs     serves the pictures
    watch           reads how things stand
    display         a live table, or lines where there is no terminal
    show            all of it, from the start to the end
"""

import argparse

from local.demo.options import DemoOptions, add_options

__all__ = ["DESCRIPTION", "HELP", "add_options", "run"]

HELP = "put real tasks and watch them being judged"
DESCRIPTION = (
    "Puts real tasks on real photographs into a local stack, has simulated Workers answer them, shows it as it "
    "happens, and ends by itself. Exit code 0 when every task ended and the money adds up."
)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 when every task ended and the money adds up, 1 when not, 130 after Ctrl-C."""
    from local.demo.show import run_demo  # slow to import, and --help needs none of it

    return run_demo(DemoOptions.of(arguments))

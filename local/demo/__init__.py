"""The demonstration: real tasks on real photographs, judged by simulated Workers, watched as a requester would; and the
same photographs saved in image search and searched.

Everything it shows comes from the APIs, with a caller's key and a requester's credentials: how a task stands and what a
search finds from crowdsight's own, the answers and what they cost from the workplace's MTurk API.

    options         what it can be told
    photographs     serves the pictures
    tasks           what the crowd is asked
    watch           reads how things stand
    queries         what image search is asked
    image_search    its HTTP
    search          saves the photographs and asks the queries
    exhibits        what was answered, with its pictures
    page            shows it as a page, by templates/search.html
    contact_sheet   shows it as a PNG
    labels          where the names of boxes go
    display         a live table, or lines where there is no terminal
    show            all of it, from the start to the end
"""

import argparse

from local.demo.options import DemoOptions, add_options

__all__ = ["DESCRIPTION", "HELP", "add_options", "run"]

HELP = "put real tasks, watch them being judged, and search the photographs"
DESCRIPTION = (
    "Puts real tasks on real photographs into a local stack, has simulated Workers answer them, shows it as it "
    "happens, and ends by itself. Meanwhile it saves the photographs in image search and asks for similar ones, which "
    "demo/search.html and demo/search.png in the state directory show afterwards. Exit code 0 when every task ended, "
    "the money adds up, and image search found what it had to."
)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 when all went as it should, 1 when not, 130 after Ctrl-C."""
    from local.demo.show import run_demo  # slow to import, and --help needs none of it

    return run_demo(DemoOptions.of(arguments))

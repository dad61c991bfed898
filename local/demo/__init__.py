"""The demonstration: real tasks on real photographs, judged by simulated Workers, watched as a requester would.

Everything it shows comes from the two APIs, with a caller's key and a requester's credentials: how a task stands from
crowdsight's own, the answers and what they cost from the workplace's MTurk API.

    tasks           what is asked
    photographs     serves the pictures
    watch           reads how things stand
    display         a live table, or lines where there is no terminal
    show            all of it, from the start to the end
"""

from local.demo.show import main, run_demo

__all__ = ["main", "run_demo"]

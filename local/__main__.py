"""`python -m local`: run the deployed stack on this machine, without Docker and without an AWS account."""

import signal

# Until something runs that has to be ended in order, Ctrl-C just ends this process, and prints nothing. A shell starts
# background jobs with SIGINT ignored; whoever sends it still means it.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from local import build, demo, up  # noqa: E402

DESCRIPTION = "Runs the synthesized stacks on this machine, without Docker and without an AWS account."


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in (("up", up), ("demo", demo), ("build", build)):
        command_parser = commands.add_parser(name, help=command.HELP, description=command.DESCRIPTION)
        command.add_options(command_parser)
        command_parser.set_defaults(run=command.run)
    options = parser.parse_args()
    return int(options.run(options))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still wait for what no longer comes; nothing is left for them to do.
    os._exit(status)

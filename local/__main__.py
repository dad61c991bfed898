"""`python -m local`: run the deployed stack on this machine, without Docker and without an AWS account."""

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path

DESCRIPTION = "Runs the synthesized stacks on this machine, without Docker and without an AWS account."


def main() -> int:
    # A shell starts background jobs with SIGINT ignored; whoever sends it still means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m local", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="serve until Ctrl-C", description="Serve the stack until Ctrl-C."))
    commands.add_parser("demo", help="put real tasks and watch them being judged", add_help=False)
    if sys.argv[1:2] == ["demo"]:
        demo = importlib.import_module("local.demo")
        return int(demo.main(sys.argv[2:]))
    return _up(parser.parse_args())


def _up(arguments: argparse.Namespace) -> int:
    from local.pollers import Notifications
    from local.stack import Options, run

    return run(
        Options(
            port=arguments.port,
            workers=arguments.workers,
            worker_options=tuple(arguments.worker_option),
            ready_file=arguments.ready_file,
            image_hosts=tuple(arguments.allow_image_host),
            settings=dict(arguments.setting),
            state_dir=arguments.state_dir.resolve(),
            notifications=Notifications(arguments.notifications),
            schedule_speed=arguments.schedule_speed,
            max_processes=arguments.max_processes,
            warm_up=arguments.warm_up,
        )
    )


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        metavar="N",
        help="the API's port on 127.0.0.1, 0 for a free one (default: %(default)s); the worker site gets the next free",
    )
    parser.add_argument(
        "--workers",
        choices=("none", "simulated", "perfect", "hostile"),
        default="none",
        help="who answers the HITs (default: %(default)s; open the invitation link to answer them yourself)",
    )
    parser.add_argument(
        "--worker-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="an option for `python -m local.workers`, such as --worker-option=--seed=7; may be repeated",
    )
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="a file to write once the API answers")
    parser.add_argument(
        "--allow-image-host",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="a loopback address that images may be fetched from, which is otherwise refused; may be repeated",
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the CDK app in place of cdk.json's; may be repeated",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(".local"),
        metavar="DIR",
        help="where stack.json and the logs go; one stack at a time in each (default: %(default)s)",
    )
    parser.add_argument(
        "--notifications",
        choices=("normal", "duplicate", "drop", "reorder"),
        default="normal",
        help="deliver each message of a queue as usual, twice, never, or late and out of order (default: %(default)s)",
    )
    parser.add_argument(
        "--schedule-speed",
        type=_positive,
        default=1.0,
        metavar="X",
        help="how many times faster schedules fire (default: %(default)s)",
    )
    parser.add_argument(
        "--max-processes",
        type=int,
        default=4,
        metavar="N",
        help="at most so many processes of each function; further invocations wait (default: %(default)s)",
    )
    parser.add_argument(
        "--no-warm-up",
        dest="warm_up",
        action="store_false",
        help="do not start a process of each function in the background, so that each first call is a cold start",
    )


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    return name, value


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:  # before anything was started
        status = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still wait for what no longer comes; nothing is left for them to do.
    os._exit(status)

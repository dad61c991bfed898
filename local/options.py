"""What a local stack can be told, and the options of `up` that say it."""

import argparse
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.workers.behaviour import MODES

LOOPBACK_HOSTS = ("localhost", "[::1]")

NOBODY = "none"
WORKERS = (NOBODY, *MODES)
"""Who answers the HITs: nobody but people, or a mix of simulated Workers."""


class Notifications(enum.StrEnum):
    """What becomes of messages between a queue and its function."""

    NORMAL = "normal"
    DUPLICATE = "duplicate"
    """Each batch is delivered twice, the second time up to 3 s later."""
    DROP = "drop"
    """Messages are received, deleted and never delivered."""
    REORDER = "reorder"
    """Each message is delivered alone, up to 3 s late."""


@dataclass(frozen=True)
class Options:
    """What a local stack can be told; see `python -m local up --help`."""

    port: int = 8080
    workers: str = NOBODY
    worker_options: tuple[str, ...] = ()
    ready_file: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    state_dir: Path = Path(".local")
    notifications: Notifications = Notifications.NORMAL
    schedule_speed: float = 1.0
    max_processes: int = 4
    warm_up: bool = True
    allowed_image_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Options":
        """Those that `add_options` has had parsed."""
        return cls(
            port=arguments.port,
            workers=arguments.workers,
            worker_options=tuple(arguments.worker_option),
            ready_file=arguments.ready_file,
            settings=dict(arguments.setting),
            state_dir=arguments.state_dir.resolve(),
            notifications=Notifications(arguments.notifications),
            schedule_speed=arguments.schedule_speed,
            max_processes=arguments.max_processes,
            warm_up=arguments.warm_up,
            allowed_image_hosts=tuple(arguments.allow_image_host),
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `up`."""
    parser.add_argument(
        "--port",
        type=int,
        default=Options.port,
        metavar="N",
        help="the API's port on 127.0.0.1, 0 for a free one (default: %(default)s); the worker site gets the next free",
    )
    parser.add_argument(
        "--workers",
        choices=WORKERS,
        default=Options.workers,
        help="who answers the HITs (default: %(default)s; open an invitation link to answer them yourself)",
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
        type=_loopback,
        metavar="HOST:PORT",
        help="a loopback address that image search may fetch from, which is otherwise refused; may be repeated",
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the CDK app in place of cdk.json's; may be repeated",
    )
    add_state_dir(parser)
    parser.add_argument(
        "--notifications",
        choices=[str(kind) for kind in Notifications],
        default=str(Options.notifications),
        help="deliver each message of a queue as usual, twice, never, or late and out of order (default: %(default)s)",
    )
    parser.add_argument(
        "--schedule-speed",
        type=positive,
        default=Options.schedule_speed,
        metavar="X",
        help="how many times faster schedules fire (default: %(default)g)",
    )
    parser.add_argument(
        "--max-processes",
        type=int,
        default=Options.max_processes,
        metavar="N",
        help="at most so many processes of each function; further invocations wait (default: %(default)s)",
    )
    parser.add_argument(
        "--no-warm-up",
        dest="warm_up",
        action="store_false",
        default=Options.warm_up,
        help="do not start a process of each function in the background, so that each first call is a cold start",
    )


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """The option of every command that starts a stack."""
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Options.state_dir,
        metavar="DIR",
        help="where stack.json and the logs go; one stack at a time in each (default: %(default)s)",
    )


def positive(text: str) -> float:
    """A number above 0. Raises what argparse shows."""
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _loopback(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("write HOST:PORT")
    if host not in LOOPBACK_HOSTS and not host.startswith("127."):
        raise argparse.ArgumentTypeError("only a loopback address: 127.0.0.1, localhost or [::1]")
    return text


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    return name, value

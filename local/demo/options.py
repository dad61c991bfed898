"""What the demonstration can be told."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from local.options import Options, add_state_dir, positive


@dataclass(frozen=True)
class DemoOptions:
    """`seed`: of the simulated Workers, who are `speed` times faster than people. `timeout_s`: for all tasks together.

    `keep`: leave the stack up afterwards, until Ctrl-C.
    """

    keep: bool = False
    port: int = 0
    seed: int = 1
    speed: float = 3.0
    timeout_s: float = 300.0
    state_dir: Path = Options.state_dir

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "DemoOptions":
        """Those that `add_options` has had parsed."""
        return cls(
            keep=arguments.keep,
            port=arguments.port,
            seed=arguments.seed,
            speed=arguments.speed,
            timeout_s=arguments.timeout,
            state_dir=arguments.state_dir.resolve(),
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `demo`."""
    parser.add_argument(
        "--keep", action="store_true", default=DemoOptions.keep, help="leave the stack up afterwards, until Ctrl-C"
    )
    parser.add_argument(
        "--port", type=int, default=DemoOptions.port, metavar="N", help="the API's port, 0 for a free one (default)"
    )
    parser.add_argument(
        "--seed", type=int, default=DemoOptions.seed, metavar="N", help="of the Workers' chances (default: %(default)s)"
    )
    parser.add_argument(
        "--speed",
        type=positive,
        default=DemoOptions.speed,
        metavar="X",
        help="how many times faster than people they are (default: %(default)g)",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=DemoOptions.timeout_s,
        metavar="SECONDS",
        help="for all tasks together (default: %(default)g)",
    )
    add_state_dir(parser)

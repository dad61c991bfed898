"""`python -m local.workers`: simulated Workers at the worker site, until Ctrl-C."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from client.stack import Stack, StackNotFound
from local.workers.behaviour import BEHAVIOURS, MODES, Behaviour, read_mix, scaled
from local.workers.browser import SiteGone
from local.workers.crowd import Crowd
from local.workers.truth import PHOTOGRAPHS, Truth
from local.workers.worker import NotInvited

NAMES = ("Ada", "Ben", "Cleo", "Dev", "Eve", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kim", "Lars", "Mia", "Noor")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when stopped by SIGINT or SIGTERM, 1 when the site is gone or lets nobody in, 2 for wrong options."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        behaviours = read_mix(options.mix or MODES[options.mode])
        truth = Truth.read(options.truth)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    behaviours = scaled(behaviours, options.count) if options.count else behaviours
    try:
        members = _members(options, behaviours)
    except StackNotFound as error:
        print(error, file=sys.stderr)
        return 1
    crowd = Crowd(members, truth, options.seed, options.speed)
    try:
        asyncio.run(_until_stopped(crowd))
    except* (SiteGone, NotInvited) as group:
        print(f"stopped: {group.exceptions[0]}", file=sys.stderr)
        return_code = 1
    else:
        return_code = 0
    print(json.dumps(crowd.summary()), flush=True)
    return return_code


async def _until_stopped(crowd: Crowd) -> None:
    work = asyncio.create_task(crowd.work())
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        return


def _members(options: argparse.Namespace, behaviours: Sequence[Behaviour]) -> list[tuple[str, Behaviour]]:
    if options.invitation:
        return [(url, behaviours[n % len(behaviours)]) for n, url in enumerate(options.invitation)]
    stack = Stack.read(options.stack)
    workplace, operator = stack.workplace(), stack.operator()
    names = [f"{NAMES[n % len(NAMES)]} {n // len(NAMES) + 1}".removesuffix(" 1") for n in range(len(behaviours))]
    return [
        (workplace.invitation_url(operator.invite_worker(name)), behaviour)
        for name, behaviour in zip(names, behaviours, strict=True)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.workers",
        description="Simulated Workers, who find, accept and answer HITs through the worker site's own pages. "
        "They stop at Ctrl-C and then print what they did, as one line of JSON.",
    )
    parser.add_argument(
        "--stack", type=Path, default=Path(".local/stack.json"), help="the running local stack (default: %(default)s)"
    )
    parser.add_argument(
        "--mode", choices=MODES, default="simulated", help="which mix of Workers (default: %(default)s)"
    )
    parser.add_argument(
        "--mix",
        metavar="MIX",
        help=f"Workers by behaviour instead of a mode, such as careful=6,absent=1; behaviours: {', '.join(BEHAVIOURS)}",
    )
    parser.add_argument("--count", type=_positive, metavar="N", help="that many Workers, in the mix's proportions")
    parser.add_argument(
        "--speed", type=_positive_float, default=1.0, metavar="X", help="times faster than people (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed, the same people (default: 0)")
    parser.add_argument(
        "--truth",
        type=Path,
        default=PHOTOGRAPHS / "truth.json",
        metavar="FILE",
        help="what pictures show; other pictures get a made-up truth (default: that of local/photographs)",
    )
    parser.add_argument(
        "--invitation",
        action="append",
        metavar="URL",
        help="sign in by this link instead of inviting Workers through the stack; once for each Worker",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _positive_float(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


if __name__ == "__main__":
    sys.exit(main())

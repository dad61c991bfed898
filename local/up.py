"""`python -m local up`: serve the stack until Ctrl-C."""

import argparse
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from local.options import Options, add_options

__all__ = ["DESCRIPTION", "HELP", "add_options", "run"]

HELP = "serve until Ctrl-C"
DESCRIPTION = "Serve the stack until Ctrl-C."


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after SIGINT or SIGTERM, 1 when the stack could not start or did not hold."""
    began_at_s = time.monotonic()

    def serve(description: dict[str, Any], stopped: threading.Event) -> int:
        print(greeting(description, time.monotonic() - began_at_s), flush=True)
        stopped.wait()
        return 0

    from local.stack import INTERRUPTED, run_stack  # slow to import, and --help needs none of it

    status = run_stack(Options.of(arguments), serve)
    return 0 if status == INTERRUPTED else status


def greeting(description: Mapping[str, Any], ready_after_s: float) -> str:
    """Where everything is, and a line that works."""
    lines = [
        f"API            {description['api_url']}",
        f"API key        {description['api_key']}",
    ]
    if "worker_site_url" in description:
        lines += [
            f"Worker site    {description['worker_site_url']}",
            f"Work yourself  {description['worker_invitation_url']}",
            f"               {description['second_worker_invitation_url']}",
            "               Two Workers, because a task takes at least two: open the second in a private window.",
            f"Mail           {description['mailbox']}",
            f"MTurk endpoint {description['mturk_endpoint_url']}",
        ]
    question = json.dumps(
        {"input": {"image": {"url": "https://example.com/photograph.jpg"}, "target": {"label": "a dog"}}}
    )
    return "\n".join(
        [
            *lines,
            f"Logs           {description['logs']}",
            "",
            "Ask something:",
            f"  curl -X PUT {description['api_url']}/functions/image-contains/tasks/first \\",
            f"    -H 'x-api-key: {description['api_key']}' -H 'Content-Type: application/json' \\",
            f"    -d '{question}'",
            "",
            f"Ready in {ready_after_s:.1f} s. Ctrl-C stops it.",
        ]
    )

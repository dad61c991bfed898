"""The supervisor's own log: `.local/logs/stack.log`; nothing of it goes to the terminal."""

import logging
from pathlib import Path

log = logging.getLogger("local")
log.propagate = False
log.addHandler(logging.NullHandler())


def log_to(path: Path) -> None:
    """Write the log to a file from now on, which starts empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)

"""Accounts of a running stack, opened as an operator opens them."""

import contextlib
import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

from client.__main__ import main
from tests.stack.raw_http import Api
from tests.stack.running_stack import RunningStack

_numbers = itertools.count(1)


class Account:
    """A new account with one key. `api` calls with it."""

    def __init__(self, running: RunningStack, name: str) -> None:
        self._running = running
        self.name = f"{name}-{next(_numbers)}"
        self.key = self.admin("accounts", "create", self.name)[0]["api_key"]
        self.api = Api(running["api_url"], self.key)

    def admin(self, *words: str) -> list[Any]:
        """What an operator's command prints: JSON documents."""
        return admin(self._running, *words)

    def top_up(self, cents: int) -> None:
        self.admin("topup", self.name, str(cents), "--reference", f"payment {next(_numbers)}")

    def standing(self) -> Any:
        """As `GET /account` answers."""
        reply = self.api.request("GET", "/account")
        assert reply.status == 200, reply.body
        return reply.document


def admin(running: RunningStack, *words: str, code: int = 0) -> list[Any]:
    """Run `python -m client admin …`; the JSON documents that it prints, one or many."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["admin", *words, "--stack", str(running.path)], {}) == code
    return list(_documents(printed.getvalue()))


def _documents(text: str) -> Sequence[Any]:
    found, at = [], 0
    decoder = json.JSONDecoder()
    while (start := len(text) - len(text[at:].lstrip())) < len(text):
        document, at = decoder.raw_decode(text, start)
        found.append(document)
    return found

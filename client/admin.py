"""What an operator does with the accounts of callers."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from client.commands import DONE, REFUSED, account_name, add_command, add_place, complain, show, stack_of
from crowdsight.accounts.gateway_keys import NoUsagePlan
from crowdsight.accounts.store import DEFAULT_OVERLAP_S
from crowdsight.errors import CrowdsightError

if TYPE_CHECKING:
    from crowdsight.accounts.ledger import Entry
    from crowdsight.accounts.store import NewKey
    from crowdsight.task_store import Spending
    from crowdsight.wiring import Wiring

DEFAULT = "default"
"""Stands for the deployment's own terms."""


def add_admin(subject: argparse.ArgumentParser) -> None:
    """The commands of `admin`."""
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_accounts(commands.add_parser("accounts", help="open accounts, list them, and set their terms"))
    _add_keys(commands.add_parser("keys", help="make, list, rotate and revoke keys"))
    topup = add_command(commands, "topup", _top_up, "add money to an account's balance, once for each reference")
    budget = add_command(commands, "budget", _set_budget, "limit what an account's tasks may cost in a month")
    usage = add_command(commands, "usage", _show_usage, "see what an account has used, has left, and pays")
    audit = add_command(commands, "audit", _audit, "check that balances and budgets are what the ledgers say")
    for command in (topup, budget, usage):
        command.add_argument("account", type=account_name, metavar="ACCOUNT", help="the account's name")
    topup.add_argument("cents", type=int, metavar="CENTS", help="how much, in whole cents")
    topup.add_argument(
        "--reference", required=True, metavar="R", help="what the payment is known by; a repeated one changes nothing"
    )
    budget.add_argument(
        "cents", type=_term, metavar="CENTS", help="at the worst, in a calendar month (UTC); 0 for no limit; or default"
    )
    usage.add_argument(
        "--ledger", action="store_true", help="list every cent that came or went, by time, an entry a line"
    )
    for command in (topup, budget, usage, audit):
        add_place(command)


def _add_accounts(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    create = add_command(commands, "create", _create_account, "open an account, and show its first key")
    listing = add_command(commands, "list", _list_accounts, "list the accounts, one JSON object a line")
    terms = add_command(commands, "set", _set_terms, "give an account terms of its own")
    for command in (create, terms):
        command.add_argument("account", type=account_name, metavar="ACCOUNT", help="the account's name")
    terms.add_argument("--free-searches", type=_term, metavar="N", help="free ones a day (UTC); or default")
    terms.add_argument("--price-cents", type=_term, metavar="CENTS", help="of each further search; or default")
    for command in (create, listing, terms):
        add_place(command)


def _add_keys(subject: argparse.ArgumentParser) -> None:
    commands = subject.add_subparsers(title="commands", required=True, metavar="COMMAND")
    create = add_command(commands, "create", _create_key, "make one more key, and show it, this once")
    listing = add_command(commands, "list", _list_keys, "list the keys that may be used, one JSON object a line")
    rotate = add_command(commands, "rotate", _rotate_key, "make a key in place of another, which ends later")
    revoke = add_command(commands, "revoke", _revoke_key, "end a key; within a minute nothing takes it any more")
    for command in (create, listing, rotate, revoke):
        command.add_argument("account", type=account_name, metavar="ACCOUNT", help="the account's name")
    for command in (rotate, revoke):
        command.add_argument("key_id", metavar="KEY_ID", help="the key's id, as `keys list` tells it")
    rotate.add_argument(
        "--overlap",
        type=int,
        default=DEFAULT_OVERLAP_S,
        metavar="SECONDS",
        help="how long the other goes on working (a day)",
    )
    for command in (create, listing, rotate, revoke):
        add_place(command)


def _term(text: str) -> int | str:
    if text != DEFAULT and not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number, or default, is needed")
    return text if text == DEFAULT else int(text)


def _accounts(options: argparse.Namespace) -> "Wiring":
    return stack_of(options).accounts()


def _create_account(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    accounts = _accounts(options).accounts
    name = options.account
    if not accounts.create(name):
        return complain(f"there is an account {name}; `admin keys create {name}` makes a key for it", REFUSED)
    try:
        made = accounts.create_key(name)
    except (CrowdsightError, NoUsagePlan, ClientError, BotoCoreError) as error:
        return complain(f"{name} is open, but has no key: {error}; `admin keys create {name}` makes one", REFUSED)
    return _show_key(made)


def _list_accounts(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    wiring = _accounts(options)
    accounts = wiring.accounts
    for name in accounts.names():
        account = accounts.account(name)
        _show_line(
            {
                "account": name,
                "created_at": _time(account.created_at_ms),
                "balance_cents": wiring.allowance.standing(name).balance_cents,
                "keys": len(accounts.keys(name)),
                **asdict(account.terms),
                "own_terms": sorted(account.own_terms),
            }
        )
    return DONE


def _set_terms(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    given = {"free_searches": options.free_searches, "search_price_cents": options.price_cents}
    changes = {term: None if value == DEFAULT else value for term, value in given.items() if value is not None}
    return _change_terms(options, changes)


def _set_budget(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    return _change_terms(options, {"crowd_budget_cents": None if options.cents == DEFAULT else options.cents})


def _change_terms(options: argparse.Namespace, changes: Mapping[str, int | None]) -> int:
    accounts = _accounts(options).accounts
    account = accounts.set_terms(options.account, changes) if changes else accounts.account(options.account)
    show({"account": account.name, **asdict(account.terms), "own_terms": sorted(account.own_terms)})
    return DONE


def _create_key(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    return _show_key(_accounts(options).accounts.create_key(options.account))


def _rotate_key(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    made = _accounts(options).accounts.rotate_key(options.account, options.key_id, options.overlap)
    return _show_key(made, previous_key_expires_at=_time(made.replaces_until_ms))


def _show_key(made: "NewKey", **more: str) -> int:
    show({"account": made.record.account, "api_key": made.key, "key_id": made.record.id, **more})
    return DONE


def _list_keys(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    for key in _accounts(options).accounts.keys(options.account):
        expires_at = None if key.expires_at_ms is None else _time(key.expires_at_ms)
        _show_line({"key_id": key.id, "created_at": _time(key.created_at_ms), "expires_at": expires_at})
    return DONE


def _revoke_key(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    _accounts(options).accounts.revoke_key(options.account, options.key_id)
    return DONE


def _top_up(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    wiring = _accounts(options)
    wiring.ledger.top_up(options.account, options.cents, options.reference)
    show({"account": options.account, "balance_cents": wiring.allowance.standing(options.account).balance_cents})
    return DONE


def _show_usage(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    from crowdsight.account_http import account_document

    wiring = _accounts(options)
    description = wiring.describe_account(options.account)
    if not options.ledger:
        show(account_document(description))
        return DONE
    lines = [(entry.at_ms, _entry_line(entry)) for entry in wiring.ledger.entries(options.account)]
    lines += [(spending.at_ms, _task_line(spending)) for spending in wiring.budget_audit.spendings(options.account)]
    for at_ms, line in sorted(lines, key=lambda line: line[0]):
        _show_line({"at": _time(at_ms), "account": options.account, **line})
    return DONE


def _entry_line(entry: "Entry") -> dict[str, Any]:
    request = {"request_id": entry.request_id} if entry.request_id else {}
    return {"fund": "balance", "kind": entry.kind, "reference": entry.reference, "cents": entry.cents, **request}


def _task_line(spending: "Spending") -> dict[str, Any]:
    return {
        "fund": "crowd",
        "kind": "task",
        "reference": f"{spending.key.function}/{spending.key.name}",
        "cents": -spending.cents,
        "month": spending.month,
        "generation": spending.generation,
    }


def _audit(options: argparse.Namespace, _: Mapping[str, str]) -> int:
    wiring = _accounts(options)
    names = list(wiring.accounts.names())
    found = [what for name in names for what in wiring.ledger.discrepancies(name)]
    found += wiring.budget_audit.discrepancies(names)
    show({"accounts": len(names), "discrepancies": found})
    return REFUSED if found else DONE


def _show_line(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False))


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")

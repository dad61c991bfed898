"""What every operation of MTurk's Requester API is given, and how it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crowdsight.money import wire_dollars
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.paging import NextTokens
from crowdsight.workplace.requesters import Requesters

DEFAULT_PAGE = 10
MAX_AMOUNT_CENTS = 100_000_000


@dataclass(frozen=True)
class Call:
    """One call of an operation by a requester; `given` are its members, checked against the model.

    An operation raises RequestError, by itself or through `requesters`.
    """

    requesters: Requesters
    requester_id: str
    next_tokens: NextTokens
    now_ms: int
    given: Mapping[str, Any]


Answer = dict[str, Any]
"""An operation's members, times as datetimes; those that are None are left out."""


def page_size(call: Call) -> int:
    """How many results the call wants."""
    return int(call.given.get("MaxResults", DEFAULT_PAGE))


def require_text(call: Call, name: str) -> str:
    """A member that must be more than blanks. Raises RequestError InvalidParameterValue."""
    text = str(call.given[name])
    if not text.strip():
        raise RequestError("InvalidParameterValue", f"{name} must not be blank.")
    return text


def read_cents(call: Call, name: str) -> int:
    """An amount of dollars, in cents. Raises RequestError ParameterValidationError above a million dollars."""
    text = str(call.given[name])
    cents = int(Decimal(text) * 100) if len(text) <= 15 else MAX_AMOUNT_CENTS + 1
    if cents > MAX_AMOUNT_CENTS:
        raise RequestError("ParameterValidationError", f"{name} must be at most {wire_dollars(MAX_AMOUNT_CENTS)}.")
    return cents


def wire_time(at_ms: int | None) -> datetime | None:
    """A time in ms since the epoch as an answer has it."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)

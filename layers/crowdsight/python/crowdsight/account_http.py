"""The HTTP of a caller's own account: what it is told, and how it rotates its key."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from crowdsight.accounts.describing import AccountDescription
from crowdsight.accounts.store import DEFAULT_OVERLAP_S, MAX_OVERLAP_S, RotatedKey
from crowdsight.http import json_body, read_model
from crowdsight.proxy_request import ProxyRequest

NOT_KEPT = {"Cache-Control": "no-store"}
"""The answer with a key in it is for the caller alone."""


class RotationBody(BaseModel):
    """The body of `POST /account/key`, which may be left out. `overlap_s`: how long the key in use goes on working."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S)] = DEFAULT_OVERLAP_S


def rotation_body(request: ProxyRequest) -> RotationBody:
    """Raises UnsupportedMediaType, InvalidRequest."""
    return read_model(RotationBody, json_body(request), "body") if request.body else RotationBody()


def key_id_of(request: ProxyRequest) -> str:
    """The id of the key that the request came with."""
    key_id: str = request.caller["key_id"]
    return key_id


def account_document(account: AccountDescription) -> dict[str, Any]:
    """The answer of `GET /account`."""
    standing = account.standing
    return {
        "account": account.name,
        "balance_cents": standing.balance_cents,
        "searches": {
            "free": standing.free_searches,
            "free_used": standing.free_used,
            "free_left": standing.free_left,
            "paid": standing.paid_used,
            "price_cents": standing.search_price_cents,
            "resets_at": _time(standing.resets_at_s),
        },
        "crowd": {
            "month": account.month,
            "budget_cents": account.crowd_budget_cents or None,
            "committed_cents": account.committed_cents,
        },
    }


def key_document(made: RotatedKey) -> dict[str, Any]:
    """The answer of `POST /account/key`."""
    return {
        "api_key": made.key,
        "key_id": made.record.id,
        "previous_key_expires_at": _time(made.replaces_until_ms / 1000),
        "message": "Keep it now: it is shown only this once.",
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

"""UniqueRequestTokens: a request that is sent again within 24 hours does not happen again."""

from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Step, Table
from crowdsight.workplace import records
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.hits import MS_PER_S

LIFETIME_MS = 86_400 * MS_PER_S


class UniqueRequestTokens:
    """Tokens of all requesters; one may be used once for creating a HIT, for a bonus, and for extending each HIT."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def creation(self, requester_id: str, token: str, hit_id: str) -> Step:
        """The write that goes with the creation of a HIT; its condition fails when the token is in use."""
        return self._step(requester_id, f"create#{token}", hit_id)

    def extension(self, requester_id: str, hit_id: str, token: str) -> Step:
        """The write that goes with an extension of a HIT; its condition fails when the token is in use."""
        return self._step(requester_id, f"extend#{hit_id}#{token}", hit_id)

    def bonus(self, requester_id: str, token: str, bonus_id: str) -> Step:
        """The write that goes with a bonus; its condition fails when the token is in use."""
        return self._step(requester_id, f"bonus#{token}", bonus_id)

    def refuse_repeated_creation(self, requester_id: str, token: str) -> None:
        """Raises RequestError HitAlreadyExists, the HIT's id being in the message."""
        hit_id = self._made(requester_id, f"create#{token}")
        if hit_id:
            raise RequestError("HitAlreadyExists", f"The HIT for this UniqueRequestToken already exists: {hit_id}")

    def refuse_repeated_extension(self, requester_id: str, hit_id: str, token: str) -> None:
        """Raises RequestError DuplicateRequest, with the text that MTurk used."""
        if self._made(requester_id, f"extend#{hit_id}#{token}"):
            raise RequestError("DuplicateRequest", f'The idempotency token "{token}" has already been processed.')

    def refuse_repeated_bonus(self, requester_id: str, token: str) -> None:
        """Raises RequestError DuplicateRequest, the bonus's id being in the message."""
        bonus_id = self._made(requester_id, f"bonus#{token}")
        if bonus_id:
            raise RequestError(
                "DuplicateRequest",
                f'The idempotency token "{token}" has already been processed. The request was {bonus_id}.',
            )

    def _step(self, requester_id: str, use: str, made: str) -> Step:
        now_ms = self._clock()
        expires_at_ms = now_ms + LIFETIME_MS
        item: Item = {
            "pk": records.requester_pk(requester_id),
            "sk": records.token_sk(use),
            "made": made,
            "expires_at_ms": expires_at_ms,
            "ttl_s": expires_at_ms // MS_PER_S + 1,
        }
        condition = "attribute_not_exists(pk) OR expires_at_ms <= :now"
        return self._table.put_step("token", item, condition, {"now": now_ms})

    def _made(self, requester_id: str, use: str) -> str | None:
        item = self._table.get(records.requester_pk(requester_id), records.token_sk(use))
        return item["made"] if item and item["expires_at_ms"] > self._clock() else None

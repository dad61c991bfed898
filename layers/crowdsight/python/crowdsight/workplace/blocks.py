"""Blocks: Workers whom a requester lets do none of their HITs. The Worker is not told."""

from dataclasses import dataclass

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table
from crowdsight.workplace import records
from crowdsight.workplace.faults import RequestError


@dataclass(frozen=True)
class Block:
    """That a requester blocks a Worker, and why, as only the requester sees it."""

    worker_id: str
    reason: str


@dataclass(frozen=True)
class BlockPage:
    """Some blocks, and where to go on (None at the end)."""

    blocks: list[Block]
    next_start: str | None


class Blocks:
    """All blocks; each lies with its requester, who lists them, and with its Worker, whom they concern."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def block(self, requester_id: str, worker_id: str, reason: str) -> None:
        """Keep a Worker from a requester's HITs; again, with another reason. Raises RequestError for no such Worker."""
        self._require_worker(worker_id)
        since_ms = self._clock()
        of_requester = {"pk": records.requester_pk(requester_id), "sk": records.block_sk(worker_id)}
        of_worker = {"pk": records.worker_pk(worker_id), "sk": records.blocked_by_sk(requester_id)}
        self._table.transact(
            [
                self._table.put_step("block", of_requester | {"reason": reason, "since_ms": since_ms}),
                self._table.put_step("blocked_by", of_worker | {"since_ms": since_ms}),
            ]
        )

    def unblock(self, requester_id: str, worker_id: str) -> None:
        """Let a Worker do the requester's HITs, blocked or not. Raises RequestError for no such Worker."""
        self._require_worker(worker_id)
        self._table.transact(
            [
                self._table.delete_step("block", records.requester_pk(requester_id), records.block_sk(worker_id)),
                self._table.delete_step(
                    "blocked_by", records.worker_pk(worker_id), records.blocked_by_sk(requester_id)
                ),
            ]
        )

    def list(self, requester_id: str, limit: int, start: str | None = None) -> BlockPage:
        """The Workers whom a requester blocks, by their ids."""
        pk = records.requester_pk(requester_id)
        key = {"pk": pk, "sk": records.block_sk(start)} if start else None
        page = self._table.query(pk, records.BLOCKS, limit=limit, start_key=key)
        blocks = [Block(item["sk"].removeprefix(records.BLOCKS), item["reason"]) for item in page.items]
        return BlockPage(blocks, page.next_key["sk"].removeprefix(records.BLOCKS) if page.next_key else None)

    def is_blocked(self, worker_id: str, requester_id: str) -> bool:
        """Whether the requester blocks the Worker."""
        return self._table.get(records.worker_pk(worker_id), records.blocked_by_sk(requester_id)) is not None

    def _require_worker(self, worker_id: str) -> None:
        if self._table.get(records.worker_pk(worker_id), "worker") is None:
            raise RequestError("InvalidParameterValue", "WorkerId is invalid.")

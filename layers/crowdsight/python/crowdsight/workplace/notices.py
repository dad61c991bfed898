"""Notices: what a requester writes to Workers who worked for them, as NotifyWorkers sends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.dynamodb import Table
from crowdsight.workplace import records
from crowdsight.workplace.messages import Messages


class FailureCode(StrEnum):
    """HARD will fail again, SOFT may not."""

    HARD = "HardFailure"
    SOFT = "SoftFailure"


@dataclass(frozen=True)
class Failure:
    """Why a Worker was not written to."""

    worker_id: str
    code: FailureCode
    message: str


class Notices:
    """Writes to Workers of whose work the requester has approved or rejected some."""

    def __init__(self, table: Table, messages: Messages) -> None:
        self._table = table
        self._messages = messages

    def notify(self, requester_id: str, worker_ids: Iterable[str], subject: str, text: str) -> list[Failure]:
        """Send the same message to each of these Workers, once however often named; the failures, in order."""
        failures = (self._notify(requester_id, worker_id, subject, text) for worker_id in dict.fromkeys(worker_ids))
        return [failure for failure in failures if failure]

    def _notify(self, requester_id: str, worker_id: str, subject: str, text: str) -> Failure | None:
        try:
            counts = self._table.get(records.requester_pk(requester_id), records.worked_for_sk(worker_id)) or {}
            if not counts.get("approved") and not counts.get("rejected"):
                return Failure(worker_id, FailureCode.HARD, self._why_not(worker_id))
            self._messages.send_to_worker(worker_id, requester_id, subject, text)
        except (ClientError, BotoCoreError):
            # The others are still written to; the program may try this Worker again.
            return Failure(worker_id, FailureCode.SOFT, "The message could not be sent. Try again.")
        return None

    def _why_not(self, worker_id: str) -> str:
        if self._table.get(records.worker_pk(worker_id), "worker") is None:
            return f"There is no Worker {worker_id}."
        return f"You have neither approved nor rejected work of Worker {worker_id}."

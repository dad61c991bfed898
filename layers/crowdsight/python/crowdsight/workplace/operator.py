"""What the deployment's operator does: fund requesters, issue their credentials, and check that everything adds up."""

from crowdsight.clock import Clock
from crowdsight.dynamodb import Table, TransactionFailed
from crowdsight.workplace import records
from crowdsight.workplace.audit import Audit, audit
from crowdsight.workplace.credentials import Credentials, CredentialSecrets
from crowdsight.workplace.ledger import Earning, LedgerEntry
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.statement import Statements

MAX_REFERENCE_LENGTH = 200


class Operator:
    """Commands that no requester and no Worker has."""

    def __init__(self, table: Table, clock: Clock, credentials: CredentialSecrets, sessions: Sessions) -> None:
        self._table = table
        self._clock = clock
        self._credentials = credentials
        self._sessions = sessions

    def fund_requester(self, requester_id: str, cents: int, reference: str) -> None:
        """Add prepaid money; the same `reference` (1 to 200 characters) does so once, however often it is used.

        Raises ValueError for an amount below one cent or a reference of another length.
        """
        if cents < 1:
            raise ValueError("an amount to fund is at least one cent")
        if not 1 <= len(reference) <= MAX_REFERENCE_LENGTH:
            raise ValueError(f"a reference has 1 to {MAX_REFERENCE_LENGTH} characters")
        entry = LedgerEntry(
            key=f"fund#{reference}",
            kind="fund",
            requester_id=requester_id,
            at_ms=self._clock(),
            available_cents=cents,
        )
        expression = (
            "SET requester_id = :requester_id ADD available_cents :cents, held_cents :nothing, spent_cents :nothing"
        )
        values = {"requester_id": requester_id, "cents": cents, "nothing": 0}
        pk = records.requester_pk(requester_id)
        self._table.put({"pk": "requesters", "sk": requester_id})
        try:
            self._table.transact(
                [
                    self._table.put_step("entry", records.entry_to_item(entry), "attribute_not_exists(pk)"),
                    self._table.update_step("account", pk, "account", expression, values=values),
                ]
            )
        except TransactionFailed:
            return  # this reference has funded it before

    def issue_credentials(self, requester_id: str) -> Credentials:
        """New credentials for a requester's program, kept as a secret. The old ones stay valid."""
        self._table.put({"pk": "requesters", "sk": requester_id})
        return self._credentials.issue(requester_id)

    def invite_worker(self, name: str) -> str:
        """An invitation token; its link is `<worker site>/join/<token>`. Raises ValueError for an unusable name."""
        return self._sessions.invite_worker(name)

    def invite_staff(self, name: str, requester_id: str) -> str:
        """An invitation token for one of a requester's staff, to see the requester's pages.

        Its link is `<worker site>/join/<token>`. Raises ValueError for an unusable name or id.
        """
        return self._sessions.invite_staff(name, requester_id)

    def adjust_worker(self, worker_id: str, cents: int, reference: str, reason: str) -> Earning:
        """Put a Worker's earnings right by an entry of its own. See `Statements.adjust`."""
        return Statements(self._table, self._clock).adjust(worker_id, cents, reference, reason)

    def audit(self) -> Audit:
        """Whether every HIT, assignment, Worker and cent adds up. See `audit`."""
        return audit(self._table)

"""What the deployment's operator does: fund requesters, issue their credentials, and check that everything adds up."""

from collections.abc import Iterator

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Step, Table, TransactionFailed
from crowdsight.workplace import records
from crowdsight.workplace.audit import Audit, audit
from crowdsight.workplace.credentials import Credentials, CredentialSecrets
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.ledger import Earning, LedgerEntry
from crowdsight.workplace.people import People, checked_email
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.qualifications import DEFAULT_VALUE, SYSTEM_TYPES, Locale, QualificationStatus
from crowdsight.workplace.requirements import check_locale
from crowdsight.workplace.statement import Statements
from crowdsight.workplace.workers import Worker

MAX_REFERENCE_LENGTH = 200


class Operator:
    """Commands that no requester and no Worker has."""

    def __init__(self, table: Table, clock: Clock, credentials: CredentialSecrets, people: People) -> None:
        self._table = table
        self._clock = clock
        self._credentials = credentials
        self._people = people
        self._qualifications = QualificationStore(table, clock, new_id)

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

    def invite_worker(self, name: str, email: str = "") -> str:
        """An invitation token; its link is `<worker site>/join/<token>`.

        With an `email`, the Worker can sign in by that address from now on as well. Raises ValueError for an unusable
        name or address, EmailTaken.
        """
        return self._invite(self._people.sessions.invite_worker(name), email)

    def invite_staff(self, name: str, requester_id: str, email: str = "") -> str:
        """The same for one of a requester's staff, who is to see the requester's pages.

        Raises ValueError for an unusable name, id or address, EmailTaken.
        """
        return self._invite(self._people.sessions.invite_staff(name, requester_id), email)

    def _invite(self, token: str, email: str) -> str:
        if email:
            self._people.invite_by_email(checked_email(email), self._people.sessions.read_invitation(token))
        return token

    def suspend(self, person_id: str) -> None:
        """Let a Worker, or one of a requester's staff, do nothing any more. Raises WorkerNotFound."""
        self._people.suspend(person_id)

    def resume(self, person_id: str) -> None:
        """Let them go on. Raises WorkerNotFound."""
        self._people.resume(person_id)

    def end_sessions(self, person_id: str) -> None:
        """Sign a Worker, or one of a requester's staff, out everywhere. Raises WorkerNotFound."""
        self._people.end_sessions(person_id)

    def list_workers(self) -> Iterator[Worker]:
        """Every Worker there is, by id."""
        for item in self._table.query_all("workers"):
            found = self._table.get(records.worker_pk(item["sk"]), "worker")
            if found:  # else known by name only, between two writes of a registration
                yield records.worker_from_item(found)

    def adjust_worker(self, worker_id: str, cents: int, reference: str, reason: str) -> Earning:
        """Put a Worker's earnings right by an entry of its own. See `Statements.adjust`."""
        return Statements(self._table, self._clock).adjust(worker_id, cents, reference, reason)

    def locate_worker(self, worker_id: str, locale: Locale) -> None:
        """Say where a Worker is, whatever was said before. Raises ValueError for no place, or no such Worker."""
        check_locale(locale)
        try:
            self._qualifications.set_locale(worker_id, locale)
        except ConditionFailed as error:
            raise ValueError(f"there is no Worker {worker_id}") from error

    def qualify_worker(self, worker_id: str, qualification_type_id: str) -> None:
        """Grant one of the workplace's own qualifications, those of `GRANTED_BY_OPERATOR`.

        Raises ValueError for no such Worker.
        """
        kind = SYSTEM_TYPES[qualification_type_id]

        def decide() -> tuple[None, list[Step]]:
            if self._qualifications.find_standing(worker_id) is None:
                raise ValueError(f"there is no Worker {worker_id}")
            held = self._qualifications.find_qualification(qualification_type_id, worker_id)
            return None, self._qualifications.grant(kind, worker_id, DEFAULT_VALUE, held)[1]

        self._qualifications.write(decide)

    def disqualify_worker(self, worker_id: str, qualification_type_id: str) -> None:
        """Take it back; nothing happens if the Worker does not hold it."""

        def decide() -> tuple[None, list[Step]]:
            held = self._qualifications.find_qualification(qualification_type_id, worker_id)
            is_held = held and held.status is QualificationStatus.GRANTED
            return None, self._qualifications.revoke(held, None) if held and is_held else []

        self._qualifications.write(decide)

    def audit(self) -> Audit:
        """Whether every HIT, assignment, Worker and cent adds up. See `audit`."""
        return audit(self._table)

"""Who may sign in, by what, and whose sessions still hold.

A person is a Worker or one of a requester's staff. They come by an invitation's link, by a link sent to their e-mail
address, or as a subject of the organisation's OpenID provider; the address and the subject lead to the person.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Step, Table, TransactionFailed
from crowdsight.workplace import records
from crowdsight.workplace.faults import ServiceFault, WorkerNotFound, WorkerSuspended, WorkplaceError
from crowdsight.workplace.ledger import Account
from crowdsight.workplace.sessions import (
    MAX_NAME_CHARACTERS,
    ExpiredToken,
    InvalidToken,
    Link,
    Person,
    Role,
    Session,
    Sessions,
    new_worker_id,
)
from crowdsight.workplace.workers import Staff, Worker
from crowdsight.workplace.workplace import Workplace

MAX_EMAIL_CHARACTERS = 254
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}(?<!\.)@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
)
_ATTEMPTS = 3


class EmailTaken(WorkplaceError):
    """Somebody else signs in by this address."""

    code = "EmailTaken"

    def __init__(self) -> None:
        super().__init__("somebody else signs in by this e-mail address")


class NotInvited(Exception):
    """Nobody has invited this person, and their organisation or group may not come by itself."""


class LinkUsed(Exception):
    """The link was good for one use, which was made."""


@dataclass(frozen=True)
class Identity:
    """A person as an OpenID provider (`issuer`) knows them, by a `subject` that stays the same.

    `email`: "" unless the provider says that it is theirs.
    """

    issuer: str
    subject: str
    email: str
    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Welcome:
    """Who may become a Worker without an invitation: people of these e-mail domains or of these groups."""

    domains: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def is_for(self, identity: Identity) -> bool:
        domain = identity.email.rpartition("@")[2]
        return domain in self.domains or not self.groups.isdisjoint(identity.groups)


def checked_email(text: str) -> str:
    """An address as it is compared, in lower case. Raises ValueError for what mail cannot reach.

    ASCII as RFC 5321 writes it, without quotes; at most 254 characters.
    """
    email = text.strip().lower()
    if len(email) > MAX_EMAIL_CHARACTERS or not _EMAIL.fullmatch(email) or ".." in email or email.startswith("."):
        raise ValueError("that is not an e-mail address")
    return email


class People:
    """Everyone who may sign in, over the workplace's table."""

    def __init__(
        self, table: Table, workplace: Workplace, sessions: Sessions, clock: Clock, welcome: Welcome | None = None
    ) -> None:
        self._table = table
        self._workplace = workplace
        self.sessions = sessions
        self._clock = clock
        self._welcome = welcome or Welcome()

    # -- sessions

    def sign_in(self, person: Person) -> Session:
        """A session for this person, who is made known if they are new. Raises WorkerSuspended."""
        known = self.find(person) or self._register(person)
        if known.is_suspended:
            raise WorkerSuspended
        return self.sessions.start(person, known.session_version)

    def find_session(
        self, token: str, find: Callable[[Person], Worker | Staff | None] | None = None
    ) -> tuple[Session, Worker | Staff] | None:
        """Whose session a cookie is, as they are now; None if it is nobody's, or ended, or they are suspended.

        `find`: another way to what is known of them than `People.find`.
        """
        try:
            session = self.sessions.read_session(token)
        except (InvalidToken, ExpiredToken):
            return None
        known = (find or self.find)(session)
        if known is None or known.is_suspended or known.session_version != session.version:
            return None
        return session, known

    def end_sessions(self, person_id: str) -> None:
        """Sign a person out everywhere. Raises WorkerNotFound."""
        self._change(person_id, "ADD session_version :one", {"one": 1})

    def suspend(self, person_id: str) -> None:
        """End a person's sessions and let them do nothing any more; what they earned stays. Raises WorkerNotFound."""
        self._change(person_id, "SET is_suspended = :yes ADD session_version :one", {"yes": True, "one": 1})

    def resume(self, person_id: str) -> None:
        """Let a suspended person sign in again. Raises WorkerNotFound."""
        self._change(person_id, "SET is_suspended = :no", {"no": False})

    def find(self, person: Person) -> Worker | Staff | None:
        """What is known of them, None if they never came."""
        item = self._table.get(*_key(person.worker_id))
        if item is None:
            return None
        return records.worker_from_item(item) if person.role is Role.WORKER else records.staff_from_item(item)

    def find_staff(self, person: Person) -> tuple[Staff, Account] | None:
        """One of a requester's staff with the requester's balances, by one call; None if they never came."""
        key, account_key = _key(person.worker_id), (records.requester_pk(person.requester_id), "account")
        items = {item["sk"]: item for item in self._table.get_many((key, account_key))}
        if "staff" not in items:
            return None
        account = records.account_from_item(person.requester_id, items.get("account"))
        return records.staff_from_item(items["staff"]), account

    # -- e-mail

    def find_by_email(self, email: str) -> Person | None:
        """Who signs in by this address."""
        item = self._table.get(records.email_pk(email), "person")
        return records.person_from_item(item) if item else None

    def invite_by_email(self, email: str, person: Person) -> None:
        """Let a person who has not come yet sign in by this address. Raises EmailTaken."""
        if self.find(person) is None:
            if self._table.get(records.email_pk(email), "person"):
                raise EmailTaken  # before anybody is registered
            self._register(person)
        self.set_email(email, person)

    def set_email(self, email: str, person: Person) -> None:
        """Let a person sign in by this address, and no more by the one before. Raises EmailTaken, WorkerNotFound."""
        for _ in range(_ATTEMPTS):
            known = self.find(person)
            if known is None:
                raise WorkerNotFound("There is no such Worker.")
            if known.email == email:
                return
            steps = [
                self._table.put_step(
                    "email", records.person_to_item(records.email_pk(email), person), "attribute_not_exists(pk)"
                ),
                self._table.update_step(
                    "person",
                    *_key(person.worker_id),
                    "SET email = :email",
                    "email = :before",
                    {"email": email, "before": known.email},
                ),
            ]
            if known.email:
                steps.append(self._table.delete_step("before", records.email_pk(known.email), "person"))
            try:
                self._table.transact(steps)
                return
            except TransactionFailed as error:
                if "email" in error.failed:
                    raise EmailTaken from error
        raise ServiceFault

    def use_link(self, link: Link) -> None:
        """Note that a link was used. Raises LinkUsed the second time."""
        item = {"pk": records.link_pk(link.id), "sk": "link", "ttl_s": link.expires_ms // 1000 + 1}
        try:
            self._table.put(item, "attribute_not_exists(pk)")
        except ConditionFailed as error:
            raise LinkUsed from error

    # -- OpenID

    def admit(self, identity: Identity) -> Person:
        """Whose identity this is: who came by it before, who was invited by its e-mail, or who may come uninvited.

        Raises NotInvited.
        """
        pk = records.identity_pk(identity.issuer, identity.subject)
        for _ in range(_ATTEMPTS):
            item = self._table.get(pk, "person")
            if item:
                return records.person_from_item(item)
            invited = self.find_by_email(identity.email) if identity.email else None
            if invited is None and not self._welcome.is_for(identity):
                raise NotInvited
            person = invited or Person(new_worker_id(), _usable_name(identity))
            steps = [self._table.put_step("identity", records.person_to_item(pk, person), "attribute_not_exists(pk)")]
            if invited is None:
                steps += self._new_worker_steps(person, identity.email)
            try:
                self._table.transact(steps)
                return person
            except TransactionFailed:
                continue  # they came twice at once, or were invited meanwhile
        raise ServiceFault

    def _new_worker_steps(self, person: Person, email: str) -> list[Step]:
        worker = Worker(person.worker_id, person.name, self._clock(), email=email)
        steps = [
            self._table.put_step("listed", {"pk": "workers", "sk": person.worker_id}),
            self._table.put_step("worker", records.worker_to_item(worker), "attribute_not_exists(pk)"),
        ]
        if email:
            item = records.person_to_item(records.email_pk(email), person)
            steps.append(self._table.put_step("email", item, "attribute_not_exists(pk)"))
        return steps

    def _register(self, person: Person) -> Worker | Staff:
        """Make a person known, once; later calls return them as registered first."""
        if person.role is Role.WORKER:
            return self._workplace.register_worker(person.worker_id, person.name)
        staff = Staff(person.worker_id, person.name, person.requester_id, self._clock())
        try:
            self._table.put(records.staff_to_item(staff), "attribute_not_exists(pk)")
        except ConditionFailed:
            return self.find(person) or staff
        return staff

    def _change(self, person_id: str, expression: str, values: dict[str, object]) -> None:
        try:
            self._table.update(*_key(person_id), expression, "attribute_exists(pk)", values)
        except ConditionFailed as error:
            raise WorkerNotFound("There is no such Worker, and nobody of a requester's staff.") from error


def names_of(text: str) -> frozenset[str]:
    """Names between commas."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _key(person_id: str) -> tuple[str, str]:
    """Where a person lies: ids of staff begin with S, which no Worker's does."""
    if person_id.startswith("S"):
        return records.staff_pk(person_id), "staff"
    return records.worker_pk(person_id), "worker"


def _usable_name(identity: Identity) -> str:
    """What the site calls somebody: what their provider does, as far as it can be shown."""
    name = "".join(character for character in identity.name if character.isprintable()).strip()
    return (name or identity.email.partition("@")[0] or "Worker")[:MAX_NAME_CHARACTERS]

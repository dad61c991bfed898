"""Who is using the worker site: invitations, sessions and the tokens that its forms carry.

All three are signed values (itsdangerous, HMAC-SHA256) that hold what they say; nothing about them is stored. One
secret key signs them, each kind under a salt of its own, so that one can never pass for another.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, Signer, URLSafeSerializer

from crowdsight.clock import Clock
from crowdsight.workplace.identifiers import ALPHABET

INVITATION_AGE_S = 30 * 86_400
SESSION_AGE_S = 30 * 86_400
MAX_NAME_CHARACTERS = 80
MAX_TOKEN_CHARACTERS = 2_048

WORKER_ID = re.compile(r"A[0-9A-Z]{13}")
REQUESTER_ID = re.compile(r"A[0-9A-Z]{1,29}")
_SIGNING = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


class InvalidToken(Exception):
    """The token was not made with our key, or for another purpose."""


class ExpiredToken(Exception):
    """The token was ours, and its time is over."""


class Role(StrEnum):
    """What a person is at the site: one who does HITs, or one of a requester's staff."""

    WORKER = "worker"
    REQUESTER = "requester"


@dataclass(frozen=True)
class Person:
    """Who signs in.

    `worker_id`: a Worker's id (A and 13 of A-Z 0-9), or the id that one of a requester's staff has instead (S and 13),
    which no Worker has. `requester_id`: whose staff they are, "" for Workers.
    """

    worker_id: str
    name: str
    role: Role = Role.WORKER
    requester_id: str = ""


@dataclass(frozen=True)
class Invitation(Person):
    """Lets whoever holds its token sign in as one named person until `expires_ms`."""

    expires_ms: int = 0
    token: str = ""


@dataclass(frozen=True)
class Session(Person):
    """A signed-in person until `expires_ms`. `token` is the cookie's value."""

    expires_ms: int = 0
    token: str = ""


class Sessions:
    """Makes and reads invitations, sessions and form tokens. `read_key` gives the key as it now is, any secret text."""

    def __init__(self, read_key: Callable[[], str], clock: Clock) -> None:
        self._read_key = read_key
        self._clock = clock

    @property
    def _invitations(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._read_key(), salt="crowdsight invitation", signer_kwargs=_SIGNING)

    @property
    def _sessions(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._read_key(), salt="crowdsight session", signer_kwargs=_SIGNING)

    @property
    def _forms(self) -> Signer:
        return Signer(self._read_key(), salt="crowdsight form", key_derivation="hmac", digest_method=hashlib.sha256)

    def invite_worker(self, name: str, worker_id: str | None = None) -> str:
        """An invitation token for a Worker called `name`, good for 30 days and any number of sign-ins.

        Each call invites a new Worker unless it is given the id of one. The name has 1 to 80 printable characters,
        spaces around it apart. Raises ValueError for another name, or for an id that is not A and 13 of A-Z 0-9.
        """
        if worker_id is None:
            worker_id = new_worker_id()
        elif not WORKER_ID.fullmatch(worker_id):
            raise ValueError("a Worker's id is A and 13 of A-Z 0-9")
        return self._sign(self._invitations, Person(worker_id, _checked_name(name)), INVITATION_AGE_S)

    def invite_staff(self, name: str, requester_id: str) -> str:
        """An invitation token for one of a requester's staff, good for 30 days and any number of sign-ins.

        Raises ValueError for a name that no Worker could have, or for what is no requester's id.
        """
        if not REQUESTER_ID.fullmatch(requester_id):
            raise ValueError("a requester's id is A and 1 to 29 of A-Z 0-9")
        person = Person(_new_id("S"), _checked_name(name), Role.REQUESTER, requester_id)
        return self._sign(self._invitations, person, INVITATION_AGE_S)

    def read_invitation(self, token: str) -> Invitation:
        """What an invitation says. Raises InvalidToken, ExpiredToken."""
        return Invitation(**self._verify(self._invitations, token), token=token)

    def start(self, person: Person) -> Session:
        """A session of 30 days for this person."""
        return self.read_session(self._sign(self._sessions, person, SESSION_AGE_S))

    def read_session(self, token: str) -> Session:
        """Whose session a cookie is. Raises InvalidToken, ExpiredToken."""
        return Session(**self._verify(self._sessions, token), token=token)

    def form_token(self, bound_to: Session | Invitation) -> str:
        """The `csrf` field of forms shown under this session (or invitation) and no other."""
        return self._forms.get_signature(bound_to.token).decode()

    def is_form_token(self, token: str, bound_to: Session | Invitation) -> bool:
        """Whether `token` is the `csrf` field that `form_token` gives."""
        return self._forms.verify_signature(bound_to.token, token)

    def _sign(self, serializer: URLSafeSerializer, person: Person, age_s: int) -> str:
        # The nonce makes every session's token, and with it every form token, a different one.
        nonce = secrets.token_urlsafe(9)
        expires_ms = self._clock() + age_s * 1000
        return str(
            serializer.dumps([person.worker_id, person.name, person.role, person.requester_id, expires_ms, nonce])
        )

    def _verify(self, serializer: URLSafeSerializer, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise InvalidToken
        try:
            worker_id, name, role, requester_id, expires_ms, _nonce = serializer.loads(token)
        except BadData as error:
            raise InvalidToken from error
        if expires_ms <= self._clock():
            raise ExpiredToken
        return {
            "worker_id": worker_id,
            "name": name,
            "role": Role(role),
            "requester_id": requester_id,
            "expires_ms": expires_ms,
        }


def new_worker_id() -> str:
    """An id as MTurk's Workers have, A and 13 of A-Z 0-9, by chance never given before (67 bits)."""
    return _new_id("A")


def _new_id(letter: str) -> str:
    return letter + "".join(secrets.choice(ALPHABET) for _ in range(13))


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise ValueError(f"a person's name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    return name

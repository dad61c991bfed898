"""Who is using the worker site: invitations, sessions, links sent by e-mail, and the tokens that its forms carry.

All are signed values (itsdangerous, HMAC-SHA256) that hold what they say; nothing about them is stored. One secret key
signs them, each kind under a salt of its own, so that one can never pass for another. A key that was replaced a while
ago may still verify what it signed.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, Signer, URLSafeSerializer

from crowdsight.clock import Clock
from crowdsight.workplace.identifiers import ALPHABET

INVITATION_AGE_S = 30 * 86_400
SESSION_AGE_S = 30 * 86_400
LINK_AGE_S = 15 * 60
MAX_NAME_CHARACTERS = 80
MAX_TOKEN_CHARACTERS = 2_048

WORKER_ID = re.compile(r"A[0-9A-Z]{13}")
REQUESTER_ID = re.compile(r"A[0-9A-Z]{1,29}")
_SIGNING = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


class InvalidToken(Exception):
    """The token was not made with our key, or for another purpose."""


class ExpiredToken(Exception):
    """The token was ours, and its time is over."""


class WrongBrowser(Exception):
    """The link is ours and works in the browser that asked for it only."""


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
    """A signed-in person until `expires_ms`. `token` is the cookie's value.

    `version`: that of the person's sessions when it began; it holds as long as that is not raised.
    """

    expires_ms: int = 0
    token: str = ""
    version: int = 0


@dataclass(frozen=True)
class Link:
    """What a link sent to `email` says, good for one use until `expires_ms`.

    `worker_id`: whose address it is to become; "" for a link to sign in by.
    """

    id: str
    email: str
    worker_id: str
    expires_ms: int
    token: str


class Sessions:
    """Makes and reads invitations, sessions, links and form tokens.

    `read_keys` gives the keys as they now are: secret texts, the one that signs last.
    """

    def __init__(self, read_keys: Callable[[], Sequence[str]], clock: Clock) -> None:
        self._read_keys = read_keys
        self._clock = clock

    @property
    def _invitations(self) -> URLSafeSerializer:
        return self._serializer("invitation")

    @property
    def _sessions(self) -> URLSafeSerializer:
        return self._serializer("session")

    @property
    def _links(self) -> URLSafeSerializer:
        return self._serializer("link")

    @property
    def _visits(self) -> URLSafeSerializer:
        return self._serializer("visit")

    @property
    def _forms(self) -> Signer:
        return Signer(self._read_keys(), salt="crowdsight form", key_derivation="hmac", digest_method=hashlib.sha256)

    def _serializer(self, kind: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._read_keys(), salt=f"crowdsight {kind}", signer_kwargs=_SIGNING)

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
        values, _version = self._verify(self._invitations, token)
        return Invitation(**values, token=token)

    def start(self, person: Person, version: int = 0) -> Session:
        """A session of 30 days for this person, whose sessions have this version now."""
        return self.read_session(self._sign(self._sessions, person, SESSION_AGE_S, version))

    def read_session(self, token: str) -> Session:
        """Whose session a cookie is. Raises InvalidToken, ExpiredToken."""
        values, version = self._verify(self._sessions, token)
        return Session(**values, token=token, version=version)

    def make_link(self, email: str, browser: str, worker_id: str = "") -> Link:
        """A link of 15 minutes for this address, which only works in a browser that has the secret `browser`."""
        link_id, expires_ms = secrets.token_urlsafe(16), self._clock() + LINK_AGE_S * 1000
        token = str(self._links.dumps([link_id, email, worker_id, expires_ms, _digest(browser)]))
        return Link(link_id, email, worker_id, expires_ms, token)

    def read_link(self, token: str, browser: str | None) -> Link:
        """What a link says. Raises InvalidToken, ExpiredToken; WrongBrowser where another has asked for it."""
        link_id, email, worker_id, expires_ms, digest = self._load(self._links, token)
        if expires_ms <= self._clock():
            raise ExpiredToken
        if not browser or not hmac.compare_digest(digest, _digest(browser)):
            raise WrongBrowser
        return Link(link_id, email, worker_id, expires_ms, token)

    def seal(self, values: Mapping[str, str], age_s: int) -> str:
        """A cookie's value that holds these, which the browser could read and not change."""
        return str(self._visits.dumps([dict(values), self._clock() + age_s * 1000]))

    def unseal(self, token: str) -> Mapping[str, str]:
        """What `seal` was given. Raises InvalidToken, ExpiredToken."""
        values, expires_ms = self._load(self._visits, token)
        if expires_ms <= self._clock():
            raise ExpiredToken
        found: Mapping[str, str] = values
        return found

    def form_token(self, bound_to: str) -> str:
        """The `csrf` field of forms shown under this token (of a session, an invitation, a browser) and no other."""
        return self._forms.get_signature(bound_to).decode()

    def is_form_token(self, token: str, bound_to: str) -> bool:
        """Whether `token` is the `csrf` field that `form_token` gives."""
        return self._forms.verify_signature(bound_to, token)

    def _sign(self, serializer: URLSafeSerializer, person: Person, age_s: int, version: int = 0) -> str:
        # The nonce makes every session's token, and with it every form token, a different one.
        nonce = secrets.token_urlsafe(9)
        expires_ms = self._clock() + age_s * 1000
        values = [person.worker_id, person.name, person.role, person.requester_id, expires_ms, version, nonce]
        return str(serializer.dumps(values))

    def _verify(self, serializer: URLSafeSerializer, token: str) -> tuple[dict[str, Any], int]:
        worker_id, name, role, requester_id, expires_ms, version, _nonce = self._load(serializer, token)
        if expires_ms <= self._clock():
            raise ExpiredToken
        values = {
            "worker_id": worker_id,
            "name": name,
            "role": Role(role),
            "requester_id": requester_id,
            "expires_ms": expires_ms,
        }
        return values, version

    def _load(self, serializer: URLSafeSerializer, token: str) -> Any:
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise InvalidToken
        try:
            return serializer.loads(token)
        except BadData as error:
            raise InvalidToken from error


def rotated(secret: Mapping[str, str]) -> str:
    """The session secret with a new key that signs; the one that did so far still verifies, an older one does not."""
    return json.dumps({"session_key": secrets.token_urlsafe(30), "previous_session_key": secret["session_key"]})


def session_keys(secret: Mapping[str, str]) -> list[str]:
    """The keys in the session secret, the one that signs last."""
    previous = secret.get("previous_session_key")
    return [previous, secret["session_key"]] if previous else [secret["session_key"]]


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


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()

"""Who is using the worker site: invitations, sessions and the tokens that its forms carry.

All three are signed values (itsdangerous, HMAC-SHA256) that hold what they say; nothing about them is stored. One
secret key signs them, each kind under a salt of its own, so that one can never pass for another.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadData, Signer, URLSafeSerializer

from crowdsight.clock import Clock
from crowdsight.workplace.identifiers import ALPHABET

INVITATION_AGE_S = 30 * 86_400
SESSION_AGE_S = 30 * 86_400
MAX_NAME_CHARACTERS = 80
MAX_TOKEN_CHARACTERS = 2_048

WORKER_ID = re.compile(r"A[0-9A-Z]{13}")
_SIGNING = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


class InvalidToken(Exception):
    """The token was not made with our key, or for another purpose."""


class ExpiredToken(Exception):
    """The token was ours, and its time is over."""


@dataclass(frozen=True)
class Invitation:
    """Lets whoever holds its token sign in as one named Worker until `expires_ms`."""

    worker_id: str
    name: str
    expires_ms: int
    token: str


@dataclass(frozen=True)
class Session:
    """A signed-in Worker until `expires_ms`. `token` is the cookie's value."""

    worker_id: str
    name: str
    expires_ms: int
    token: str


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
        name = name.strip()
        if not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
            raise ValueError(f"a Worker's name has 1 to {MAX_NAME_CHARACTERS} printable characters")
        if worker_id is None:
            worker_id = new_worker_id()
        elif not WORKER_ID.fullmatch(worker_id):
            raise ValueError("a Worker's id is A and 13 of A-Z 0-9")
        return self._sign(self._invitations, worker_id, name, INVITATION_AGE_S)

    def read_invitation(self, token: str) -> Invitation:
        """What an invitation says. Raises InvalidToken, ExpiredToken."""
        return Invitation(*self._verify(self._invitations, token))

    def start(self, invitation: Invitation) -> Session:
        """A session of 30 days for the invited Worker."""
        token = self._sign(self._sessions, invitation.worker_id, invitation.name, SESSION_AGE_S)
        return self.read_session(token)

    def read_session(self, token: str) -> Session:
        """Whose session a cookie is. Raises InvalidToken, ExpiredToken."""
        return Session(*self._verify(self._sessions, token))

    def form_token(self, bound_to: Session | Invitation) -> str:
        """The `csrf` field of forms shown under this session (or invitation) and no other."""
        return self._forms.get_signature(bound_to.token).decode()

    def is_form_token(self, token: str, bound_to: Session | Invitation) -> bool:
        """Whether `token` is the `csrf` field that `form_token` gives."""
        return self._forms.verify_signature(bound_to.token, token)

    def _sign(self, serializer: URLSafeSerializer, worker_id: str, name: str, age_s: int) -> str:
        # The nonce makes every session's token, and with it every form token, a different one.
        nonce = secrets.token_urlsafe(9)
        return str(serializer.dumps([worker_id, name, self._clock() + age_s * 1000, nonce]))

    def _verify(self, serializer: URLSafeSerializer, token: str) -> tuple[str, str, int, str]:
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise InvalidToken
        try:
            worker_id, name, expires_ms, _nonce = serializer.loads(token)
        except BadData as error:
            raise InvalidToken from error
        if expires_ms <= self._clock():
            raise ExpiredToken
        return worker_id, name, expires_ms, token


def new_worker_id() -> str:
    """An id as MTurk's Workers have, A and 13 of A-Z 0-9, by chance never given before (67 bits)."""
    return "A" + "".join(secrets.choice(ALPHABET) for _ in range(13))

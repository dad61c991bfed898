"""Signing in by the organisation's OpenID provider: the authorization code flow with PKCE.

OpenID Connect Core 1.0, section 3.1; Discovery 1.0; PKCE, RFC 7636. The ID token's signature is verified with the
provider's published keys, although it comes from the provider itself over TLS (section 3.1.3.7, rule 6, would take that
for enough): so a flaw in the one is not a way in.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from crowdsight.clock import Clock
from crowdsight.workplace.people import Identity, checked_email

KEEP_MS = 3_600_000
"""How long a provider's description and keys are kept."""

KEEP_KEYS_MS = 60_000
"""How long at least, also when a token names a key that is not among them."""

SCOPES = "openid email profile"
MAX_TEXT = 512

Send = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes]]
"""Sends one HTTP request (method, URL, headers, body) and returns status and body; raises OSError."""


class ProviderFailed(Exception):
    """The provider cannot be reached, or what it says is not to be trusted; the message is for the log."""


@dataclass(frozen=True)
class Departure:
    """The way to the provider, and what the browser has to bring back with it."""

    address: str
    state: str
    nonce: str
    verifier: str


class IdentityProvider:
    """One provider, known by its `issuer`: https, or http on this machine itself.

    `read_client` gives what it registered us as, {"client_id", "client_secret"}, as it now is.
    """

    def __init__(self, issuer: str, read_client: Callable[[], Mapping[str, str]], send: Send, clock: Clock) -> None:
        self.issuer = issuer
        self._read_client = read_client
        self._send = send
        self._clock = clock
        self._kept: dict[str, tuple[int, Any]] = {}

    def depart(self, redirect_uri: str) -> Departure:
        """Send somebody to the provider, to come back at `redirect_uri`. Raises ProviderFailed."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._read_client()["client_id"],
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = self._endpoint("authorization_endpoint")
        joint = "&" if "?" in address else "?"
        return Departure(f"{address}{joint}{urlencode(query)}", state, nonce, verifier)

    def arrive(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Who came back with this code. Raises ProviderFailed."""
        client = self._read_client()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        methods = self._description().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in methods:
            pair = f"{quote_plus(client['client_id'])}:{quote_plus(client['client_secret'])}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            fields |= {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        answer = self._read("POST", self._endpoint("token_endpoint"), headers, urlencode(fields).encode())
        return self._identity(self._verified(answer.get("id_token"), client["client_id"], nonce))

    def _verified(self, token: object, client_id: str, nonce: str) -> Mapping[str, Any]:
        """An ID token's claims."""
        # What verifies takes a while to load, and only who comes back from a provider needs it.
        from crowdsight.workplace.id_tokens import InvalidIdToken, UnknownKey, read_id_token

        if not isinstance(token, str):
            raise ProviderFailed("the provider gave no ID token")
        now_s = self._clock() // 1000
        try:
            try:
                return read_id_token(token, self._keys(KEEP_MS), self.issuer, client_id, nonce, now_s)
            except UnknownKey:  # it may be a new one
                return read_id_token(token, self._keys(KEEP_KEYS_MS), self.issuer, client_id, nonce, now_s)
        except InvalidIdToken as error:
            raise ProviderFailed(f"the ID token does not hold: {error}") from error

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_TEXT:
            raise ProviderFailed("the ID token names nobody")
        email = ""
        if claims.get("email_verified") in (True, "true"):  # Cognito may write it as text
            try:
                email = checked_email(str(claims.get("email", "")))
            except ValueError:
                pass  # as good as none
        groups = claims.get("groups", claims.get("cognito:groups"))
        return Identity(
            self.issuer,
            subject,
            email,
            str(claims.get("name") or claims.get("preferred_username") or "")[:MAX_TEXT],
            tuple(str(group) for group in groups) if isinstance(groups, list) else (),
        )

    def _description(self) -> Mapping[str, Any]:
        def fetch() -> Mapping[str, Any]:
            found = self._read("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise ProviderFailed("the provider's description is another issuer's")
            return found

        description: Mapping[str, Any] = self._keep("description", KEEP_MS, fetch)
        return description

    def _endpoint(self, name: str) -> str:
        address = self._description().get(name)
        if not isinstance(address, str) or not is_safe(address):
            raise ProviderFailed(f"the provider's {name} is no https address")
        return address

    def _keys(self, age_ms: int) -> Mapping[str, Any]:
        def fetch() -> Mapping[str, Any]:
            return self._read("GET", self._endpoint("jwks_uri"))

        keys: Mapping[str, Any] = self._keep("keys", age_ms, fetch)
        return keys

    def _keep(self, what: str, age_ms: int, fetch: Callable[[], Any]) -> Any:
        read_at_ms, value = self._kept.get(what, (0, None))
        if value is None or self._clock() - read_at_ms >= age_ms:
            value = fetch()
            self._kept[what] = (self._clock(), value)
        return value

    def _read(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> dict[str, Any]:
        try:
            status, content = self._send(method, address, headers or {}, body)
        except OSError as error:
            raise ProviderFailed(f"{address} cannot be reached: {error}") from error
        if status != 200:
            raise ProviderFailed(f"{address} answers {status}")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ProviderFailed(f"{address} does not answer in JSON") from error
        if not isinstance(found, dict):
            raise ProviderFailed(f"{address} does not answer with an object")
        return found


def is_safe(address: str) -> bool:
    """Whether secrets may be sent there: over https, or to this machine itself."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "localhost")))

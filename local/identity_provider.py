"""A small OpenID provider in place of Amazon Cognito's user pools: whoever comes says who they are, and is believed.

It speaks as much of OpenID Connect Core 1.0 as the authorization code flow with PKCE needs, and is strict in it: a
client, its secret and its redirect URIs are those of the template; a code works once, for a minute, for the client, the
URI and the verifier that it was asked for by.
"""

import base64
import hashlib
import hmac
import html
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import parse_qs, unquote_plus, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey

from local.http_server import Request, Response, Server

CODE_AGE_S = 60
TOKEN_AGE_S = 300
ALGORITHM = "RS256"
HTML = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]

ASKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")
FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Your organisation</title>
<meta name="viewport" content="width=device-width"><body style="font: 1rem sans-serif; max-width: 30rem; margin: auto">
<h1>Your organisation</h1><p>This stands in for the provider that people sign in by. Say who you are.</p>
<form method="post" action="/authorize">{hidden}
<p><label>E-mail address <input name="email" type="email" required></label></p>
<p><label>Name <input name="name"></label></p>
<p><label>Groups, between commas <input name="groups"></label></p>
<p><label><input type="checkbox" name="email_verified" value="true" checked> The address is verified</label></p>
<p><button>Sign in</button> <button name="refuse" value="true" formnovalidate>Refuse</button></p></form></body>"""


@dataclass(frozen=True)
class Client:
    """One application: its secret and where it may have people sent back to."""

    secret: str
    redirect_uris: Collection[str]


@dataclass(frozen=True)
class Grant:
    """What a code stands for."""

    asked: Mapping[str, str]
    claims: Mapping[str, object]
    expires_s: float


class StandInProvider:
    """Serves on a free port of 127.0.0.1 until it is closed."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()
        self._server = Server(self._answer)
        self.issuer = self._server.url

    @cached_property
    def _key(self) -> RSAKey:
        return RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig", "alg": ALGORITHM})

    def close(self) -> None:
        self._server.close()

    def register(self, client_id: str, secret: str, redirect_uris: Collection[str]) -> None:
        """Know an application from now on."""
        self._clients[client_id] = Client(secret, redirect_uris)

    def allow_redirects(self, client_id: str, redirect_uris: Collection[str]) -> None:
        """Send people back to these addresses of an application, and to no others."""
        self._clients[client_id] = replace(self._clients[client_id], redirect_uris=redirect_uris)

    def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return Response.of_json(200, self._description())
            case "GET", "/jwks":
                return Response.of_json(200, {"keys": [self._key.as_dict(private=False)]})
            case "GET", "/authorize":
                return self._ask(_fields(request.query))
            case "POST", "/authorize":
                return self._send_back(_fields(request.body.decode()))
            case "POST", "/token":
                return self._token(request, _fields(request.body.decode()))
        return Response.of_json(404, {"error": "not_found"})

    def _description(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _ask(self, query: Mapping[str, str]) -> Response:
        if refusal := self._refusal(query):
            return refusal
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return _back(query, {"error": "invalid_request"})
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(query.get(name, ""))}">' for name in ASKED
        )
        return Response(200, FORM.replace("{hidden}", hidden).encode(), HTML)

    def _send_back(self, form: Mapping[str, str]) -> Response:
        if refusal := self._refusal(form):
            return refusal
        if form.get("refuse"):
            return _back(form, {"error": "access_denied"})
        email = form.get("email", "")
        code = secrets.token_urlsafe(24)
        claims = {
            "sub": hashlib.sha256(email.lower().encode()).hexdigest()[:32],
            "email": email,
            "email_verified": form.get("email_verified") == "true",
            "name": form.get("name") or email.partition("@")[0],
            "groups": [group.strip() for group in form.get("groups", "").split(",") if group.strip()],
        }
        asked = {name: form.get(name, "") for name in ASKED}
        with self._lock:
            self._grants[code] = Grant(asked, claims, time.monotonic() + CODE_AGE_S)
        return _back(form, {"code": code})

    def _token(self, request: Request, form: Mapping[str, str]) -> Response:
        client_id, secret = _credentials(request, form)
        client = self._clients.get(client_id)
        if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
            return Response.of_json(401, {"error": "invalid_client"})
        with self._lock:
            grant = self._grants.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            form.get("grant_type") != "authorization_code"
            or grant is None
            or grant.expires_s < time.monotonic()
            or grant.asked["client_id"] != client_id
            or grant.asked["redirect_uri"] != form.get("redirect_uri")
            or grant.asked["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return Response.of_json(400, {"error": "invalid_grant"})
        now_s = int(time.time())
        claims = {"iss": self.issuer, "aud": client_id, "iat": now_s, "exp": now_s + TOKEN_AGE_S, **grant.claims}
        if grant.asked["nonce"]:
            claims["nonce"] = grant.asked["nonce"]
        token = jwt.encode({"alg": ALGORITHM, "kid": self._key.kid}, claims, self._key)
        answer = {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer", "id_token": token}
        return Response.of_json(200, answer, [("Cache-Control", "no-store")])

    def _refusal(self, asked: Mapping[str, str]) -> Response | None:
        """Shown here, never sent on: where to is not known."""
        client = self._clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client.redirect_uris:
            return Response(400, b"No such client, or a redirect URI that is not its own.", HTML)
        return None


def _back(asked: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    query = urlencode({**answer, "state": asked.get("state", "")})
    return Response(303, b"", [("Location", f"{asked['redirect_uri']}?{query}"), ("Cache-Control", "no-store")])


def _fields(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, value = request.header("Authorization").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)

"""ID tokens of OpenID Connect Core 1.0, verified as section 3.1.3.7 says."""

import hmac
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by a key whose other half nobody but the provider has; `none` and shared secrets are not among them."""

LEEWAY_S = 60


class InvalidIdToken(Exception):
    """The token does not hold; the message says why."""


class UnknownKey(InvalidIdToken):
    """The signature is by none of the keys that are known."""


def read_id_token(
    token: str, jwks: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now_s: int
) -> dict[str, Any]:
    """The claims of a token that this issuer made for this client and this visit, and that is not over.

    `jwks`: the issuer's keys (RFC 7517). Raises InvalidIdToken, UnknownKey.
    """
    claims = _verified(token, jwks)
    try:
        jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidIdToken(repr(error)) from error
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), nonce.encode()):
        raise InvalidIdToken("it was made for another visit")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several and "azp" not in claims) or claims.get("azp", client_id) != client_id:
        raise InvalidIdToken("it was made for somebody else")
    return claims


def _verified(token: str, jwks: Mapping[str, Any]) -> dict[str, Any]:
    keys = [
        key
        for key in jwks.get("keys", [])
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
    ]
    try:
        return dict(jwt.decode(token, KeySet.import_key_set({"keys": keys}), algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise UnknownKey(repr(error)) from error

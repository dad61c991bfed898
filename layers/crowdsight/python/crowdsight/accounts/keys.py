"""API keys: 256 random bits behind a prefix, of which only the SHA-256 is kept.

A key that is random needs no slow hash: nobody can guess 256 bits, however fast they hash.
"""

import hashlib
import re
import secrets

PREFIX = "crowdsight_"
RANDOM_BYTES = 32
KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
ID_DIGITS = 12


def new_key() -> str:
    """A key: 54 characters, `crowdsight_` and 256 random bits in base64url, so that scanners for secrets know it."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def is_key(text: str) -> bool:
    """Whether it looks like a key; what does not need not be looked up."""
    return KEY.fullmatch(text) is not None


def hash_of(key: str) -> str:
    """SHA-256 in hexadecimal: what is stored and looked up."""
    return hashlib.sha256(key.encode()).hexdigest()


def id_of(key_hash: str) -> str:
    """The name under which a key is listed and revoked; it tells nothing of the key."""
    return key_hash[:ID_DIGITS]

"""Identifiers in MTurk's form: 30 characters of A-Z 0-9."""

import hashlib
import secrets

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def new_id() -> str:
    """A fresh identifier that cannot be guessed (about 150 bits), e.g. `3X0H8UUIT1OXVJR4GS8J1CLWK6VWS0`."""
    return "3" + "".join(secrets.choice(ALPHABET) for _ in range(29))


def id_of(text: str) -> str:
    """The identifier that stands for this text: equal texts, equal identifiers."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    characters = []
    for _ in range(29):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return "3" + "".join(characters)


def group_id_of(hit_type_id: str) -> str:
    """The identifier of the group that HITs of a type form (MTurk's HITGroupId)."""
    return id_of(f"group {hit_type_id}")

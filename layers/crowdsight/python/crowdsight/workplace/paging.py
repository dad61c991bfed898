"""NextTokens: where a listing goes on, sealed so that only what was given out is taken back."""

import base64
import binascii
import hashlib
import hmac

from crowdsight.workplace.faults import RequestError

_SEAL_BYTES = 16


class NextTokens:
    """Tokens of one requester, sealed with its own secret; at most 255 characters for starts of up to 170 bytes."""

    def __init__(self, secret_access_key: str) -> None:
        self._key = hmac.digest(secret_access_key.encode(), b"crowdsight next token", hashlib.sha256)

    def give(self, listing: str, start: str | None) -> str | None:
        """The token for going on at `start`; `listing` names what is listed, with its filters."""
        if start is None:
            return None
        return base64.urlsafe_b64encode(self._seal(listing, start) + start.encode()).decode()

    def take(self, listing: str, token: str | None) -> str | None:
        """The start that `give` sealed for this listing. Raises RequestError for any other token."""
        if token is None:
            return None
        try:
            start = base64.urlsafe_b64decode(token.encode())[_SEAL_BYTES:].decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _invalid() from error
        if not hmac.compare_digest(str(self.give(listing, start)).encode(), token.encode()):
            raise _invalid()
        return start

    def _seal(self, listing: str, start: str) -> bytes:
        return hmac.digest(self._key, f"{listing}\n{start}".encode(), hashlib.sha256)[:_SEAL_BYTES]


def _invalid() -> RequestError:
    return RequestError("InvalidParameterValue", "NextToken is not one that this listing has given.")

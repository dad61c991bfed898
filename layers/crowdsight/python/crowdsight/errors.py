"""Every error a caller of our own API can meet.

    CrowdsightError
    ├── InvalidRequest          what was sent breaks a rule; the message names the field
    ├── UnfetchableImage        a URL does not lead to an image that may be fetched
    ├── UndecodableImage        what was sent or fetched is no image, or one beyond the limits
    ├── UnsupportedMediaType    the body is not JSON
    ├── NotFound                no such function, task, account, image or request
    ├── AlreadyStored           the account has saved that image before; `url` is where it is
    ├── StillProcessing         a task must be finished before it can be deleted
    ├── BudgetExceeded          the account's monthly crowd budget does not cover the task
    ├── AllowanceExhausted      the day's free searches are used, and the balance does not pay for one more
    ├── TooManyKeys             the account has as many keys as it may have
    ├── KeyIsEnding             a key that has an end already cannot be rotated
    ├── TooManyRequests         so much is going on in the account at this moment that it must be tried again
    └── InternalError           our fault; the message carries a correlation id

`code` is stable and is what programs should compare; `crowdsight.http` maps it to a status.
Errors of the workplace's own protocol are in `crowdsight.workplace.faults`.
"""

from collections.abc import Mapping


class CrowdsightError(Exception):
    """An error with a stable `code`, a `message` for people, and what else programs are told of it, by name.

    `headers`: what its answer carries besides.
    """

    code = "Error"

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.details = details


class InvalidRequest(CrowdsightError):
    code = "InvalidRequest"


class UnfetchableImage(CrowdsightError):
    code = "UnfetchableImage"


class UndecodableImage(CrowdsightError):
    code = "UndecodableImage"


class UnsupportedMediaType(CrowdsightError):
    code = "UnsupportedMediaType"


class NotFound(CrowdsightError):
    code = "NotFound"


class AlreadyStored(CrowdsightError):
    code = "AlreadyStored"

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message, url=url)


class StillProcessing(CrowdsightError):
    code = "StillProcessing"


class BudgetExceeded(CrowdsightError):
    code = "BudgetExceeded"


class AllowanceExhausted(CrowdsightError):
    code = "AllowanceExhausted"


class TooManyKeys(CrowdsightError):
    code = "TooManyKeys"


class KeyIsEnding(CrowdsightError):
    code = "KeyIsEnding"


class TooManyRequests(CrowdsightError):
    """Its answer says when to try again, as the gateway's own of this code does."""

    code = "TooManyRequests"

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "1", **(headers or {})})


class InternalError(CrowdsightError):
    code = "InternalError"

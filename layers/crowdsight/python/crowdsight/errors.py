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
    └── InternalError           our fault; the message carries a correlation id

`code` is stable and is what programs should compare; `crowdsight.http` maps it to a status.
Errors of the workplace's own protocol are in `crowdsight.workplace.faults`.
"""


class CrowdsightError(Exception):
    """An error with a stable `code`, a `message` for people, and what else programs are told of it, by name."""

    code = "Error"

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
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


class InternalError(CrowdsightError):
    code = "InternalError"

"""Every error a caller of our own API can meet.

    CrowdsightError
    ├── InvalidRequest          what was sent breaks a rule; the message names the field
    ├── UnsupportedMediaType    the body is not JSON
    ├── NotFound                no such function, task or account
    ├── StillProcessing         a task must be finished before it can be deleted
    ├── BudgetExceeded          the account's monthly crowd budget does not cover the task
    └── InternalError           our fault; the message carries a correlation id

`code` is stable and is what programs should compare; `crowdsight.http` maps it to a status.
Errors of the workplace's own protocol are in `crowdsight.workplace.faults`.
"""


class CrowdsightError(Exception):
    """An error with a stable `code` and a `message` for people."""

    code = "Error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(CrowdsightError):
    code = "InvalidRequest"


class UnsupportedMediaType(CrowdsightError):
    code = "UnsupportedMediaType"


class NotFound(CrowdsightError):
    code = "NotFound"


class StillProcessing(CrowdsightError):
    code = "StillProcessing"


class BudgetExceeded(CrowdsightError):
    code = "BudgetExceeded"


class InternalError(CrowdsightError):
    code = "InternalError"

"""Every error of the workplace.

WorkplaceError
├── RequestError            a requester's program asked for what cannot be; MTurk's RequestError
│   └── InsufficientFunds   the requester's prepaid balance does not cover it
├── ServiceFault            our side; the program may try again; MTurk's ServiceFault
├── AccessRefused           the request's signature or operation name is wrong, before any operation runs
└── WorkerError             what a Worker asked for cannot be; `message` is shown to the Worker
    ├── WorkerNotFound      no such Worker
    ├── WorkerSuspended     the operator has suspended the Worker
    ├── HitNotFound         no such HIT
    ├── GroupNotFound       no such group of HITs
    ├── HitNotAvailable     expired, taken by others, or deleted
    ├── HitAlreadyDone      this Worker has this HIT already, or has submitted it
    ├── NotQualified        this Worker lacks a qualification that the HIT requires
    ├── TooManyAccepted     this Worker holds as many assignments as one may
    ├── AssignmentNotFound  no such assignment
    ├── AssignmentNotYours  another Worker's assignment
    ├── AssignmentOver      its time ran out, or it was returned or submitted before
    ├── AnswerRefused       the submitted fields are too large or not well-formed
    │   └── FormIncomplete  answers are missing, or are not what the form asks for
    ├── MessageRefused      the message is empty or too long
    ├── QualificationNotFound    no such qualification type, or no such request of this Worker's
    ├── QualificationNotOffered  this Worker cannot ask for it, now or ever
    ├── QualificationTestOver    its time ran out, or it was handed in before
    └── LocaleRefused            no such place, or where the Worker is was said before
"""

from collections.abc import Collection, Mapping


class WorkplaceError(Exception):
    """An error with a stable `code` and a `message` for people."""

    code = "Error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestError(WorkplaceError):
    """`turk_error_code` is what MTurk's programs compare, e.g. `AWS.MechanicalTurk.HITDoesNotExist`."""

    code = "RequestError"

    def __init__(self, turk_error_code: str, message: str) -> None:
        super().__init__(message)
        self.turk_error_code = f"AWS.MechanicalTurk.{turk_error_code}"


def wrong_assignment_status(allowed: Collection[str]) -> RequestError:
    """That an assignment is in none of the states in which this can be done to it."""
    return RequestError("InvalidAssignmentState", f"This operation can be called with a status of: {','.join(allowed)}")


class InsufficientFunds(RequestError):
    """The message is MTurk's own, which programs match."""

    def __init__(self) -> None:
        super().__init__(
            "InsufficientFunds",
            "This Requester has insufficient funds in their account to complete this transaction.",
        )


class ServiceFault(WorkplaceError):
    """Our side failed; nothing was changed, and the same request may be sent again."""

    code = "ServiceFault"

    def __init__(self, message: str = "The workplace could not complete the request. Try again.") -> None:
        super().__init__(message)
        self.turk_error_code = "AWS.MechanicalTurk.ServiceUnavailable"


class AccessRefused(WorkplaceError):
    """`code` is AWS's own, e.g. `InvalidSignatureException`; `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class WorkerError(WorkplaceError):
    code = "WorkerError"


class WorkerNotFound(WorkerError):
    code = "WorkerNotFound"


class WorkerSuspended(WorkerError):
    code = "WorkerSuspended"

    def __init__(self) -> None:
        super().__init__("Whoever runs this workplace has suspended you. What you earned is kept; ask them about it.")


class HitNotFound(WorkerError):
    code = "HitNotFound"


class GroupNotFound(WorkerError):
    code = "GroupNotFound"


class HitNotAvailable(WorkerError):
    code = "HitNotAvailable"


class HitAlreadyDone(WorkerError):
    code = "HitAlreadyDone"


class NotQualified(WorkerError):
    code = "NotQualified"


class TooManyAccepted(WorkerError):
    code = "TooManyAccepted"


class AssignmentNotFound(WorkerError):
    code = "AssignmentNotFound"


class AssignmentNotYours(WorkerError):
    code = "AssignmentNotYours"


class AssignmentOver(WorkerError):
    code = "AssignmentOver"


class AnswerRefused(WorkerError):
    code = "AnswerRefused"


class FormIncomplete(AnswerRefused):
    """`problems`: what is wrong with which question, by its number in the form."""

    code = "FormIncomplete"

    def __init__(self, problems: Mapping[int, str]) -> None:
        count = len(problems)
        super().__init__(f"{count} answers need another look." if count > 1 else "One answer needs another look.")
        self.problems = dict(problems)


class MessageRefused(WorkerError):
    code = "MessageRefused"


class QualificationNotFound(WorkerError):
    code = "QualificationNotFound"


class QualificationNotOffered(WorkerError):
    code = "QualificationNotOffered"


class QualificationTestOver(WorkerError):
    code = "QualificationTestOver"


class LocaleRefused(WorkerError):
    code = "LocaleRefused"

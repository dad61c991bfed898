"""Every error of the worker site's own, beside those of the workplace behind it (`faults`), and their HTTP statuses.

SiteError
├── BadForm             the body is not a form that can be read
├── FormTooLarge        the form has too many bytes or fields
├── NotSignedIn         the page is for people who are signed in
├── NotForYou           the page is for Workers, or for requesters' staff, and the person is not one
├── TooManyRequests     a Worker, or everybody at one network address, has done something too often
├── ForgedForm          the form was not made for this session
├── InvitationInvalid   the invitation is not one of ours
├── InvitationExpired   the invitation was, once
├── LinkInvalid         the link was not sent by us, or to nobody who can sign in now
├── LinkOver            the link was ours and was used, or its time is over
├── OtherBrowser        signing in was begun in another browser
├── EmailInUse          somebody else signs in by this e-mail address
├── NotAdmitted         the provider knows the person, and nobody has invited them
├── ProviderTrouble     the organisation's provider did not sign the person in
├── NotAccepted         an answer was sent from a preview
├── NoSuchPage          nothing is at this address
└── MethodNotAllowed    something is, but not for this verb
"""

from collections.abc import Sequence


class SiteError(Exception):
    """An error with a stable `code` and a `message` for the Worker."""

    code = "SiteError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadForm(SiteError):
    code = "BadForm"


class FormTooLarge(SiteError):
    code = "FormTooLarge"


class NotSignedIn(SiteError):
    code = "NotSignedIn"

    def __init__(self) -> None:
        super().__init__("Sign in, or open your invitation link, and then come back to this page.")


class NotForYou(SiteError):
    code = "NotForYou"

    def __init__(self, role: str) -> None:
        super().__init__(f"You are signed in as a {role}, and this page is for others.")


class TooManyRequests(SiteError):
    """`retry_after_s`: when to try again."""

    code = "TooManyRequests"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"That was too often in a short time. Nothing is lost: try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


class ForgedForm(SiteError):
    code = "ForgedForm"

    def __init__(self) -> None:
        super().__init__("Nothing was changed. Go back, load the page again, and press the button there.")


class InvitationInvalid(SiteError):
    code = "InvitationInvalid"

    def __init__(self) -> None:
        super().__init__("Part of the link may be missing. Copy all of it, or ask for a new one.")


class InvitationExpired(SiteError):
    code = "InvitationExpired"

    def __init__(self) -> None:
        super().__init__("Invitations last 30 days. Ask for a new one; what you earned is kept.")


class LinkInvalid(SiteError):
    code = "LinkInvalid"

    def __init__(self) -> None:
        super().__init__("Part of the link may be missing. Copy all of it, or ask for a new one.")


class LinkOver(SiteError):
    code = "LinkOver"

    def __init__(self) -> None:
        super().__init__("A link works once, within 15 minutes. Ask for a new one.")


class OtherBrowser(SiteError):
    code = "OtherBrowser"

    def __init__(self) -> None:
        super().__init__(
            "Signing in has to end in the browser where it began, with cookies allowed. Begin again in this one."
        )


class EmailInUse(SiteError):
    code = "EmailInUse"

    def __init__(self) -> None:
        super().__init__("This address cannot be yours here. Use another, or ask whoever runs this workplace.")


class NotAdmitted(SiteError):
    code = "NotAdmitted"

    def __init__(self) -> None:
        super().__init__(
            "Your organisation knows you, but nobody has invited you here. Ask whoever runs this workplace."
        )


class ProviderTrouble(SiteError):
    code = "ProviderTrouble"


class NotAccepted(SiteError):
    code = "NotAccepted"

    def __init__(self) -> None:
        super().__init__("This was a preview. Accept the HIT, then answer it.")


class NoSuchPage(SiteError):
    code = "NoSuchPage"

    def __init__(self) -> None:
        super().__init__("There is nothing at this address.")


class MethodNotAllowed(SiteError):
    """`allowed`: the verbs that the address has."""

    code = "MethodNotAllowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("This address cannot be used in this way.")
        self.allowed = tuple(allowed)


STATUSES_AND_HEADINGS: dict[str, tuple[int, str]] = {
    "BadForm": (400, "That form could not be read"),
    "FormTooLarge": (413, "That is too much"),
    "NotSignedIn": (403, "You are not signed in"),
    "NotForYou": (403, "This page is not for you"),
    "TooManyRequests": (429, "A little slower, please"),
    "ForgedForm": (403, "That form was not made for you"),
    "InvitationInvalid": (403, "This invitation is not valid"),
    "InvitationExpired": (410, "This invitation is over"),
    "LinkInvalid": (403, "This link is not valid"),
    "LinkOver": (410, "This link is over"),
    "OtherBrowser": (403, "Begin again here"),
    "EmailInUse": (409, "Not this address"),
    "NotAdmitted": (403, "You are not invited"),
    "ProviderTrouble": (502, "You are not signed in"),
    "NotAccepted": (409, "Accept the HIT first"),
    "NoSuchPage": (404, "No such page"),
    "MethodNotAllowed": (405, "Not possible here"),
    "WorkerNotFound": (403, "You are not signed in"),
    "WorkerSuspended": (403, "You are suspended"),
    "HitNotFound": (404, "No such HIT"),
    "GroupNotFound": (404, "No such HITs"),
    "HitNotAvailable": (410, "This HIT is gone"),
    "HitAlreadyDone": (409, "You have done this HIT"),
    "NotQualified": (403, "You do not qualify for this HIT"),
    "TooManyAccepted": (409, "Too many HITs at once"),
    "AssignmentNotFound": (404, "No such assignment"),
    "AssignmentNotYours": (403, "That is somebody else's"),
    "AssignmentOver": (410, "This assignment is over"),
    "AnswerRefused": (400, "That answer cannot be taken"),
    "MessageRefused": (400, "That message cannot be sent"),
    "QualificationNotFound": (404, "No such qualification"),
    "QualificationNotOffered": (409, "Not to be asked for now"),
    "QualificationTestOver": (410, "This test is over"),
    "LocaleRefused": (409, "That cannot be changed here"),
    "FormIncomplete": (422, "Please look again"),
    "RequestError": (409, "That cannot be done"),
    "ServiceFault": (500, "Something went wrong"),
}
"""By error code, the site's and the workplace's."""


def more_headers(error: Exception) -> dict[str, str]:
    """What a response tells of an error beside its status."""
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    return {}

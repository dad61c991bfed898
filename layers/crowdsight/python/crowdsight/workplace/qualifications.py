"""Qualifications: of what types they are, who holds them, and who asked for them."""

from dataclasses import dataclass
from enum import StrEnum

MASTERS = "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH"
MASTERS_IN_SANDBOX = "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"
ADULT = "00000000000000000060"
NUMBER_APPROVED = "00000000000000000040"
PERCENT_APPROVED = "000000000000000000L0"
LOCALE = "00000000000000000071"

DEFAULT_VALUE = 1
"""A qualification's value when none is given."""


class TypeStatus(StrEnum):
    """Disposed: deleted, so that only HITs which asked for it before go on asking."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    DISPOSED = "Disposed"


class QualificationStatus(StrEnum):
    GRANTED = "Granted"
    REVOKED = "Revoked"


class RequestStatus(StrEnum):
    """Testing: the test is being taken, or its time ran out. Submitted: its requester has to decide."""

    TESTING = "Testing"
    SUBMITTED = "Submitted"
    GRANTED = "Granted"
    REJECTED = "Rejected"


@dataclass(frozen=True)
class QualificationType:
    """A kind of qualification that a requester made; `requester_id` is empty for those of the workplace itself.

    `test_version`: which of its tests it has now, None without one. `has_answer_key`: the test is scored by itself.
    `retry_delay_s`: how long after a request a Worker may make another one; None = never.
    `version`: goes up by one at every change.
    """

    qualification_type_id: str
    requester_id: str
    name: str
    description: str
    keywords: str
    status: TypeStatus
    created_at_ms: int
    retry_delay_s: int | None = None
    test_version: int | None = None
    test_duration_s: int | None = None
    has_answer_key: bool = False
    auto_granted: bool = False
    auto_granted_value: int = DEFAULT_VALUE
    version: int = 1

    @property
    def is_system(self) -> bool:
        """Whether the workplace itself says who holds it."""
        return not self.requester_id

    @property
    def is_requestable(self) -> bool:
        """Whether Workers can ask for it."""
        return self.status is TypeStatus.ACTIVE and not self.is_system


@dataclass(frozen=True)
class QualificationTest:
    """A type's test: a QuestionForm, and the AnswerKey that scores it, if it has one. Never changed."""

    test_xml: str
    answer_key_xml: str | None


@dataclass(frozen=True)
class Locale:
    """`country`: ISO 3166, such as `US`; `subdivision`: ISO 3166-2, such as `WA`."""

    country: str
    subdivision: str | None = None

    def __str__(self) -> str:
        return f"{self.country}-{self.subdivision}" if self.subdivision else self.country

    def lies_in(self, other: "Locale") -> bool:
        """Whether this is `other` or a part of it."""
        return self.country == other.country and other.subdivision in (None, self.subdivision)


@dataclass(frozen=True)
class Qualification:
    """What one Worker holds or held of one type. `reason`: why it was revoked, for the Worker.

    `version`: goes up by one at every change.
    """

    qualification_type_id: str
    type_name: str
    worker_id: str
    value: int
    status: QualificationStatus
    granted_at_ms: int
    reason: str | None = None
    version: int = 1


@dataclass(frozen=True)
class QualificationRequest:
    """A Worker's latest request for a qualification of one type.

    `deadline_ms`: of the test, from then on no answers are taken. `test_version`: the test as the Worker was given it.
    `answer_xml`: a QuestionFormAnswers document; only while the request waits for its requester.
    """

    request_id: str
    qualification_type_id: str
    type_name: str
    worker_id: str
    requester_id: str
    status: RequestStatus
    requested_at_ms: int
    deadline_ms: int | None = None
    submitted_at_ms: int | None = None
    test_version: int | None = None
    answer_xml: str | None = None
    reason: str | None = None


def _system_type(number: int, type_id: str, name: str, description: str) -> QualificationType:
    # Their numbers stand for times of creation, so that they come first in lists, always in this order.
    return QualificationType(type_id, "", name, description, "", TypeStatus.ACTIVE, number)


SYSTEM_TYPES = {
    kind.qualification_type_id: kind
    for kind in (
        _system_type(0, MASTERS, "Masters", "Granted by the workplace's operator to Workers who do excellent work"),
        _system_type(1, ADULT, "Worker_Adult", "Granted by the workplace's operator to Workers of age"),
        _system_type(2, NUMBER_APPROVED, "Worker_NumberHITsApproved", "How many of their assignments were approved"),
        _system_type(
            3,
            PERCENT_APPROVED,
            "Worker_PercentAssignmentsApproved",
            "How many percent of their judged assignments were approved; 100 before the first 100 submissions",
        ),
        _system_type(4, LOCALE, "Worker_Locale", "Where the Worker is"),
    )
}
"""What every Worker has or can be given without any requester, by id, in the order of lists."""

GRANTED_BY_OPERATOR = {"masters": MASTERS, "adult": ADULT}
"""Those of them that are held only by Workers to whom the operator granted them."""


def canonical_type_id(qualification_type_id: str) -> str:
    """The id under which a type is kept: programs written for MTurk's sandbox name the Masters by another one."""
    return MASTERS if qualification_type_id == MASTERS_IN_SANDBOX else qualification_type_id

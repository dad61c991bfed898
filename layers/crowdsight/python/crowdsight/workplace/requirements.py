"""What HITs require of Workers: MTurk's QualificationRequirement, read, checked and held against a Worker."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.qualifications import (
    LOCALE,
    NUMBER_APPROVED,
    PERCENT_APPROVED,
    SYSTEM_TYPES,
    Locale,
    Qualification,
    QualificationRequest,
    QualificationStatus,
    canonical_type_id,
)
from crowdsight.workplace.workers import Worker

SUBMISSIONS_BEFORE_PERCENT_COUNTS = 100
"""A Worker who submitted fewer assignments than that counts as one of whom all are approved."""

_COUNTRY = re.compile("[A-Z]{2}")
_SUBDIVISION = re.compile("[A-Z0-9]{2}")


class Action(StrEnum):
    """What a requirement can keep a Worker from."""

    DISCOVER = "Discover"
    PREVIEW = "Preview"
    ACCEPT = "Accept"


_GUARDED: Mapping[str, frozenset[Action]] = {
    "Accept": frozenset((Action.ACCEPT,)),
    "PreviewAndAccept": frozenset((Action.PREVIEW, Action.ACCEPT)),
    "DiscoverPreviewAndAccept": frozenset(Action),
}
_EXISTENCE = ("Exists", "DoesNotExist")
_OF_SETS = ("In", "NotIn")
_OF_LOCALES = ("EqualTo", "NotEqualTo", *_OF_SETS)
_OF_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
}


_WORDS: Mapping[str, str] = {
    "LessThan": "is less than",
    "LessThanOrEqualTo": "is at most",
    "GreaterThan": "is greater than",
    "GreaterThanOrEqualTo": "is at least",
    "EqualTo": "is",
    "NotEqualTo": "is not",
    "Exists": "has been granted",
    "DoesNotExist": "has not been granted",
    "In": "is one of",
    "NotIn": "is none of",
}


@dataclass(frozen=True)
class Requirement:
    """One of a HIT's requirements. `values` is empty for Exists and DoesNotExist."""

    qualification_type_id: str
    comparator: str
    values: tuple[int, ...] | tuple[Locale, ...]
    actions_guarded: str

    def guards(self, action: Action) -> bool:
        """Whether a Worker who does not meet it is kept from this."""
        return action in _GUARDED[self.actions_guarded]

    @property
    def can_be_requested(self) -> bool:
        """Whether its qualification is one that Workers ask requesters for, and not to have it is what is wrong."""
        return self.qualification_type_id not in SYSTEM_TYPES and self.comparator != "DoesNotExist"

    @classmethod
    def from_member(cls, member: Mapping[str, Any]) -> "Requirement":
        """What a member of QualificationRequirements says, as `normal_requirements` gives it."""
        locales = (_locale_of(value) for value in member.get("LocaleValues", ()))
        return cls(
            canonical_type_id(member["QualificationTypeId"]),
            member["Comparator"],
            tuple(member.get("IntegerValues", ())) or tuple(locales),
            member["ActionsGuarded"],
        )


@dataclass(frozen=True)
class Standing:
    """A Worker with all that they hold, held and asked for, each by the type's id.

    `blocked_by`: the requesters who let the Worker do none of their HITs.
    """

    worker: Worker
    qualifications: Mapping[str, Qualification]
    requests: Mapping[str, QualificationRequest]
    blocked_by: frozenset[str] = frozenset()

    def value_of(self, qualification_type_id: str) -> int | Locale | None:
        """The value of the Worker's qualification of this type; None if they do not hold one."""
        type_id = canonical_type_id(qualification_type_id)
        if type_id == LOCALE:
            return self.worker.locale
        if type_id == NUMBER_APPROVED:
            return self.worker.approved
        if type_id == PERCENT_APPROVED:
            return _percent_approved(self.worker)
        held = self.qualifications.get(type_id)
        return held.value if held and held.status is QualificationStatus.GRANTED else None

    def meets(self, requirement: Requirement) -> bool:
        """Whether the Worker is as the requirement wants. Who does not hold a qualification meets only DoesNotExist."""
        value = self.value_of(requirement.qualification_type_id)
        if requirement.comparator == "DoesNotExist":
            return value is None
        if value is None:
            return False
        match requirement.comparator:
            case "Exists":
                return True
            case "EqualTo" | "In":
                return any(_equals(value, wanted) for wanted in requirement.values)
            case "NotEqualTo" | "NotIn":
                return not any(_equals(value, wanted) for wanted in requirement.values)
            case comparator:
                (wanted,) = requirement.values
                compares = _OF_NUMBERS[comparator]
                return isinstance(value, int) and isinstance(wanted, int) and compares(value, wanted)

    def in_words(self, requirement: Requirement) -> str:
        """What it asks for and what the Worker has, such as `Reads French is greater than 50; yours is 40`.

        A type that is not the workplace's, and that the Worker neither had nor asked for, goes by its id.
        """
        type_id = requirement.qualification_type_id
        known = SYSTEM_TYPES.get(type_id)
        met = self.qualifications.get(type_id) or self.requests.get(type_id)
        name = known.name if known else met.type_name if met else f"Qualification {type_id}"
        wanted = f"{name} {_WORDS[requirement.comparator]} {', '.join(map(str, requirement.values))}".rstrip()
        value = self.value_of(type_id)
        return wanted if value is None or not requirement.values else f"{wanted}; yours is {value}"

    def unmet(self, members: Iterable[Mapping[str, Any]], action: Action) -> list[Requirement]:
        """Those of a HIT's requirements that keep the Worker from an action."""
        requirements = map(Requirement.from_member, members)
        return [one for one in requirements if one.guards(action) and not self.meets(one)]


def normal_requirements(members: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """QualificationRequirements, with whom they keep from what spelled out in both of MTurk's ways.

    Of RequiredToPreview, which is the older way, and ActionsGuarded the stricter one holds.
    Raises RequestError InvalidParameterValue where a value does not go with the comparator or with the type.
    """
    return tuple(_normal(member) for member in members)


def check_locale(locale: Locale) -> None:
    """Raises ValueError unless it is made of codes as ISO 3166 has them."""
    if not _COUNTRY.fullmatch(locale.country):
        raise ValueError(f"a country is a code of ISO 3166, two letters such as US, not {locale.country!r}")
    if locale.subdivision is not None and not _SUBDIVISION.fullmatch(locale.subdivision):
        raise ValueError(f"a subdivision is a code of ISO 3166-2, such as WA, not {locale.subdivision!r}")


def _normal(member: Mapping[str, Any]) -> dict[str, Any]:
    type_id, comparator = member["QualificationTypeId"], member["Comparator"]
    integers, locales = member.get("IntegerValues", []), member.get("LocaleValues", [])
    count = len(integers) + len(locales)
    if integers and locales:
        raise _refused("A requirement has IntegerValues or LocaleValues, not both.")
    if comparator in _EXISTENCE and count:
        raise _refused(f"Comparator {comparator} takes neither IntegerValues nor LocaleValues.")
    if comparator in _OF_SETS and not count:
        raise _refused(f"Comparator {comparator} needs IntegerValues or LocaleValues.")
    if comparator not in (*_EXISTENCE, *_OF_SETS) and count != 1:
        raise _refused(f"Comparator {comparator} needs exactly one of IntegerValues or LocaleValues.")
    if locales and type_id != LOCALE:
        raise _refused(f"LocaleValues can only be used with the QualificationTypeId {LOCALE}.")
    if integers and type_id == LOCALE:
        raise _refused(f"IntegerValues cannot be used with the QualificationTypeId {LOCALE}.")
    if locales and comparator not in _OF_LOCALES:
        raise _refused(f"LocaleValues can only be used with the Comparators {', '.join(_OF_LOCALES)}.")
    for locale in locales:
        try:
            check_locale(_locale_of(locale))
        except ValueError as error:
            raise _refused(f"LocaleValues: {error}.") from error
    guarded = member.get("ActionsGuarded", "Accept")
    if guarded == "Accept" and member.get("RequiredToPreview"):
        guarded = "PreviewAndAccept"
    values = {name: member[name] for name in ("IntegerValues", "LocaleValues") if member.get(name)}
    return {
        "QualificationTypeId": type_id,
        "Comparator": comparator,
        **values,
        "RequiredToPreview": guarded != "Accept",
        "ActionsGuarded": guarded,
    }


def _locale_of(value: Mapping[str, str]) -> Locale:
    return Locale(value["Country"], value.get("Subdivision"))


def _equals(value: int | Locale, wanted: int | Locale) -> bool:
    if isinstance(value, Locale):
        return isinstance(wanted, Locale) and value.lies_in(wanted)
    return value == wanted


def _percent_approved(worker: Worker) -> int:
    judged = worker.approved + worker.rejected
    if judged + worker.waiting < SUBMISSIONS_BEFORE_PERCENT_COUNTS or not judged:
        return 100
    return 100 * worker.approved // judged


def _refused(message: str) -> RequestError:
    return RequestError("InvalidParameterValue", message)
